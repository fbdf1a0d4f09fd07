"""An editor, as far as a language server sees one: it opens files, reads the faults, asks for completion and hover."""

from __future__ import annotations

import json
import subprocess
from itertools import count
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

ROOT = Path(__file__).parents[1]
SERVER = ROOT / ".node" / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
SETTINGS = {"yaml": {"schemaStore": {"enable": False}, "completion": True, "hover": True, "validate": True}}


class Editor:
    """The real yaml-language-server over stdio, in the Language Server Protocol 3.17."""

    def __init__(self, node: str, server: Path = SERVER) -> None:
        self._process = subprocess.Popen(
            [node, str(server), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._numbers = count(1)
        self._answers: Queue[dict] = Queue()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        root = ROOT.as_uri()
        self._ask(
            "initialize",
            {
                "processId": None, "rootUri": root, "workspaceFolders": [{"uri": root, "name": "nurture"}],
                "capabilities": {
                    "workspace": {"configuration": True, "didChangeConfiguration": {"dynamicRegistration": True}},
                    "textDocument": {
                        "completion": {"completionItem": {"snippetSupport": True, "documentationFormat": ["markdown"]}},
                        "hover": {"contentFormat": ["markdown"]},
                    },
                },
            },
        )  # fmt: skip
        self._tell("initialized", {})
        self._tell("workspace/didChangeConfiguration", {"settings": SETTINGS})

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join(5)
        self._process.stdin.close()
        self._process.stdout.close()

    def faults(self, path: Path, text: str | None = None) -> list[tuple[int, int, str]]:
        """Line and column, from 1, and words of every fault of a file that is opened with this text."""
        uri = self._open(path, path.read_text("utf-8") if text is None else text)
        answer = self._answer(lambda said: said.get("method") == "textDocument/publishDiagnostics"
                              and said["params"]["uri"] == uri)  # fmt: skip
        return sorted(
            (one["range"]["start"]["line"] + 1, one["range"]["start"]["character"] + 1, one["message"])
            for one in answer["params"]["diagnostics"]
        )

    def completion(self, path: Path, text: str) -> dict[str, str]:
        """What is offered where » stands, each with what is said of it."""
        found = self._at("textDocument/completion", path, text)
        items = found["items"] if isinstance(found, dict) else found or []
        return {one["label"]: _words(one.get("documentation")) for one in items}

    def hover(self, path: Path, text: str) -> str:
        """What is said of the spot where » stands."""
        found = self._at("textDocument/hover", path, text)
        return _words(found["contents"]) if found else ""

    # --- the protocol

    def _at(self, method: str, path: Path, text: str):
        before = text[: text.index("»")]
        uri = self._open(path, text.replace("»", ""))
        place = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
        return self._ask(method, {"textDocument": {"uri": uri}, "position": place})

    def _open(self, path: Path, text: str) -> str:
        # a name of its own each time, so that no fault of an earlier text is taken for one of this
        number = next(self._numbers)
        uri = path.absolute().with_stem(f"{path.stem}-{number}").as_uri()
        self._tell(
            "textDocument/didOpen",
            {"textDocument": {"uri": uri, "languageId": "yaml", "version": number, "text": text}},
        )
        return uri

    def _ask(self, method: str, params: object):
        number = next(self._numbers)
        self._say({"id": number, "method": method, "params": params})
        answer = self._answer(lambda said: said.get("id") == number and "method" not in said)
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["result"]

    def _tell(self, method: str, params: object) -> None:
        self._say({"method": method, "params": params})

    def _say(self, what: dict) -> None:
        body = json.dumps({"jsonrpc": "2.0", **what}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _answer(self, wanted) -> dict:
        while True:
            try:
                said = self._answers.get(timeout=30)
            except Empty:
                raise AssertionError("the language server does not answer") from None
            if said.get("method") == "workspace/configuration":
                asked = [SETTINGS.get(one.get("section", ""), {}) for one in said["params"]["items"]]
                self._say({"id": said["id"], "result": asked})
            elif "id" in said and "method" in said:
                self._say({"id": said["id"], "result": None})
            elif wanted(said):
                return said

    def _read(self) -> None:
        while header := self._process.stdout.readline():
            length = 0
            while header.strip():
                if header.lower().startswith(b"content-length:"):
                    length = int(header.split(b":")[1])
                header = self._process.stdout.readline()
            self._answers.put(json.loads(self._process.stdout.read(length)))


def _words(said) -> str:
    return said["value"] if isinstance(said, dict) else str(said or "")
