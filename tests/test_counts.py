"""Live counts in mails: how many chose an answer, never of few, and never looked up for each mail."""

import pytest
from sqlalchemy import Engine, event
from stage import Stage

from nurture.cli.main import run
from nurture.engine.deploy import problems_of
from nurture.language.project import read_project

LADDER = """\
start: manual
from: ada@brightline.example
within: 1 day
steps:
  which:
    subject: Which?
    template: body.md
    ask: {poll: Sales or service?, answers: {sales: Sales, service: Service}}
    yes: tour
    no: end
  tour:
    subject: "{{ count('which', 'sales', floor=6) or 'Many' }} chose sales"
    template: shown.md
    ask: {click: See it, to: https://brightline.example/tour}
    yes: end
    no: end
"""
OTHER = """\
start: manual
from: ada@brightline.example
within: 1 day
steps:
  hello:
    subject: "{{ count('ladder.tour', floor=5) or 'Nobody yet' }} saw it"
    template: body.md
    ask: {click: See it, to: https://brightline.example/x}
    yes: end
    no: end
"""
BODY = """\
{% if share("which", "sales", floor=6) %}{{ share("which", "sales", floor=6) }} % of readers, {% endif %}hello.

{{ ask }}
"""


def project(body=BODY, subject="Hello", other=OTHER):
    text = LADDER.replace("\"{{ count('which', 'sales', floor=6) or 'Many' }} chose sales\"", subject)
    files = {"sequences/ladder.yaml": text.encode(), "sequences/other.yaml": other.encode()}
    return read_project(
        {**files, "templates/shown.md": body.encode(), "templates/body.md": b"Hello.\n\n{{ ask }}\n"},
    )


def test_mails_tell_how_many_chose_and_never_of_few(store):
    templates = {"templates/shown.md": BODY.encode(), "templates/body.md": b"Hello.\n\n{{ ask }}\n"}
    stage = Stage(store, {"ladder": LADDER, "other": OTHER}, templates=templates)
    people = [f"p{number}@example.com" for number in range(9)]
    for email in people:
        stage.subscribe(email, sequence="ladder")
    stage.work()
    for number, email in enumerate(people[:5]):
        stage.answer(stage.mail("Which?", email), "sales" if number else "service")
    stage.work()
    assert stage.subjects("p0@example.com") == ["Which?", "Many chose sales"]
    assert "%" not in stage.delivered[-1].text
    for email in people[5:8]:
        stage.answer(stage.mail("Which?", email), "sales")
    stage.after(minutes=1)
    assert stage.subjects("p5@example.com")[-1] == "Many chose sales"  # what was read a minute ago is new enough
    stage.after(minutes=5)
    stage.answer(stage.mail("Which?", "p8@example.com"), "sales")
    stage.after(minutes=1)
    assert stage.subjects("p8@example.com")[-1] == "8 chose sales"
    assert "89 % of readers, hello." in stage.delivered[-1].text
    for email in people[:6]:
        tour = next(mail for mail in stage.delivered if mail.to == email and "chose sales" in mail.subject)
        stage.click(tour)
    stage.after(minutes=7)
    stage.subscribe("zoe@example.com", sequence="other")
    stage.work()
    assert stage.subjects("zoe@example.com") == ["6 saw it"]
    stage.close()


def test_many_mails_are_one_look(store):
    templates = {"templates/shown.md": BODY.encode(), "templates/body.md": b"Hello.\n\n{{ ask }}\n"}
    stage = Stage(store, {"other": OTHER, "ladder": LADDER}, templates=templates)
    looks = []

    def heard(_connection, _cursor, statement, *_):
        if "GROUP BY event.sequence, event.step" in " ".join(statement.split()):
            looks.append(statement)

    for number in range(30):
        stage.subscribe(f"p{number}@example.com", sequence="other")
    event.listen(Engine, "before_cursor_execute", heard)
    stage.work()
    event.remove(Engine, "before_cursor_execute", heard)
    assert (len(stage.delivered), len(looks)) == (30, 1)
    stage.close()


def test_a_project_that_counts_with_another_way_to_say_it_has_no_fault():
    assert [str(one) for one in problems_of(project())] == []


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ('{{ count("which") }}', "E308", 'write {{ count("which") or "…" }}'),
        ('{% if count("which") %}{{ count("which", "sales") }}{% endif %}', "E308", "unknown while they are few"),
        ('{{ count("wich") or "many" }}', "E302", "did you mean 'which'?"),
        ('{{ count("which", "sale") or "many" }}', "E302", "did you mean 'sales'?"),
        ('{% if share("other.hallo", "yes") %}x{% endif %}', "E302", "did you mean 'hello'?"),
        ('{{ count("othr.hello") or "many" }}', "E302", "did you mean 'other'?"),
    ],
)
def test_what_is_wrong_with_a_count_is_said(body, code, words):
    found = problems_of(project(f"Hi.\n\n{body}\n\n{{{{ ask }}}}\n"))
    assert [(one.code, one.file, one.line, words in one.message) for one in found] == [
        (code, "templates/shown.md", 3, True)
    ], [str(one) for one in found]


@pytest.mark.parametrize("body", ['{% if count("which") >= 30 %}{{ count("which") }}{% endif %}', '{{ count("other.hello") or "many" }}'])  # fmt: skip
def test_what_is_asked_before_or_has_a_fallback_is_fine(body):
    assert [str(one) for one in problems_of(project(f"Hi.\n\n{body}\n\n{{{{ ask }}}}\n"))] == []


def test_a_mail_that_is_only_looked_at_counts_nobody(tmp_path, capfd):
    for name, text in (("sequences/ladder.yaml", LADDER), ("templates/shown.md", BODY), ("templates/body.md", "{{ ask }}"), ("nurture.toml", ""), ("people.yaml", "tags: [vip]")):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert run(["-C", str(tmp_path), "render", "ladder", "tour", "--part", "subject"]) == 0
    assert capfd.readouterr().out.strip() == "Many chose sales"
