"""HL7 v2 messages (ER7), read liberally: any line end, encoding, batch, MLLP frame; missing, repeated and Z segments.

A message is its segments as lists of fields; what a field holds is read on demand, unescaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from consore.errors import RecordError
from consore.referentials.decoding import decode_narrow, wide_encoding

MAX_MESSAGE = 100_000_000  # bytes of one message: a document in base64 is a long one
_BLOCK = 1 << 18
_ENDS = re.compile(rb"[\r\n\x0b\x1c]+")
_BATCH = (b"FHS", b"BHS", b"BTS", b"FTS")
_NAME = re.compile(rb"[A-Z][A-Z0-9]{2}")
_CHARSETS = {
    "8859/1": "latin-1",
    "8859/15": "iso8859-15",
    "UNICODE UTF-8": "utf-8",
    "UNICODE UTF-16": "utf-16",
    "ASCII": "cp1252",
}


@dataclass(slots=True, frozen=True)
class Delimiters:
    """What parts fields, components, repetitions, subcomponents, and what escapes (MSH-1, MSH-2)."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"


class Segment:
    """A segment: fields counted from 1, components and subcomponents too; absent is blank."""

    __slots__ = ("_fields", "_marks", "name")

    def __init__(self, name: str, fields: list[str], marks: Delimiters) -> None:
        self.name = name
        self._fields = fields
        self._marks = marks

    def raw(self, field: int) -> str:
        """A field as it is written."""
        written = self._fields[field - 1] if 0 < field <= len(self._fields) else ""
        return "" if written == '""' else written

    def repeats(self, field: int) -> list[str]:
        """The repetitions of a field, those that are blank left out."""
        return [one for one in self.raw(field).split(self._marks.repetition) if one]

    def part(self, repetition: str, component: int, subcomponent: int = 1) -> str:
        """A component (or subcomponent) of a repetition, unescaped."""
        parts = repetition.split(self._marks.component)
        if component > len(parts):
            return ""
        below = parts[component - 1].split(self._marks.subcomponent)
        found = below[subcomponent - 1] if subcomponent <= len(below) else ""
        return "" if found == '""' else unescape(found, self._marks).strip()

    def whole(self, repetition: str, component: int) -> str:
        """A component with its subcomponents, as written."""
        parts = repetition.split(self._marks.component)
        return parts[component - 1] if component <= len(parts) else ""

    def get(self, field: int, component: int = 1, subcomponent: int = 1) -> str:
        """The component of the first repetition of a field, unescaped."""
        return self.part(self.raw(field).partition(self._marks.repetition)[0], component, subcomponent)

    def text(self, field: int) -> str:
        """A field of free text: repetitions on lines of their own, unescaped; components as they are."""
        lines = self.raw(field).split(self._marks.repetition)
        return "\n".join(unescape(line, self._marks) for line in lines)


class Message:
    """A message: its segments in order."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        text = _decoded(raw)
        lines = text.split("\r")
        head = lines[0]
        if not head.startswith("MSH") or len(head) < 8:
            raise not_hl7()
        marks = _delimiters(head)
        self.segments: list[Segment] = []
        for line in lines:
            name, _, rest = line.partition(marks.field)
            fields = rest.split(marks.field)
            if name == "MSH":  # its separator counts as its first field
                fields = [marks.field, *fields]
            if name:
                self.segments.append(Segment(name, fields, marks))
        self.header = self.segments[0]

    def first(self, name: str) -> Segment | None:
        """The first segment of a name, or None."""
        return next((segment for segment in self.segments if segment.name == name), None)

    def all(self, name: str) -> list[Segment]:
        """Every segment of a name."""
        return [segment for segment in self.segments if segment.name == name]

    @cached_property
    def type(self) -> str:
        """`ADT`, `ORU`, `MDM`…"""
        return self.header.get(9, 1).upper()

    @cached_property
    def event(self) -> str:
        """`A01`…: of MSH-9, else of EVN-1."""
        event = self.first("EVN")
        return (self.header.get(9, 2) or (event.get(1) if event else "")).upper()


def not_hl7() -> RecordError:
    """What is said of bytes that begin no message."""
    return RecordError(
        "This is no HL7 v2 message: it does not begin with MSH.",
        "Check what the interface sends.",
        reason="not_hl7",
    )


def messages_of(file: Path) -> Iterator[tuple[int, bytes | RecordError, bytes]]:
    """The messages of a file, in constant memory: number from 1, bytes (segments end with CR) or why not, what it was.

    Batch segments and frames are left out; a line that begins no segment goes on with the one before.
    """
    with file.open("rb") as stream:
        wide = wide_encoding(stream.read(4096))
    yield from split_messages(_wide_blocks(file, wide) if wide else _blocks(file))


def split_messages(blocks: Iterator[bytes]) -> Iterator[tuple[int, bytes | RecordError, bytes]]:
    """`messages_of` over blocks of bytes."""
    number = 0
    held: list[bytes] = []
    size = 0
    for line in _segments(blocks):
        starts = line.startswith(b"MSH")
        if starts and held:
            number += 1
            yield _finished(number, held, size)
            held, size = [], 0
        if not held and not starts and line[:3] in _BATCH:
            continue
        if held and line[:3] in _BATCH and line[3:4] == held[0][3:4]:
            continue
        size += len(line) + 1
        if size > MAX_MESSAGE:  # the rest is not kept: what comes with the next MSH is another message
            continue
        goes_on = held and not (_NAME.match(line) and line[3:4] in (held[0][3:4], b""))
        if goes_on and held[0].startswith(b"MSH"):
            held[-1] += b"\n" + line
        else:
            held.append(line)
    if held:
        yield _finished(number + 1, held, size)


def unescape(text: str, marks: Delimiters) -> str:
    """Text without HL7 escapes (v2.5, chapter 2.7): `\\F\\`, `\\.br\\`, `\\X0D\\`…; an unknown one is left out."""
    if not marks.escape or marks.escape not in text:
        return text
    pattern = _escapes(marks.escape)
    return pattern.sub(lambda found: _meaning(found[1], marks, found[0]), text)


def _escapes(mark: str, kept: dict[str, re.Pattern[str]] = {}) -> re.Pattern[str]:  # noqa: B006
    if mark not in kept:
        kept[mark] = re.compile(f"{re.escape(mark)}([^{re.escape(mark)}\r\n]{{0,80}}){re.escape(mark)}")
    return kept[mark]


def _meaning(code: str, marks: Delimiters, whole: str) -> str:
    match code:
        case "F":
            return marks.field
        case "S":
            return marks.component
        case "T":
            return marks.subcomponent
        case "R":
            return marks.repetition
        case "E":
            return marks.escape
        case "H" | "N" | ".fi" | ".nf" | "":
            return ""
    if code.startswith(".br") or code.startswith(".ce"):
        return "\n"
    if code.startswith(".sp"):
        count = code[3:].strip("+ ")
        return "\n" * (int(count) if count.isdecimal() and int(count) < 50 else 1)
    if code.startswith("X") and len(code) % 2 == 1:
        try:
            return decode_narrow(bytes.fromhex(code[1:])).replace("\r\n", "\n").replace("\r", "\n")
        except ValueError:
            return ""
    if code[0] in "CMZ." and " " not in code:
        return ""
    return whole  # two backslashes of a text that was never escaped


def _finished(number: int, held: list[bytes], size: int) -> tuple[int, bytes | RecordError, bytes]:
    raw = b"\r".join(held) + b"\r"
    if size > MAX_MESSAGE:
        fault = RecordError(
            f"The message holds {size:,} bytes, more than {MAX_MESSAGE:,}.",
            "Send its document by another way.",
            reason="message_too_large",
        )
        return number, fault, raw
    if not held[0].startswith(b"MSH"):
        return number, not_hl7(), raw
    return number, raw, raw


def _segments(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of a stream, without blank ones."""
    rest: list[bytes] = []
    for block in blocks:
        parts = _ENDS.split(block)
        rest.append(parts[0])
        if len(parts) == 1:
            if sum(map(len, rest)) > 2 * MAX_MESSAGE:
                del rest[1:]  # a line without end: its head tells what it was
            continue
        line = b"".join(rest)
        if line.strip():
            yield line
        for part in parts[1:-1]:
            if part.strip():
                yield part
        rest = [parts[-1]]
    line = b"".join(rest)
    if line.strip(b"\x00\x1a \t"):
        yield line


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        first = stream.read(_BLOCK).removeprefix(b"\xef\xbb\xbf")
        while first:
            yield first
            first = stream.read(_BLOCK)


def _wide_blocks(file: Path, encoding: str) -> Iterator[bytes]:
    with file.open(encoding=encoding, errors="replace", newline="") as stream:
        while text := stream.read(_BLOCK):
            yield text.removeprefix("\ufeff").encode("utf-8", "replace")


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        head = raw.partition(b"\r")[0].decode("latin-1")
        fields = head.split(head[3:4] or "|")
        declared = _CHARSETS.get(fields[17].split("~")[0].strip().upper() if len(fields) > 17 else "", "cp1252")
        try:
            return raw.decode(declared)
        except (UnicodeDecodeError, LookupError):
            return decode_narrow(raw)


def _delimiters(head: str) -> Delimiters:
    field = head[3]
    marks = head[4:].partition(field)[0]
    default = Delimiters()
    return Delimiters(
        field,
        marks[0] if marks else default.component,
        marks[1] if len(marks) > 1 else default.repetition,
        marks[2] if len(marks) > 2 else default.escape,
        marks[3] if len(marks) > 3 else default.subcomponent,
    )
