"""How long 500 stories take, start-up included: `python benchmarks/stories.py [STORIES]`."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

SEQUENCE = ROOT / "sequences/home-loan.yaml"


def main(wanted: int) -> None:
    head, _, stories = SEQUENCE.read_text().partition("tests:\n")
    one = stories.count("- name:")
    with tempfile.TemporaryDirectory() as place:
        project = Path(place)
        for folder in ("templates", "files"):
            (project / folder).symlink_to(ROOT / folder)
        (project / "sequences").mkdir()
        # its form begins a ladder that is not here
        known = (ROOT / "people.yaml").read_text().replace("    start: challenge\n", "")
        (project / "people.yaml").write_text(known)
        many = (stories.rstrip() + "\n") * (wanted // one)
        (project / "sequences/home-loan.yaml").write_text(f"{head}tests:\n{many}")
        before = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "nurture", "-C", project, "test"], capture_output=True, text=True, check=False
        )
        print(f"{done.stderr.strip()} {time.perf_counter() - before:.2f} s with start-up")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
