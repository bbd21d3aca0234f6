"""Documents as text, PDF and DOCX: each fault has its reason, and the others go on."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import pytest
from docx import Document as new_docx
from pypdf import PdfReader, PdfWriter
from reportlab.pdfgen.canvas import Canvas

from consore.errors import SourceError
from consore.model import SourceKind
from consore.sources import Rejection, SourceRecord, document_kind, limits, read_source, reread_record

INDEX = "id;ipp;type;titre;date;auteur;service;fichier"
SENTENCE = "Adénocarcinome du sein gauche, œstrogènes positifs."


def pdf(text: str = SENTENCE) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.drawString(72, 700, text)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def docx(text: str = SENTENCE) -> bytes:
    document = new_docx()
    document.add_paragraph(text)
    table = document.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text = "RE"
    table.rows[0].cells[1].text = "90 %"
    document.add_paragraph("Conclusion.")
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def encrypted(password: str) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf())))
    writer.encrypt(password, owner_password="owner", algorithm="AES-256")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def folder(tmp_path: Path, *files: tuple[str, bytes | None]) -> Path:
    """A folder of documents: an index of `files`, each written where it has a content."""
    root = tmp_path / "documents"
    root.mkdir(exist_ok=True)
    lines = [INDEX]
    for number, (name, content) in enumerate(files, start=1):
        lines.append(f"D{number};42;Compte rendu opératoire;Titre;2024-03-01;Dr Ébène;Chirurgie;{name}")
        if content is not None:
            (root / name).write_bytes(content)
    (root / "index.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def read(root: Path) -> list[SourceRecord | Rejection]:
    return list(read_source(SourceKind.DOCUMENTS, root, {"today": "2026-11-22"}))


def test_text_pdf_and_docx_give_their_text(tmp_path: Path) -> None:
    items = read(
        folder(tmp_path, ("a.txt", SENTENCE.encode("cp1252")), ("b.pdf", pdf()), ("c.docx", docx())),
    )
    assert [item.values["text"] for item in items] == [SENTENCE, SENTENCE, f"{SENTENCE}\nRE\t90 %\nConclusion."]
    assert items[0].values | {"text": ""} == {
        "kind": "surgery",
        "title": "Titre",
        "date": "2024-03-01",
        "author": "Dr Ébène",
        "service": "Chirurgie",
        "text": "",
    }
    assert items[1].origin == "documents/b.pdf"


def test_a_file_is_known_by_its_content_and_not_by_its_name(tmp_path: Path) -> None:
    items = read(folder(tmp_path, ("a.txt", pdf()), ("b.txt", docx())))
    assert all(item.values["text"].startswith(SENTENCE) for item in items)


def test_decomposed_accents_and_line_ends_are_written_one_way(tmp_path: Path) -> None:
    (item,) = read(folder(tmp_path, ("a.txt", "Ade\u0301nome\r\nsein\x0b\ufeff\r\n".encode())))
    assert item.values["text"] == "Adénome\nsein"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.pdf", pdf()[:700], "truncated_pdf"),
        ("x.pdf", b"%PDF-1.4\nnothing here\n%%EOF", "damaged_pdf"),
        ("x.pdf", pdf(""), "pdf_without_text"),
        ("x.pdf", encrypted("secret"), "encrypted_pdf"),
        ("x.pdf", b"I am no PDF", "not_a_pdf"),
        ("x.pdf", b"", "empty_file"),
        ("x.txt", b" \r\n\t", "empty_file"),
        ("x.txt", b"abc\x00def" * 50, "nul_bytes"),
        ("x.docx", archive(image__png=b"..."), "not_a_docx"),
        ("x.docx", b"I am no DOCX", "not_a_docx"),
        ("x.docx", docx()[:2000], "damaged_docx"),
        ("x.docx", archive(**{"[Content_Types].xml": b"<Types/>", "word__document.xml": b"<a/>"}), "damaged_docx"),
        ("x.rtf", b"I am no RTF", "not_a_rtf"),
        ("x.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "unsupported_format"),
        ("x.txt", None, "missing_file"),
    ],
)
def test_a_bad_file_says_why_and_the_others_go_on(
    tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    rejection, record = read(folder(tmp_path, (name, content), ("good.txt", SENTENCE.encode())))
    assert isinstance(record, SourceRecord)
    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.position) == (reason, f"documents/{name}")
    assert (content or b"") in rejection.raw


def test_a_pdf_open_to_all_is_read_though_it_is_encrypted(tmp_path: Path) -> None:
    (record,) = read(folder(tmp_path, ("x.pdf", encrypted(""))))
    assert record.values["text"] == SENTENCE


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_UNPACKED", 1_000_000)
    bomb = archive(**{"[Content_Types].xml": b"<Types/>", "word__document.xml": b" " * 2_000_000})
    (rejection,) = read(folder(tmp_path, ("x.docx", bomb)))
    assert rejection.reason == "zip_bomb"


def test_a_file_too_large_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_FILE", 1000)
    (rejection,) = read(folder(tmp_path, ("x.txt", b"a" * 1001)))
    assert rejection.reason == "file_too_large"


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/passwd", "..\\secret.txt", "link.txt", "."])
def test_no_file_outside_the_folder_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    root = folder(tmp_path, (name, None))
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    (rejection,) = read(root)
    assert rejection.reason == "path_escape"
    assert b"secret\n" not in rejection.raw.replace(b"../secret.txt", b"")


def test_a_document_is_read_again_once_its_file_has_come(tmp_path: Path) -> None:
    root = folder(tmp_path, ("x.txt", None))
    (rejection,) = read(root)
    (root / "x.txt").write_text(SENTENCE)
    (again,) = reread_record(SourceKind.DOCUMENTS, root, {}, rejection.position, rejection.raw)
    assert again.values["text"] == SENTENCE


def test_a_document_is_read_again_from_quarantine_where_its_file_has_gone(tmp_path: Path) -> None:
    root = folder(tmp_path, ("x.pdf", pdf()))
    (record,) = read(root)
    (root / "x.pdf").unlink()
    (again,) = reread_record(SourceKind.DOCUMENTS, root, {}, record.origin, record.raw)
    assert again.values["text"] == SENTENCE


def test_a_folder_without_index_says_which_columns_to_write(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    with pytest.raises(SourceError, match="id;ipp;type;titre"):
        read(tmp_path / "documents")
    with pytest.raises(SourceError, match="There is no file or folder"):
        read(tmp_path / "nowhere")


RTF = (
    "{\\rtf1\\ansi\\ansicpg1252{\\fonttbl{\\f0 Arial;}}{\\info{\\title Secret}}\\f0 Ad\\'e9nocarcinome du sein gauche, "
    "\\u339?strog\\'e8nes positifs.\\par}"
)
HTML = (
    "<!DOCTYPE html><html><head><meta charset='{charset}'><title>Titre</title><style>p {{}}</style></head><body>"
    "<div><p>Adénocarcinome du sein&nbsp;gauche,\n œstrogènes positifs.</p><script>alert(1)</script>"
    "<table><tr><th>RE</th><td>90&nbsp;%</td></tr></table><ul><li>T1</li></ul>fin<br>suite</div></body></html>"
)


def odt(body: str) -> bytes:
    content = (
        '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
        'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0">'
        f"<office:body><office:text>{body}</office:text></office:body></office:document-content>"
    )
    head = "<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]>" if "&b;" in body else ""
    return archive(mimetype=b"application/vnd.oasis.opendocument.text", **{"content.xml": (head + content).encode()})


def scan() -> bytes:
    """A page image without text, as a scanner makes it."""
    from PIL import Image, ImageDraw

    image = Image.new("L", (1240, 400), 255)
    ImageDraw.Draw(image).text((60, 120), "Carcinome du sein gauche", fill=0, font_size=64)
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(595, 200))
    canvas.drawInlineImage(image, 0, 0, 595, 192)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def test_rtf_html_and_odt_give_the_text_that_is_seen(tmp_path: Path) -> None:
    paragraph = (
        "<text:h>Conclusion</text:h><text:p>RE<text:tab/>90<text:s text:c='2'/>%</text:p>"
        "<table:table><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell><table:table-cell>"
        "<text:p>b</text:p></table:table-cell></table:table-row></table:table>"
    )
    rtf, html, latin, page = read(
        folder(
            tmp_path,
            ("a.rtf", RTF.encode("latin-1")),
            ("b.html", HTML.format(charset="utf-8").encode()),
            ("c.htm", HTML.format(charset="windows-1252").encode("cp1252")),
            ("d.odt", odt(paragraph)),
        )
    )
    assert rtf.values["text"] == SENTENCE
    assert html.values["text"] == latin.values["text"]
    assert html.values["text"].replace("\xa0", " ") == f"{SENTENCE}\nRE\t90 %\n- T1\nfin\nsuite"
    assert page.values["text"] == "Conclusion\nRE\t90  %\na\tb"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.odt", odt("<text:p>&b;</text:p>"), "xml_bomb"),
        ("x.odt", odt(""), "odt_without_text"),
        ("x.rtf", b"{\\rtf1 }", "rtf_without_text"),
        ("x.html", b"<html><head><title>x</title></head><body></body></html>", "html_without_text"),
        ("x.xml", b'<?xml version="1.0"?><invoice xmlns="x"><line/></invoice>', "unsupported_xml"),
        ("x.xml", b'<?xml version="1.0" enc', "damaged_xml"),
        ("x.docx", archive(**{"[Content_Types].xml": b"0" * 30_000_000, "word__document.xml": b"<a/>"}), "zip_bomb"),
    ],
)
def test_other_bad_files_say_why_too(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (rejection,) = read(folder(tmp_path, (name, content)))
    assert rejection.reason == reason


def test_a_scan_waits_for_character_recognition_where_none_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consore.sources.pdf.tesseract", lambda: None)
    pdf_, image = read(folder(tmp_path, ("x.pdf", scan()), ("x.tif", b"II*\x00" + b"\x00" * 50)))
    assert (pdf_.reason, image.reason) == ("ocr_needed", "ocr_needed")
    assert "tesseract-ocr-fra" in pdf_.message


@pytest.mark.skipif(not shutil.which("tesseract"), reason="tesseract-ocr is not installed")
def test_a_scan_is_read_where_tesseract_is_installed(tmp_path: Path) -> None:
    (record,) = read(folder(tmp_path, ("x.pdf", scan())))
    assert "sein gauche" in record.values["text"]


def test_ten_thousand_pages_and_two_gigabytes_are_refused_at_once(tmp_path: Path) -> None:
    writer = PdfWriter()
    page = writer.add_blank_page(100, 100)
    for _ in range(9_999):
        writer.add_page(page)
    buffer = io.BytesIO()
    writer.write(buffer)
    root = folder(tmp_path, ("long.pdf", buffer.getvalue()), ("huge.txt", b"a"))
    with (root / "huge.txt").open("r+b") as file:
        file.truncate(2_000_000_000)
    long, huge = read(root)
    assert (long.reason, huge.reason) == ("text_too_long", "file_too_large")
    assert len(huge.raw) < 1_001_000


def test_documents_whose_names_say_whose_they_are_need_no_index(tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    (drop / "2024").mkdir(parents=True)
    (drop / "2024" / "000042_20240301_Compte_rendu_opératoire.txt").write_text(SENTENCE, encoding="utf-8")
    (drop / "2024" / "notes.txt").write_text("rien", encoding="utf-8")
    options = {"format": "files", "name": r"(?P<ipp>\d+)_(?P<date>\d{8})_(?P<kind>.+)\.\w+$"}
    document, _, unnamed, *_ = read_source(SourceKind.DOCUMENTS, drop, options)
    assert (document.ipp, document.values["date"], document.values["kind"]) == ("000042", "2024-03-01", "surgery")
    assert document.values["title"] == "Compte rendu opératoire"
    assert (unnamed.reason, unnamed.position) == ("missing_ipp", "2024/notes.txt")
    (again,) = reread_record(SourceKind.DOCUMENTS, drop, options, "2024/7_20240101_Lettre.txt", unnamed.raw)
    assert again.ipp == "7"


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("Compte rendu opératoire", "surgery"),
        ("COMPTE-RENDU OPERATOIRE", "surgery"),
        ("Compte rendu d'anatomie pathologique", "pathology"),
        ("Fiche RCP", "rcp"),
        ("Recette de cuisine", "other"),
    ],
)
def test_the_label_of_a_document_gives_its_kind(label: str, kind: str) -> None:
    assert document_kind(label) == kind
