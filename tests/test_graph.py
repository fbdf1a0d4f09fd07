"""The state chart and its pictures. The drawn snapshot is what `nurture graph home-loan` prints."""

import re
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from nurture.language.chart import chart, spread
from nurture.language.graph import mermaid, svg
from nurture.language.people import read_people
from nurture.language.placing import label_rows, label_size, place, size
from nurture.language.reading import read
from nurture.language.sequence import People

ROOT = Path(__file__).parents[1]
EXAMPLES = ("home-loan", "free-guide", "trial", "challenge", "first-evening")
PEOPLE = read_people((ROOT / "people.yaml").read_bytes()).people
SVG = "{http://www.w3.org/2000/svg}"


def example(name):
    sequence, problems = read((ROOT / "sequences" / f"{name}.yaml").read_bytes(), f"sequences/{name}.yaml", PEOPLE)
    assert not problems
    return sequence


def written(steps, head="start: joined"):
    text = f"{head}\nfrom: a@b.example\nwithin: 2 days\nsteps:\n{steps}"
    people = People(products=("book",), tags=("vip",))
    sequence, problems = read(text, "sequences/small.yaml", people)
    assert not [problem for problem in problems if problem.severity == "error"]
    return sequence


def ways(sequence):
    return [(edge.source, edge.target, edge.way, edge.cases) for edge in chart(sequence).edges]


ONE = "  {name}: {{subject: S, ask: {{click: Go, to: 'https://a.example'}}, {branches}}}\n"


def step(name, branches):
    return ONE.format(name=name, branches=branches)


# --- the chart


def test_the_chart_of_the_home_loan_ladder_says_what_leads_where():
    assert ways(example("home-loan")) == [
        ("start", "question", "start", ()),
        ("question", "guide", "yes", ("home",)),
        ("question", "quotes", "yes", ("auto",)),
        ("question", "question_again", "no", ()),
        ("question_again", "guide", "yes", ("home",)),
        ("question_again", "quotes", "yes", ("auto",)),
        ("question_again", "end", "no", ()),
        ("quotes", "end", "yes", ()),
        ("quotes", "end", "no", ()),
        ("guide", "offer", "yes", ("if kept >= 2, 1 day later",)),
        ("guide", "tour", "yes", ("else at once",)),
        ("guide", "tour", "no", ("4 days later",)),
        ("tour", "offer", "yes", ()),
        ("tour", "end", "no", ()),
        ("offer", "goal-reached", "yes", ()),
        ("offer", "last_call", "no", ()),
        ("last_call", "goal-reached", "yes", ()),
        ("last_call", "end", "no", ()),
    ]


def test_a_step_tells_its_ask_and_whether_it_repeats_one():
    nodes = {node.id: node for node in chart(example("home-loan")).nodes}
    offer, again = nodes["offer"], nodes["question_again"]
    assert (offer.ask, offer.size, offer.price, offer.offer) == ("buy", 4, "99 GBP", True)
    assert (again.again, again.words) == ("question", "Are you looking for a home loan or an auto loan?")
    assert (nodes["start"].words, nodes["goal-reached"].words) == ("joined", "bought review")


def test_silence_says_how_long_it_lasts():
    silences = {edge.source: edge.within for edge in chart(example("home-loan")).edges if edge.way == "no"}
    assert silences["question"] == "3 days"
    assert silences["last_call"] == "48 hours"


def test_answers_with_one_branch_share_a_line_and_a_split_names_its_shares():
    found = ways(example("free-guide"))
    assert ("worry", "exercise", "yes", ("spending or saving, 20 hours later",)) in found
    assert ("lesson", "course", "yes", ("1 day later, 90%",)) in found
    assert ("lesson", "end", "yes", ("1 day later, 10%",)) in found


def test_several_arms_to_one_step_are_one_edge_with_their_cases_in_order():
    assert ("budget", "how_was_it", "yes", ("2 days before start.trial_ends", "else at once")) in ways(example("trial"))


def test_ends_that_nothing_leads_to_are_not_in_the_chart():
    sequence = written(step("ask_it", "yes: unsubscribe, no: unsubscribe"), "start: manual\ngoal: {tag: vip}")
    assert [node.id for node in chart(sequence).nodes] == ["start", "ask_it", "unsubscribe"]


def test_a_start_says_its_condition_and_a_split_at_the_start_is_drawn():
    head = "start: {when: [joined, {tag: vip}], if: not bought.book, go: {split: {one: 50%, two: 50%}}}"
    sequence = written(step("one", "yes: two, no: end") + step("two", "no: end"), head)
    assert chart(sequence).nodes[0].words == "joined or tag vip, if not bought.book"
    assert ways(sequence)[:2] == [("start", "one", "start", ("50%",)), ("start", "two", "start", ("50%",))]


# --- Mermaid


def test_mermaid_is_as_it_was_looked_at():
    assert mermaid(example("home-loan")) == (ROOT / "tests/drawn/home-loan.mmd").read_text(encoding="utf-8")


def test_mermaid_shows_marketers_words_as_they_are():
    asked = "  one: {subject: S, ask: {click: 'A \"b\" <i> #1 `c` [d] | e', to: 'https://a.example'}, no: end}\n"
    words = next(line for line in mermaid(written(asked)).splitlines() if "step_one[" in line)
    assert "A #34;b#34; #60;i#62; #35;1 #96;c#96; [d] | e" in words
    assert words.count('"') == 2


def test_a_step_called_goal_is_not_the_goal():
    asked = "  goal: {subject: S, ask: {buy: book, to: 'https://a.example'}, no: end}\n"
    drawn = mermaid(written(asked, "start: joined\ngoal: {bought: book}"))
    assert "step_goal --> " not in drawn
    assert 'step_goal -->|"yes"| end_goal_reached' in drawn


# --- SVG


def test_the_drawing_is_as_it_was_looked_at():
    assert svg(example("home-loan")) == (ROOT / "tests/drawn/home-loan.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_step_and_every_way_is_in_the_drawing_once(name):
    sequence = example(name)
    root = ET.fromstring(svg(sequence))
    assert [group.get("data-step") for group in root.iter() if group.get("data-step")] == list(sequence.steps)
    assert len([group for group in root.iter() if group.get("data-from")]) == len(chart(sequence).edges)


@pytest.mark.parametrize("name", EXAMPLES)
def test_nothing_overlaps_and_no_line_runs_through_a_box(name):
    no_clash(example(name))


def no_clash(sequence):
    drawn = spread(chart(sequence))
    placed = place(drawn)
    boxes = {node.id: box(placed.middles[node.id], size(node)) for node in drawn.nodes}
    exits = {node.id for node in drawn.nodes if node.leaves}
    for edge, way in zip(drawn.edges, placed.ways, strict=True):
        if label_rows(edge) and edge.target not in exits:
            boxes[edge] = box(way.label, label_size(label_rows(edge)))
    for (one, first), (other, second) in combinations(boxes.items(), 2):
        assert not overlap(first, second), (one, other)
    for edge, way in zip(drawn.edges, placed.ways, strict=True):
        for name_of_box, around in boxes.items():
            if name_of_box not in (edge, edge.source, edge.target):
                for line in way.lines:
                    for here, there in pairwise(line):
                        assert not overlap(around, stretch(here, there)), (edge, name_of_box)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_way_leads_down_the_page_and_stays_on_it(name):
    placed = place(spread(chart(example(name))))
    for way in placed.ways:
        assert way.lines[0][0][1] < way.lines[-1][-1][1]
        for x, y in (spot for line in way.lines for spot in line):
            assert 0 < x < placed.width
            assert 0 < y < placed.height


def test_a_yes_and_a_no_differ_without_colour():
    drawn = svg(example("home-loan"))
    assert re.search(r"\.no \.line\{[^}]*stroke-dasharray", drawn)
    assert not re.search(r"\.yes \.line\{[^}]*stroke-dasharray", drawn)
    assert "no in 3 days" in drawn
    assert "yes: home" in drawn


def test_counts_people_and_the_way_walked_are_marked():
    counts = {"guide": 12, "tour": 0, "goal-reached": 3}
    drawn = svg(example("home-loan"), counts=counts, here=["tour"], path=["question", "guide", "tour"])
    root = ET.fromstring(drawn)
    steps = {group.get("data-step"): group.get("class").split() for group in root.iter() if group.get("data-step")}
    assert [name for name, classes in steps.items() if "walked" in classes] == ["question", "guide", "tour"]
    assert [name for name, classes in steps.items() if "here" in classes] == ["tour"]
    numbers = {text.get("data-count"): text.text for text in root.iter(f"{SVG}text") if text.get("data-count")}
    assert {name: number for name, number in numbers.items() if number} == {"guide": "12", "goal-reached": "3"}
    lit = {(group.get("data-from"), group.get("data-to")) for group in root.iter() if walked_way(group)}
    assert lit == {("start", "question"), ("question", "guide"), ("guide", "tour")}


def test_marketers_words_cannot_break_out_of_the_drawing():
    words = '<script>alert(1)</script> & "so"'
    asked = f"  one: {{subject: '</title><script>', ask: {{click: '{words}', to: 'https://a.example'}}, no: end}}\n"
    drawn = svg(written(asked, "title: '</title><script>'\nstart: joined"))
    assert "<script" not in drawn
    ET.fromstring(drawn)


def test_long_words_are_cut_and_stay_in_their_card():
    asked = f"  one: {{subject: S, ask: {{click: '{'W' * 90} {'word ' * 60}', to: 'https://a.example'}}, no: end}}\n"
    drawn = svg(written(asked))
    assert "…" in drawn
    assert "W" * 30 not in re.sub(r"<title>.*?</title>", "", drawn)


def test_a_ladder_of_fifteen_long_steps_is_drawn_without_a_clash_and_each_full_name_can_be_read():
    name = "step_with_quite_a_long_name_{}".format
    last = 14
    rungs = [
        step(
            name(number),
            f"yes: [{{if: tags.vip and kept >= {number} and not bought.book, after: 10 days, go: {name(number + 2)}}}, "
            f"{{go: {name(number + 1)}}}], no: {name(number + 1)}",
        )
        for number in range(last - 1)
    ]
    ends = [step(name(last - 1), f"yes: {name(last)}, no: end"), step(name(last), "no: end")]
    sequence = written("".join([*rungs, *ends]))
    no_clash(sequence)
    titles = [title.text for title in ET.fromstring(svg(sequence)).iter(f"{SVG}title")]
    assert f"{name(7)}: S" in titles


def test_the_drawing_follows_the_readers_colour_scheme_and_needs_nothing_from_outside():
    drawn = svg(example("trial"))
    assert "prefers-color-scheme:dark" in drawn
    assert re.findall(r"https?://[^\"]+", drawn) == ["http://www.w3.org/2000/svg"]


def test_a_ladder_of_forty_steps_is_drawn():
    steps = "".join(step(f"s{number}", f"no: s{number + 1}, yes: s{number + 1}") for number in range(39))
    root = ET.fromstring(svg(written(steps + step("s39", "no: end"))))
    assert len([group for group in root.iter() if group.get("data-step")]) == 40


def box(middle, extent):
    (x, y), (width, height) = middle, extent
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def stretch(here, there):
    return min(here[0], there[0]), min(here[1], there[1]), max(here[0], there[0]), max(here[1], there[1])


def overlap(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def walked_way(group):
    return group.get("data-from") and "walked" in group.get("class").split()
