"""Random edits around random people: nobody loses their place, nobody is mailed a step twice, answers are kept."""

import random
from collections import Counter
from datetime import timedelta

import pytest
from editing import edited, ladder
from hypothesis import given, settings
from hypothesis import strategies as st
from stage import Stage
from walking import Walk, person

from nurture.engine.applying import Agreed, apply, preview
from nurture.engine.deploy import Current
from nurture.journey.branching import has_place
from nurture.journey.relocating import edit_of, relocate
from nurture.language.diff import diff
from nurture.language.project import read_project
from nurture.store import deploys


def project(made):
    found = read_project({"sequences/ladder.yaml": made.text().encode(), "templates/body.md": b"{{ ask }}\n"})
    assert not [problem for problem in found.problems if problem.severity == "error"], found.problems
    return found


def live(walk, dice):
    """A while of a life: silence, and now and then a click on a mail they have."""
    for _ in range(dice(0, 5)):
        moment = walk.now + timedelta(hours=dice(0, 70))
        if walk.mails and dice(0, 2) == 0:
            walk.click(walk.mails[dice(0, len(walk.mails) - 1)][0], moment)
        else:
            walk.until(moment)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_one_person_through_three_edits(data):
    def dice(low, high):
        return data.draw(st.integers(low, high))

    now = ladder(dice, dice(2, 6))
    running = project(now)
    walk = Walk(running.sequences["ladder"], person(dice(1, 50)))
    got = [walk.sequence.steps[name].subjects[0] for name in walk.path]
    for number in range(3):
        live(walk, dice)
        got += [walk.sequence.steps[name].subjects[0] for name, _ in walk.mails[len(got) :]]
        now = edited(now, dice)
        nexts = project(now)
        changed = [one for one in diff(running, nexts) if one.before is not None and one.after is not None]
        before, place = walk.sequence, walk.place
        if changed:
            edit = edit_of(changed[0], f"deploy {number + 2}")
            walk.place, what = relocate(edit, place, walk.facts, walk.now)
            assert what != "stranded"
            assert {edit.now.get(root, root): kept.value for root, kept in place.answers.items()} == {
                root: kept.value for root, kept in walk.place.answers.items()
            }
            assert [edit.now.get(name, name) for name in place.asked] == list(walk.place.asked)
        walk.sequence, running = nexts.sequences["ladder"], nexts
        assert has_place(walk.sequence, walk.place), (before, walk.place)
        if place.ended is None and walk.place.ended is None:
            assert walk.place.due_at is not None
        names = {one.subjects[0]: name for name, one in walk.sequence.steps.items()}
        walk.mails = [(names.get(subject, "gone"), at) for subject, (_, at) in zip(got, walk.mails, strict=True)]
    known = len(got)
    walk.rest()
    mails = [walk.sequence.steps[name] for name, _ in walk.mails[known:]]
    assert walk.place.ended is not None
    assert max(Counter([*got, *(step.subjects[0] for step in mails)]).values(), default=1) == 1
    assert [step.position for step in mails] == sorted(step.position for step in mails)


@pytest.mark.parametrize("seed", [1, 2])
def test_twelve_people_in_the_engine(store, seed):
    dice = random.Random(seed).randint
    now = ladder(dice, 5)
    stage = Stage(store, {"ladder": now.text()})
    names = [f"p{number}@example.com" for number in range(12)]
    try:
        for name in names:
            stage.subscribe(name, sequence="ladder")
            stage.after(hours=dice(0, 40))
            if stage.delivered and dice(0, 1):
                stage.click(stage.delivered[dice(0, len(stage.delivered) - 1)])
            if name in names[3::4]:
                now = edited(now, dice)
                stage.deployed = carry_out(stage, now)
        stage.after(days=400)
        for name in names:
            assert max(Counter(stage.subjects(name)).values()) == 1, stage.story(name)
            assert stage.place("ladder", name)["phase"] == "ended", stage.story(name)
    finally:
        stage.close()


def carry_out(stage, made):
    with stage.store.read() as tx:
        files = deploys.latest(tx)[1] | {"sequences/ladder.yaml": made.text().encode()}
    found = preview(stage.store, files, stage.rules, stage.now)
    assert found.refusals == ()
    apply(stage.store, files, stage.rules, stage.now, Agreed(found.deployed, found.digest))
    assert preview(stage.store, files, stage.rules, stage.now).empty
    return Current(stage.store, stage.rules)()
