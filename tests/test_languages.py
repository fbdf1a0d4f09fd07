"""A sequence in a second language: its file holds words and nothing that decides, and people read their own.

In what a case puts in, » stands before the spot the problem must point at.
"""

import re
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from stage import LINKS, MONDAY, Stage

from nurture.cli.main import run
from nurture.engine.applying import deploy_if_safe
from nurture.engine.deploy import Current, problems_of
from nurture.engine.inbox import Inbox
from nurture.language.project import read_project
from nurture.mail.phrases import FOLDER, in_words, languages, phrases
from nurture.rehearsal.stories import tell
from nurture.store import deploys
from nurture.web.app import build
from nurture.web.serve import listen, serving
from nurture.web.site import Site

ROOT = Path(__file__).parents[1]
MAIN = """\
title: One question
start: joined
from: Ada Bright <ada@example.com>
within: 2 days
steps:
  question:
    subject: One question
    preheader: One tap
    ask: {poll: Home or auto?, answers: {home: A home loan, auto: An auto loan}, save: loan}
    yes: sheet
    no: again
  again:
    subject: Still looking?
    ask: question
    no: end
  sheet:
    subject: Your sheet
    send: now
    with: {greeting: Hello, picture: https://example.com/a.png, rows: 3}
    ask: {download: sheet.pdf, label: Get the sheet}
    yes: offer
    no: end
  offer:
    subject: ["Until {{ offer.deadline }}", "The offer, {{ first_name or 'friend' }}"]
    ask: {buy: review, label: Book it, price: 99 GBP, to: https://example.com/buy, expires: 2 days, size: 4}
    no: end
"""
GERMAN = """\
title: Eine Frage
steps:
  question:
    subject: Eine Frage
    preheader: Ein Tipp
    ask: {poll: Haus oder Auto?, answers: {home: Ein Hauskredit, auto: Ein Autokredit}}
  again:
    subject: Suchen Sie noch?
  sheet:
    subject: Ihr Blatt
    with: {greeting: Guten Tag}
    ask: {label: Blatt holen}
  offer:
    subject: ["Bis {{ offer.deadline }}", "Das Angebot, {{ first_name or 'bitte' }}"]
    ask: {label: Buchen}
"""
TEMPLATES = {
    f"templates/loan/{step}{language}.md": text + b"\n\n{{ ask }}\n"
    for language, said in (("", b"You said"), (".de", b"Sie sagten"))
    for step, text in {
        "question": b"**" + said + b" nothing yet.**",
        "again": said + b" nothing again.",
        "sheet": b"{{ greeting }} {{ rows }} {{ picture | length }}: " + said + b' "{{ said("question") }}".',
        "offer": said + b" {{ offer.price }} until {{ offer.deadline }}.",
    }.items()
}
PEOPLE = b"attributes: {first_name: text, loan: [home, auto]}\nproducts: [review]\n"


def files(german=GERMAN, main=MAIN, **more):
    return {
        "people.yaml": PEOPLE, "sequences/loan.yaml": main.encode(), "files/sheet.pdf": b"%PDF- an English sheet",
        "sequences/loan.de.yaml": german.encode(), **TEMPLATES, **more,
    }  # fmt: skip


def problems(**changed):
    return problems_of(read_project(files(**changed)))


# --- what is read


def test_a_sound_language_file_has_no_fault_and_is_the_same_plan_in_other_words():
    project = read_project(files())
    assert problems_of(project) == []
    main = project.sequences["loan"]
    german = main.in_language("de")
    assert list(project.sequences) == ["loan"]
    assert (german.title, german.language, german.file) == ("Eine Frage", "de", "sequences/loan.de.yaml")
    question = german.steps["question"]
    assert (question.subjects, question.preheader, question.ask.words) == (
        ("Eine Frage",),
        "Ein Tipp",
        "Haus oder Auto?",
    )
    assert dict(question.ask.answers) == {"home": "Ein Hauskredit", "auto": "Ein Autokredit"}
    assert german.steps["again"].ask == question.ask
    assert dict(german.steps["sheet"].extra) == {**main.steps["sheet"].extra, "greeting": "Guten Tag"}
    assert (german.steps["offer"].ask.label, german.steps["offer"].ask.price) == ("Buchen", "99 GBP")
    for name, step in main.steps.items():
        assert (step.yes, step.no, step.within, step.root) == (
            german.steps[name].yes, german.steps[name].no, german.steps[name].within, german.steps[name].root,
        )  # fmt: skip
    assert (german.start, german.goal, german.send) == (main.start, main.goal, main.send)


@pytest.mark.parametrize(
    ("wanted", "title"),
    [
        ("de", "Eine Frage"), ("de-AT", "Eine Frage"), ("DE_ch", "Eine Frage"), (" de ", "Eine Frage"),
        ("en", "One question"), ("fr", "One question"), ("", "One question"), (None, "One question"),
        ("deutsch", "One question"), (7, "One question"),
    ],
)  # fmt: skip
def test_a_language_is_chosen_and_falls_back(wanted, title):
    assert read_project(files()).sequences["loan"].in_language(wanted).title == title


def test_the_nearer_language_goes_first():
    austrian = files(**{"sequences/loan.de-AT.yaml": GERMAN.replace("Eine Frage", "Servus").encode()})
    assert problems_of(read_project(austrian)) == []  # its mails are those in `de`
    main = read_project(austrian).sequences["loan"]
    assert [main.in_language(one).title for one in ("de-AT", "de_at", "de-CH")] == ["Servus", "Servus", "Eine Frage"]
    assert main.in_language("de-AT").steps["question"].template == "loan/question.de.md"


def test_a_sequence_may_be_written_in_another_language_than_english():
    given = files(main="language: de\n" + MAIN, **{"sequences/loan.en.yaml": GERMAN.encode()})
    del given["sequences/loan.de.yaml"]
    given |= {path.replace(".de.", ".en."): text for path, text in TEMPLATES.items()}
    project = read_project(given)
    assert problems_of(project) == []
    main = project.sequences["loan"]
    assert main.language == "de"
    assert (main.in_language("de-AT"), main.in_language("en").language) == (main, "en")


def test_twins_of_templates_may_have_another_ending_or_stand_in_the_common_folder():
    given = files()
    given["templates/again.de.html"] = given.pop("templates/loan/again.de.md")
    given["templates/loan/sheet.de.html"] = given.pop("templates/loan/sheet.de.md")
    given["files/sheet.de.pdf"] = b"%PDF- ein deutsches Blatt"
    project = read_project(given)
    assert problems_of(project) == []
    german = project.sequences["loan"].in_language("de")
    assert [step.template for step in german.steps.values()] == [
        "loan/question.de.md", "again.de.html", "loan/sheet.de.html", "loan/offer.de.md",
    ]  # fmt: skip
    assert german.steps["sheet"].ask.name == "sheet.de.pdf"
    assert project.sequences["loan"].steps["sheet"].ask.name == "sheet.pdf"


# --- what is wrong


@pytest.mark.parametrize(
    ("right", "wrong", "code", "said"),
    [
        ("    subject: Eine Frage\n", "", "E309", "'question' has no subject"),
        ("    preheader: Ein Tipp\n", "", "E309", "'question' has no preheader"),
        ("    ask: {label: Blatt holen}\n", "", "E309", "'sheet' has no words for its ask; write ask: with label:"),
        ("    ask: {label: Buchen}", "    »ask: {price: 99 £}", "E309", "the ask of 'offer' has no label"),
        (", auto: Ein Autokredit}", "}", "E309", "the answer 'auto' of 'question' has no words"),
        (", answers: {home: Ein Hauskredit, auto: Ein Autokredit}", "", "E309", "'question' has no answers"),
        ("  again:\n    subject: Suchen Sie noch?\n", "", "E309", "the step 'again' is not here; write its subject"),
        ("    with: {greeting: Guten Tag}\n", "", "E309", "'sheet' has no words for 'greeting' of its with"),
        ('["Bis {{ offer.deadline }}", "Das Angebot, {{ first_name or \'bitte\' }}"]', "»Das Angebot", "E309",
         "loan.yaml tests 2 subjects here, and this has 1"),
        ("subject: Ihr Blatt", "»subjekt: Ihr Blatt", "E101", "unknown key 'subjekt', did you mean 'subject'?"),
        ("{greeting: Guten Tag}", "{»greting: Guten Tag}", "E101", "unknown key 'greting', did you mean 'greeting'?"),
        ("title: Eine Frage", "»titel: Eine Frage", "E101", "unknown key 'titel', did you mean 'title'?"),
        ("  again:", "  »agian:", "E201", "loan.yaml has no step 'agian', did you mean 'again'?"),
        ("auto: Ein", "»atuo: Ein", "E204", "'question' has no answer 'atuo', did you mean 'auto'?"),
        ("{label: Buchen}", "{label: Buchen, »to: https://example.de}", "E101", "'to' belongs in loan.yaml"),
        ("{label: Blatt holen}", "{»download: blatt.pdf, label: Blatt}", "E101", "'download' belongs in loan.yaml"),
        ("    subject: Ihr Blatt\n", "    subject: Ihr Blatt\n    »yes: end\n", "E101", "'yes' belongs in loan.yaml"),
        ("title: Eine Frage", "»from: Ada <ada@example.de>", "E101", "'from' belongs in loan.yaml"),
        ("{label: Buchen}", "{»click: Buchen}", "E103", "'offer' asks a buy in loan.yaml; write label:"),
        ("Suchen Sie noch?\n", "Suchen Sie noch?\n    »ask: {poll: Haus?}\n", "E103", "'again' asks question again"),
        ("subject: Ihr Blatt", "subject: »[]", "E309", "loan.yaml has one subject here, and this has 0"),
    ],
)  # fmt: skip
def test_each_fault_of_a_language_file_is_told_where_it_is(right, wrong, code, said):
    assert right in GERMAN
    german = GERMAN.replace(right, wrong, 1)
    place = None
    if "»" in german:
        before = german[: german.index("»")]
        place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        german = german.replace("»", "")
    (problem,) = problems(german=german)
    assert (problem.file, problem.code) == ("sequences/loan.de.yaml", code)
    assert said in problem.message
    assert place is None or (problem.line, problem.column) == place


def test_missing_words_are_told_at_the_step_that_misses_them():
    (problem,) = problems(german=GERMAN.replace("    subject: Ihr Blatt\n", ""))
    assert (problem.line, problem.column) == (9, 3)


def test_a_mail_without_a_twin_is_told_at_its_step():
    given = files()
    del given["templates/loan/offer.de.md"]
    (problem,) = problems_of(read_project(given))
    assert (problem.file, problem.line, problem.column, problem.code) == ("sequences/loan.de.yaml", 13, 3, "E309")
    assert "write it at templates/loan/offer.de.md" in problem.message


@pytest.mark.parametrize(
    ("name", "text", "code", "said"),
    [
        ("laon.de", GERMAN, "E103", "there is no sequences/laon.yaml, whose words in 'de' this file would be, did you"),
        ("loan.en", GERMAN, "E103", "loan.yaml itself is in 'en'; write there which language it is in"),
        ("loan.de_AT", "", "E309", "this file is empty"),
        ("loan.fr", "[one, two]", "E103", "a language file has the words of loan.yaml under steps:"),
        ("loan.fr", "title: Une question", "E309", "this file has no steps"),
        ("loan.fr", "steps: {question: {subject: x}", "E105", "this is not YAML"),
        ("loan.DE", GERMAN, "E103", "a sequence is named by its file"),
    ],
)  # fmt: skip
def test_a_language_file_that_is_none(name, text, code, said):
    found = [one for one in problems(**{f"sequences/{name}.yaml": text.encode()}) if one.file.endswith(f"/{name}.yaml")]
    assert [one.code for one in found] == [code]
    assert said in found[0].message


def test_a_broken_main_file_brings_forth_no_fault_in_its_languages():
    broken = MAIN.replace("ask: {poll: Home or auto?, answers", "ask: {pol: Home or auto?, answers")
    assert {one.file for one in problems(main=broken)} == {"sequences/loan.yaml"}
    assert {one.file for one in problems(main="title: [")} == {"sequences/loan.yaml"}


def test_the_mails_of_each_language_are_checked():
    bad = {"templates/loan/offer.de.md": b"Hallo\n\n{{ ask }}\n\n[hier](https://example.de)"}
    (problem,) = problems(**bad)
    assert (problem.file, problem.line, problem.code) == ("templates/loan/offer.de.md", 5, "E304")
    (problem,) = problems(german=GERMAN.replace("Ihr Blatt", "Blatt {{ oops }}"))
    assert (problem.file, problem.line, problem.code) == ("sequences/loan.de.yaml", 10, "E302")


# --- the sentences of our own


def test_every_language_has_every_sentence():
    english = phrases("en")
    for language in languages():
        said = phrases(language)
        assert (len(said.days), len(said.months)) == (7, 12)
        for mine, theirs in ((said.mail, english.mail), (said.page, english.page)):
            assert set(mine) == set(theirs)
            assert language == "en" or all(mine[name] != theirs[name] for name in theirs)
    assert set(languages()) == {path.stem for path in FOLDER.glob("*.toml")} >= {"de", "en"}


def test_dates_are_said_in_the_language():
    berlin = ZoneInfo("Europe/Berlin")
    at = MONDAY + timedelta(days=270)
    assert in_words(at, berlin) == "Friday 26 February, 11:00"
    assert in_words(at, berlin, "de-AT") == "Freitag, 26. Februar, 11:00 Uhr"
    assert in_words(at, berlin, "xx") == in_words(at, berlin)


# --- the whole engine


class Bilingual(Stage):
    def __init__(self, store, **changed):
        self.given = files(**changed)
        super().__init__(store, {})

    def deploy(self, sequences, templates=None):
        with self.store.write() as tx:
            deploys.save(tx, self.given, self.now)
        self.deployed = Current(self.store, self.rules)()


@pytest.fixture
def staged(store):
    with ExitStack() as closing:
        stage = Bilingual(store)
        closing.callback(stage.close)
        yield stage


def test_each_person_is_written_to_in_their_language_and_moved_alike(staged):
    staged.subscribe("ann@example.com", language="en", timezone="Europe/London")
    staged.subscribe("max@example.com", language="de-AT", timezone="Europe/Vienna", first_name="Max")
    staged.work()
    mail = staged.mail("Eine Frage", "max@example.com")
    assert 'lang="de' in mail.html and 'lang="en' not in mail.html
    assert "Ein Hauskredit" in mail.html and "A home loan" not in mail.html
    assert "Mit einem Klick abmelden" in mail.text and "Ein Tipp" in mail.html
    english = staged.mail("One question")
    assert 'lang="en"' in english.html and "A home loan" in english.html
    staged.answer(mail, "home")
    staged.answer(english, "home")
    staged.after(minutes=5)
    sheet = staged.mail("Ihr Blatt", "max@example.com")
    assert 'Guten Tag 3 25: Sie sagten "Ein Hauskredit".' in sheet.text
    assert 'Hello 3 25: You said "A home loan".' in staged.mail("Your sheet").text
    staged.answer(sheet, None)
    staged.answer(staged.mail("Your sheet"), None)
    staged.after(minutes=5)
    offers = {mail.to: mail for mail in staged.delivered if mail.subject not in ("Ihr Blatt", "Your sheet")}
    assert "bis" in offers["max@example.com"].text or "Uhr" in offers["max@example.com"].text
    assert "until Wednesday 3 June" in offers["ann@example.com"].text
    assert "Mittwoch, 3. Juni, " in offers["max@example.com"].text
    assert staged.place("loan")["step"] == staged.place("loan", "max@example.com")["step"] == "offer"
    assert [one["answer"] for one in staged.story("max@example.com")["answers"]] == ["home", "yes"]


def test_the_pages_speak_the_language_of_the_mail(staged):
    inbox = Inbox(staged.store)
    site = Site(staged.store, Current(staged.store, staged.rules), LINKS, inbox, {}, lambda: staged.now, "")
    staged.subscribe("max@example.com", language="de", loan="home")
    staged.work()
    mail = staged.mail("Eine Frage", "max@example.com")
    with ExitStack() as closing:
        closing.callback(inbox.close)
        socket = listen("127.0.0.1", 0)
        closing.enter_context(serving(build(site), socket))
        browser = closing.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{socket.getsockname()[1]}"))

        def path(url):
            return url.removeprefix("https://go.example.com")

        def both(url, **form):
            return browser.get(path(url)).text, browser.post(path(url), data=form).text

        before, after = both(LINKS.choice(mail.id, "home"), answer="home")
        assert '<html lang="de">' in before and "Haus oder Auto?" in before and "Ja, das ist meine Antwort" in before
        assert "Vielen Dank" in after and "Ein Hauskredit" in after and "Thank" not in after
        staged.after(minutes=5)
        sheet = staged.mail("Ihr Blatt", "max@example.com")
        shown = browser.get(path(LINKS.ask(sheet.id, staged.deployed.sequences["loan"].steps["sheet"].ask, ""))).text
        assert "Blatt holen" in shown and "Herunterladen" in shown
        before, after = both(LINKS.unsubscribe(mail.id))
        assert "Keine Mails mehr?" in before and "Sie sind abgemeldet." in after
        assert '<html lang="de">' in before and '<html lang="de">' in after
        english = browser.get("/u/nonsense").text
        assert '<html lang="en">' in english and "This link does not work" in english


def test_editing_words_is_an_edit_of_content_and_reaches_whoever_waits(staged):
    staged.subscribe("max@example.com", language="de")
    staged.work()
    assert staged.subjects("max@example.com") == ["Eine Frage"]
    edited = files(german=GERMAN.replace("Suchen Sie noch?", "Noch auf der Suche?"))
    assert deploy_if_safe(staged.store, edited, staged.now) == ""
    staged.deployed = Current(staged.store, staged.rules)()
    staged.after(days=3)
    assert staged.subjects("max@example.com") == ["Eine Frage", "Noch auf der Suche?"]


def test_stories_are_played_once_whatever_the_languages():
    told = (
        MAIN
        + "tests:\n  - {name: silence, given: {start: mon 9:00}, expect: {path: [question, again], ends: finished}}\n"
    )
    project = read_project(files(main=told))
    assert problems_of(project) == []
    assert [(one.name, one.differences) for one in tell(project.sequences["loan"])] == [("silence", ())]


def test_a_layout_of_ones_own_may_have_a_twin(staged):
    own = b"<!doctype html><html><body><p>{{ words.why }} %s</p>{{ body }}<a href='{{ unsubscribe_url }}'>x</a>{{ postal_address }}"
    staged.given |= {"templates/layout.html": own % b"OWN", "templates/layout.de.html": own % b"EIGEN"}
    staged.deploy({})
    staged.subscribe("ann@example.com")
    staged.subscribe("max@example.com", language="de")
    staged.work()
    assert "asked for it. No more of it? OWN" in staged.mail("One question").text
    assert "Lieber keine mehr? EIGEN" in staged.mail("Eine Frage", "max@example.com").text


# --- the command line


def nurture(capfd, *words):
    code = run(["-C", str(ROOT), *words])
    out, err = capfd.readouterr()
    return code, out, err


def test_render_shows_a_mail_in_a_language(capfd):
    subject = ("render", "free-guide", "worry", "--part", "text")
    assert "Hello Ann," in nurture(capfd, *subject)[1]
    assert "Es rinnt mir durch die Finger" in nurture(capfd, *subject, "--language", "de-AT")[1]
    code, out, err = nurture(capfd, *subject, "--language", "dee")
    assert (code, out) == (2, "")
    assert err == "nurture: free-guide has no words in 'dee', did you mean 'de'?\n"


def test_a_new_project_has_the_schemas_that_its_files_name(capfd, tmp_path):
    assert run(["init", str(tmp_path / "new")]) == 0
    capfd.readouterr()
    for path in (tmp_path / "new").rglob("*.yaml"):
        (named,) = re.findall(r"^# yaml-language-server: \$schema=(\S+)$", path.read_text("utf-8"), re.MULTILINE)
        assert (path.parent / named).read_text("utf-8") == (ROOT / (path.parent / named).name).read_text("utf-8")


def test_the_schema_of_each_kind_of_file_is_printed(capfd):
    for kind in ("sequence", "language", "people"):
        assert nurture(capfd, "schema", kind)[1] == (ROOT / f"{kind}.schema.json").read_text("utf-8")
    assert nurture(capfd, "schema", "--format", "markdown")[1].startswith("# The language\n")
