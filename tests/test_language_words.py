"""The words of the language: what YAML makes of a scalar, how time is written, what a cell is, what a condition says."""

from datetime import datetime, time

import pytest

from nurture.language import words
from nurture.language.conditions import UNKNOWN, MisreadError, Names, parse
from nurture.language.faults import Faults
from nurture.language.people import convert, read_people
from nurture.language.sequence import AtClock, AtInstant, AtName, Duration
from nurture.language.yaml import compose, plain

# --- YAML


def values_of(text):
    faults = Faults("a.yaml")
    root = compose(text, faults)
    assert faults.found == []
    return plain(root)


def fault_of(text):
    faults = Faults("a.yaml")
    compose(text, faults)
    (problem,) = faults.found
    return problem


@pytest.mark.parametrize("text", ["yes", "no", "on", "off", "y", "n", "Yes", "9:00", "1:30:00", "0x1F", "0o17", "1_000",
                                  "2026-11-24", "007", "1e", "+", ".", "-", "=", "<<", ".inf", ".nan"])  # fmt: skip
def test_what_yaml_1_1_would_change_is_plain_text(text):
    assert values_of(f"{{key: {text}, last: 1}}" if text != "-" else 'key: "-"\nlast: 1') == {"key": text, "last": 1}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("2.5", 2.5),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
    ],
)
def test_numbers_truth_and_nothing_are_what_yaml_1_2_says(text, value):
    found = values_of(f"key: {text}")["key"]
    assert found == value
    assert type(found) is type(value)


def test_what_stands_in_quotes_is_text():
    assert values_of("""{a: "3", b: 'true', c: "", d: "~"}""") == {"a": "3", "b": "true", "c": "", "d": "~"}


def test_yes_and_no_are_keys_like_others_and_a_question_may_stand_in_braces():
    assert values_of("{yes: a, no: b, reply: What is it?}") == {"yes": "a", "no": "b", "reply": "What is it?"}


def test_a_key_written_twice_is_a_fault_at_the_second():
    problem = fault_of("a: 1\nb: 2\na: 3\n")
    assert (problem.code, problem.line, problem.column) == ("E104", 3, 1)
    assert "line 1" in problem.message


def test_a_key_written_twice_keeps_its_first_value():
    faults = Faults("a.yaml")
    assert plain(compose("{a: 1, a: 2}", faults)) == {"a": 1}


def test_an_anchor_repeats_what_it_names():
    assert values_of("a: &x {one: 1}\nb: *x\nc: [*x, *x]\n") == {
        "a": {"one": 1}, "b": {"one": 1}, "c": [{"one": 1}, {"one": 1}],
    }  # fmt: skip


def test_an_anchor_cannot_hold_itself():
    assert fault_of("a: &x [*x]").code == "E105"


def test_a_windows_file_and_a_byte_order_mark_change_nothing():
    assert values_of("\ufeffa: 1\r\nb: two\r\n".encode()) == {"a": 1, "b": "two"}


# --- time


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("10 seconds", Duration(0, 10)), ("20 minutes", Duration(0, 1200)), ("36 hours", Duration(0, 129600)),
        ("2 days", Duration(2)), ("1 week", Duration(7)), ("10s", Duration(0, 10)), ("20m", Duration(0, 1200)),
        ("36h", Duration(0, 129600)), ("2d", Duration(2)), ("1w", Duration(7)), (" 1 Day ", Duration(1)),
    ],
)  # fmt: skip
def test_a_length_of_time(text, found):
    assert words.duration(text) == found


def test_a_day_is_not_twenty_four_hours():
    assert words.duration("1 day") != words.duration("24 hours")


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("3 dyas", "did you mean 'days'?"), ("3", "is not a length of time"), ("days", "is not a length of time"),
        ("0 days", "no time at all"), ("1.5 days", "is not a length of time"), ("-1 day", "is not a length of time"),
        ("1 month", "no fixed length"), ("2 years", "no fixed length"), ("9999 days", "longer than ten years"),
        ("999999999 hours", "longer than ten years"), ("9" * 400 + " days", "is not a length of time"),
        ("2 days 3 hours", "is not a length of time"), ("", "is not a length of time"),
    ],
)  # fmt: skip
def test_what_is_no_length_of_time_says_what_to_write(text, piece):
    with pytest.raises(ValueError, match=r".") as caught:
        words.duration(text)
    assert piece in str(caught.value)


def test_a_length_of_time_prints_as_words_that_read_back():
    for text in ("10 seconds", "1 minute", "36 hours", "2 days", "1 week"):
        found = words.duration(text)
        assert words.duration(str(found)) == found


def test_a_time_of_day():
    assert words.clock("9:00") == time(9)
    assert words.clock("23:59") == time(23, 59)
    for wrong in ("24:00", "9", "9:0", "9:60", "9am", "", "9:00:00"):
        with pytest.raises(ValueError, match="not a time of day"):
            words.clock(wrong)


def test_a_window_may_span_midnight_and_end_with_the_day():
    assert words.between("9:00-17:00") == (time(9), time(17))
    assert words.between("22:00 - 6:00") == (time(22), time(6))
    assert words.between("9:00–24:00") == (time(9), time(0))
    for wrong in ("9:00", "9-17", "9:00-9:00", "0:00-24:00", "9:00-25:00", "24:00-9:00"):
        with pytest.raises(ValueError, match=r"not a (stretch|time) of|begins when it ends"):
            words.between(wrong)


def test_days_of_the_week():
    assert words.days("weekdays") == {0, 1, 2, 3, 4}
    assert words.days("weekend") == {5, 6}
    assert words.days("every day") == set(range(7))
    assert words.days("Tuesday") == {1}
    assert words.days("mon, wed, fri") == {0, 2, 4}
    assert words.days("mon-thu") == {0, 1, 2, 3}
    assert words.days("sat-mon") == {5, 6, 0}
    with pytest.raises(ValueError, match="did you mean 'tue'"):
        words.days("teu")


def test_moments():
    assert words.moment("9:00").point == AtClock(time(9))
    assert words.moment("tue 9:00").point == AtClock(time(9), 1)
    assert words.moment("2026-11-24").point == AtInstant(datetime(2026, 11, 24), bare=True)  # noqa: DTZ001
    local = datetime(2026, 11, 24, 18)  # noqa: DTZ001 - a moment has its zone beside it
    assert words.moment("2026-11-24 18:00").point == AtInstant(local)
    assert words.moment("2026-11-24 18:00 Europe/London").point == AtInstant(local, "Europe/London")
    assert words.moment("renewal").point == AtName("renewal")
    assert words.moment("start.trial_ends").point == AtName("start.trial_ends")
    assert words.moment("3 days before renewal").point == AtName("renewal", Duration(3), before=True)
    assert words.moment("2 hours after joined").point == AtName("joined", Duration(0, 7200))


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("tue", "needs a time of day"), ("2026-02-30", "is not a day of the calendar"),
        ("2026-11-24 18:00 Europe/Londn", "did you mean 'Europe/London'?"), ("tue 25:00", "not a time of day"),
        ("3 dyas before renewal", "did you mean 'days'?"), ("soon enough", "is not a moment"), ("", "is not a moment"),
        ("3 days before Renewal", "is not the name of a date"), ("24.11.2026", "is not a moment"),
        ("a.b", "is not a moment"), ("2026-11-24 18:00 ../../etc/passwd", "is not a moment"),
    ],
)  # fmt: skip
def test_what_is_no_moment_says_what_to_write(text, piece):
    with pytest.raises(ValueError, match=r".") as caught:
        words.moment(text)
    assert piece in str(caught.value)


# --- people


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("text", "  Ann ", "Ann"), ("text", "", ""), ("text", "007", "007"), ("number", "1200", 1200),
        ("number", "-12.5", -12.5), ("date", "2026-11-24", "2026-11-24"), ("date", "2026-11-24 18:00", "2026-11-24T18:00:00"),
        ("date", "2026-11-24T18:00:00Z", "2026-11-24T18:00:00+00:00"), ("yearly", "11-24", "11-24"),
        ("yearly", "1980-3-7", "03-07"), ("yearly", "--02-29", "02-29"), ("yes_no", "Yes", True), ("yes_no", "0", False),
        ("yes_no", "off", False), (("free", "pro"), "PRO", "pro"),
    ],
)  # fmt: skip
def test_a_cell_becomes_what_its_kind_declares(kind, cell, value):
    found = convert(kind, cell)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "cell", "piece"),
    [
        ("number", "12,5", "write it like 1200 or 12.5"), ("number", "nan", "is not a number"),
        ("number", "1e9", "is not a number"), ("number", "9" * 40, "is not a number"), ("number", "", "nothing here"),
        ("date", "24.11.2026", "write it like 2026-11-24"),
        ("date", "2026-02-30", "is not a day of the calendar"), ("date", "2026-11-24 25:00", "is not a day of the calendar"),
        ("yearly", "24.11.", "like 11-24"), ("yearly", "13-01", "is not a day of the calendar"),
        ("yearly", "1981-02-29", "is not a day of the calendar"), ("yes_no", "maybe", "is neither yes nor no"),
        (("free", "pro"), "fre", "did you mean 'free'?"), (("free", "pro"), "gold", "write free or pro"),
        ("text", "a\x00b", "no text"), ("text", "\ud800", "no text"), ("text", "x" * 10_001, "longer than 10,000"),
    ],
)  # fmt: skip
def test_a_cell_that_does_not_fit_is_refused_with_a_sentence(kind, cell, piece):
    with pytest.raises(ValueError, match=r".") as caught:
        convert(kind, cell)
    assert piece in str(caught.value)


def test_people_are_declared_once():
    people, problems = read_people(
        "attributes: {first_name: text, plan: [free, pro]}\nevents: {cart_added: {total: number}, seen: {}}\n"
        "products: [review]\ntags: [vip]\n"
    )
    assert problems == ()
    assert people.attributes == {"first_name": "text", "plan": ("free", "pro")}
    assert people.events == {"cart_added": {"total": "number"}, "seen": {}}
    assert (people.products, people.tags) == (("review",), ("vip",))


@pytest.mark.parametrize(
    ("text", "spot", "piece"),
    [
        ("attributes: {seats: nubmer}", (1, 21), "did you mean 'number'?"),
        ("attributes: {kept: number}", (1, 14), "already has a meaning"),
        ("attributes: {email: text}", (1, 14), "already has a meaning"),
        ("attributes: {First: text}", (1, 14), "such as first"),
        ("attributes: {plan: []}", (1, 20), "this list of words is empty"),
        ("product: [review]", (1, 1), "did you mean 'products'?"),
        ("products: review", (1, 11), "a list of products"),
        ("tags: [end]", (1, 8), "a word of the language"),
        ("- a", (1, 1), "needs keys"),
    ],
)
def test_a_fault_in_people_yaml_is_found_where_it_is(text, spot, piece):
    _, problems = read_people(text)
    assert [(problem.line, problem.column) for problem in problems] == [spot], problems
    assert piece in problems[0].message


# --- conditions


NAMES = Names(
    answers={"question": ("home", "auto"), "size": (1, 2, 3), "tour": ()},
    repeats={"question_again": "question"},
    tags=("vip",),
    bought=("book",),
    start={"total": "number"},
    attributes={"first_name": "text", "seats": "number", "plan": ("free", "pro"), "email": "text"},
)
KNOWN = {
    ("kept",): 2, ("asked",): 3, ("first_name",): "Ann", ("tags", "vip"): True, ("answers", "question"): "home",
    ("answers", "size"): 2, ("start", "total"): 49.5,
}  # fmt: skip


def holds(source, known=None):
    known = KNOWN if known is None else known
    return parse(source, NAMES).test(lambda path: known.get(path, UNKNOWN))


@pytest.mark.parametrize(
    "source",
    [
        "kept >= 2", "kept == 2 and asked == 3", "kept > 5 or tags.vip", "not bought.book", 'answers.question == "home"',
        "'home' == answers.question", "answers.size == 2", "answers.size < 3", "start.total > 49", "1 < kept < 3",
        "(kept > 5 or asked > 1) and first_name == 'Ann'", "kept > -1", "true", "not false", "kept != 3",
        'first_name < "Bob"', "first_name", "tags.vip == true", "kept == 2.0",
    ],
)  # fmt: skip
def test_a_condition_that_holds(source):
    assert holds(source)
    assert not holds(f"not ({source})")


@pytest.mark.parametrize(
    "source",
    [
        "seats", "seats == 3", "seats < 3", "seats > 3", "seats >= 0", "seats <= 0", "seats == seats", "bought.book",
        "bought.book == false", 'answers.tour == "yes"', "seats == plan", "1 < seats < 9", "seats and kept",
    ],
)  # fmt: skip
def test_what_is_unknown_equals_nothing_is_neither_more_nor_less_and_counts_as_false(source):
    assert not holds(source)


def test_what_is_unknown_is_unequal_to_everything():
    assert holds("seats != 3")
    assert holds("not seats")


@pytest.mark.parametrize(
    "source",
    ['kept == "2"', 'kept < "3"', "first_name > 1", "first_name >= 0", "tags.vip == 1", "tags.vip > 0", "true == 1", "false < true"],
)  # fmt: skip
def test_a_number_a_text_and_a_truth_are_never_compared_with_each_other(source):
    assert not holds(source)


def test_a_condition_explains_itself():
    condition = parse('kept >= 2 and answers.question == "home" and not seats', NAMES)
    said = condition.explain(lambda path: KNOWN.get(path, UNKNOWN))
    assert said == f'{condition.source} (kept is 2, answers.question is "home", seats is unknown)'
    assert parse("1 < 2", NAMES).explain(lambda _: UNKNOWN) == "1 < 2"


@pytest.mark.parametrize(
    ("source", "column", "piece"),
    [
        ("kept = 2", 5, "write =="), ("kept && asked", 5, "write and"), ("kept || asked", 5, "write or"),
        ("!kept", 0, "write not"), ("kept in asked", 5, "write one `==`"), ("plan in ['free']", 5, "write one `==`"),
        ("plan is defined", 5, "write =="), ("email.upper()", 11, "calls are not allowed"),
        ("lipsum()", 6, "calls are not allowed"), ("kept | int", 5, "filters are not allowed"),
        ("['a'] == 1", 0, "lists are not allowed"), ("{'a': 1}", 0, "mappings are not allowed"), ("kept + 1 > 2", 5, "'+'"),
        ("kept - 1", 5, "'-'"), ("2 * kept", 2, "'*'"), ("kept ** 9", 5, "'**'"), ("kept % 2", 5, "'%'"),
        ("kept ~ 'a'", 5, "'~'"), ("email[0]", 5, "lists are not allowed"), ("1 if kept else 2", 2, "no `if` of its own"),
        ("kept, asked", 4, "','"), ("email.__class__", 0, "unknown name 'email.__class__'"),
        ("tags.__class__", 5, "there is no tag '__class__'"), ("tags.vip.__class__", 9, "one dot at most"),
        ("answers.question.lower", 17, "one dot at most"), ("self", 0, "unknown name 'self'"),
        ("none == kept", 0, "counts as false"), ("answers", 0, "as in answers.NAME"), ("kpet > 1", 0, "did you mean 'kept'?"),
        ("kept > 1 and taags.vip", 13, "did you mean 'tags'?"), ("vip", 0, "did you mean 'tags.vip'?"),
        ("plan == free", 8, 'put quotes around text, as in "free"'), ("plan == 'fre'", 0, "did you mean 'free'?"),
        ('answers.size == "2"', 8, "write 2 without quotes"), ("answers.question_again", 8, "write answers.question"),
        ("'free", 0, "not closed"), ("kept >", 5, "cannot be read"), ("kept > 1)", 8, "')'"), ("(kept > 1", 8, "cannot be read"), ("kept > 1]", 8, "']'"),
        ("kept asked", 5, "'asked' cannot stand here"),
    ],
)  # fmt: skip
def test_what_is_outside_the_closed_list_is_refused_where_it_stands(source, column, piece):
    with pytest.raises(MisreadError) as caught:
        parse(source, NAMES)
    assert piece in str(caught.value)
    assert caught.value.column == column


@pytest.mark.parametrize(
    "source",
    [
        "(" * 60 + "kept" + ")" * 60, "not " * 120 + "kept", "(" * 100_000, "not " * 250_000 + "kept", "x" * 1_000_000,
        "'" + "x" * 1_000_000 + "'", "kept == 1 or " * 80_000 + "kept", "9" * 1_000_000, "1" + "<1" * 249, "-" * 400 + "1",
    ],
    ids=["parentheses", "nots", "1e5 (", "1e6 nots", "a long name", "a long text", "ors", "digits", "a chain", "minuses"],
)  # fmt: skip
def test_a_condition_made_to_exhaust_is_refused_or_harmless(source):
    try:
        parse(source, NAMES).test(lambda path: KNOWN.get(path, UNKNOWN))
    except MisreadError as refused:
        assert len(str(refused)) < 300
    else:
        assert len(source) <= 500


@pytest.mark.parametrize(
    "source", ["", " ", "\n", "\x00", "\ud800", "{{", "{%", "#", "=", "..", "1.", "kept.", ".kept", "∞"]
)
def test_a_condition_that_is_none_is_refused(source):
    with pytest.raises(MisreadError):
        parse(source, NAMES)
