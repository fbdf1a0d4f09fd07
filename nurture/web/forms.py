"""What a form of ours sends: its fields, and files where it has some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from python_multipart import FormParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

if TYPE_CHECKING:
    from python_multipart.multipart import Field, File


@dataclass(frozen=True, slots=True)
class Posted:
    """`files` are the name a file had and its bytes, by field."""

    fields: Mapping[str, str]
    files: Mapping[str, tuple[str, bytes]] = field(default_factory=lambda: MappingProxyType({}))


def read_form(kind: str, body: bytes) -> Posted:
    """`kind` is the content type. What cannot be read has no fields."""
    what, options = parse_options_header(kind)
    if what != b"multipart/form-data":
        given = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
        return Posted({name: values[-1] for name, values in given.items()})
    fields: dict[str, str] = {}
    files: dict[str, tuple[str, bytes]] = {}

    def found(one: Field) -> None:
        fields[_text(one.field_name)] = _text(one.value)

    def found_file(one: File) -> None:
        one.file_object.seek(0)
        files[_text(one.field_name)] = (_text(one.file_name), one.file_object.read())
        one.close()

    try:
        # in memory whatever its size: nothing of it is to be left on a disk
        config = {"MAX_MEMORY_FILE_SIZE": len(body) + 1}
        parser = FormParser("multipart/form-data", found, found_file, boundary=options.get(b"boundary"), config=config)
        parser.write(body)
        parser.finalize()
    except FormParserError:
        return Posted({})
    return Posted(fields, files)


def _text(given: bytes | None) -> str:
    return (given or b"").decode("utf-8", "replace")
