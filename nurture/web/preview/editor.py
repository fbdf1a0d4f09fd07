"""The editor: a file as text, its faults and the drawn ladder as one types. Writes only where it was asked to be able to."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from nurture.language.completing import Completion, completions, printed
from nurture.language.graph import svg
from nurture.language.project import PEOPLE, SEQUENCES, TEMPLATES
from nurture.language.schema import schema
from nurture.language.schema_files import language_schema, people_schema
from nurture.language.translation import language_file
from nurture.language.yaml import MAX_BYTES
from nurture.web.access import from_elsewhere
from nurture.web.preview.seeing import faults_in
from nurture.web.site import in_thread, page

if TYPE_CHECKING:
    from starlette.requests import Request

    from nurture.web.preview.desk import Desk, Version

WORDS = (".yaml", ".md", ".mjml", ".html", ".txt")


def routes(desk: Desk, *, edit: bool) -> list[Route]:
    return [
        Route("/edit", in_thread(lambda _: _first(desk))),
        Route("/edit/{path:path}", in_thread(lambda request: _show(desk, request, edit=edit))),
        Route("/look/{path:path}", _with_text(lambda request, told: _look(desk, request, told)), methods=["POST"]),
        Route(
            "/save/{path:path}", _with_text(lambda request, told: _save(desk, request, told, edit=edit)),
            methods=["POST"],
        ),
    ]  # fmt: skip


def _with_text(handle: Callable[[Request, dict[str, object]], Response]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that takes a JSON object, and only from a page of ours."""

    async def endpoint(request: Request) -> Response:
        if from_elsewhere(request):
            return JSONResponse({"error": "this did not come from a page of the preview"}, 403)
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > 4 * MAX_BYTES:
                return JSONResponse({"error": "this file is too large to be edited here"}, 413)
        try:
            told = json.loads(body)
        except ValueError:
            told = None
        if not isinstance(told, dict) or not isinstance(told.get("text"), str):
            return JSONResponse({"error": "text is missing"}, 422)
        return await in_thread(lambda asked: handle(asked, told))(request)

    return endpoint


def editable(desk: Desk) -> list[str]:
    """The files of words: sequences, people, templates; not what is handed out."""
    return [
        path for path in desk.version.files if path.endswith(WORDS) and path.startswith((SEQUENCES, TEMPLATES, PEOPLE))
    ]


def _first(desk: Desk) -> Response:
    files = editable(desk)
    return RedirectResponse(f"/edit/{quote(files[0])}") if files else Response("there is no file to edit", 404)


def _show(desk: Desk, request: Request, *, edit: bool) -> Response:
    path = request.path_params["path"]
    files = editable(desk)
    if path not in files:
        return page(
            "preview_nothing.html", 404, desk=desk, words=f"There is no file {path} to edit.", current="",
            problems=list(faults_in(desk.version)), assets="/pages/", home=lambda name: f"/see/{quote(name)}", static=False,
        )  # fmt: skip
    body = desk.version.files[path]
    text = body.decode("utf-8", "replace").replace("\r\n", "\n")
    return page(
        "preview_edit.html", desk=desk, path=path, files=files, text=text, base=_digest(body), edit=edit,
        faults=list(faults_in(desk.version, path)), ladder=_ladder(desk.version, path), current=_sequence(path),
        assets="/pages/", home=lambda name: f"/edit/sequences/{quote(name)}.yaml", static=False,
    )  # fmt: skip


def _look(desk: Desk, request: Request, told: dict[str, object]) -> Response:
    """The faults and the ladder of a file as it is being typed. Nothing is written."""
    path = request.path_params["path"]
    if path not in editable(desk):
        return JSONResponse({"error": f"there is no file {path} to edit"}, 404)
    version = desk.with_file(path, str(told["text"]))
    drawn = page("preview_look.html", faults=list(faults_in(version, path)), ladder=_ladder(version, path), path=path)
    marks = [
        {"line": one.line, "severity": one.severity, "message": one.message}
        for one in version.problems
        if one.file == path
    ]
    at = told.get("at")
    words = [asdict(one) for one in _completions(version, path, str(told["text"]), at)] if isinstance(at, int) else []
    return JSONResponse({"html": bytes(drawn.body).decode(), "marks": marks, "words": words})


def _completions(version: Version, path: str, text: str, at: int) -> list[Completion]:
    """What can stand at the cursor. `at` counts as JavaScript does, in UTF-16; outside of emoji that is characters."""
    people, sequence = version.project.people, version.project.sequences.get(_sequence(path))
    if path.startswith(TEMPLATES):
        own = (
            "ask",
            "said(",
            "offer.deadline",
            "offer.code",
            "offer.price",
            "kept",
            "streak",
            "step_number",
            "unsubscribe_url",
        )
        return printed(text, at, [*people.attributes, *own])
    if path == PEOPLE:
        return completions(text, at, people_schema(), {})
    steps = list(sequence.steps) if sequence is not None else []
    templates = [
        name.rpartition("/")[2] for name in version.project.templates if name.startswith(f"{_sequence(path)}/")
    ]
    names = {
        "step": steps, "go": [*steps, "next", "end", "unsubscribe"], "ask": steps, "path": steps, "never": steps,
        "arms": [*steps, "end"], "tag": people.tags, "tags": people.tags, "bought": people.products,
        "buy": people.products, "event": list(people.events), "save": list(people.attributes), "template": templates,
        "download": list(version.project.downloads), "timezone": ["theirs"],
    }  # fmt: skip
    known = language_schema() if language_file(path) is not None else schema(people)
    return completions(text, at, known, names)


def _save(desk: Desk, request: Request, told: dict[str, object], *, edit: bool) -> Response:
    """Write the file, unless it is another by now. What was there is replaced at once or not at all."""
    path = request.path_params["path"]
    if not edit:
        return JSONResponse({"error": "start it as `nurture preview --edit` to save from here"}, 403)
    if path not in editable(desk):
        return JSONResponse({"error": f"there is no file {path} to edit"}, 404)
    file = desk.folder / path
    if not file.resolve().is_relative_to(desk.folder.resolve()):
        return JSONResponse({"error": f"{path} leads out of the project"}, 403)
    before = file.read_bytes()
    if _digest(before) != told.get("base"):
        return JSONResponse({"error": f"{path} was changed elsewhere; copy your text, then load this page again"}, 409)
    text = str(told["text"])
    body = (text.replace("\n", "\r\n") if b"\r\n" in before else text).encode()
    _replace(file, body)
    desk.reread()
    return JSONResponse({"base": _digest(body)})


def _replace(file: Path, body: bytes) -> None:
    with NamedTemporaryFile(dir=file.parent, prefix=".", suffix=".saving", delete=False) as new:
        new.write(body)
    os.chmod(new.name, file.stat().st_mode)  # noqa: PTH101 - the name is text here
    os.replace(new.name, file)  # noqa: PTH105


def _digest(body: bytes) -> str:
    return sha256(body).hexdigest()


def _sequence(path: str) -> str:
    """The sequence that a file belongs to, "" for none."""
    if path.startswith(SEQUENCES):
        spoken = language_file(path)
        return spoken[0] if spoken is not None else path.removeprefix(SEQUENCES).removesuffix(".yaml")
    return path.removeprefix(TEMPLATES).partition("/")[0] if path.startswith(TEMPLATES) else ""


def _ladder(version: Version, path: str) -> str:
    sequence = version.project.sequences.get(_sequence(path))
    if sequence is None:
        return ""
    here = [step.name for step in sequence.steps.values() if path == f"{TEMPLATES}{step.template}"]
    return svg(sequence, here=here)
