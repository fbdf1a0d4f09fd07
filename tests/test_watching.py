"""A video: what was really played counts, a jump to its end does not. And kinds of ask from elsewhere. On both databases."""

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from stage import LINKS
from test_web import Visited

from nurture.engine.show import person
from nurture.language.kinds import KINDS
from nurture.language.project import read_project

LADDER = """\
title: A tour
start: joined
from: Ada <ada@example.com>
within: 3 days
steps:
  tour:
    subject: A tour of two minutes
    template: body.md
    send: now
    ask: {watch: Watch the tour, to: WHERE, at_least: 50%}
    yes: next
    no: end
  thoughts:
    subject: What did you think?
    template: body.md
    send: now
    ask: {click: Tell me, to: https://example.com/tell}
    no: end
"""
FILM = {"files/tour.mp4": bytes(range(256)) * 8}


def stage_of(store, where):
    made = Visited(store, {"tour": LADDER.replace("WHERE", where)}, FILM)
    made.subscribe()
    made.work()
    made.path = re.search(r"https://go\.example\.com(/q/\S+)", made.delivered[0].text)[1]
    made.beacon = f"/w/{LINKS.done(made.delivered[0].id)}"
    return made


def answers_of(stage):
    return [answer["answer"] for answer in person(stage.store, "ann@example.com")["answers"]]


def plays(stage, played, length=120.0):
    return stage.web.post(stage.beacon, data={"played": played, "length": length}).json()


def test_only_what_can_have_been_played_counts(store):
    stage = stage_of(store, "tour.mp4")
    shown = stage.web.get(stage.path)
    assert f'src="{stage.beacon}"' in shown.text
    assert "media-src 'self';" in shown.headers["content-security-policy"]
    assert {plays(stage, 120)["percent"] for _ in range(50)} == {1}, "a jump to the end, however often it is told"
    stage.now += timedelta(seconds=20)
    assert plays(stage, 15) == {"percent": 12, "enough": False}
    assert plays(stage, 1) == {"percent": 12, "enough": False}, "what was seen stays seen"
    assert plays(stage, 5, length=6)["percent"] == 12, "a video does not get shorter"
    assert answers_of(stage) == []
    stage.now += timedelta(seconds=50)
    assert plays(stage, 60) == {"percent": 50, "enough": True}
    assert plays(stage, 119)["enough"] is True
    assert answers_of(stage) == ["yes"]
    stage.work()
    assert stage.delivered[-1].subject == "What did you think?"
    kept = [one for one in person(store, "ann@example.com")["events"] if one["kind"] == "kept"]
    assert len(kept) == 1
    stage.close()


@pytest.mark.parametrize(
    "given", ["played=x&length=9", "played=nan&length=9", "played=1", "played=-1&length=2", "", "a=b"]
)
def test_a_report_that_says_nothing_is_refused(store, given):
    stage = stage_of(store, "tour.mp4")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert stage.web.post(stage.beacon, content=given, headers=form).status_code == 422
    assert answers_of(stage) == []
    stage.close()


def test_the_video_is_given_in_parts_as_players_ask_for_them(store):
    stage = stage_of(store, "tour.mp4")
    whole = stage.web.get(stage.beacon)
    assert (whole.headers["content-type"], len(whole.content)) == ("video/mp4", 2048)
    part = stage.web.get(stage.beacon, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, bytes(range(10, 20)))
    assert part.headers["content-range"] == "bytes 10-19/2048"
    assert stage.web.get(stage.beacon, headers={"Range": "bytes=-5"}).content == bytes(range(251, 256))
    assert stage.web.get(stage.beacon, headers={"Range": "bytes=9999-"}).status_code == 416
    assert stage.web.get(stage.path.replace("/q/", "/w/")).status_code == 404, "a page's token is no video's"
    stage.close()


def test_a_video_elsewhere_may_be_played_from_its_host_alone(store):
    stage = stage_of(store, "https://films.example/tour.webm")
    policy = stage.web.get(stage.path).headers["content-security-policy"]
    assert "media-src 'self' https://films.example;" in policy
    stage.close()


def test_a_page_elsewhere_says_that_it_was_watched_or_the_person_does(store):
    stage = stage_of(store, "https://player.example/v?id=7")
    shown = stage.web.get(stage.path).text
    token = re.search(r'href="https://player\.example/v\?id=7&amp;nurture=([^"]+)"', shown)[1]
    assert "<video" not in shown
    assert answers_of(stage) == []
    assert stage.web.post(f"/w/{token}x").status_code == 404
    told = stage.web.post(f"/w/{token}", headers={"Origin": "https://player.example"})
    assert told.json() == {"percent": 100, "enough": True}
    stage.web.post(f"/w/{token}")
    stage.web.post(stage.path)
    assert answers_of(stage) == ["yes"]
    assert "It is noted" in stage.web.get(stage.path).text
    stage.close()


def test_without_javascript_the_person_says_so(store):
    stage = stage_of(store, "tour.mp4")
    assert "<noscript><form" in stage.web.get(stage.path).text
    assert answers_of(stage) == []
    stage.web.post(stage.path)
    assert answers_of(stage) == ["yes"]
    stage.close()


def test_a_video_that_is_not_there_is_said_by_check():
    files = {
        "people.yaml": b"",
        "templates/body.md": b"{{ ask }}",
        "sequences/a.yaml": LADDER.replace("WHERE", "tuor.mp4").encode(),
    }
    problems = [str(one) for one in read_project({**files, **FILM}).problems]
    assert problems == ["sequences/a.yaml:10:38 warning files/tuor.mp4 does not exist, did you mean 'tour.mp4'? [W411]"]


THEIRS = """\
from nurture.language.kinds import AskForm
BOOK = AskForm(size=3, yes="page", keys=("to", "label"), required=("to",), says="A call is booked.", example="Book a call")
SHARE = AskForm(size=1, yes="click", keys=("to",), required=("to",))
BAD = AskForm(size=9)
"""
BOOKED = """\
title: A call
start: joined
from: Ada <ada@example.com>
within: 3 days
steps:
  hello:
    subject: Hello
    ask: {share: Look, to: https://example.com/}
    yes: call
    no: end
  call:
    subject: Shall we talk?
    ask: {book: Book a call, to: https://cal.example/ada}
    yes: later
    no: end
  later:
    subject: And again?
    ask: {book: Book another, to: https://cal.example/ada}
    no: end
tests:
  - name: a call is booked
    does: [{hello: yes}, {call: yes}]
    expect: {path: [hello, call, later], answers: {call: yes}}
"""
DRIVES = """\
import re, sys
from pathlib import Path
from nurture.cli.main import run
from nurture.store.database import open_store
from test_web import Visited

project = Path(sys.argv[1])
for words in ("check", "test", "render talk call", "schema"):
    print("---", words, run(["-C", str(project), *words.split()]))
store = open_store(f"sqlite:///{project}/own.db")
files = {path.relative_to(project).as_posix(): path.read_bytes() for path in project.rglob("templates/talk/*")}
stage = Visited(store, {"talk": (project / "sequences/talk.yaml").read_text()}, files)
stage.subscribe()
stage.work()
link = lambda subject: re.search(r"https://go\\.example\\.com(/[cq]/\\S+)", stage.mail(subject).text)[1]
print("leads to", stage.web.get(link("Hello")).headers["location"])
stage.after(minutes=2)
page = stage.web.get(link("Shall we talk?")).text
token = re.search(r'href="https://cal\\.example/ada\\?nurture=([^"]+)"', page)[1]
print("tells", stage.web.post(f"/w/{token}", headers={"Origin": "https://cal.example"}).json())
stage.work()
stage.web.post(link("And again?"))
print("kept", [(one["step"], one["answer"]) for one in stage.story()["answers"]])
stage.close()
"""


def test_a_kind_that_a_distribution_brings_is_one_like_all_others(tmp_path):
    assert not {"book", "share"} & set(KINDS)
    there = tmp_path / "there"
    (there / "booking-1.0.dist-info").mkdir(parents=True)
    (there / "booking.py").write_text(THEIRS)
    (there / "booking-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: booking\nVersion: 1.0\n")
    points = "book = booking:BOOK\nshare = booking:SHARE\nbad = booking:BAD\ngone = booking:GONE\n"
    (there / "booking-1.0.dist-info" / "entry_points.txt").write_text(f"[nurture.asks]\n{points}")
    project = tmp_path / "project"
    (project / "sequences").mkdir(parents=True)
    (project / "templates" / "talk").mkdir(parents=True)
    (project / "nurture.toml").write_text("")
    (project / "sequences" / "talk.yaml").write_text(BOOKED)
    for step in ("hello", "call", "later"):
        (project / "templates" / "talk" / f"{step}.md").write_text("Hello.\n\n{{ ask }}\n")
    # a process of its own, as kinds are read once, when the program starts
    path = os.pathsep.join([str(there), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", DRIVES, project], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    said = done.stdout
    for words in ("--- check 0", "--- test 0", "--- render talk call 0", "--- schema 0"):
        assert words in said, said + done.stderr
    assert "the ask 'bad' of booking:BAD requires" in done.stderr
    assert "the ask 'gone' of booking:GONE cannot be loaded" in done.stderr
    assert "/q/" in said.partition("--- test")[2].partition("--- render")[0]
    assert '"book"' in said.partition("--- render")[2]
    assert "leads to https://example.com/\n" in said
    assert "tells {'percent': 100, 'enough': True}" in said
    assert "kept [('hello', 'yes'), ('call', 'yes'), ('later', 'yes')]" in said
