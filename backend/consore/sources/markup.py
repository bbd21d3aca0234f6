"""The text of an HTML page as it is seen: blocks on lines of their own, cells parted by tabs, no scripts."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from consore.errors import RecordError
from consore.referentials.decoding import decode, wide_encoding

_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "body", "caption", "dd", "div", "dl", "dt", "fieldset"),
        *("figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "li", "main", "nav"),
        *("ol", "p", "pre", "section", "table", "tbody", "tfoot", "thead", "title", "tr", "ul"),
    )
)
_UNSEEN = frozenset(("script", "style", "head", "template", "noscript", "svg", "object"))
HEAD = 16_384  # characters that tell what markup this is
_SPACES = re.compile(r"[ \t\r\n\f\v]+")


def parse_xml(content: bytes | str) -> Element:
    """The root of an XML document. Raises RecordError where it defines entities (`xml_bomb`), ParseError on bad XML.

    Only a document type can define entities: one without any is parsed by the fast parser, others by the careful one.
    """
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    if b"<!DOCTYPE" not in data and b"\x00" not in data[:64]:
        return ElementTree.fromstring(data)
    from defusedxml import DefusedXmlException
    from defusedxml import ElementTree as careful

    try:
        return careful.fromstring(data)  # type: ignore[no-any-return]
    except DefusedXmlException as error:
        raise RecordError(
            "The document defines XML entities, as an XML bomb does.", "Export it without a DTD.", reason="xml_bomb"
        ) from error


def html_text(page: str) -> str:
    """The visible text of a page. Raises RecordError where there is none."""
    reader = _Page()
    reader.feed(page)
    reader.close()
    text = reader.lines.text()
    if not text:
        raise RecordError("The page holds no text.", "Export it with its text.", reason="html_without_text")
    return text


class Lines:
    """Text as it is laid out: words run on, blocks have lines of their own, cells are parted by tabs."""

    def __init__(self) -> None:
        self._lines: list[str] = [""]

    def __len__(self) -> int:
        return len(self._lines) - (not self._lines[-1])

    def words(self, text: str) -> None:
        """Add words to the line, their blanks one space."""
        said = _SPACES.sub(" ", text)
        line = self._lines[-1]
        if not line or line.endswith((" ", "\t")):
            said = said.lstrip(" ")
        self._lines[-1] = line + said

    def verbatim(self, text: str) -> None:
        """Add text as it is written."""
        first, *rest = text.split("\n")
        self._lines[-1] += first
        self._lines += rest

    def cell(self) -> None:
        """Begin a cell."""
        if self._lines[-1]:
            self._lines[-1] = self._lines[-1].rstrip(" ") + "\t"

    def line(self) -> None:
        """Begin a line, even a blank one."""
        self._lines.append("")

    def block(self) -> None:
        """Begin a block: a line of its own."""
        if self._lines[-1].strip():
            self._lines.append("")
        else:
            self._lines[-1] = ""

    def text(self) -> str:
        """The lines, without blank ends."""
        return "\n".join(line.rstrip() for line in self._lines).strip("\n")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines = Lines()
        self._hidden = 0
        self._verbatim = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._hidden += 1
        elif tag == "br":
            self.lines.line()
        elif tag in ("td", "th"):
            self.lines.cell()
        elif tag in _BLOCKS:
            self.lines.block()
            self._verbatim += tag == "pre"
            if tag == "li":
                self.lines.words("- ")
            if tag == "body":
                self._hidden = 0  # a head that was never closed hides no body

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag in _BLOCKS:
            self.lines.block()
            self._verbatim = max(0, self._verbatim - (tag == "pre"))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _UNSEEN:
            self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._verbatim:
            self.lines.verbatim(data)
        else:
            self.lines.words(data)


def decode_markup(content: bytes) -> str:
    """Markup as text: the encoding that it declares where the bytes agree with it, else the one that they tell."""
    if not wide_encoding(content[:HEAD]):
        declared = re.search(rb"(?:encoding|charset)\s*=\s*[\"']?([\w.:-]+)", content[:2048])
        if declared:
            try:
                return content.decode(declared[1].decode("ascii")).removeprefix("\ufeff")
            except (LookupError, UnicodeError):
                pass
    return decode(content)
