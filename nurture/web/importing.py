"""A list of people is handed in: first what it would do is shown, and only a yes to that writes anything."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from io import BytesIO, TextIOWrapper
from secrets import token_urlsafe
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from nurture.engine.enroll import Imported
from nurture.engine.importing import Bad, Foreseen, Sheet, bring_in, foresee
from nurture.errors import NurtureError, Refused
from nurture.language.problems import or_one_of
from nurture.language.sequence import ALWAYS_KNOWN
from nurture.store import audit
from nurture.store.audit import Entry
from nurture.web.doors import MOST_FILE, MOST_FORM
from nurture.web.frame import Form, acts, takes, twins

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.routing import Route

    from nurture.language.sequence import People
    from nurture.web.forms import Posted
    from nurture.web.site import Site

log = logging.getLogger("nurture.import")

PATH = "/people/import"
KEPT = timedelta(hours=1)
MOST_KEPT = 5
SHOWN = 100


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was handed in, and what became of it: `waiting` for a yes, `running`, `done` or `stopped`."""

    who: str
    name: str
    at: datetime
    state: str
    content: bytes = field(repr=False)
    foreseen: Foreseen
    columns: Mapping[int, str]
    left_out: tuple[str, ...]
    bad: tuple[Bad, ...]
    done: Imported = field(default_factory=Imported)
    enroll: str | None = None
    why: str = ""

    @property
    def digest(self) -> str:
        return sha256(self.content).hexdigest()


class Uploads:
    """What was handed in, in the memory of this process and for an hour: one file of each operator, few at all."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[str, Upload] = {}

    def add(self, upload: Upload) -> str:
        key = token_urlsafe(16)
        with self._lock:
            self._forget_old(upload.at)
            for other in [
                one for one, kept in self._kept.items() if kept.who == upload.who and kept.state != "running"
            ]:
                del self._kept[other]
            if sum(bool(one.content) for one in self._kept.values()) >= MOST_KEPT:
                raise Refused("several lists are being brought in; try again in some minutes")
            self._kept[key] = upload
        return key

    def get(self, key: str, who: str, now: datetime) -> Upload | None:
        with self._lock:
            self._forget_old(now)
            found = self._kept.get(key)
            return found if found is not None and found.who == who else None

    def begin(self, key: str, who: str, enroll: str | None, now: datetime) -> Upload | None:
        """Take it on, once; None when it is not there or was taken on before."""
        with self._lock:
            self._forget_old(now)
            found = self._kept.get(key)
            if found is None or found.who != who or found.state != "waiting":
                return None
            self._kept[key] = replace(found, state="running", enroll=enroll)
            return self._kept[key]

    def put(self, key: str, upload: Upload) -> None:
        with self._lock:
            self._kept[key] = upload

    def drop(self, key: str, who: str) -> None:
        with self._lock:
            found = self._kept.get(key)
            if found is not None and found.who == who and found.state == "waiting":
                del self._kept[key]

    def _forget_old(self, now: datetime) -> None:
        old = [key for key, one in self._kept.items() if one.state != "running" and now - one.at > KEPT]
        for key in old:
            del self._kept[key]


def routes(site: Site) -> list[Route]:
    uploads = Uploads()
    return [
        *twins(PATH, "import.html", "nurture.import/1", lambda _: _asked(site)),
        takes(PATH, lambda request, posted: _look(site, uploads, request, posted), MOST_FILE + MOST_FORM),
        *twins(
            f"{PATH}/{{key}}",
            "imported.html",
            "nurture.import/1",
            lambda request: _shown(site, uploads, request),
            draw=lambda data: {"again": data["state"] == "running"},
        ),
        acts(f"{PATH}/{{key}}", lambda request, form: _go(site, uploads, request, form)),
    ]


def _asked(site: Site) -> dict[str, Any]:
    known = site.current().project.people
    names = ["email", *(name for name in (*ALWAYS_KNOWN, *known.attributes) if name != "email"), "tags"]
    return {"columns": [{"name": name, "kind": _kind(known, name)} for name in names], "most": MOST_FILE // 1_000_000}


def _kind(known: People, name: str) -> str:
    kind = known.attributes.get(name, "text")
    if name in ("email", "tags"):
        return {"email": "an address, needed", "tags": f"some of {', '.join(known.tags) or 'none'}"}[name]
    return kind.replace("_", " or ") if isinstance(kind, str) else f"one of {', '.join(kind)}"


def _look(site: Site, uploads: Uploads, request: Request, posted: Posted) -> str:
    """Read all of it, write nothing, and lead to what it would do."""
    name, content = posted.files.get("file", ("", b""))
    if not name:
        raise Refused("choose a file first")
    if len(content) > MOST_FILE:
        raise Refused(f"{name} has more than {MOST_FILE // 1_000_000} MB; `nurture import` takes a file of any size")
    sheet = _sheet(site, name, content)
    foreseen = foresee(site.store, sheet.batches())
    upload = Upload(
        request.state.who.name, name[:200], site.now(), "waiting", content, foreseen, sheet.columns,
        tuple(sheet.left_out), tuple(sheet.bad),
    )  # fmt: skip
    return f"{PATH}/{uploads.add(upload)}"


def _sheet(site: Site, name: str, content: bytes) -> Sheet:
    opened = TextIOWrapper(BytesIO(content), "utf-8-sig", "surrogateescape", newline="")
    return Sheet(opened, name[:200], site.current().project.people)


def _shown(site: Site, uploads: Uploads, request: Request) -> dict[str, Any] | None:
    found = uploads.get(request.path_params["key"], request.state.who.name, site.now())
    if found is None:
        return None
    known = site.current().project.people
    return {
        "state": found.state, "file": found.name, "why": found.why, "enroll": found.enroll,
        "sequences": list(site.current().ladders),
        "columns": [{"name": name, "kind": _kind(known, name)} for name in found.columns.values()],
        "left_out": list(found.left_out),
        "foreseen": {
            "new": found.foreseen.new, "known": found.foreseen.known, "taught": found.foreseen.taught,
            "suppressed": found.foreseen.suppressed, "erased": found.foreseen.erased, "refused": len(found.bad),
        },
        "examples": [
            {"line": row.line, "email": row.email, "tags": sorted(row.tags), "attributes": dict(row.attributes)}
            for row in found.foreseen.rows
        ],
        "bad": [asdict(one) for one in found.bad[:SHOWN]],
        "done": asdict(found.done),
    }  # fmt: skip


def _go(site: Site, uploads: Uploads, request: Request, form: Form) -> str:
    """The yes, or a no after which nothing of the file is left."""
    key, who = request.path_params["key"], request.state.who.name
    if form.get("do") == "drop":
        uploads.drop(key, who)
        return PATH
    enroll = form.get("enroll") or None
    sequences = site.current().ladders
    if enroll is not None and enroll not in sequences:
        raise Refused(f"there is no sequence '{enroll}'{or_one_of(enroll, sequences)}")
    begun = uploads.begin(key, who, enroll, site.now())
    if begun is not None:
        Thread(target=_run, args=(site, uploads, key, begun), name="import", daemon=True).start()
    elif uploads.get(key, who, site.now()) is None:
        raise Refused("this file is not kept any more, for an hour is the most; hand it in again")
    return f"{PATH}/{key}"


def _run(site: Site, uploads: Uploads, key: str, upload: Upload) -> None:
    """Bring it in. A file may name people, so the audit log has its digest."""
    told = {"sha256": upload.digest, "sequence": upload.enroll or ""}
    try:
        _audit(site, upload.who, "import begun", told)
        sheet = _sheet(site, upload.name, upload.content)
        for done in bring_in(site.store, site.current, sheet.batches(), enroll=upload.enroll, now=site.now()):
            upload = replace(upload, done=done)
            uploads.put(key, upload)
        _audit(site, upload.who, "people imported", {**told, **asdict(upload.done), "refused": len(sheet.bad)})
        upload = replace(upload, state="done", bad=tuple(sheet.bad))
        log.info("a list was imported", extra={**asdict(upload.done), "refused": len(sheet.bad)})
    except NurtureError as error:
        upload = replace(upload, state="stopped", why=str(error))
        log.warning("an import stopped: %s", error)
    except Exception:
        upload = replace(upload, state="stopped", why="a fault of its own; the log has it")
        log.exception("an import met a fault of its own")
    uploads.put(key, replace(upload, content=b"", at=site.now()))


def _audit(site: Site, who: str, action: str, detail: Mapping[str, object]) -> None:
    with site.store.write() as tx:
        audit.record(tx, Entry(site.now(), who, action, detail=detail))
