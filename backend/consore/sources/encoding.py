"""Lines of an extract as text: the encoding is found line by line (`referentials.decoding`), without reading the file
twice, so that a file of mixed origin is read right.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from consore.referentials.decoding import decode_narrow, wide_encoding

MAX_LINE = 4_000_000  # bytes; a longer "line" is not a line of text
MAX_OBJECT = 96_000_000  # bytes of one JSON line: a document in base64 is a long one
_SAMPLE = 4096
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\ud800-\udfff]")


def long_lines(file: Path) -> Iterator[tuple[int, str, bytes]]:
    """`lines_of` a file whose lines are long: NDJSON."""
    return lines_of(file, MAX_OBJECT)


def lines_of(file: Path, longest: int = MAX_LINE) -> Iterator[tuple[int, str, bytes]]:
    """The lines of a text file: number from 1, text with its line end, bytes as in the file (UTF-16: as UTF-8)."""
    with file.open("rb") as stream:
        wide = wide_encoding(stream.read(_SAMPLE))
        stream.seek(0)
        if wide:
            with file.open(encoding=wide, errors="replace", newline="") as text:
                for number, line in enumerate(text, start=1):
                    yield number, line.removeprefix("\ufeff") if number == 1 else line, line.encode("utf-8", "replace")
            return
        number = 0
        while raw := stream.readline(longest):
            number += 1
            body = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
            yield number, decode_narrow(body), raw


def clean(text: str) -> str:
    """Text as it is stored: composed accents (NFC), `\\n` line ends, no control character but tab."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    return unicodedata.normalize("NFC", _CONTROLS.sub("", text))
