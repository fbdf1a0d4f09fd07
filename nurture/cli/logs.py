"""What is logged, on stderr: lines to be read, or a JSON object a line for programs. No address stands in either."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime

FIELDS = (
    "provider", "sequence", "step", "message_id", "pool", "listener", "count", "sent", "failed", "unknown", "postponed",
    "new", "updated", "suppressed", "enrolled", "refused", "address",
)  # fmt: skip
"""What a line may say beside its message, where it is known. Nothing else of a record gets into a line."""

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
CHATTY = ("httpx", "alembic")
ADDRESS = re.compile(r"[^\s<>()\[\]{}\"',;:=/\\]{1,200}(?:@|%40)(?=[\w.-]*\w)")
"""What stands before the @: a provider's answer may name whom it refused, and a URL of a database its password."""

DETAIL = re.compile(r"DETAIL: .*?(?=\n\[SQL|\nHINT: |\nCONTEXT: |\Z)", re.DOTALL)
"""PostgreSQL's word on what was wrong holds the whole row, and so what is known of a person."""


def begin(*, as_json: bool = False, level: int = logging.INFO) -> None:
    """From now on everything that is logged in this process goes there."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines() if as_json else WithoutAddresses(TEXT))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)


class WithoutAddresses(logging.Formatter):
    """Lines to be read."""

    def format(self, record: logging.LogRecord) -> str:
        return _masked(super().format(record))


class Lines(logging.Formatter):
    """One JSON object a line: when, how grave, who says it, what; then what is known beside, and a fault's traceback."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        said: dict[str, object] = {
            "time": at, "level": record.levelname.lower(), "logger": record.name, "message": _masked(record.getMessage()),
        }  # fmt: skip
        for name in FIELDS:
            if (value := vars(record).get(name)) is not None:
                said[name] = _masked(value) if isinstance(value, str) else value
        if record.exc_info:
            said["traceback"] = _masked(self.formatException(record.exc_info))
        return json.dumps(said, ensure_ascii=False, default=str)


def _masked(text: str) -> str:
    return ADDRESS.sub("…@", DETAIL.sub("DETAIL: left out", text))
