"""Decodes ROS 2 messages by the definition text that a recording carries for each type (MCAP's `ros2msg`).

A message that gains a field, or a type that this program has never seen, is read all the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cerebellum_trainer.cdr import CdrReader
from cerebellum_trainer.errors import TrainerError

NS_PER_S = 1_000_000_000
# Name in a definition -> `struct` code and numpy type.
NUMBERS = {
    "bool": ("?", "?"),
    "byte": ("B", "u1"),
    "char": ("B", "u1"),
    "int8": ("b", "i1"),
    "uint8": ("B", "u1"),
    "int16": ("h", "i2"),
    "uint16": ("H", "u2"),
    "int32": ("i", "i4"),
    "uint32": ("I", "u4"),
    "int64": ("q", "i8"),
    "uint64": ("Q", "u8"),
    "float32": ("f", "f4"),
    "float64": ("d", "f8"),
}
BYTES = ("byte", "char", "uint8")
SECTION = re.compile(r"^=+\s*\nMSG: (\S+)\s*\n", re.MULTILINE)
FIELD = re.compile(r"^([A-Za-z][\w/]*)(?:<=\d+)?(\[(?:<=)?(\d*)\])?\s+([A-Za-z]\w*)(?:\s+[^=\s].*)?$")
CONSTANT = re.compile(r"^[A-Za-z][\w/]*(?:<=\d+)?\s+[A-Za-z]\w*\s*=")

Read = Callable[[CdrReader], Any]


@dataclass(frozen=True)
class Field:
    name: str
    type: str
    is_array: bool
    # Length of an array; None for a sequence, whose length is in the message.
    length: int | None


class MessageType:
    """One type, ready to decode. Numbers come as Python numbers, arrays of them as numpy arrays, sequences
    of bytes as `bytes`, times as epoch nanoseconds, other messages as dicts.

    Raises: TrainerError DEFINITION_UNUSABLE if the text cannot be understood.
    """

    def __init__(self, name: str, definition: str) -> None:
        self.name = name
        self._fields = parse_definition(name, definition)
        self._read = self._message(short(name), depth=0)

    def decode(self, message: bytes) -> dict[str, Any]:
        """Raises: TrainerError CDR_CORRUPT if the message is cut short or malformed."""
        return self._read(CdrReader(message, self.name))

    def _message(self, name: str, depth: int) -> Read:
        if name == "builtin_interfaces/Time":
            return read_time
        if name not in self._fields or depth > len(self._fields):
            raise unusable(self.name, f"lacks the definition of {name}, or contains itself")
        parts = [(field.name, self._field(field, depth)) for field in self._fields[name]]
        return lambda reader: {field: read(reader) for field, read in parts}

    def _field(self, field: Field, depth: int) -> Read:
        if field.type in NUMBERS:
            code, dtype = NUMBERS[field.type]
            size = int(dtype[1:]) if len(dtype) > 1 else 1
            if not field.is_array:
                return lambda reader: reader.number(code, size)
            count = counter(field, size)
            if field.type in BYTES:
                return lambda reader: reader.raw(count(reader))
            return lambda reader: reader.numbers(dtype, count(reader))
        read = CdrReader.string if field.type == "string" else self._message(field.type, depth + 1)
        if not field.is_array:
            return read
        count = counter(field, 1)
        return lambda reader: [read(reader) for _ in range(count(reader))]


def counter(field: Field, smallest_bytes: int) -> Callable[[CdrReader], int]:
    length = field.length
    if length is None:
        return lambda reader: reader.count(smallest_bytes)
    return lambda reader: length


def read_time(reader: CdrReader) -> int:
    """builtin_interfaces/Time as epoch nanoseconds."""
    seconds, nanoseconds = reader.number("i", 4), reader.uint32()
    if nanoseconds >= NS_PER_S:
        raise TrainerError(
            "CDR_CORRUPT",
            f"A stamp has {nanoseconds} ns in its second",
            "The recording is damaged: repair or leave it out",
        )
    return int(seconds) * NS_PER_S + nanoseconds


def parse_definition(name: str, text: str) -> dict[str, list[Field]]:
    """Fields by type: the type's own text, then after each line of `=` one type that it needs."""
    first, *rest = SECTION.split(text)
    sections = {
        short(name): first,
        **{short(key): body for key, body in zip(rest[::2], rest[1::2], strict=True)},
    }
    return {key: parse_fields(key, body) for key, body in sections.items()}


def parse_fields(name: str, text: str) -> list[Field]:
    fields = []
    for raw in text.split("\n"):
        line = raw.split("#", 1)[0].strip()
        if not line or CONSTANT.match(line):
            continue
        match = FIELD.match(line)
        if match is None or match[1] == "wstring":
            raise unusable(name, f'has the line "{line[:80]}"')
        kind = match[1]
        if kind not in NUMBERS and kind != "string":
            kind = short(kind if "/" in kind else f"{name.split('/')[0]}/{kind}")
        length = int(match[3]) if match[3] and "<=" not in match[2] else None
        fields.append(Field(match[4], kind, match[2] is not None, length))
    return fields


def short(name: str) -> str:
    """package/Type of package/msg/Type."""
    return name.replace("/msg/", "/")


def unusable(name: str, what: str) -> TrainerError:
    return TrainerError(
        "DEFINITION_UNUSABLE", f"The recorded definition of {name} {what}", "Leave this episode out"
    )
