"""The text of a PDF or of a page image: its own text, else what tesseract recognises, where it is installed."""

from __future__ import annotations

import io
import logging
import os
import re
import shutil
import subprocess
from functools import cache

from consore.errors import RecordError
from consore.sources import limits

PAGES_RECOGNISED = 60  # of one scanned document: a report has a few
RESOLUTION = 300  # dots an inch: what tesseract was trained on
PATIENCE = 120  # seconds for one page

logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # its warnings name no file; our rejections do


def pdf_text(content: bytes, ocr: bool = True) -> str:
    """The text of a PDF, pages parted by a blank line. Raises RecordError with a stable reason."""
    from pypdf import PdfReader
    from pypdf.errors import LimitReachedError

    if b"%%EOF" not in content[-2048:]:
        raise RecordError(
            "The PDF is truncated: its end mark is missing.", "Send the file again.", reason="truncated_pdf"
        )
    pages: list[str] = []
    length = 0
    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise RecordError("The PDF is encrypted.", "Export it without a password.", reason="encrypted_pdf")
        total = len(reader.pages)
        if total > limits.MAX_PAGES:
            raise RecordError(
                f"The PDF has {total} pages, more than {limits.MAX_PAGES}.",
                "Split it by report.",
                reason="text_too_long",
            )
        for page in reader.pages:
            pages.append(page.extract_text())
            length += len(pages[-1])
            if length > limits.MAX_TEXT:
                raise RecordError(
                    f"The PDF holds more than {limits.MAX_TEXT:,} characters.",
                    "Split it by report.",
                    reason="text_too_long",
                )
    except RecordError:
        raise
    except LimitReachedError as error:
        raise RecordError("The PDF unpacks to more than is safe.", "Export it again.", reason="zip_bomb") from error
    except Exception as error:  # pypdf raises what its parser meets: KeyError, RecursionError, struct.error…
        raise RecordError(
            f"The PDF is damaged ({type(error).__name__}).", "Send the file again.", reason="damaged_pdf"
        ) from error
    text = "\n\n".join(pages)
    if text.strip():
        return text
    if not _shows_images(reader):
        raise RecordError("The PDF holds no text.", "Export it with its text.", reason="pdf_without_text")
    return _recognised_pages(content, ocr)


def image_text(content: bytes, ocr: bool = True) -> str:
    """The text of a page image (TIFF, JPEG, PNG…)."""
    _require_tesseract(ocr)
    return _not_blank(_recognised(content))


@cache
def tesseract() -> str | None:
    """The tesseract program of this machine, None where it is not installed."""
    return shutil.which("tesseract")


def _shows_images(reader) -> bool:  # type: ignore[no-untyped-def]
    try:
        return any("/XObject" in (page.get("/Resources") or {}) or _draws(page) for page in reader.pages)
    except Exception:  # what cannot be told is taken for a scan: the message then asks for the right thing
        return True


def _draws(page) -> bool:  # type: ignore[no-untyped-def]
    """Whether a page draws an image that stands in its own content."""
    contents = page.get_contents()
    return contents is not None and bool(re.search(rb"\bBI\b.{1,2000}?\bID\b", contents.get_data(), re.DOTALL))


def _recognised_pages(content: bytes, ocr: bool) -> str:
    _require_tesseract(ocr)
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(content)
        try:
            if len(document) > PAGES_RECOGNISED:
                raise RecordError(
                    f"The PDF has {len(document)} scanned pages, more than {PAGES_RECOGNISED}.",
                    "Split it by report, or send it with its recognised text.",
                    reason="text_too_long",
                )
            return _not_blank("\n\n".join(_recognised(_image(page)) for page in document))
        finally:
            document.close()
    except pypdfium2.PdfiumError as error:
        raise RecordError("The PDF is damaged.", "Send the file again.", reason="damaged_pdf") from error


def _image(page) -> bytes:  # type: ignore[no-untyped-def]
    width, height = page.get_size()  # points, 72 an inch; a poster is drawn smaller
    scale = min(RESOLUTION / 72, 10_000 / max(width, height, 1))
    image = page.render(scale=scale, grayscale=True).to_pil()
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _recognised(image: bytes) -> str:
    program = tesseract()
    assert program is not None
    language = "fra" if "fra" in _languages() else "eng"
    try:
        done = subprocess.run(
            [program, "stdin", "stdout", "-l", language],
            input=image,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},  # a page a process: more threads only wait for each other
        )
    except subprocess.TimeoutExpired as error:
        raise RecordError(
            f"A page could not be recognised in {PATIENCE} s.", "Scan it again.", reason="ocr_failed"
        ) from error
    if done.returncode:
        raise RecordError("The page could not be recognised.", "Scan it again.", reason="ocr_failed")
    return done.stdout.decode("utf-8", "replace")


@cache
def _languages() -> frozenset[str]:
    program = tesseract()
    if program is None:
        return frozenset()
    done = subprocess.run([program, "--list-langs"], capture_output=True, text=True, timeout=30, check=False)
    return frozenset(done.stdout.split())


def _require_tesseract(ocr: bool) -> None:
    if ocr and tesseract():
        return
    raise RecordError(
        "The document was scanned: it holds images and no text.",
        "Install tesseract-ocr and tesseract-ocr-fra, or send it with its recognised text; then replay it.",
        reason="ocr_needed",
    )


def _not_blank(text: str) -> str:
    if not text.strip():
        raise RecordError("No text is recognised on the pages.", "Scan it again.", reason="ocr_failed")
    return text
