"""The preview's own server and its pages: what it shows, what it refuses, what it writes."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from threading import Event

import httpx
import pytest

from nurture.cli.main import run
from nurture.mail.render import Letterhead
from nurture.web.preview.app import Listeners, build
from nurture.web.preview.desk import Desk, Watching
from nurture.web.preview.seeing import checks, see
from nurture.web.serve import listen, serving

ROOT = Path(__file__).parent.parent
LETTERHEAD = Letterhead("Brightline Ltd, 1 Example Street", "Europe/London")


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    for name in ("sequences", "templates", "files"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "people.yaml", folder)
    return folder


@pytest.fixture
def desk(project):
    return Desk(project, LETTERHEAD)


def served(desk, edit=False):
    """A client of a preview that is being served, and the preview's address."""
    listening = listen("127.0.0.1", 0)
    return serving(build(desk, Listeners(desk), edit=edit), listening)


@pytest.fixture
def client(desk):
    with served(desk) as home, httpx.Client(base_url=home, follow_redirects=True) as asking:
        yield asking


@pytest.fixture
def editing(desk):
    with served(desk, edit=True) as home, httpx.Client(base_url=home) as asking:
        yield asking


def edit(project, path, old, new):
    text = (project / path).read_text()
    assert old in text
    (project / path).write_text(text.replace(old, new))


# --- what is shown


def test_the_first_page_is_the_first_mail(client):
    page = client.get("/")
    assert page.url.path == "/see/challenge/why"
    assert "Day 1: what is this week for" in page.text


def test_every_mail_of_every_person_is_shown_or_it_is_said_why_not(client, desk):
    for name in desk.names():
        for step in desk.shown(name).sequence.steps:
            page = client.get(f"/see/{name}/{step}")
            assert page.status_code == 200
            for role in re.findall(r'<option value="([^"]+)"', page.text)[:4]:
                shown = client.get(f"/see/{name}/{step}", params={"person": role})
                assert 'id="html"' in shown.text or "never gets this mail" in shown.text, (name, step, role)


def tiles(page):
    """What the toolbar says: the tone and the words of each tile."""
    found = re.findall(r'<details class="check (\w+)".*?<summary><b>(.*?)</b> (.*?)</summary>', page, re.DOTALL)
    return {name: (tone, words) for tone, name, words in found}


def test_the_tools_say_what_is_to_be_checked_and_the_docs_name_each(client):
    page = client.get("/see/home-loan/question").text
    said = tiles(page)
    assert {name: tone for name, (tone, _) in said.items()} == dict.fromkeys(said, "ok")
    assert said["One ask"][1] == "and only one"
    assert (said["Links"][1], said["Images"][1], said["Dark inbox"][1]) == ("4", "none", "its own colours")
    assert said["Subject"][1] == "23 of 60 characters"
    assert re.fullmatch(r"\d+\.\d of 102 KB", said["Size"][1])
    assert re.fullmatch(r"\d\d words", said["Text part"][1])
    named = re.findall(r"^\| ([A-Z].+?) \|", (ROOT / "docs" / "previewing.md").read_text(), re.MULTILINE)
    assert list(said) == named
    assert "answers home, after a confirmation" in page
    assert "https://brightline.example/checkout" in client.get("/see/home-loan/offer").text


def test_what_is_over_a_limit_is_on_the_toolbar(client, desk, project):
    edit(project, "sequences/home-loan.yaml", "subject: Still looking?", f"subject: {'Still looking? ' * 5}")
    edit(project, "templates/home-loan/question_again.md", "{{ ask }}", "Many words. " * 9_000 + "\n\n{{ ask }}")
    desk.reread()
    said = tiles(client.get("/see/home-loan/question_again").text)
    assert said["Subject"] == ("warn", "74 of 60 characters")
    assert said["Size"][0] == "bad"
    assert 102 < float(said["Size"][1].split()[0]) < 120


def test_a_mail_of_nothing_is_what_the_tools_say(desk):
    seen = see(desk, desk.shown("home-loan"), "question")
    bare = replace(seen.message, html="<p>Hello</p><img src='a.png'>", text="")
    said = {check.name: (check.tone, check.words) for check in checks(seen.step, bare, "", ())}
    assert said["Text part"] == ("warn", "0 words")
    assert said["Links"] == ("bad", "none, not even a way out")
    assert said["Images"] == ("bad", "1, 1 without alt")
    assert said["Dark inbox"] == ("warn", "no colours for it")
    wordless = replace(bare, html="<a href='https://x.example'><img alt='' src='a.png'></a>")
    assert next(one for one in checks(seen.step, wordless, "", ()) if one.name == "Links").tone == "warn"


def test_a_second_ask_and_an_image_without_alt_are_on_the_toolbar(client, desk, project):
    extra = "\n[Our blog](https://blog.example) ![](https://pic.example/a.png)<img src='https://pic.example/b.png'>\n"
    template = project / "templates/home-loan/question.md"
    template.write_text(template.read_text() + extra)
    desk.reread()
    page = client.get("/see/home-loan/question").text
    assert "<b>One ask</b> 1 beside it" in page
    assert "a second ask competes with" in page
    assert "<b>Images</b> 2, 1 without alt" in page
    assert "templates/home-loan/question.md:" in page


def test_dark_and_light_are_the_inboxs_choice_and_not_the_machines(client):
    light = client.get("/mail/home-loan/question").text
    dark = client.get("/mail/home-loan/question", params={"dark": "1"}).text
    assert "prefers-color-scheme" not in light + dark
    assert 'content="light"' in light
    assert 'content="dark"' in dark
    assert light != dark


def test_a_mail_in_another_language(client):
    assert "darf ich eines fragen" in client.get("/see/free-guide/worry", params={"language": "de"}).text


def test_what_is_not_there_is_a_page_that_says_so(client):
    for path in (
        "/see/nothing",
        "/see/home-loan/nothing",
        "/play/nothing",
        "/edit/nothing.yaml",
        "/edit/../../etc/passwd",
    ):
        assert client.get(path).status_code == 404, path
    assert client.get("/mail/home-loan/nothing").status_code == 404
    assert client.get("/pages/demo.html").status_code == 404


# --- a save


def test_a_broken_file_shows_its_faults_and_keeps_the_last_good_mails(client, desk, project):
    edit(project, "sequences/home-loan.yaml", "no: question_again", "no: question_agin")
    desk.reread()
    page = client.get("/see/home-loan/question").text
    assert "as it last was without them" in page
    assert "sequences/home-loan.yaml:21:9" in page
    assert "did you mean &#39;question_again&#39;?" in page
    assert 'id="html"' in page
    edit(project, "sequences/home-loan.yaml", "no: question_agin", "no: question_again")
    desk.reread()
    assert "as it last was" not in client.get("/see/home-loan/question").text


def test_a_broken_template_keeps_its_last_good_mail_and_others_go_on(client, desk, project):
    edit(project, "templates/home-loan/question.md", "Thank you", "{% if %} Thank you")
    edit(project, "templates/home-loan/tour.md", "{{ ask }}", "Look at this. {{ ask }}")
    desk.reread()
    page = client.get("/see/home-loan/question").text
    assert "This is the last good mail" in page
    assert "Expected an expression" in page
    assert "Look at this." in client.get("/mail/home-loan/tour").text
    assert "Thank you" in client.get("/mail/home-loan/question").text


def test_a_project_that_is_broken_from_the_start_still_opens(project):
    (project / "sequences/home-loan.yaml").write_text("steps: [")
    for name in ("free-guide", "free-guide.de", "trial"):
        (project / f"sequences/{name}.yaml").unlink()
    desk = Desk(project, LETTERHEAD)
    with served(desk) as home:
        page = httpx.get(home, follow_redirects=True)
        assert page.status_code in (200, 404)
        assert "sequences/home-loan.yaml:1:" in page.text


def test_files_that_cannot_be_read_leave_all_as_it_was(client, desk, project):
    (project / "sequences").rename(project / "elsewhere")
    desk.reread()
    page = client.get("/see/home-loan/question")
    assert page.status_code == 200
    assert "no sequences/ folder" in page.text
    (project / "elsewhere").rename(project / "sequences")
    desk.reread()
    assert "no sequences/ folder" not in client.get("/see/home-loan/question").text


def test_a_save_is_heard_of_at_once(desk, project):
    watching, listeners = Watching(desk), Listeners(desk)
    with (
        serving(build(desk, listeners, edit=False), listen("127.0.0.1", 0)) as home,
        httpx.stream("GET", f"{home}/saves", timeout=10) as stream,
    ):
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith("data:")) == "data: 1"
        edit(project, "templates/home-loan/question.md", "Thank you", "Many thanks")
        assert next(line for line in lines if line.startswith("data:")) == "data: 2"
        listeners.close()
        assert list(lines)[-1:] in ([], [""])
    watching.close()
    assert "Many thanks" in desk.version.project.templates["home-loan/question.md"]


def test_a_folder_that_comes_later_is_watched_as_well(desk, project):
    shutil.rmtree(project / "files")
    desk.reread()
    heard = []
    watching = Watching(desk)
    came = Event()
    desk.heard.add(lambda: (heard.append(1), came.set()))
    (project / "files").mkdir()
    for text in ("one", "two", "three"):
        came.wait(5)
        came.clear()
        (project / "files" / "new.pdf").write_text(text)
        assert came.wait(5), text
    watching.close()
    assert desk.version.files["files/new.pdf"] == b"three"


# --- playing


def test_a_walk_is_a_link(client):
    page = client.get("/play/home-loan?do=question:home&do=guide:yes,5%20hours").text
    assert "Shall we look at your numbers together?" in page
    assert "yes to guide, kept &gt;= 2 (kept is 2) → offer" in page
    assert "path: [question, guide, offer, last_call]" in page
    assert re.search(r'class="step offer here walked"', page)


def test_the_mails_own_ask_is_the_next_act(client):
    frame = client.get("/play/home-loan/mail").text
    assert 'href="/play/home-loan?do=question:home" target="_top"' in frame
    assert 'href="/play/home-loan?do=unsubscribed:yes" target="_top"' in frame
    bought = client.get("/play/home-loan/mail?do=question:home&do=guide:yes").text
    assert "place=1" in bought, "a click on an offer is no purchase"


def test_the_pages_say_the_same_to_a_program(client):
    seen = client.get("/see/home-loan/question.json", params={"person": "little"}).json()
    assert (seen["format"], seen["mail"]["subject"]) == ("nurture.seen/1", "One quick question, friend")
    assert (seen["checks"][0]["name"], seen["faults"], len(seen["steps"])) == ("One ask", [], 7)
    walk = client.get("/play/home-loan.json").json()
    assert walk["mail"]["subject"] == "One quick question, Ann"
    after = client.get(walk["can"][0]["link"].replace("home-loan?", "home-loan.json?")).json()
    assert (after["step"], after["because"]) == ("guide", "question was answered home → guide")
    assert [one["kind"] for one in after["timeline"]].count("mail") == 2
    for path in ("/see/home-loan/nothing.json", "/play/nothing.json"):
        assert client.get(path).json() == {"detail": "not found"}


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("do=question:boat", "is no answer to question"),
        ("do=%3Cscript%3E", "is no act"),
        ("day=mon&hour=25:99", "is not a time"),
        ("do=offer:yes", "has not been mailed"),
        ("person=nobody&zone=Mars&mail=99&after=never&arm=nowhere", "One quick question"),
    ],
)
def test_an_odd_link_is_answered_with_a_sentence(client, query, says):
    page = client.get(f"/play/home-loan?{query}")
    assert page.status_code == 200
    assert says in page.text
    assert "<script>" not in page.text


# --- the door


def test_only_names_of_this_machine_are_answered(client):
    assert client.get("/see/home-loan/question", headers={"Host": "evil.example"}).status_code == 400
    assert client.get("/see/home-loan/question", headers={"Host": "localhost:1"}).status_code == 200


def test_no_page_runs_anything_that_is_not_in_our_own_files(client):
    for path in ("/see/home-loan/question", "/play/home-loan", "/edit/people.yaml"):
        page = client.get(path)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script(?! src=)|\son\w+=|javascript:|\sstyle=\"", page.text)
    assert "script-src" not in client.get("/mail/home-loan/question").headers["content-security-policy"]


# --- the editor


def look(client, path, text, at=None, **headers):
    told = {"text": text} if at is None else {"text": text, "at": at}
    return client.post(f"/look/{path}", content=json.dumps(told), headers=headers)


def test_faults_and_ladder_as_one_types_and_nothing_is_written(client, project):
    path = project / "sequences/home-loan.yaml"
    before = path.read_text()
    said = look(client, "sequences/home-loan.yaml", before.replace("no: question_again", "no: qu"), 0).json()
    assert said["marks"] == [
        {
            "line": 21,
            "severity": "error",
            "message": "there is no step 'qu'; write a step of this file, next, end or unsubscribe",
        }
    ]
    assert 'data-step="question_again"' in said["html"]
    assert path.read_text() == before


def test_what_can_stand_at_the_cursor(client, project):
    text = (project / "sequences/home-loan.yaml").read_text()
    at = text.index("no: question_again") + len("no: qu")
    said = look(client, "sequences/home-loan.yaml", text.replace("no: question_again", "no: qu"), at).json()
    assert [one["word"] for one in said["words"]] == ["question_again", "quotes"]
    said = look(client, "templates/home-loan/tour.md", "Hello {{ fir", len("Hello {{ fir")).json()
    assert [one["word"] for one in said["words"]] == ["first_name"]


def save(client, path, text, base, **headers):
    return client.post(f"/save/{path}", content=json.dumps({"text": text, "base": base}), headers=headers)


def base_of(client, path):
    return re.search(r'data-base="(\w+)"', client.get(f"/edit/{path}").text)[1]


def test_saving_writes_the_file_and_only_when_asked_to_be_able_to(client, editing, project):
    path = "templates/home-loan/tour.md"
    base, text = base_of(client, path), "New words. {{ ask }}\n"
    refused = save(client, path, text, base)
    assert refused.status_code == 403
    assert "--edit" in refused.json()["error"]
    assert save(editing, path, text, base).status_code == 200
    assert (project / path).read_text() == text
    assert sorted(one.name for one in (project / path).parent.iterdir() if one.name.startswith(".")) == []


def test_what_was_changed_elsewhere_is_not_written_over(editing, project):
    path = "templates/home-loan/tour.md"
    base = base_of(editing, path)
    (project / path).write_text("Someone else's words. {{ ask }}\n")
    refused = save(editing, path, "Mine. {{ ask }}\n", base)
    assert refused.status_code == 409
    assert "copy your text" in refused.json()["error"]
    assert "Someone else" in (project / path).read_text()


def test_no_other_site_and_no_other_file_is_written(editing, project, tmp_path):
    path = "templates/home-loan/tour.md"
    base = base_of(editing, path)
    before = (project / path).read_bytes()
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        assert save(editing, path, "taken", base, **headers).status_code == 403
    for other in ("nurture.toml", "files/quotes.pdf", "templates/../../new.md", "%2e%2e/new.md", ".env"):
        assert save(editing, other, "taken", base).status_code in (403, 404), other
    outside = tmp_path / "outside.md"
    outside.write_bytes(before)
    (project / path).unlink()
    (project / path).symlink_to(outside)
    assert save(editing, path, "taken", base).status_code == 403
    assert outside.read_bytes() == before


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"text": 5}', b"\xff"])
def test_what_is_no_text_is_refused(editing, body):
    assert editing.post("/save/people.yaml", content=body).status_code == 422


def test_lines_end_as_they_ended(editing, desk, project):
    path = "templates/home-loan/tour.md"
    (project / path).write_bytes(b"One\r\n{{ ask }}\r\n")
    desk.reread()
    assert save(editing, path, "Two\n{{ ask }}\n", base_of(editing, path)).status_code == 200
    assert (project / path).read_bytes() == b"Two\r\n{{ ask }}\r\n"


# --- as files


def only(project, name):
    for file in (project / "sequences").iterdir():
        if file.stem != name:
            file.unlink()


def test_export_writes_pages_that_need_no_server(project, tmp_path, capsys):
    only(project, "home-loan")
    folder = tmp_path / "out"
    assert run(["-C", str(project), "preview", "--export", str(folder)]) == 0
    assert "written to" in capsys.readouterr().err
    page = (folder / "home-loan" / "offer.html").read_text()
    assert "Shall we look at your numbers together?" in page
    assert 'class="step offer here"' in page
    for file in folder.rglob("*.html"):
        for target in re.findall(r'(?:href|src|data-light|data-dark)="([^"#:?]+)"', file.read_text()):
            assert (file.parent / target).exists(), (file, target)
    assert "http://127" not in page
    assert run(["-C", str(project), "preview", "--export", str(folder)]) == 0, "it may be written again"


def test_export_does_not_write_into_a_folder_of_something_else(project, tmp_path, capsys):
    assert run(["-C", str(project), "preview", "--export", str(project)]) == 2
    assert "holds other files" in capsys.readouterr().err
