"""Official files as they might come another year, damaged ones, wrong ones: taken right, or refused in words."""

from __future__ import annotations

import csv
import gzip
import io
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import openpyxl
import pytest

from consore.errors import ConfigurationError, InputError
from consore.referentials import terminology
from consore.referentials.importing import (
    activate_edition,
    add_local_term,
    editions_of,
    import_referential,
    kinds,
    local_terms,
    remove_local_term,
)
from consore.referentials.importing.recognition import detect
from consore.settings import shipped_referentials

SHIPPED = shipped_referentials()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "home" / "referentials"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A code system of Consore's that is small, so that small files are no suspicious ones."""
    root = tmp_path / "shipped"
    for folder, system, kind, rows in (
        ("cim10", "CIM-10", "diagnosis", ["C50,Tumeur maligne du sein,group,,", "C50.4,Ancien libellé,,C50,"]),
        ("ccam", "CCAM", "procedure", ["QEFA001,Ancien libellé,,,"]),
        (
            "icdo3_topography",
            "ICD-O-3-T",
            "topography",
            ["C50,Sein,group,,", "C50.9,sein,,C50,", "C50.4,sein QSE,,C50,"],
        ),
        ("icdo3_morphology", "ICD-O-3-M", "morphology", ["8500/3,carcinome canalaire,,,"]),
        ("genes", "HGNC", "alteration", ["BRAF,BRAF,,,"]),
        ("drugs", "ATC", "drug", ["L01FD01,trastuzumab,,L01FD,"]),
    ):
        (root / folder).mkdir(parents=True)
        head = f'system = "{system}"\nname = "x"\nedition = "0"\nlicence = "x"\norigin = "x"\nkind = "{kind}"\n'
        (root / folder / "source.toml").write_text(head, encoding="utf-8")
        lines = ["code,label,kind,parents,attributes", *rows]
        (root / folder / "concepts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (root / "ambiguity.csv").write_text("form,kind,rule,before,after,why\n", encoding="utf-8")
    return root


LIB = """C50   |3|NNN|3|T.M. SEIN|Tumeur maligne du sein
C504  |0|OOO|0|T.M. QUADRANT SUPERO-EXTERNE SEIN|Tumeur maligne du quadrant supéro-externe du sein
C509  |0|OOO|0|T.M. SEIN, SAI|Tumeur maligne du sein, sans précision
C169+0|0|OOO|0|T.M. ESTOMAC FAM.|Tumeur maligne de l'estomac, familiale
D051  |0|OOO|0|CARCINOME IN SITU INTRACANALAIRE|Carcinome intracanalaire in situ
Z511  |0|OOO|0|SEANCE DE CHIMIOTHERAPIE|Séance de chimiothérapie pour tumeur
"""
LABELS = {
    "C50": "Tumeur maligne du sein",
    "C50.4": "Tumeur maligne du quadrant supéro-externe du sein",
    "C50.9": "Tumeur maligne du sein, sans précision",
    "C16.9+0": "Tumeur maligne de l'estomac, familiale",
    "D05.1": "Carcinome intracanalaire in situ",
    "Z51.1": "Séance de chimiothérapie pour tumeur",
}


def labels(site, report):
    path = site / report.folder / "editions" / report.slug / "concepts.csv"
    with path.open(encoding="utf-8") as file:
        return {row["code"]: row["label"] for row in csv.DictReader(file)}


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def put(tmp_path: Path, content: bytes | str, name: str = "fichier") -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def workbook(rows: list[list[object]], dimension: str | None = None, before: list[list[object]] = ()) -> bytes:
    book = openpyxl.Workbook()
    book.active.title = "Lisez-moi"
    book.active.append(["Table du PMSI", None, "version 2027"])
    sheet = book.create_sheet("Table")
    for row in [*before, *rows]:
        sheet.append(row)
    stream = io.BytesIO()
    book.save(stream)
    if dimension is None:
        return stream.getvalue()
    made = io.BytesIO()
    with zipfile.ZipFile(stream) as source, zipfile.ZipFile(made, "w") as target:
        for item in source.infolist():
            data = source.read(item.filename)
            if item.filename.startswith("xl/worksheets/sheet"):
                start = data.index(b'<dimension ref="')
                stop = data.index(b"/>", start)
                data = data[:start] + f'<dimension ref="{dimension}"'.encode() + data[stop:]
            target.writestr(item, data)
    return made.getvalue()


# CIM-10 in every writing

ROWS = [[code.replace(".", ""), label] for code, label in LABELS.items()]
WRITINGS = {
    "latin-1": LIB.encode("latin-1"),
    "UTF-8": LIB.encode("utf-8"),
    "UTF-8 with its mark": LIB.encode("utf-8-sig"),
    "UTF-16 with its mark": LIB.encode("utf-16"),
    "UTF-16 without its mark": LIB.encode("utf-16-be"),
    "CRLF": LIB.replace("\n", "\r\n").encode("cp1252"),
    "CR alone": LIB.replace("\n", "\r").encode("cp1252"),
    "no end of the last line": LIB.rstrip().encode("latin-1"),
    "blank lines and a remark": ("# export du 3 mai\n\n" + LIB.replace("\n", "\n\n")).encode("latin-1"),
    "tabs": LIB.replace("|", "\t").encode("utf-8"),
    "semicolons and a header": ("CODE;LIBELLÉ\n" + "\n".join(f"{c};{x}" for c, x in LABELS.items())).encode("cp1252"),
    "columns in another order": (
        "Libellé long;Code CIM10\n" + "\n".join(f"{x};{c}" for c, x in LABELS.items())
    ).encode(),
    "more columns": (
        "id,code,libelle_court,libelle,date_debut\n" + "\n".join(f'1,{c},X,"{x}",01/01/2027' for c, x in LABELS.items())
    ).encode(),
    "quoted cells": ('"code";"libelle"\n' + "\n".join(f'"{c}";"{x}"' for c, x in LABELS.items())).encode(),
    "codes without point": ("code,libelle\n" + "\n".join(f'{c},"{x}"' for c, x in ROWS)).encode(),
    "codes in lower case": ("code,libelle\n" + "\n".join(f'{c.lower()},"{x}"' for c, x in ROWS)).encode(),
    "a renamed column of codes": ("identifiant;libelle\n" + "\n".join(f"{c};{x}" for c, x in LABELS.items())).encode(),
    "a renamed column of labels": (
        "code;date;mots\n" + "\n".join(f"{c};01/01/2027;{x}" for c, x in LABELS.items())
    ).encode(),
    "a column named at length": (
        "N°;Code CIM-10 FR (2027);Libellé court;Libellé en clair\n"
        + "\n".join(f"{n};{c};X;{x}" for n, (c, x) in enumerate(LABELS.items()))
    ).encode(),
    "IHE SVS": (
        '<?xml version="1.0" encoding="UTF-8"?><ValueSet><ConceptList>'
        + "".join(f'<Concept code="{c}" displayName="{x}" codeSystem="2.16"/>' for c, x in LABELS.items())
        + "</ConceptList></ValueSet>"
    ).encode(),
    "gzip": gzip.compress(LIB.encode("latin-1")),
    "JSON": json.dumps({"version": 3, "items": [{"code": c, "libelle": x} for c, x in LABELS.items()]}).encode(),
    "JSON lines": "\n".join(json.dumps({"code": c, "libelle": x}) for c, x in LABELS.items()).encode(),
    "FHIR": json.dumps(
        {"resourceType": "CodeSystem", "concept": [{"code": c, "display": x} for c, x in LABELS.items()]}
    ).encode(),
    "workbook": workbook([["Code", "Libellé"], *ROWS]),
    "workbook that claims one cell": workbook([["Code", "Libellé"], *ROWS], dimension="A1"),
    "workbook with a title above": workbook(
        [["Code", "Libellé"], *ROWS], before=[["CIM-10 FR 2027"], [], ["au 1er mars"]]
    ),
}


@pytest.mark.parametrize("writing", WRITINGS)
def test_the_classification_is_read_in_any_writing(small, site, tmp_path, writing):
    report = import_referential(small, site, "cim10", put(tmp_path, WRITINGS[writing]))
    assert labels(site, report) == LABELS
    assert report.rejected == 0


def test_every_writing_of_the_same_table_is_one_edition(small, site, tmp_path):
    writings = ("latin-1", "UTF-16 with its mark", "CR alone", "gzip")
    slugs = {import_referential(small, site, "cim10", put(tmp_path, WRITINGS[one])).slug for one in writings}
    assert len(slugs) == 1


def test_a_sheet_of_what_was_taken_away_is_not_part_of_the_edition(small, site, tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "CIM-10 2027"
    gone = book.create_sheet("Codes supprimés")
    for row in [["Code", "Libellé"], *ROWS]:
        book.active.append(row)
    for row in [["Code", "Libellé"], ["C501", "Ancienne tumeur"]]:
        gone.append(row)
    stream = io.BytesIO()
    book.save(stream)
    report = import_referential(small, site, "cim10", put(tmp_path, stream.getvalue()))
    assert labels(site, report) == LABELS
    assert [name for name in report.ignored if "supprim" in name]


def test_hgnc_s_json_gives_aliases_as_lists(small, site, tmp_path):
    gene = {"hgnc_id": "HGNC:1097", "symbol": "BRAF", "name": "B-Raf", "status": "Approved", "alias_symbol": ["BRAF1"]}
    other = {"hgnc_id": "HGNC:5", "symbol": "A1BG", "name": "alpha-1-B glycoprotein", "status": "Approved"}
    file = put(tmp_path, json.dumps({"response": {"numFound": 2, "docs": [gene, other]}}))
    report = import_referential(small, site, "auto", file)
    assert (report.kind, report.kept) == ("genes", 2)
    assert [match.code for match in terminology(small, site=site).match("BRAF1 muté")] == ["BRAF"]


def test_a_zip_of_one_file_is_opened(small, site, tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("kit/CIM/table.txt", WRITINGS["latin-1"])
        archive.writestr("kit/notice.pdf", b"%PDF-1.4 notice")
    report = import_referential(small, site, "cim10", put(tmp_path, packed.getvalue()))
    assert labels(site, report) == LABELS


CLAML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE ClaML SYSTEM "ClaML.dtd">
<ClaML version="{version}">
 <Title name="CIM-10" version="2027"/>
 <Modifier code="S05_4"><SubClass code=".0"/></Modifier>
 <ModifierClass modifier="S05_4" code=".0"><SuperClass code="S05_4"/>
  <Rubric kind="preferred"><Label xml:lang="fr">Avec coma</Label></Rubric></ModifierClass>
 <Class code="II" kind="chapter"><SubClass code="C50-C50"/>
  <Rubric id="r1" kind="preferred"><Label xml:lang="fr" xml:space="default">Tumeurs</Label></Rubric></Class>
 <Class code="C50-C50" kind="block"><SuperClass code="II"/>
  <Rubric kind="preferred"><Label xml:lang="fr">Tumeurs du sein</Label></Rubric></Class>
 <Class code="C50" kind="category"><SuperClass code="C50-C50"/>
  <Rubric kind="inclusion"><Label xml:lang="fr">tissu conjonctif du sein</Label></Rubric>
  <Rubric kind="preferred"><Label xml:lang="fr">Tumeur maligne <Term>du sein</Term></Label></Rubric></Class>
 <Class code="C50.4" kind="category" usage="dagger"><SuperClass code="C50"/>
  <Rubric kind="preferred"><Label xml:lang="fr">Quadrant supéro-externe du sein</Label></Rubric></Class>
 <Class code="E10" kind="category"><ModifiedBy code="S05_4"/>
  <Rubric kind="preferred"><Label xml:lang="fr">Diabète sucré de type 1</Label></Rubric></Class>
</ClaML>
"""


@pytest.mark.parametrize("version", ["2.0.0", "3.0.0"])
def test_claml_gives_chapters_blocks_categories_and_modified_codes(small, site, tmp_path, version):
    report = import_referential(small, site, "auto", put(tmp_path, CLAML.format(version=version)))
    found = terminology(small, site=site)
    assert labels(site, report)["E10.0"] == "Diabète sucré de type 1, avec coma"
    assert labels(site, report)["C50"] == "Tumeur maligne du sein"
    assert found.ancestors("CIM-10", "C50.4") == ["C50", "C50-C50", "II"]
    assert found.label("CIM-10", "II") == "Tumeurs"


def test_an_xml_bomb_is_refused_and_nothing_is_changed(small, site, tmp_path):
    bomb = '<?xml version="1.0"?><!DOCTYPE ClaML [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(98 + i)} "{("&" + chr(97 + i) + ";") * 10}">' for i in range(9)
    )
    file = put(tmp_path, f'{bomb}]><ClaML version="2.0.0"><Class code="C50" kind="category">&j;</Class></ClaML>')
    with pytest.raises(InputError, match="entities"):
        import_referential(small, site, "cim10", file)
    assert not site.exists()


def test_an_external_entity_is_never_fetched(small, site, tmp_path):
    secret = put(tmp_path, "secret", "secret")
    xml = f'<!DOCTYPE ClaML [<!ENTITY x SYSTEM "file://{secret}">]><ClaML><Class code="C50">&x;</Class></ClaML>'
    with pytest.raises(InputError, match="entities"):
        import_referential(small, site, "cim10", put(tmp_path, xml))


# The other publications, as other years might write them

ACTS = {"QEFA001": "Tumorectomie du sein avec curage", "HHFA002": "Colectomie droite", "ZZNL048": "Irradiation externe"}


@pytest.mark.parametrize(
    "table",
    [
        "code;libelle_long\n" + "\n".join(f"{c};{x}" for c, x in ACTS.items()),
        "Texte\tCode acte\tActivité\n" + "\n".join(f"{x}\t{c}\t1" for c, x in ACTS.items()),
        "\n".join(f"{c}|1|{x}" for c, x in ACTS.items()),
        "CODE_ACTE,LIBELLE_COURT,LIBELLE_LONG\n" + "\n".join(f"{c}-01,X,{x}" for c, x in ACTS.items()),
        json.dumps([{"code": c, "libelle_long": x, "libelle_court": None} for c, x in ACTS.items()]),
    ],
)
def test_acts_are_read_in_any_table(small, site, tmp_path, table):
    report = import_referential(small, site, "auto", put(tmp_path, table))
    assert (report.kind, labels(site, report)) == ("ccam", ACTS)


def test_an_act_of_the_import_is_found_by_its_code_and_has_its_treatment(small, site, tmp_path):
    table = "code;libelle_long\n" + "\n".join(f"{c};{x}" for c, x in ACTS.items())
    import_referential(small, site, "ccam", put(tmp_path, table))
    found = terminology(small, site=site)
    assert [match.code for match in found.match("Acte HHFA002 réalisé ce jour.")] == ["HHFA002"]
    assert found.treatment_type_of_act("HHFA002") == "surgery"
    assert found.treatment_type_of_act("ZZNL048") == "radiotherapy"


@pytest.mark.parametrize("code", ["8500/3", "M8500/3", "85003", "ICDO3:8500/3", "M-8500/3"])
def test_morphologies_are_known_in_any_writing_of_their_code(small, site, tmp_path, code):
    file = put(tmp_path, f"Code;Libellé\n{code};Carcinome canalaire infiltrant de type non spécifique\n")
    report = import_referential(small, site, "icdo3-morphology", file)
    assert labels(site, report) == {"8500/3": "Carcinome canalaire infiltrant de type non spécifique"}


def test_topographies_are_a_simple_table(small, site, tmp_path):
    rows = "C50;Sein\nC504;Quadrant supéro-externe du sein\nC509;Sein, SAI\n"
    report = import_referential(small, site, "icdo3-topography", put(tmp_path, rows))
    assert labels(site, report)["C50.4"] == "Quadrant supéro-externe du sein"
    assert terminology(small, site=site).ancestors("ICD-O-3-T", "C50.4") == ["C50"]


def test_hgnc_gives_names_aliases_and_former_symbols(small, site, tmp_path):
    head = "hgnc_id\tsymbol\tname\tlocus_group\tstatus\talias_symbol\tprev_symbol\n"
    rows = (
        'HGNC:1097\tBRAF\tB-Raf proto-oncogene\tprotein-coding gene\tApproved\t"BRAF1|B-raf1"\tRAFB1\n'
        "HGNC:11998\tTP53\ttumor protein p53\tprotein-coding gene\tApproved\tp53|LFS1\t\n"
        "HGNC:1\tOLD1\twithdrawn\t\tEntry Withdrawn\t\t\n"
    )
    report = import_referential(small, site, "auto", put(tmp_path, head + rows))
    assert (report.kind, report.kept, report.set_aside) == ("genes", 2, {"not_of_this_referential": 1})
    found = terminology(small, site=site)
    assert {match.code for match in found.match("mutation de BRAF1 et RAFB1")} == {"BRAF"}
    assert found.concept("HGNC", "TP53").attributes["name"] == "tumor protein p53"


def test_adicap_organs_and_lesions_keep_their_maps(small, site, tmp_path):
    rows = "Code;Libellé;Topographie;Morphologie\nGS;Sein;C50.9;\nA7A0;Adénocarcinome, SAI;;8140/3\n"
    import_referential(small, site, "adicap", put(tmp_path, rows))
    found = terminology(small, site=site)
    assert found.concept("ADICAP", "GS").attributes["topography"] == "C50.9"
    lesion = found.concept("ADICAP", "A7A0")
    assert (lesion.kind, lesion.attributes["morphology"]) == ("adicap_lesion", "8140/3")


def test_the_public_database_may_name_its_columns(small, site, tmp_path):
    folder = tmp_path / "bdpm"
    folder.mkdir()
    cis = "Code CIS\tDénomination du médicament\tForme\tVoies\tStatut administratif de l'AMM\n"
    put(folder, cis + "60000001\tNOVOTUX 150 mg, poudre\tpoudre\tIV\tAutorisation active\n", "a.txt")
    compo = "Code CIS\tForme\tCode substance\tDénomination de la substance\tDosage\tRéf\tNature\tN° liaison\n"
    put(folder, compo + "60000001\tpoudre\t1\tTRASTUZUMAB\t150 mg\tun flacon\tSA\t1\n", "b.txt")
    put(folder, "60000001\tL01FD01\tNOVOTUX 150 mg\thttps://x\n", "c.txt")
    import_referential(small, site, "bdpm", folder)
    assert [m.code for m in terminology(small, site=site).match("sous Novotux")] == ["L01FD01"]


def test_labels_in_capitals_do_not_replace_better_ones(small, site, tmp_path):
    rows = "C50;TUMEUR MALIGNE DU SEIN\nC504;ANCIEN LIBELLE\nC509;TUMEUR DU SEIN, SAI\nZ511;SEANCE DE CHIMIO\n"
    report = import_referential(small, site, "cim10", put(tmp_path, f"code;libelle\n{rows}"))
    assert labels(site, report) == {
        "C50": "Tumeur maligne du sein",
        "C50.4": "Ancien libellé",
        "C50.9": "Tumeur du sein, sai",
        "Z51.1": "Seance de chimio",
    }


# What is wrong in a file


def test_the_same_row_twice_is_kept_once_and_another_label_is_rejected_with_its_line(small, site, tmp_path):
    rows = LIB + "C504  |0|OOO|0|X|Tumeur maligne du quadrant supéro-externe du sein\nC509  |0|OOO|0|X|Autre chose\n"
    report = import_referential(small, site, "cim10", put(tmp_path, rows))
    assert (report.read, report.kept, report.merged, report.rejected) == (8, 6, 1, 1)
    [rejection] = report.rejections
    assert (rejection.line, rejection.reason) == (8, "duplicate_code")
    stored = json.loads((site / "cim10" / "editions" / report.slug / "report.json").read_text(encoding="utf-8"))
    assert stored["rejections"][0]["line"] == 8
    assert labels(site, report) == LABELS


def test_rows_without_code_or_label_are_rejected_with_their_lines(small, site, tmp_path):
    rows = "code;libelle\nC50;Sein\nC504;\n;Rien\n1234;Autre\nC509;Sein, SAI\n"
    report = import_referential(small, site, "cim10", put(tmp_path, rows))
    assert [(one.line, one.reason) for one in report.rejections] == [
        (3, "label_missing"),
        (4, "code_missing"),
        (5, "code_unreadable"),
    ]


def test_a_stray_quote_does_not_swallow_the_rows_after_it(small, site, tmp_path):
    rows = 'code;libelle\nC50;Tumeur du "sein\n' + "".join(f"C50{i};Sein {i}\n" for i in range(10))
    report = import_referential(small, site, "cim10", put(tmp_path, rows + "Z511;Séance\n" * 30))
    assert report.kept == 12


WRONG = {
    "a missing column": (
        b"code;date\nC50;1\nC504;2\n",
        r"lacks the column label.*Expected.*Found: fichier: code \| date",
    ),
    "labels under an unknown name, twice": (
        b"code;mots;autres mots\nC50;Tumeur du sein;Le sein malade\nC504;Tumeur du QSE;Le quadrant malade\n",
        "lacks the column label",
    ),
    "an empty file": (b"", "is empty"),
    "a blank file": (b"\n \r\n", "is empty"),
    "a binary file": (bytes(range(256)) * 40, "not a text"),
    "a PDF": (b"%PDF-1.7\n%\xe2\xe3", "is a PDF"),
    "an old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old Excel"),
    "a truncated gzip": (gzip.compress(LIB.encode() * 2000)[:-40], "cut short"),
    "a damaged zip": (workbook([["Code", "Libellé"], *ROWS])[:-200], "cut short|cannot be read"),
    "broken JSON": (b'[{"code": "C50", "libelle": "Se', "not valid JSON"),
    "broken XML": (CLAML.format(version="2.0.0").encode()[:-60], "not valid XML"),
    "another XML": (b"<html><body>Page introuvable</body></html>", "XML of html"),
    "acts": (
        ("code;libelle\n" + "\n".join(f"{c};{x}" for c, x in ACTS.items())).encode(),
        "looks like a table of ccam",
    ),
    "prose": ("Bonjour, voici le fichier demandé.\nCordialement\n".encode(), "not a table of cim10"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_file_is_refused_in_words_and_changes_nothing(small, site, tmp_path, wrong):
    content, said = WRONG[wrong]
    import_referential(small, site, "cim10", put(tmp_path, LIB))
    before = snapshot(site)
    with pytest.raises(InputError, match=rf"(?s){said}") as refused:
        import_referential(small, site, "cim10", put(tmp_path, content))
    assert refused.value.hint
    assert snapshot(site) == before


def test_a_file_that_is_not_there_is_said(small, site, tmp_path):
    with pytest.raises(InputError, match="no file or folder"):
        import_referential(small, site, "cim10", tmp_path / "nowhere")


def test_an_unknown_kind_lists_those_that_exist(small, site, tmp_path):
    with pytest.raises(InputError, match="no kind of referential") as refused:
        import_referential(small, site, "cim11", put(tmp_path, LIB))
    assert all(kind in refused.value.hint for kind in kinds())


def test_codes_that_two_systems_share_are_not_guessed(small, site, tmp_path):
    with pytest.raises(InputError, match="may be cim10 or icdo3-topography"):
        import_referential(small, site, "auto", put(tmp_path, "code;libelle\nC50;Sein\nC504;QSE du sein\n"))


def test_nothing_is_recognised_in_nothing(tmp_path):
    assert detect([]) == (None, [])


def test_most_codes_missing_is_refused_unless_forced(small, site, tmp_path):
    import_referential(small, site, "cim10", put(tmp_path, LIB), edition="2026")
    short = put(tmp_path, LIB.split("\n")[4] + "\n" + LIB.split("\n")[5] + "\n", "short")
    with pytest.raises(InputError, match=r"holds 2 codes where the edition in force \(2026\) has 5"):
        import_referential(small, site, "cim10", short)
    report = import_referential(small, site, "cim10", short, force=True)
    assert (report.gone, report.active) == (3, True)


def test_a_name_in_use_is_not_taken_by_other_content(small, site, tmp_path):
    import_referential(small, site, "cim10", put(tmp_path, LIB), edition="2026")
    with pytest.raises(InputError, match="holds something else"):
        import_referential(small, site, "cim10", put(tmp_path, LIB.replace("Séance", "Une séance")), edition="2026")


@pytest.mark.parametrize("name", ["../../evil", "..", "/etc", "shipped", "", "***"])
def test_an_edition_s_name_never_leads_elsewhere(small, site, tmp_path, name):
    try:
        report = import_referential(small, site, "cim10", put(tmp_path, LIB), edition=name)
    except InputError:
        return
    assert (site / "cim10" / "editions" / report.slug / "concepts.csv").is_file()
    assert "/" not in report.slug
    assert not report.slug.startswith(".")


# Editions, words of the site, faults


def test_a_dry_run_writes_nothing_and_tells_the_differences(small, site, tmp_path):
    report = import_referential(small, site, "cim10", put(tmp_path, LIB), dry_run=True)
    assert (report.state, report.added, report.changed, report.kept) == ("dry_run", 4, 1, 6)
    assert report.differences["changed"] == [("C50.4", "Ancien libellé", LABELS["C50.4"])]
    assert not site.exists()


def test_an_edition_may_wait_before_it_is_put_in_force(small, site, tmp_path):
    report = import_referential(small, site, "cim10", put(tmp_path, LIB), activate=False)
    assert not report.active
    assert terminology(small, site=site).label("CIM-10", "C50.4") == "Ancien libellé"
    activate_edition(site, "cim10", report.slug)
    assert terminology(small, site=site).label("CIM-10", "C50.4") == LABELS["C50.4"]


def test_an_edition_that_is_not_there_is_not_activated(small, site, tmp_path):
    import_referential(small, site, "cim10", put(tmp_path, LIB), edition="2026")
    with pytest.raises(InputError, match="no edition 2031") as refused:
        activate_edition(site, "cim10", "2031")
    assert "2026" in refused.value.hint
    assert [one.active for one in editions_of(site, "cim10")] == [True]


def test_words_of_the_site_survive_imports(small, site, tmp_path):
    file = put(tmp_path, "C50;Sein\nC504;Quadrant supéro-externe du sein\nC509;Sein, SAI\n")
    other = put(tmp_path, "C50;Sein\nC504;Quadrant externe du sein\nC509;Sein, SAI\nC34;Poumon\n", "other")
    add_local_term(small, site, "ICD-O-3-T", "C50.4", "nodule du QSE", form="exact")
    import_referential(small, site, "icdo3-topography", file)
    import_referential(small, site, "icdo3-topography", other)
    add_local_term(small, site, "ICD-O-3-T", "C34", "champ pulmonaire")
    found = terminology(small, site=site)
    assert [match.code for match in found.match("Nodule du QSE ; champs pulmonaires libres")] == ["C50.4", "C34"]
    assert [one.term for one in local_terms(site)] == ["nodule du QSE", "champ pulmonaire"]
    remove_local_term(small, site, "icdo3_topography", "C50.4", "NODULE du qse")
    assert [one.code for one in local_terms(site)] == ["C34"]
    assert terminology(small, site=site).match("nodule du QSE") == []


def test_words_for_a_code_of_another_edition_wait_until_it_is_back(small, site, tmp_path):
    file = put(tmp_path, "C50;Sein\nC509;Sein, SAI\nC349;Poumon\n")
    edition = import_referential(small, site, "icdo3-topography", file)
    add_local_term(small, site, "ICD-O-3-T", "C34.9", "champ pulmonaire")
    activate_edition(site, "icdo3-topography", "shipped")
    assert terminology(small, site=site).concept("ICD-O-3-T", "C34.9") is None
    assert terminology(small, site=site).match("champ pulmonaire") == []
    activate_edition(site, "icdo3-topography", edition.slug)
    assert [match.code for match in terminology(small, site=site).match("champ pulmonaire")] == ["C34.9"]


@pytest.mark.parametrize(
    ("system", "code", "term", "said"),
    [
        ("CIM-10", "X99", "mot", "has no code X99"),
        ("CIM-99", "C50", "mot", "no code system CIM-99"),
        ("CIM-10", "C50.4", "x", "cannot be a term"),
        ("CIM-10", "C50.4", "--", "cannot be a term"),
        ("CIM-10", "C50.4", "x" * 300, "cannot be a term"),
    ],
)
def test_a_word_that_cannot_be_one_is_refused(small, site, system, code, term, said):
    with pytest.raises(InputError, match=said):
        add_local_term(small, site, system, code, term)
    assert local_terms(site) == []


def test_a_word_is_not_added_twice(small, site):
    add_local_term(small, site, "CIM-10", "C50.4", "QSE")
    with pytest.raises(InputError, match="already a term"):
        add_local_term(small, site, "CIM-10", "C50.4", "qse")


def test_a_site_that_cannot_be_written_is_said(small, tmp_path):
    (tmp_path / "home").write_text("a file where the home should be", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        import_referential(small, tmp_path / "home" / "referentials", "cim10", put(tmp_path, LIB))


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_home_is_said(small, site, tmp_path):
    site.mkdir(parents=True)
    site.chmod(0o500)
    with pytest.raises(ConfigurationError, match="cannot be written"):
        import_referential(small, site, "cim10", put(tmp_path, LIB))


def _import_in_process(small, site, path, edition):
    import_referential(small, site, "cim10", path, edition=edition)


def test_two_imports_at_once_take_turns(small, site, tmp_path):
    files = [put(tmp_path, LIB.replace("Séance", f"Séance {i}"), f"f{i}") for i in range(4)]
    start = multiprocessing.get_context("fork")
    running = [start.Process(target=_import_in_process, args=(small, site, f, f"e{i}")) for i, f in enumerate(files)]
    for process in running:
        process.start()
    for process in running:
        process.join(60)
    assert [process.exitcode for process in running] == [0] * 4
    there = editions_of(site, "cim10")
    assert sorted(one.slug for one in there) == ["e0", "e1", "e2", "e3"]
    assert sum(one.active for one in there) == 1


def test_who_reads_while_editions_change_always_sees_a_whole_one(small, site, tmp_path):
    files = [put(tmp_path, LIB.replace("Séance", f"Séance {i}"), f"f{i}") for i in range(6)]
    seen, over = [], threading.Event()

    def read():
        while not over.is_set():
            seen.append(terminology(small, site=site).label("CIM-10", "Z51.1"))

    reader = threading.Thread(target=read)
    reader.start()
    for i, file in enumerate(files):
        import_referential(small, site, "cim10", file, edition=f"e{i}")
    over.set()
    reader.join(30)
    assert set(seen) <= {"Z51.1", *(f"Séance {i} de chimiothérapie pour tumeur" for i in range(6))}


def test_a_kill_in_the_middle_of_writing_changes_nothing(small, site, tmp_path):
    import_referential(small, site, "cim10", put(tmp_path, LIB), edition="2026")
    before = snapshot(site)
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom consore.referentials.importing import editions, running\n"
        "whole = editions.write_whole\n"
        "def slowly(path, content):\n"
        "    whole(path, content[: len(content) // 2])\n"
        "    print('half', flush=True)\n"
        "    time.sleep(60)\n"
        "editions.write_whole = slowly\n"
        "shipped, site, file = map(Path, sys.argv[1:])\n"
        "running.import_referential(shipped, site, 'cim10', file, edition='2027')\n"
    )
    file = put(tmp_path, LIB.replace("Séance", "Une séance"), "new")
    arguments = [sys.executable, "-c", code, str(small), str(site), str(file)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"half\n"
        process.send_signal(signal.SIGKILL)
    assert [one.slug for one in editions_of(site, "cim10")] == ["2026"]
    assert {path: data for path, data in snapshot(site).items() if ".unfinished-" not in path} == before
    assert terminology(small, site=site).label("CIM-10", "Z51.1") == LABELS["Z51.1"]
    import_referential(small, site, "cim10", file, edition="2027")
    assert not list(site.rglob(".unfinished-*"))


@pytest.mark.slow
def test_two_million_rows_are_read_as_they_stream(small, site, tmp_path):
    file = tmp_path / "large"
    with file.open("w", encoding="utf-8") as out:
        out.write("ensembl_id,gene_symbol,alias\n")
        for i in range(2_000_000):
            out.write(f"ENSG{i:011},GENE{i % 20000},\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report = import_referential(small, site, "genes", file)
    assert (report.read, report.kept) == (2_000_000, 20_000)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < 300 * 1024  # KiB


@pytest.mark.slow
def test_wrong_rows_by_the_hundred_thousand_are_counted_without_being_kept(small, site, tmp_path):
    file = tmp_path / "large"
    with file.open("w", encoding="utf-8") as out:
        out.write("code|type|profil|psy|libelle court|libelle\n" + LIB)
        for i in range(300_000):
            out.write(f"C504  |0|OOO|0|X|Autre libellé {i}\n")
    report = import_referential(small, site, "cim10", file)
    assert report.reasons == {"duplicate_code": 300_000}
    assert len(report.rejections) < 50_000
    assert report.kept == 6


def test_more_codes_than_any_system_has_is_refused(small, site, tmp_path, monkeypatch):
    monkeypatch.setattr("consore.referentials.importing.drafting.MOST_CODES", 5)
    with pytest.raises(InputError, match="more than 5 codes"):
        import_referential(small, site, "cim10", put(tmp_path, LIB))


def test_a_file_that_grows_without_end_is_stopped(small, site, tmp_path, monkeypatch):
    monkeypatch.setattr("consore.referentials.importing.opening.MOST_BYTES", 1_000_000)
    with pytest.raises(InputError, match="grows beyond"):
        import_referential(small, site, "cim10", put(tmp_path, gzip.compress(LIB.encode() * 100_000)))
