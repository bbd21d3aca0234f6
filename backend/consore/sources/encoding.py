"""Hospital extracts say nothing of their encoding: it is found here, line by line, without reading the file twice.

UTF-8 (with or without BOM) is tried first, since other encodings almost never form valid UTF-8; what fails is
Windows-1252, and Latin-1 where Windows-1252 has no such byte. A file of mixed origin is thus read right, line by line.
UTF-16 is known by its BOM, or by the NUL bytes that it puts in every other place.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

MAX_LINE = 4_000_000  # bytes; a longer "line" is not a line of text
_SAMPLE = 4096
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\ud800-\udfff]")


def decode(data: bytes) -> str:
    """`data` as text, whatever its encoding; never fails."""
    wide = _wide(data)
    if wide:
        return data.decode(wide, errors="replace").removeprefix("\ufeff")
    return _decode_narrow(data.removeprefix(codecs.BOM_UTF8))


def lines_of(file: Path) -> Iterator[tuple[int, str, bytes]]:
    """The lines of a text file: number from 1, text with its line end, bytes as in the file (UTF-16: as UTF-8)."""
    with file.open("rb") as stream:
        wide = _wide(stream.read(_SAMPLE))
        stream.seek(0)
        if wide:
            with file.open(encoding=wide, errors="replace", newline="") as text:
                for number, line in enumerate(text, start=1):
                    yield number, line.removeprefix("\ufeff") if number == 1 else line, line.encode("utf-8", "replace")
            return
        number = 0
        while raw := stream.readline(MAX_LINE):
            number += 1
            body = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
            yield number, _decode_narrow(body), raw


def clean(text: str) -> str:
    """Text as it is stored: composed accents (NFC), `\\n` line ends, no control character but tab."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    return unicodedata.normalize("NFC", _CONTROLS.sub("", text))


def _decode_narrow(data: bytes) -> str:
    for encoding in ("utf-8", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _wide(sample: bytes) -> str | None:
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    head = sample[:_SAMPLE]
    half = len(head) // 2
    if half >= 4:
        if head[1::2].count(0) > 0.7 * half and head[0::2].count(0) < 0.1 * half:
            return "utf-16-le"
        if head[0::2].count(0) > 0.7 * half and head[1::2].count(0) < 0.1 * half:
            return "utf-16-be"
    return None
