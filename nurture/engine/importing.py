"""A CSV of people: what each row says or why it is refused, what it would do, and the doing, in pieces.

The file is text whose odd bytes are kept as surrogates, so that one row that is no UTF-8 is one row refused.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nurture.engine.addresses import normalise
from nurture.engine.deploy import afresh
from nurture.engine.enroll import Imported, Row, import_batch, typed
from nurture.errors import Refused
from nurture.language.problems import did_you_mean
from nurture.language.sequence import ALWAYS_KNOWN
from nurture.store import people, suppressions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from typing import TextIO

    from nurture.engine.deploy import Deployed
    from nurture.language.sequence import People
    from nurture.store.database import Store

OTHER_WORDS = ("e_mail", "email_address", "e_mail_address")
"""What others call the column `email`."""

BATCH = 500
"""People in one transaction; others write between two of them."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that was refused."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What an import would do. `taught` are those of the known who learn something; `rows` are some as they are read."""

    new: int = 0
    known: int = 0
    taught: int = 0
    suppressed: int = 0
    erased: int = 0
    rows: tuple[Row, ...] = ()


class Sheet:
    """An open file of people. `columns` are what is read of it, by place; `left_out` says why a column is not.

    Its rows can be read once. What is refused meanwhile is in `bad`, and `read` is about how many characters that was.
    Raises Refused when nobody could be read of it.
    """

    def __init__(self, file: TextIO, name: str, known: People) -> None:
        self.bad: list[Bad] = []
        self._file = file
        self._known = known
        head = file.readline()
        if not head.strip():
            raise Refused(f"{name} is empty; its first line names the columns, like email,first_name")
        self.read = len(head)
        self._sign = max(",;\t", key=head.count)
        try:
            self._names = [cell.strip() for cell in next(csv.reader([head], delimiter=self._sign))]
        except csv.Error as error:
            raise Refused(f"the first line of {name} names no columns: {error}") from None
        self.columns = _columns(name, self._names, known)
        words = _words(known)
        self.left_out = [
            f"column '{column}' is left out: people.yaml declares no such attribute{did_you_mean(column, words)}"
            for place, column in enumerate(self._names)
            if place not in self.columns and column
        ]

    def batches(self) -> Iterator[list[Row]]:
        """Its people, each once: the first line that names an address counts."""
        batch: list[Row] = []
        seen: dict[str, int] = {}
        for row in self._rows():
            if row.email in seen:
                self._refuse(row.line, f"{row.email} stands in line {seen[row.email]} already; that line counts")
                continue
            seen[row.email] = row.line
            batch.append(row)
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def _rows(self) -> Iterator[Row]:
        reader = csv.reader(self._file, delimiter=self._sign, strict=True)
        while True:
            line = reader.line_num + 2
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._refuse(line, f"this row cannot be read: {error}")
                continue
            self.read += sum(len(cell) + 1 for cell in cells)
            if not any(cell.strip() for cell in cells):
                continue
            try:
                yield self._row(line, cells)
            except Refused as error:
                self._refuse(line, str(error))

    def _row(self, line: int, cells: list[str]) -> Row:
        if len(cells) != len(self._names):
            raise Refused(f"this row has {len(cells)} cells, and the first line names {len(self._names)} columns")
        if any("\udc80" <= sign <= "\udcff" for cell in cells for sign in cell):
            raise Refused("this row is not UTF-8; save the file as UTF-8")
        given = {name: cells[place].strip() for place, name in self.columns.items()}
        email = normalise(given.pop("email"))
        tags = [tag.strip() for tag in given.pop("tags", "").replace(";", ",").split(",") if tag.strip()]
        for tag in tags:
            if tag not in self._known.tags:
                raise Refused(f"people.yaml declares no tag '{tag}'{did_you_mean(tag, self._known.tags)}")
        # an empty cell says nothing; it does not take away what is known
        attributes = typed(self._known, {name: cell for name, cell in given.items() if cell})
        return Row(line, email, attributes, frozenset(tags))

    def _refuse(self, line: int, reason: str) -> None:
        self.bad.append(Bad(line, reason))


def _words(known: People) -> dict[str, str]:
    return {word.casefold(): word for word in ("tags", *ALWAYS_KNOWN, *known.attributes)}


def _columns(name: str, columns: list[str], known: People) -> dict[int, str]:
    """Which column is which attribute (`email` and `tags` as well), in whatever case, `First Name` as `first_name`."""
    words = _words(known)
    keys = [re.sub(r"[\s-]+", "_", column.casefold()) for column in columns]
    if "email" not in keys:
        keys = ["email" if key in OTHER_WORDS and key not in words else key for key in keys]
    wanted = {place: words[key] for place, key in enumerate(keys) if key in words}
    if "email" not in wanted.values():
        raise Refused(f"{name} has no column 'email'; its first line names the columns, like email,first_name")
    column, times = Counter(wanted.values()).most_common(1)[0]
    if times > 1:
        raise Refused(f"{name} has two columns '{column}'; keep one of them")
    return wanted


def foresee(store: Store, batches: Iterable[list[Row]], examples: int = 5) -> Foreseen:
    """What these people would become. Nothing is written."""
    count: Counter[str] = Counter()
    shown: list[Row] = []
    for batch in batches:
        emails = [row.email for row in batch]
        with store.read() as tx:
            before = {person.email: person for person in people.by_emails(tx, emails)}
            barred = suppressions.of(tx, emails)
        for row in batch:
            known, why = before.get(row.email), barred.get(row.email)
            if why is not None:
                count["suppressed" if why.erased_at is None else "erased"] += 1
            elif known is None or known.status == people.UNCONFIRMED:  # who brings them in says that they asked for it
                count["new"] += 1
            elif known.status != "active":
                count["suppressed"] += 1
            else:
                count["known"] += 1
                count["taught"] += not (row.attributes.items() <= known.attributes.items() and row.tags <= known.tags)
        shown += batch[: examples - len(shown)]
    return Foreseen(**count, rows=tuple(shown))


def bring_in(
    store: Store, current: Callable[[], Deployed], batches: Iterable[list[Row]], *, enroll: str | None, now: datetime
) -> Iterator[Imported]:  # fmt: skip
    """Bring them in, each piece in a transaction of its own; gives what was done so far after each."""
    done = Imported()
    for batch in batches:
        one = _piece(store, current, batch, enroll, now)
        done = Imported(
            done.new + one.new, done.updated + one.updated, done.suppressed + one.suppressed,
            done.enrolled + one.enrolled,
        )  # fmt: skip
        yield done


def _piece(
    store: Store, current: Callable[[], Deployed], batch: list[Row], enroll: str | None, now: datetime
) -> Imported:
    return afresh(current, lambda running: import_batch(store, running, batch, enroll=enroll, now=now))
