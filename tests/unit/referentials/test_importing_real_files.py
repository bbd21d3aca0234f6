"""Every official file beside the checkout is imported, and says of itself what is known of it."""

from __future__ import annotations

import csv
import gzip
import shutil
import zipfile
from pathlib import Path

import pytest

from consore.errors import InputError
from consore.referentials import terminology
from consore.referentials.importing import activate_edition, draft_into, editions_of, import_referential
from consore.settings import shipped_referentials

SHIPPED = shipped_referentials()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "home" / "referentials"


@pytest.fixture(scope="module")
def official(shared_data: Path) -> Path:
    return shared_data / "referentials"


def imported(site, kind, path, **options):
    return import_referential(SHIPPED, site, kind, path, **options)


def known(site):
    return terminology(SHIPPED, site=site)


def concepts(site, report):
    path = site / report.folder / "editions" / report.slug / "concepts.csv"
    return {row["code"]: row for row in csv.DictReader(path.open(encoding="utf-8"))}


WHOLE = [
    ("cim10/LIBCIM10MULTI_saufch20.TXT", "cim10", 15800, 15800),
    ("cim10/cim_10_atih_2019.tsv", "cim10", 15751, 15751),
    ("ccam/ccam_actes.json.gz", "ccam", 8593, 8593),
    ("ccam/ccam_hierarchie_actes.json.gz", "ccam", 10318, 10318),
    ("icdo3/cimo3_morphologie_fr_ans_jdv.csv", "icdo3-morphology", 1032, 1032),
    ("icdo3/icdo3_morphology_en_osiris.csv", "icdo3-morphology", 1032, 1032),
    ("icdo3/icdo3_topography_en_osiris.csv", "icdo3-topography", 400, 400),
    ("osiris/atc_osiris.csv", "osiris", 5855, 5855),
    ("osiris/ctcae5_meddra_osiris.csv", "osiris", 837, 837),
    ("genes/oncokb_cancerGeneList.tsv", "genes", 1142, 1142),
    ("finess/clcc_finess_2023.csv", "centres", 28, 28),
]


@pytest.mark.parametrize(("file", "kind", "read", "kept"), WHOLE)
def test_an_official_file_is_known_by_its_content_and_taken_whole(site, official, file, kind, read, kept):
    report = imported(site, "auto", official / file)
    assert (report.kind, report.read, report.kept, report.rejected) == (kind, read, kept, 0)
    assert report.active
    in_force = [one for one in known(site).editions() if one.active_edition]
    assert [one.active_edition for one in in_force] == [report.slug]
    assert in_force[0].import_counts["read"] == read


def test_a_tumour_table_of_cim10_is_not_taken_for_topographies(site, official):
    file = official / "icdo3" / "cim10_tumeur_fr_ans_jdv.csv"
    with pytest.raises(InputError, match=r"looks like a table of cim10.*Expected.*Found") as refused:
        imported(site, "icdo3-topography", file)
    assert "KIND cim10" in refused.value.hint
    assert imported(site, "cim10", file, force=True).kept == 724


def test_the_rows_of_ensembl_are_joined_by_gene(site, official):
    report = imported(site, "genes", official / "genes" / "ensembl_human_symbol_alias.csv")
    assert (report.read, report.rejected) == (115818, 0)
    assert report.kept + report.merged == 115818
    assert report.kept > 40_000
    braf = known(site).concept("HGNC", "BRAF")
    assert braf is not None
    assert braf.kind == "alteration"


def test_an_imported_gene_list_does_not_make_common_words_of_aliases(site, official):
    imported(site, "genes", official / "genes" / "ensembl_human_symbol_alias.csv")
    text = "Le patient a été vu au CAT le 12 mai, MAX 3 cures, SET complet, REST au lit. Pas de HN ni de RAC."
    found = {match.text for match in known(site).match(text) if match.kind == "alteration"}
    assert not found & {"CAT", "MAX", "SET", "REST", "HN", "RAC"}


def test_acts_that_the_publisher_withdrew_are_counted_and_left_out(site, official):
    report = imported(site, "ccam", official / "ccam" / "ccam_utf8.csv")
    assert (report.read, report.withdrawn, report.rejected) == (9009, 867, 0)
    assert "AAGA001" not in concepts(site, report)
    assert report.kept + report.withdrawn + report.merged == report.read


def test_a_table_of_short_labels_does_not_spoil_long_ones(site, official):
    report = imported(site, "ccam", official / "ccam" / "ccam_utf8.csv")
    rows = concepts(site, report)
    assert rows["AAFA001"]["label"] == "Exérèse de tumeur intraparenchymateuse du cervelet, par craniotomie"
    assert not any(row["label"].isupper() for row in rows.values() if row["kind"] != "group")


def test_english_labels_stay_beside_french_ones(site, official):
    report = imported(site, "icdo3-topography", official / "icdo3" / "icdo3_topography_en_osiris.csv")
    row = concepts(site, report)["C50.9"]
    assert row["label"] == terminology(SHIPPED).label("ICD-O-3-T", "C50.9")
    assert "label_en=Breast, NOS" in row["attributes"]


def test_the_acts_and_their_hierarchy_are_one_edition(site, official):
    report = imported(site, "ccam", official / "ccam")
    found = known(site)
    act = found.concept("CCAM", "AAFA001")
    assert act is not None
    assert act.parents[0] == "AAFA"
    headings = [found.label("CCAM", code) for code in found.ancestors("CCAM", "AAFA001") if code.isdigit()]
    assert "Système nerveux central, périphérique et autonome" in headings
    assert report.rejected == 0


def test_treatments_given_to_acts_by_the_rules_agree_with_curated_ones(official, site):
    report = imported(site, "ccam", official / "ccam" / "ccam_actes.json.gz")
    curated = {
        concept.code: concept.attributes["treatment_type"]
        for concept in terminology(SHIPPED).concepts("CCAM")
        if concept.attributes.get("treatment_type") in ("surgery", "radiotherapy", "chemotherapy", "transplant")
    }
    derived = {
        code: dict(one.split("=", 1) for one in row["attributes"].split("|") if one).get("treatment_type", "")
        for code, row in concepts(site, report).items()
    }
    both = [code for code in curated if derived.get(code) in ("surgery", "radiotherapy", "chemotherapy", "transplant")]
    assert len(both) > 400
    assert sum(derived[code] == curated[code] for code in both) > 0.97 * len(both)


def test_codes_without_a_point_and_padded_are_written_as_everywhere(site, official):
    report = imported(site, "cim10", official / "cim10" / "LIBCIM10MULTI_saufch20.TXT")
    rows = concepts(site, report)
    assert rows["C50.4"]["parents"] == "C50"
    assert rows["C50"]["kind"] == "group"
    assert rows["C16.9+0"]["parents"] == "C16.9"
    assert "topography=C50.4" in rows["C50.4"]["attributes"]
    assert "topography=C44.5" in rows["C43.5"]["attributes"]
    assert "topography=C71.9|secondary=1" in rows["C79.3"]["attributes"]
    assert rows["A00.0"]["label"] == "Choléra à Vibrio cholerae 01, biovar cholerae"


def test_topographies_derived_from_diagnoses_are_the_curated_ones(site, official):
    report = imported(site, "cim10", official / "cim10" / "LIBCIM10MULTI_saufch20.TXT")
    shipped = {
        concept.code: concept.attributes["topography"]
        for concept in terminology(SHIPPED).concepts("CIM-10")
        if "topography" in concept.attributes and concept.code[0] == "C"
    }
    rows = concepts(site, report)
    derived = {
        code: dict(one.split("=", 1) for one in rows[code]["attributes"].split("|") if one).get("topography")
        for code in shipped
        if code in rows
    }
    assert len(derived) > 500
    assert {code: (derived[code], shipped[code]) for code in derived if derived[code] != shipped[code]} == {}


def test_brands_of_the_public_database_lead_to_the_code_of_their_substance(site, official):
    report = imported(site, "bdpm", official / "bdpm")
    assert report.rejected == 0
    assert report.set_aside["not_oncology"] > 3000
    found = known(site)
    for text, code in {
        "mise sous Kanjinti": "L01FD01",
        "relais par Naveruclif": "L01CD01",
        "sous Vegzelma": "L01FG01",
        "Zercepac toutes les trois semaines": "L01FD01",
    }.items():
        assert code in {match.code for match in found.match(text)}, text


def test_a_generic_is_no_brand(site, official):
    report = imported(site, "bdpm", official / "bdpm")
    path = site / "drugs" / "editions" / report.slug / "terms.csv"
    brands = {row["term"] for row in csv.DictReader(path.open(encoding="utf-8"))}
    assert {"Herceptin", "Keytruda", "Enantone", "Caelyx Pegylated Liposomal"} <= brands
    generic = [brand for brand in brands for maker in ("Biogaran", "Viatris", "Teva", "Zentiva") if maker in brand]
    assert len(generic) < 3, generic
    assert not {"Folinate De Calcium Zentiva", "Vitamine B12 Gerda"} & brands


def test_drugs_that_the_public_database_lacks_stay_in_force(site, official):
    before = {concept.code for concept in terminology(SHIPPED).concepts("ATC")}
    imported(site, "bdpm", official / "bdpm")
    after = {concept.code: concept for concept in known(site).concepts("ATC")}
    assert before <= set(after)
    assert not any("withdrawn" in after[code].attributes for code in before)


@pytest.mark.parametrize("ending", [b"\r", b"\n", b"\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_the_public_database_is_read_whatever_its_line_ends_and_encoding(site, official, tmp_path, ending, encoding):
    copy = tmp_path / "bdpm"
    copy.mkdir()
    for file in (official / "bdpm").glob("CIS_*.txt"):
        text = file.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
        (copy / f"x{file.stem[::-1]}").write_bytes(text.encode(encoding, "replace").replace(b"\n", ending))
    one = imported(site, "bdpm", official / "bdpm")
    other = imported(site, "auto", copy)
    assert (other.kept, other.terms, other.rejected) == (one.kept, one.terms, 0)


def test_the_public_database_is_read_from_a_zip(site, official, tmp_path):
    packed = tmp_path / "download"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in (official / "bdpm").glob("CIS_*.txt"):
            archive.write(file, f"bdpm/{file.name}")
    assert imported(site, "bdpm", packed).slug == imported(site, "bdpm", official / "bdpm").slug


@pytest.mark.parametrize("missing", ["CIS_bdpm.txt", "CIS_MITM.txt", "CIS_COMPO_bdpm.txt"])
def test_a_folder_without_one_of_its_tables_says_which(site, official, tmp_path, missing):
    copy = tmp_path / "bdpm"
    copy.mkdir()
    for file in (official / "bdpm").glob("CIS_*.txt"):
        if file.name != missing:
            shutil.copy(file, copy)
    with pytest.raises(InputError, match=rf"there is no {missing.removesuffix('.txt')}"):
        imported(site, "bdpm", copy)
    assert not site.exists()


def test_the_osiris_folder_gives_its_value_sets_and_leaves_its_pivot_aside(site, official):
    report = imported(site, "osiris", official / "osiris")
    assert report.rejected == 0
    assert concepts(site, report)["ATC:L01XC03"]["attributes"] == "domain=ATC"
    assert any("pivot" in name for name in report.ignored)


def test_the_same_content_in_another_form_is_the_same_edition(site, official, tmp_path):
    file = official / "cim10" / "LIBCIM10MULTI_saufch20.TXT"
    other = tmp_path / "other"
    text = file.read_bytes().decode("cp1252")
    other.write_bytes(gzip.compress(text.replace("\n", "\r\n").encode("utf-8-sig")))
    first, second = imported(site, "cim10", file), imported(site, "auto", other)
    assert (second.state, second.slug) == ("already_there", first.slug)
    assert len(editions_of(site, "cim10")) == 1


def test_an_older_edition_or_what_is_shipped_can_be_put_back(site, official):
    old = imported(site, "cim10", official / "cim10" / "cim_10_atih_2019.tsv", edition="ATIH 2019")
    new = imported(site, "cim10", official / "cim10" / "LIBCIM10MULTI_saufch20.TXT")
    assert (new.against, new.gone > 0 or new.added > 0) == ("atih-2019", True)
    assert known(site).concept("CIM-10", "G82.00") is not None
    activate_edition(site, "cim10", "ATIH 2019")
    assert known(site).concept("CIM-10", "G82.00") is None
    activate_edition(site, "cim10", "shipped")
    assert not any(one.active_edition for one in known(site).editions())
    assert [one.slug for one in editions_of(site, "cim10") if one.active] == []
    assert old.slug == "atih-2019"


def test_what_an_edition_lost_stays_readable_and_says_so(site, official, tmp_path):
    text = (official / "cim10" / "LIBCIM10MULTI_saufch20.TXT").read_bytes().decode("cp1252")
    file = tmp_path / "file"
    file.write_text("".join(line for line in text.splitlines(True) if not line.startswith("C504")), encoding="utf-8")
    imported(site, "cim10", file, edition="2027")
    lost = known(site).concept("CIM-10", "C50.4")
    assert lost is not None
    assert lost.attributes["withdrawn"] == "2027"


def test_maintainers_get_the_shipped_folders_out_of_the_same_files(official, tmp_path):
    report = draft_into(SHIPPED, "cim10", official / "cim10" / "LIBCIM10MULTI_saufch20.TXT", tmp_path / "cim10")
    shipped = {row["code"]: row for row in csv.DictReader((SHIPPED / "cim10" / "concepts.csv").open(encoding="utf-8"))}
    written = {row["code"]: row for row in csv.DictReader((tmp_path / "cim10" / "concepts.csv").open(encoding="utf-8"))}
    assert set(shipped) <= set(written)
    assert report.changed < 0.02 * len(shipped)
    for kind, file in (("centres", "finess/clcc_finess_2023.csv"), ("ccam", "ccam/ccam_actes.json.gz")):
        draft_into(SHIPPED, kind, official / file, tmp_path / kind)
        with (tmp_path / kind / "concepts.csv").open(encoding="utf-8") as made:
            rows = {row["code"]: row for row in csv.DictReader(made)}
        with (SHIPPED / kind / "concepts.csv").open(encoding="utf-8") as there:
            assert {row["code"] for row in csv.DictReader(there)} <= set(rows)
