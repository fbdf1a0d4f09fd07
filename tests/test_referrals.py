"""Friends: only who confirmed and did something counts, once, for one person; and the ladder hears of it."""

import pytest
from stage import LINKS, PEOPLE, Stage
from test_erasing import everything_kept
from test_signup import FORMS, confirm, sign_up

from nurture.engine import inviting
from nurture.engine.demo import Crowd, Imagined
from nurture.engine.deploy import Current
from nurture.engine.erasing import erase
from nurture.engine.inbox import Inbox
from nurture.engine.run import Engine
from nurture.providers.base import Account
from nurture.rehearsal.stories import tell
from nurture.store import friends, people

CONFIRM = "Please confirm: One mail a week"
LADDER = """
title: Bring three friends
start: manual
from: Ada <ada@brightline.example>
within: 30 days
steps:
  invite: {subject: Invite, template: invite.md, ask: {refer: Invite two friends, friends: 2}, yes: more, no: end}
  more: {subject: More, template: invite.md, ask: {refer: Invite one more, friends: 3}, yes: thanks, no: end}
  thanks: {subject: Thanks, template: body.md, ask: {click: Read on, to: https://example.com}, no: end}
tests:
  - name: two friends and then a third
    given: {start: mon 10:00}
    does: [{invite: 2 friends, after: 2 hours}, {more: 3 friends, after: 1 day}]
    expect: {path: [invite, more, thanks]}
  - name: one friend is too few
    does: [{invite: 1 friend, after: 2 hours}]
    expect: {path: [invite], ends: finished}
  - name: three at once
    does: [{invite: 3 friends, after: 2 hours}]
    expect: {path: [invite, thanks]}
"""
WELCOME = """
start: joined
from: Ada <ada@brightline.example>
within: 3 days
steps:
  hello: {subject: Hello, template: body.md, ask: {poll: "Tea?", answers: {tea: Tea, coffee: Coffee}}, yes: end, no: end}
"""
INVITE = b"Hello. {{ friends.confirmed }} in, {{ friends.left }} to go.\n\n{{ ask }}\n"


@pytest.fixture
def stage(store):
    known = FORMS.replace(b", start: ladder", b"")
    files = {"people.yaml": PEOPLE + known, "templates/invite.md": INVITE}
    stage = Stage(store, {"bring": LADDER, "welcome": WELCOME}, templates=files)
    stage.subscribe(sequence="bring", first_name="Ann")
    stage.work()
    yield stage
    stage.close()


def number_of(tx, email):
    return people.by_email(tx, email).id


def link_of(stage, email="ann@example.com"):
    with stage.store.read() as tx:
        who = number_of(tx, email)
        return friends.of_people(tx, [who])[who, "bring"].id


def comes(stage, email, *, link=None, client=None, device="", answers=True):
    """A friend signs up by the link, confirms and answers."""
    sign_up(stage, email, friend_of=link or link_of(stage))
    confirm(stage, stage.mail(CONFIRM, email), client or f"{email} Firefox", device)
    if answers:
        stage.answer(stage.mail("Hello", email), "tea")
        stage.work()


def refused(stage, email):
    with stage.store.read() as tx:
        return friends.of_friend(tx, number_of(tx, email)).refused


def test_friends_count_when_they_confirmed_and_answered_and_each_number_is_a_branch(stage):
    mail = stage.mail("Invite")
    assert "0 in, 2 to go" in mail.text and f"/r/{link_of(stage)}" in mail.text
    comes(stage, "bob@example.com", answers=False)
    assert stage.subjects() == ["Invite"]
    stage.answer(stage.mail("Hello", "bob@example.com"), "tea")
    stage.work()
    assert stage.subjects() == ["Invite"]
    comes(stage, "cem@example.com")
    assert stage.subjects() == ["Invite", "More"]
    assert "2 in, 1 to go" in stage.mail("More").text
    comes(stage, "dan@example.com")
    assert stage.subjects() == ["Invite", "More", "Thanks"]
    kept = {answer["step"] for answer in stage.story()["answers"]}
    assert kept == {"invite", "more"}


@pytest.mark.parametrize(
    ("email", "how", "why"),
    [
        ("ann+friend@example.com", {}, "the same mailbox as the person"),
        ("eve@example.com", {"device": "own"}, "the same browser as the person"),
        ("bob+2@example.com", {}, "the same mailbox as another friend"),
        ("eve@example.com", {"device": "of bob"}, "the same browser as another friend"),
        ("eve@example.com", {"client": "bob@example.com Firefox"}, "the same network"),
    ],
)
def test_who_is_no_friend_does_not_count_and_it_is_said_why(stage, email, how, why):
    comes(stage, "bob@example.com", device="of bob")
    if how.get("device") == "own":
        how = {"device": link_of(stage)}
    comes(stage, email, **how)
    assert why in refused(stage, email)
    assert stage.subjects() == ["Invite"]
    comes(stage, "cem@example.com")
    assert stage.subjects() == ["Invite", "More"]


def test_a_friend_counts_for_one_person_only_and_nobody_on_the_list_is_a_new_friend(stage):
    stage.subscribe("zoe@example.com", sequence="bring")
    stage.work()
    comes(stage, "bob@example.com")
    comes(stage, "bob@example.com", link=link_of(stage, "zoe@example.com"), answers=False)
    comes(stage, "zoe@example.com", answers=False)
    with stage.store.read() as tx:
        assert len(friends.of_link(tx, link_of(stage))) == 1
        assert friends.of_link(tx, link_of(stage, "zoe@example.com")) == []


def test_the_leaderboard_shows_counted_friends_equal_places_and_only_names_that_were_given(stage):
    for who in ("zoe@example.com", "max@example.com"):
        stage.subscribe(who, sequence="bring")
    stage.work()
    comes(stage, "bob@example.com")
    comes(stage, "cem@example.com", link=link_of(stage, "zoe@example.com"))
    comes(stage, "dan@example.com", link=link_of(stage, "max@example.com"), answers=False)
    inviting.rename(
        stage.store, link_of(stage, "zoe@example.com"), "  Zoë\n<script> of the long long long long long name "
    )
    board = inviting.board(stage.store, stage.deployed, "bring")
    assert [(one.place, one.who, one.friends) for one in board.lines] == [
        (1, "A.", 1),
        (1, "Zoë <script> of the long long long long ", 1),
    ]
    assert inviting.board(stage.store, stage.deployed, "welcome") is None


def test_a_challenge_counts_friends_of_its_days_alone(store):
    known = FORMS.replace(b", start: ladder", b"")
    ladder = LADDER.replace("start: manual", "challenge: {from: 2026-06-02, to: 2026-06-03}\nstart: manual")
    stage = Stage(
        store, {"bring": ladder, "welcome": WELCOME},
        templates={"people.yaml": PEOPLE + known, "templates/invite.md": INVITE},
    )  # fmt: skip
    stage.subscribe(sequence="bring")
    stage.work()
    for email in ("bob@example.com", "cem@example.com", "dan@example.com"):
        comes(stage, email)
        stage.after(days=1)
    board = inviting.board(stage.store, stage.deployed, "bring")
    assert ([one.friends for one in board.lines], board.until) == ([1], "Wednesday 3 June, 00:00")
    stage.close()


def test_a_mail_shows_the_first_five_and_the_place_of_who_reads_it(store):
    known = FORMS.replace(b", start: ladder", b"")
    board = b"{{ leaderboard() }}\n\n{{ ask }}\n"
    stage = Stage(
        store, {"bring": LADDER, "welcome": WELCOME},
        templates={"people.yaml": PEOPLE + known, "templates/invite.md": INVITE, "templates/body.md": board,
                   "templates/welcome/body.md": b"{{ ask }}"},
    )  # fmt: skip
    stage.subscribe(sequence="bring", first_name="Ann")
    stage.subscribe("zoe@example.com", sequence="bring", first_name="<b>Zoe</b>")
    stage.work()
    inviting.rename(stage.store, link_of(stage, "zoe@example.com"), "<i>Zoë</i>")
    comes(stage, "eve@example.com", link=link_of(stage, "zoe@example.com"))
    for email in ("bob@example.com", "cem@example.com", "dan@example.com"):
        comes(stage, email)
    mail = stage.mail("Thanks")
    assert "&lt;i&gt;Zoë&lt;/i&gt;" in mail.html
    assert [one for one in ("A. (you)", "<i>Zoë</i>") if one in mail.text] == ["A. (you)", "<i>Zoë</i>"]
    stage.close()


def test_its_own_stories_pass(stage):
    told = tell(stage.deployed.sequences["bring"])
    assert [(one.name, one.differences) for one in told if one.differences] == [] and len(told) == 3


def test_who_is_erased_leaves_no_words_and_their_friends_stay_counted(stage):
    mine = link_of(stage)
    inviting.rename(stage.store, mine, "Annemarie Bright")
    sign_up(stage, "bob@example.com", friend_of=mine, first_name="Roberto Fabuloso")
    confirm(stage, stage.mail(CONFIRM, "bob@example.com"), "bob Firefox", "a device of Bob's")
    stage.answer(stage.mail("Hello", "bob@example.com"), "tea")
    stage.work()
    comes(stage, "cem@example.com")
    assert stage.subjects() == ["Invite", "More"]
    for who in ("bob@example.com", "ann@example.com"):
        assert erase(stage.store, stage.deployed, who, stage.now, by="ada@example.com") is not None
    after = everything_kept(stage.store).decode("utf-8", "replace")
    for words in ("bob@example.com", "Roberto", "ann@example.com", "Annemarie", "a device of Bob"):
        assert words not in after, words
    with stage.store.read() as tx:
        assert friends.counted(tx, [mine]) == {mine: 2}
    assert inviting.board(stage.store, stage.deployed, "bring").lines == ()
    assert "*" in {one.who for one in inviting.inviting(stage.store, stage.deployed, stage.mail("More").id).visitors}
    assert confirm(stage, stage.mail(CONFIRM, "bob@example.com")) is None


def test_imagined_people_of_the_demo_bring_friends_by_their_own_link(store):
    asked = LADDER.replace("friends: 2}", "friends: 2, size: 1}").replace("friends: 3}", "friends: 3, size: 1}")
    files = {"people.yaml": PEOPLE + FORMS.replace(b", start: ladder", b""), "templates/invite.md": INVITE}
    stage = Stage(store, {"bring": asked, "welcome": WELCOME}, templates=files)
    current = Current(store, stage.rules)
    engine = Engine(store, current, LINKS, stage.provider, Account("outbox"), now=lambda: stage.now)
    inbox = Inbox(store)
    crowd = Crowd(engine, inbox, [Imagined("Ann", "ann@example.com", "keen", "Europe/London")], seed=1)
    for _ in range(120):
        crowd.act()
        stage.after(hours=1)
    assert stage.subjects() == ["Invite", "More", "Thanks"]
    assert len(crowd.people) == 4
    assert inviting.board(store, stage.deployed, "bring").lines[0].friends == 3
    inbox.close()
    stage.close()
