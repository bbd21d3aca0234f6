"""Files of hospitals and of publishers say nothing of their encoding: it is found here.

UTF-8 (with or without BOM) is tried first, since other encodings almost never form valid UTF-8; what fails is
Windows-1252, and Latin-1 where Windows-1252 has no such byte. UTF-16 is known by its BOM, or by the NUL bytes that it
puts in every other place.
"""

from __future__ import annotations

import codecs

_SAMPLE = 4096  # bytes that tell UTF-16


def decode(data: bytes) -> str:
    """`data` as text, whatever its encoding; never fails."""
    wide = wide_encoding(data)
    if wide:
        return data.decode(wide, errors="replace").removeprefix("\ufeff")
    return decode_narrow(data.removeprefix(codecs.BOM_UTF8))


def decode_narrow(data: bytes) -> str:
    """Bytes that are not UTF-16 as text: a line of a file, for one. Never fails; a BOM stays."""
    for encoding in ("utf-8", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def wide_encoding(head: bytes) -> str | None:
    """The UTF-16 encoding that the first bytes of a file tell (`utf-16`, `utf-16-le`, `utf-16-be`), or None."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    head = head[:_SAMPLE]
    half = len(head) // 2
    if half >= 4:
        if head[1::2].count(0) > 0.7 * half and head[0::2].count(0) < 0.1 * half:
            return "utf-16-le"
        if head[0::2].count(0) > 0.7 * half and head[1::2].count(0) < 0.1 * half:
            return "utf-16-be"
    return None
