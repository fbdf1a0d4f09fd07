"""A page of the docs, done: its files are written, its commands run, its outputs looked for. In one process, for speed."""

import io
import os
import re
import shlex
import subprocess
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path

from nurture.cli.main import run

BLOCK = re.compile(r"(?:<!-- file: (\S+) -->\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KEEPS_RUNNING = ("nurture run", "nurture demo", "nurture worker", "nurture preview")
LEAVES = re.compile(r"\s+# leaves with (\d)$")


class Reader:
    """Does what a page says, in a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment: dict[str, str] = {}
        self.said = ""

    def read(self, page: str) -> None:
        self.said = ""
        for file, kind, text in BLOCK.findall(page):
            if file:
                path = self.folder / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            elif kind == "sh":
                self.said = "".join(self.do(line) for line in text.splitlines())
            elif kind == "python":
                with redirect_stdout(io.StringIO()) as said, chdir(self.folder):
                    exec(compile(text, "<page>", "exec"), {"__name__": "__page__"})
                self.said = said.getvalue()
            elif kind == "text" and self.said:
                for line in text.splitlines():
                    assert line.strip() in self.said, self.said

    def do(self, line: str) -> str:
        leaves = LEAVES.search(line)
        line = LEAVES.sub("", line)
        if line.startswith(KEEPS_RUNNING) and "--export" not in line:
            line += " --help"
        if line.startswith("cd "):
            self.folder /= line.removeprefix("cd ")
        elif line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            self.environment[name] = value
        elif line.startswith("nurture "):
            line, _, into = line.partition(" > ")
            code, said = self.run(self.words(line))
            assert code == int(leaves[1] if leaves else 0), f"{line}\n{said}"
            if into:
                (self.folder / into).write_text(said)
            return said
        else:
            subprocess.run(line, shell=True, check=True, cwd=self.folder)
        return ""

    def run(self, words: list[str]) -> tuple[int, str]:
        before = dict(os.environ)
        os.environ.update(self.environment)
        said = io.StringIO()
        try:
            with redirect_stdout(said), redirect_stderr(said), chdir(self.folder):
                try:
                    return run(["-C", str(self.folder), *words]), said.getvalue()
                except SystemExit as left:  # `--help`
                    return int(left.code or 0), said.getvalue()
        finally:
            os.environ.clear()
            os.environ.update(before)

    def words(self, line: str) -> list[str]:
        first, *more = shlex.split(line)[1:]
        if first == "init":  # its folder is named from where one stands
            more[0] = str(self.folder / more[0])
        return [first, *more]
