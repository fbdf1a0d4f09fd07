"""Signing up: a form, a mail that asks whether it was them, a page that confirms it; and what a form cannot do."""

import pytest
from stage import PEOPLE, Stage

from nurture.engine import answering, domains, signing
from nurture.engine.signing import Came, Fault
from nurture.errors import Refused
from nurture.language.people import read_people
from nurture.language.project import read_project
from nurture.store import enrollments, people, signups, suppressions

FORMS = b"""
signups:
  news: {title: One mail a week, ask: [first_name, loan], consent: "Yes, one mail a week.", start: ladder}
  open: {title: The open list, confirm: no, from: Ada <ada@example.com>}
"""
LADDER = """
start: manual
from: Ada <ada@brightline.example>
within: 3 days
steps:
  hello: {subject: Hello, template: body.md, ask: {click: Read on, to: https://example.com}, no: end}
"""
JOINED = LADDER.replace("manual", "joined").replace("subject: Hello", "subject: Welcome")
CONFIRM = "Please confirm: One mail a week"


@pytest.fixture
def stage(store):
    stage = Stage(store, {"ladder": LADDER, "welcome": JOINED}, templates={"people.yaml": PEOPLE + FORMS})
    yield stage
    stage.close()


def sign_up(stage, email="ann@example.com", form="news", **values):
    known = stage.deployed.project.people.signups[form]
    source = Came(
        values.pop("page", "https://blog.example/post"), values.pop("campaign", {"utm_source": "blog"}),
        "203.0.113.7 Firefox", values.pop("friend_of", ""),
    )  # fmt: skip
    signing.sign_up(stage.store, stage.deployed, known, email, values, source, stage.now)
    stage.work()


def confirm(stage, mail, client="203.0.113.7 Firefox", device=""):
    done = signing.confirm(stage.store, stage.deployed, mail.id, client, device, stage.now)
    stage.work()
    return done


def count(stage):
    with stage.store.read() as tx:
        return people.count(tx)


def test_a_form_asks_by_mail_and_only_the_confirmation_lets_someone_join(stage):
    sign_up(stage, first_name="Ann")
    assert stage.subjects() == [CONFIRM]
    assert "Ann" not in stage.mail(CONFIRM).html  # a stranger could have typed anything
    assert (stage.story()["status"], stage.story()["attributes"]) == ("unconfirmed", {})
    stage.after(days=1)
    assert stage.subjects() == [CONFIRM]

    assert confirm(stage, stage.mail(CONFIRM)).title == "One mail a week"
    assert sorted(stage.subjects()) == ["Hello", CONFIRM, "Welcome"]
    story = stage.story()
    assert (story["status"], story["attributes"]["first_name"]) == ("active", "Ann")
    with stage.store.read() as tx:
        (signed,) = signups.of_person(tx, people.by_email(tx, "ann@example.com").id)
    assert (signed.consent, signed.source) == (
        "Yes, one mail a week.",
        {"page": "https://blog.example/post", "utm_source": "blog"},
    )
    assert signed.client and "203" not in signed.client


def test_a_confirmation_once_more_changes_nothing(stage):
    sign_up(stage)
    first, again = confirm(stage, stage.mail(CONFIRM)), confirm(stage, stage.mail(CONFIRM))
    assert first == again
    assert sorted(stage.subjects()) == ["Hello", CONFIRM, "Welcome"]


def test_a_look_at_the_link_confirms_nobody(stage):
    sign_up(stage)
    assert answering.question(stage.store, stage.deployed, stage.mail(CONFIRM).id).kind == "confirm"
    stage.after(days=2)
    assert stage.subjects() == [CONFIRM]


def test_who_never_confirms_is_forgotten_after_a_week_and_may_come_again(stage):
    sign_up(stage)
    stage.after(days=6)
    assert count(stage) == 1
    stage.after(days=1, minutes=1)
    assert count(stage) == 0
    assert confirm(stage, stage.mail(CONFIRM)) is None
    sign_up(stage)
    assert stage.subjects() == [CONFIRM, CONFIRM]


def test_a_second_mail_takes_ten_minutes_and_a_fourth_another_day(stage):
    for _ in range(3):
        sign_up(stage)
    assert stage.subjects() == [CONFIRM]
    for _ in range(5):
        stage.after(minutes=11)
        sign_up(stage)
    assert stage.subjects() == [CONFIRM] * 3
    first = stage.mail(CONFIRM)  # any of them confirms
    assert confirm(stage, first) is not None
    assert stage.story()["status"] == "active"


def test_nobody_is_brought_back_by_a_form_but_by_their_own_yes(stage):
    stage.subscribe()
    stage.work()
    assert stage.unsubscribe(stage.mail("Welcome"))
    sign_up(stage)
    assert (stage.subjects(), stage.story()["status"]) == (["Welcome", CONFIRM], "unsubscribed")
    confirm(stage, stage.mail(CONFIRM))
    assert stage.story()["status"] == "active"
    assert stage.subjects() == ["Welcome", CONFIRM, "Hello"]


@pytest.mark.parametrize("reason", ["complained", "bounced", "manual"])
def test_no_form_and_no_yes_lifts_a_complaint_or_a_bounce(stage, reason):
    sign_up(stage)
    with stage.store.write() as tx:
        suppressions.bar(tx, ["ann@example.com"], reason, stage.now)
    assert confirm(stage, stage.mail(CONFIRM)) is None
    stage.after(days=2)
    sign_up(stage)
    assert stage.subjects() == [CONFIRM]


def test_nobody_changes_what_is_known_of_another(stage):
    stage.subscribe(first_name="Ann")
    sign_up(stage, first_name="Mallory")
    assert stage.story()["attributes"]["first_name"] == "Ann"
    sign_up(stage, form="open", first_name="Mallory")
    assert stage.story()["attributes"]["first_name"] == "Ann"


def test_without_a_confirmation_they_join_at_once_and_who_left_stays_away(stage):
    sign_up(stage, form="open")
    assert stage.subjects() == ["Welcome"]
    stage.unsubscribe(stage.mail("Welcome"))
    sign_up(stage, form="open")
    assert (stage.subjects(), stage.story()["status"]) == (["Welcome"], "unsubscribed")


def test_whoever_is_trusted_brings_them_in_before_they_confirm(stage):
    sign_up(stage)
    assert stage.subscribe().is_new
    stage.work()
    assert stage.subjects() == [CONFIRM, "Welcome"]
    assert stage.story()["status"] == "active"
    stage.after(days=8)
    assert count(stage) == 1


def test_the_way_out_of_the_mail_that_asks_is_a_way_out(stage):
    sign_up(stage)
    stage.unsubscribe(stage.mail(CONFIRM))
    assert stage.story()["status"] == "unsubscribed"


@pytest.mark.parametrize(
    ("typed", "reason", "meant"),
    [
        ("ann", "address_wrong", ""),
        ("ann@gmial.com", "meant", "ann@gmail.com"),
        ("ann@gmail.con", "meant", "ann@gmail.com"),
        ("ann@hotmial.com", "meant", "ann@hotmail.com"),
        ("ann@x.yopmail.com", "disposable", ""),
    ],
)
def test_what_is_wrong_with_an_address_is_said(stage, typed, reason, meant):
    form = stage.deployed.project.people.signups["news"]
    with pytest.raises(Fault) as fault:
        signing.checked(form, typed, sure=False)
    assert (fault.value.reason, fault.value.meant) == (reason, meant)


def test_a_slip_is_no_slip_for_who_is_sure(stage):
    form = stage.deployed.project.people.signups["news"]
    assert signing.checked(form, "ann@gmxx.de", sure=True) == "ann@gmxx.de"
    assert [domains.meant(f"a@{one}") for one in ("gmail.com", "acme.example", "mail.de", "gmx.at")] == [""] * 4


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("signups: {news: {titel: x}}", "unknown key 'titel', did you mean 'title'?"),
        ("signups: {news: {}}", "the sign-up 'news' has no title"),
        ("signups: {news: {title: x, ask: [nme]}}", "people.yaml declares no attribute 'nme'"),
        ("signups: {news: {title: x, confirm: maybe}}", "'maybe' is not a confirm"),
        ("signups: {News: {title: x}}", "'News' cannot name a sign-up"),
    ],
)
def test_a_form_that_cannot_be_is_a_fault_with_its_place(yaml, said):
    problems = read_people(f"attributes: {{name: text}}\n{yaml}").problems
    assert any(said in problem.message and problem.line == 2 for problem in problems), problems


def test_a_ladder_that_cannot_be_read_is_no_fault_of_the_form_that_begins_it():
    forms = "signups: {news: {title: One mail a week, start: ladder}}"
    files = {"people.yaml": forms.encode(), "sequences/ladder.yaml": b"steps:\n\tquestion:\n"}
    assert [(one.file, one.code) for one in read_project(files).problems] == [("sequences/ladder.yaml", "E105")]
    files.pop("sequences/ladder.yaml")
    assert [(one.file, one.code) for one in read_project(files).problems] == [
        ("people.yaml", "E102"),
        ("people.yaml", "E205"),
    ]


def test_a_confirmation_speaks_the_language_of_the_form(stage):
    sign_up(stage, language="de")
    assert stage.subjects() == ["Bitte bestätigen: One mail a week"]


@pytest.mark.parametrize(
    ("language", "why"),
    [
        ("en", "because someone gave this address for “One mail a week”. If it was not you, do nothing."),
        (
            "de",
            "weil jemand diese Adresse für „One mail a week“ angegeben hat. Wenn Sie es nicht waren, tun Sie nichts.",
        ),
    ],
)
def test_nobody_is_told_that_they_asked_for_the_mail_that_asks(stage, language, why):
    sign_up(stage, language=language)
    (mail,) = stage.delivered
    assert why in " ".join(mail.text.split()) and why in mail.html
    assert "asked for it" not in mail.html and "darum gebeten" not in mail.html
    assert "?pause=" not in mail.html  # there is nothing yet to pause
    assert stage.unsubscribe(mail)


def test_a_form_that_is_removed_lets_go_of_who_had_its_mail_open(stage):
    stage.subscribe()
    stage.work()
    sign_up(stage)
    place = stage.place("signup:news")
    assert (place["ended"], place["step"]) == (None, "confirm")
    stage.deploy({"ladder": LADDER, "welcome": JOINED}, {"people.yaml": PEOPLE})
    stage.after(days=6)
    assert stage.place("signup:news")["ended"] is None  # it may come back
    stage.after(days=1, minutes=1)
    place = stage.place("signup:news")
    assert (place["ended"], place["because"]) == ("removed", "the form is gone")
    with stage.store.read() as tx:
        assert enrollments.peek(tx) is None


def test_an_address_that_a_team_reads_is_flagged(stage):
    for email in ("info@example.com", "ann@example.com"):
        sign_up(stage, email)
    assert [stage.story(who)["signups"][0]["role"] for who in ("info@example.com", "ann@example.com")] == [True, False]
    assert "address" not in stage.story("info@example.com")["signups"][0]["source"]


def test_the_mail_that_asks_is_no_ladder_that_someone_begins(stage):
    assert set(stage.deployed.ladders) == {"ladder", "welcome"}
    with pytest.raises(Refused, match="there is no sequence 'signup:news'"):
        stage.subscribe(sequence="signup:news")


def test_a_project_writes_the_mail_in_its_own_words(store):
    own = b"Press this, please.\n\n{{ ask }}\n"
    stage = Stage(
        store, {"ladder": LADDER}, templates={"people.yaml": PEOPLE + FORMS, "templates/signup/confirm.md": own}
    )
    sign_up(stage)
    assert "Press this, please." in stage.mail(CONFIRM).text
    stage.close()
