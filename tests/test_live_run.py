"""Three hundred people inside, the engine running in a process of its own, and two people's edits applied beside it."""

import csv
import json
import os
import subprocess
import sys
from collections import Counter

from waiting import until

from nurture.cli.main import run
from nurture.engine.show import person
from nurture.store import messages
from nurture.store.database import open_store

ASK = "    template: body.md\n    ask: {click: Look, to: https://example.com}\n"


def step(name, no, within="400 days"):
    return f"  {name}:\n    subject: {name}\n{ASK}    within: {within}\n    yes: end\n    no: {no}\n"


def head(*ways):
    shares = ", ".join(f"{way}: {share}%" for way, share in zip(ways, (34, 33, 33), strict=True))
    return f"start: {{when: manual, go: {{split: {{{shares}}}}}}}\nfrom: Ada <ada@example.com>\nsteps:\n"


BEFORE = (
    head("hello", "slow", "tips")
    + step("hello", "tips")
    + step("slow", "tour")
    + step("tips", "tour")
    + step("tour", "end")
)
AFTER = (
    head("welcome", "slow", "extra") + step("welcome", "extra") + step("slow", "tour", "1 second") + step("extra", "tour")
    + step("tour", "end") + "changes:\n  welcome: {was: hello}\n  tips: {go: tour}\n  slow: {waiting: retime}\n"
)  # fmt: skip
PEOPLE = 300


def test_three_hundred_people_while_the_engine_runs(url, tmp_path, capfd):
    folder = tmp_path / "list"
    for name, text in (("sequences/ladder.yaml", BEFORE), ("templates/body.md", "Hello.\n\n{{ ask }}\n")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    environment = {
        "NURTURE_DATABASE_URL": url,
        "NURTURE_SECRET_KEY": "k" * 40,
        "NURTURE_POSTAL_ADDRESS": "1 Example Street",
        "NURTURE_TICK": "1 second",
    }
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in environment.items()))
    names = [f"p{number}@example.com" for number in range(PEOPLE)]
    for part, some in (("first", names[:200]), ("second", names[200:])):
        with (tmp_path / f"{part}.csv").open("w") as file:
            csv.writer(file).writerows([["email"], *([name] for name in some)])

    def nurture(*words):
        code = run(["-C", str(folder), *words])
        out, err = capfd.readouterr()
        return code, out, err

    assert nurture("import", str(tmp_path / "first.csv"), "--enroll", "ladder")[0] == 0
    workers = 1 if url.startswith("sqlite") else 2
    engines = [
        subprocess.Popen(
            [sys.executable, "-m", "nurture", "-C", str(folder), "run", "--port", "0"],
            env={**os.environ, "PYTHONUNBUFFERED": "1"}, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(workers)
    ]  # fmt: skip
    store = open_store(url)
    try:

        def sent(step):
            with store.read() as tx:
                return messages.asked(tx).get("ladder", {}).get(step, 0)

        def left():
            return sum(sent(step) for step in ("hello", "slow", "tips"))

        until(lambda: left() == 200)
        (folder / "sequences/ladder.yaml").write_text(AFTER)
        late = nurture("import", str(tmp_path / "second.csv"), "--enroll", "ladder")
        assert "the running version goes on" in late[2]
        until(lambda: left() == PEOPLE)
        code, out, _ = nurture("plan", "--json", "--out", str(tmp_path / "plan.json"))
        plan = json.loads(out)
        assert (code, plan["format"]) == (0, "nurture.plan/1")
        steps = {one["step"] or one["was"]: one for one in plan["sequences"][0]["steps"]}
        assert steps["welcome"]["changes"][0]["kind"] == "renamed"
        assert steps["tips"]["changes"] == [{"kind": "removed", "words": "is gone"}]
        assert all(sum(one["people"].values()) == PEOPLE for one in steps.values())
        assert nurture("plan", "--detailed-exitcode")[0] == 2
        code, _, err = nurture("apply", str(tmp_path / "plan.json"), "--because", "shorter")
        assert (code, "Version 2 runs" in err) == (0, True)
        assert sum(steps[name]["people"]["asked"] for name in ("welcome", "slow", "tips")) == PEOPLE
        slow = steps["slow"]["people"]["asked"]
        assert sum(plan["mails"].values()) == slow  # their shorter time to answer is over, so tour follows at once
        until(lambda: sent("tour") == slow)
        assert nurture("plan")[1].startswith("Nothing to do")
    finally:
        for engine in engines:
            engine.terminate()
        errors = [engine.communicate(timeout=40)[1] for engine in engines]
    stood = Counter()
    for name in names:
        story = person(store, name)
        got = Counter(mail["step"] for mail in story["messages"] if mail["sent_at"])
        assert max(got.values()) == 1, story
        assert any("by deploy 2" in event["reason"] for event in story["events"]), story
        place = story["enrollments"][0]
        stood[place["phase"], place["step"]] += 1
    found = {where: people for where, people in stood.items() if people}
    asked = {name: steps[name]["people"]["asked"] for name in ("welcome", "slow", "tips")}
    assert found == {
        ("asked", "welcome"): asked["welcome"],
        ("asked", "tour"): slow,
        ("waiting", "tour"): asked["tips"],
    }
    store.close()
    assert not any("Traceback" in said for said in errors)
