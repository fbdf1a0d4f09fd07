"""How long it takes to check many sequences with their mails: `python benchmarks/check_many.py [SEQUENCES]`."""

import cProfile
import pstats
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from nurture.engine.deploy import problems_of
from nurture.language.project import read_project

STEPS = 8
PEOPLE = "attributes: {first_name: text, loan: [home, auto]}\nproducts: [review]\n"
HEAD = """\
title: Sequence {number}
start: joined
from: Ada Bright <ada@example.com>
send: {{between: 9:00-17:00, days: weekdays, gap: 1 day}}
within: 3 days
steps:
  question:
    subject: One quick question, {{{{ first_name or "friend" }}}}
    ask:
      poll: Are you looking for a home loan or an auto loan?
      answers: {{home: A home loan, auto: An auto loan}}
      save: loan
    yes: step1
    no: end
"""
STEP = """\
  step{position}:
    subject: Letter {position} of {number}
    ask: {{click: Show me the next one, to: https://example.com/{number}/{position}}}
    yes: {after}
    no: end
"""
MAIL = """\
Hello {{{{ first_name or "friend" }}}},

this is letter {position} of sequence {number}. You said “{{{{ said("question") }}}}”.

{{% if loan == "home" %}}
A **house** is a large thing.
{{% else %}}
A *car* is a small one.
{{% endif %}}

{{{{ ask }}}}

Ada
"""


def project(count):
    files = {"people.yaml": PEOPLE}
    for number in range(count):
        text = HEAD.format(number=number)
        files[f"templates/s{number}/question.md"] = "Hello,\n\n{{ ask }}\n"
        for position in range(1, STEPS):
            after = f"step{position + 1}" if position < STEPS - 1 else "end"
            text += STEP.format(number=number, position=position, after=after)
            files[f"templates/s{number}/step{position}.md"] = MAIL.format(number=number, position=position)
        files[f"sequences/s{number}.yaml"] = text
    return {path: text.encode() for path, text in files.items()}


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    files = project(count)
    profile = cProfile.Profile() if "--profile" in sys.argv else None
    begun = time.process_time()
    if profile is not None:
        profile.enable()
    found = problems_of(read_project(files))
    if profile is not None:
        profile.disable()
        pstats.Stats(profile).sort_stats("cumulative").print_stats(60)
    taken = time.process_time() - begun
    print(f"{count} sequences of {STEPS} steps: {taken:.1f} s of CPU, {len(found)} problems")
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "nurture", "-C", folder, "check"], check=False, capture_output=True
        )
        print(f"`nurture check` of them: {time.perf_counter() - begun:.1f} s, {done.stderr.decode().strip()}")


if __name__ == "__main__":
    main()
