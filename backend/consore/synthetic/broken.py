"""Bad inputs, as hospitals send them: to prove that each gets a clear message and that nothing else is lost."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from consore.synthetic.files import as_pdf


@dataclass(slots=True, frozen=True)
class BrokenInput:
    """`path` now holds something wrong; `fault` is a stable word, `position` where it lies in the file."""

    path: Path
    fault: str
    position: str = ""


def break_some(centre: Path, seed: int) -> list[BrokenInput]:
    """Add bad inputs to a generated centre, beside what was good, and say what was done.

    In place: a truncated PDF and a DOCX that is a ZIP of something else (both in the index of documents), a patient
    born in 2090, an RSS line cut short and one with a few characters too many. As new files: a CSV with a wrong
    separator, a CSV in Latin-1. Where the centre has such files, beside them: an MDM whose base64 is cut, one with
    line feeds for carriage returns; a CDA without its namespace, one in Latin-1 that says UTF-8; a FHIR export whose
    last line is cut; and, in place, an RSA line cut short.
    """
    rng = Random(f"broken/{seed}")
    return [
        *_bad_documents(centre, rng),
        _born_tomorrow(centre, rng),
        *_wrong_rss_lines(centre, rng),
        _tabulated(centre),
        _latin1(centre),
        *_bad_messages(centre, rng),
    ]


def _bad_documents(centre: Path, rng: Random) -> list[BrokenInput]:
    folder = centre / "documents"
    ipp = _some_ipp(centre, rng)
    whole = as_pdf("Compte rendu de consultation\nPas de récidive.", "Compte rendu")
    truncated = folder / "DOC_TRONQUE.pdf"
    truncated.write_bytes(whole[: len(whole) // 3])
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr(zipfile.ZipInfo("tableau.csv", (2020, 1, 1, 0, 0, 0)), "a;b\n1;2\n")
    stranger = folder / "DOC_ZIP.docx"
    stranger.write_bytes(archive.getvalue())
    with (folder / "index.csv").open("a", encoding="utf-8") as index:
        for path in (truncated, stranger):
            index.write(f"{path.stem};{ipp};Courrier;Courrier;2024-03-01;Dr X;Oncologie médicale;{path.name}\n")
    return [BrokenInput(truncated, "truncated_pdf"), BrokenInput(stranger, "not_a_docx")]


def _born_tomorrow(centre: Path, rng: Random) -> BrokenInput:
    path = centre / "administratif.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    cells = rng.choice(lines[1:]).split(";")
    cells[0], cells[5], cells[6] = "IPP2090", "2090-04-12", ""
    path.write_text("\n".join([*lines, ";".join(cells)]) + "\n", encoding="utf-8")
    return BrokenInput(path, "impossible_birth_date", f"ligne {len(lines) + 1}")


def _wrong_rss_lines(centre: Path, rng: Random) -> list[BrokenInput]:
    path = centre / "pmsi_rss.txt"
    lines = path.read_bytes().split(b"\r\n")[:-1]
    short, long = rng.choice(lines)[:120], rng.choice(lines) + b"0000"
    path.write_bytes(b"\r\n".join([*lines, short, long]) + b"\r\n")
    return [
        BrokenInput(path, "short_line", f"ligne {len(lines) + 1}"),
        BrokenInput(path, "long_line", f"ligne {len(lines) + 2}"),
    ]


def _tabulated(centre: Path) -> BrokenInput:
    path = centre / "fiches_tumeur_tabulations.csv"
    path.write_bytes((centre / "fiches_tumeur.csv").read_bytes().replace(b";", b"\t"))
    return BrokenInput(path, "wrong_separator")


def _latin1(centre: Path) -> BrokenInput:
    path = centre / "chimiotherapie_latin1.csv"
    text = (centre / "chimiotherapie.csv").read_text(encoding="utf-8")
    path.write_bytes(text.replace("œ", "oe").encode("latin-1", errors="replace"))
    return BrokenInput(path, "wrong_encoding")


def _bad_messages(centre: Path, rng: Random) -> Iterator[BrokenInput]:
    if (rsa := centre / "pmsi_rsa.txt").exists():
        lines = rsa.read_bytes().split(b"\r\n")[:-1]
        rsa.write_bytes(b"\r\n".join([*lines, rng.choice(lines)[:90]]) + b"\r\n")
        yield BrokenInput(rsa, "short_rsa_line", f"ligne {len(lines) + 1}")
    if messages := sorted((centre / "hl7" / "mdm").rglob("*.hl7")):
        segments = rng.choice(messages).read_bytes().split(b"\r")
        place = next(place for place, segment in enumerate(segments) if segment.startswith(b"OBX|1|ED"))
        cut, feeds = centre / "hl7" / "mdm" / "MDM_TRONQUE.hl7", centre / "hl7" / "mdm" / "MDM_LF.hl7"
        cut.write_bytes(b"\r".join([*segments[:place], segments[place][: len(segments[place]) // 2 + 1]]))
        feeds.write_bytes(b"\n".join(segments))
        yield BrokenInput(cut, "truncated_base64")
        yield BrokenInput(feeds, "line_feeds")
    if reports := sorted((centre / "cda").rglob("*.xml")):
        whole = rng.choice(reports).read_text(encoding="utf-8")
        bare, liar = centre / "cda" / "CDA_SANS_ESPACE.xml", centre / "cda" / "CDA_LATIN1.xml"
        bare.write_text(whole.replace(' xmlns="urn:hl7-org:v3"', ""), encoding="utf-8")
        liar.write_bytes(whole.encode("latin-1", errors="replace"))
        yield BrokenInput(bare, "no_namespace")
        yield BrokenInput(liar, "wrong_declared_encoding")
    if (export := centre / "fhir" / "Patient.ndjson").exists():
        cut = centre / "fhir" / "Patient_tronque.ndjson"
        cut.write_bytes(export.read_bytes()[:-40])
        yield BrokenInput(cut, "truncated_line")


def _some_ipp(centre: Path, rng: Random) -> str:
    lines = (centre / "administratif.csv").read_text(encoding="utf-8").splitlines()[1:]
    return rng.choice(lines).split(";")[0]
