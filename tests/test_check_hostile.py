"""Files made to harm, checked as a user checks them: a clear error, within a second of work and 200 MB."""

import resource
import subprocess
import sys

import pytest
from test_language_hostile import GOOD, HOSTILE

SECOND, MEMORY = 1.0, 200 * 1024 * 1024
STEP = b"  s%d:\n    subject: Hello\n    ask: {click: Come, to: https://a.example/x}\n    no: next\n"
FILES = {
    "bomb": HOSTILE["an alias bomb below a good page"],
    "deep": HOSTILE["deep in flow and closed"],
    "null": HOSTILE["a NUL"],
    "utf16": HOSTILE["UTF-16"],
    "many-steps": GOOD.partition(b"steps:")[0] + b"steps:\n" + b"".join(STEP % number for number in range(10_000)),
    "long-condition": HOSTILE["a condition of 100,000 letters"],
    "deep-condition": HOSTILE["nested parentheses"],
}
MEASURED = """\
import resource, sys
from nurture.cli.main import run
before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
code = run(["-C", sys.argv[1], "check"])
used = resource.getrusage(resource.RUSAGE_SELF).ru_utime
# not ru_maxrss, which a process has from whoever started it
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(code, used - before, int(peak.split()[1]) * 1024, file=sys.stderr)
"""


def limited():
    resource.setrlimit(resource.RLIMIT_AS, (8 * MEMORY, 8 * MEMORY))


def check(folder):
    """Exit code, what was printed, CPU seconds and bytes of a check in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(folder)], capture_output=True, text=True, check=True, preexec_fn=limited
    )
    assert "Traceback" not in done.stderr
    code, seconds, memory = done.stderr.splitlines()[-1].split()
    return int(code), done.stdout, float(seconds), int(memory)


@pytest.fixture(scope="module")
def harmless(tmp_path_factory):
    """What a check of nothing in particular takes on this machine."""
    folder = tmp_path_factory.mktemp("harmless")
    (folder / "sequences").mkdir()
    (folder / "templates").mkdir()
    (folder / "sequences/good.yaml").write_bytes(GOOD)
    (folder / "templates/hello.md").write_text("{{ ask }}\n")
    code, out, seconds, memory = check(folder)
    assert (code, out) == (0, "")
    return seconds, memory


def test_every_hostile_file_is_one_clear_error_and_costs_little(tmp_path, harmless):
    (tmp_path / "sequences").mkdir()
    for name, body in FILES.items():
        (tmp_path / f"sequences/{name}.yaml").write_bytes(body)
    with (tmp_path / "sequences/large.yaml").open("wb") as large:
        large.write(GOOD + b"# ")
        large.truncate(50_000_000)
    code, out, seconds, memory = check(tmp_path)
    assert code == 1
    for name in (*FILES, "large"):
        assert f"sequences/{name}.yaml:" in out
    assert "larger than 1 MB" in out
    assert seconds - harmless[0] < SECOND * (len(FILES) + 1)
    assert memory < MEMORY, f"{memory / 1e6:.0f} MB"


def test_a_template_of_fifty_megabytes_is_an_error_and_is_not_read(tmp_path, harmless):
    (tmp_path / "sequences").mkdir()
    (tmp_path / "templates").mkdir()
    (tmp_path / "sequences/good.yaml").write_bytes(GOOD)
    with (tmp_path / "templates/hello.md").open("wb") as large:
        large.write(b"{{ ask }}\n")
        large.truncate(50_000_000)
    code, out, _, memory = check(tmp_path)
    assert code == 1
    assert "templates/hello.md:1:1 error this template is larger than 1 MB" in out
    assert memory < MEMORY
