"""A site lays its imported editions and its own words over what is shipped; files that cannot be read say where."""

import json
from pathlib import Path

import pytest

from consore.errors import ConfigurationError
from consore.referentials import Terminology, terminology

SOURCE = 'system = "CCAM"\nname = "Actes"\nedition = "{0}"\nlicence = "x"\norigin = "y"\nkind = "procedure"\n'


def folder(root: Path, name: str, edition: str = "1", more: str = "", **files: str) -> Path:
    path = root / name
    path.mkdir(parents=True, exist_ok=True)
    (path / "source.toml").write_text(SOURCE.format(edition) + more, encoding="utf-8")
    for file, text in files.items():
        (path / f"{file}.csv").write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    root = tmp_path / "shipped"
    folder(
        root,
        "ccam",
        concepts="code,label,kind,parents,attributes\n"
        "AAAA,Actes sur le sein,group,,\n"
        "AAAA001,Ablation du zorgl,,AAAA,act=surgery\n"
        "AAAA002,Ablation du blob,,AAAA,\n",
        terms="code,term,form,value,type\nAAAA001,zorglectomie,,,synonym\nAAAA001,ZGL,case,,abbreviation\n",
    )
    return root


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site" / "ccam"
    folder(
        path / "editions",
        "ccam-80",
        edition="80",
        concepts="code,label,kind,parents,attributes\nAAAA001,Ablation totale du zorgl,,BBBB,act=other|tariff=3\n"
        "AAAA003,Greffe du zorgl,,AAAA,\n",
    )
    (path / "editions" / "ccam-80" / "report.json").write_text(
        json.dumps({"read": 2, "kept": 2, "changed": 1, "rejected": 0, "at": "2026-11-24T10:00:00", "by": "dim"}),
        encoding="utf-8",
    )
    (path / "active").write_text("ccam-80\n", encoding="utf-8")
    return tmp_path / "site"


def codes(known: Terminology, text: str) -> list[str | None]:
    return [match.code for match in known.match(text)]


def test_the_words_of_a_concept_come_with_what_they_are(shipped: Path) -> None:
    act = terminology(shipped).concept("CCAM", "AAAA001")
    assert act is not None
    assert act.synonyms == ("zorglectomie", "ZGL")
    assert act.called("abbreviation") == ("ZGL",)


def test_an_imported_edition_gives_labels_parents_and_new_codes(shipped: Path, site: Path) -> None:
    known = terminology(shipped, site=site)
    assert known.label("CCAM", "AAAA001") == "Ablation totale du zorgl"
    assert known.ancestors("CCAM", "AAAA001") == ["BBBB"]
    assert codes(known, "greffe du zorgl") == ["AAAA003"]


def test_curated_words_and_attributes_outlive_an_import(shipped: Path, site: Path) -> None:
    known = terminology(shipped, site=site)
    act = known.concept("CCAM", "AAAA001")
    assert act is not None
    assert act.attributes == {"act": "surgery", "tariff": "3"}
    assert codes(known, "une zorglectomie") == ["AAAA001"]


def test_a_code_that_the_edition_lost_is_readable_and_not_suggested(shipped: Path, site: Path) -> None:
    known = terminology(shipped, site=site)
    act = known.concept("CCAM", "AAAA002")
    assert act is not None
    assert act.attributes["withdrawn"] == "80"
    assert "AAAA002" in [concept.code for concept in terminology(shipped).suggest("blob")]
    assert not known.suggest("blob")
    group = known.concept("CCAM", "AAAA")
    assert group is not None
    assert "withdrawn" not in group.attributes


def test_an_edition_of_a_part_withdraws_nothing(shipped: Path, site: Path) -> None:
    source = site / "ccam" / "editions" / "ccam-80" / "source.toml"
    source.write_text(source.read_text(encoding="utf-8") + "partial = true\n", encoding="utf-8")
    act = terminology(shipped, site=site).concept("CCAM", "AAAA002")
    assert act is not None
    assert "withdrawn" not in act.attributes


def test_the_words_of_a_site_are_found_and_seen_without_a_restart(shipped: Path, site: Path) -> None:
    assert codes(terminology(shipped, site=site), "un bidulage") == []
    (site / "ccam" / "local_terms.csv").write_text(
        "code,term,form,value,type\nAAAA003,bidulage,,,synonym\n", encoding="utf-8"
    )
    assert codes(terminology(shipped, site=site), "deux bidulages") == ["AAAA003"]


def test_a_mistake_in_the_words_of_a_site_does_not_stop_a_running_server(shipped: Path, site: Path) -> None:
    before = terminology(shipped, site=site)
    words = site / "ccam" / "local_terms.csv"
    words.write_text("code,term\nZZZZ999,bidulage\n", encoding="utf-8")
    assert terminology(shipped, site=site) is before
    words.write_text("code,term\nAAAA003,bidulage\n", encoding="utf-8")
    assert codes(terminology(shipped, site=site), "bidulage") == ["AAAA003"]


def test_without_an_active_edition_what_is_shipped_is_in_force(shipped: Path, site: Path) -> None:
    (site / "ccam" / "active").unlink()
    known = terminology(shipped, site=site)
    assert known.label("CCAM", "AAAA001") == "Ablation du zorgl"
    (edition,) = known.editions()
    assert (edition.edition, edition.active_edition, edition.available) == ("1", "", ("ccam-80",))


def test_an_imported_edition_tells_when_and_by_whom(shipped: Path, site: Path) -> None:
    (edition,) = terminology(shipped, site=site).editions()
    assert (edition.edition, edition.active_edition, edition.imported_by) == ("80", "ccam-80", "dim")
    assert edition.imported_at == "2026-11-24T10:00:00"
    assert edition.import_counts == {"read": 2, "kept": 2, "changed": 1, "rejected": 0}


def test_a_system_that_only_the_site_has_is_read(shipped: Path, site: Path) -> None:
    path = folder(site / "local" / "editions", "one", concepts="code,label\nX1,Truc du site\n")
    (path.parent.parent / "active").write_text("one", encoding="utf-8")
    assert terminology(shipped, site=site).label("CCAM", "X1") == "Truc du site"


def test_an_active_edition_that_is_gone_says_what_to_do(shipped: Path, site: Path) -> None:
    (site / "ccam" / "active").write_text("ccam-99", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"active names the edition ccam-99.*delete that file"):
        terminology(shipped, site=site)


def test_a_folder_of_tables_holds_no_concepts(shipped: Path) -> None:
    folder(shipped, "context", more='tables = ["assertion.csv"]\n')
    assert {edition.folder: edition.concepts for edition in terminology(shipped).editions()} == {
        "ccam": 3,
        "context": 0,
    }


def test_a_folder_has_rules_of_its_own_for_ambiguous_words(shipped: Path) -> None:
    (shipped / "ccam" / "ambiguity.csv").write_text(
        "form,kind,rule,before,after,why\nZGL,procedure,only,par,,\n", encoding="utf-8"
    )
    known = terminology(shipped)
    assert codes(known, "traité par ZGL") == ["AAAA001"]
    assert codes(known, "réunion ZGL") == []


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("concepts", "code,label\nA,b\nA,c\n", r"concepts\.csv, line 3: the code A has a row already"),
        ("concepts", "code,label\nA,b,c\n", r"concepts\.csv, line 2: the header has 2 columns"),
        ("concepts", "code,label,attributes\nA,b,c\n", r"concepts\.csv, line 2: the attribute c has no value"),
        ("terms", "code,term\nAAAA001,a\nZZ,b\n", r"terms\.csv, line 3: concepts\.csv does not have the code ZZ"),
        ("terms", "code,term,form\nAAAA001,a,verb\n", r"terms\.csv, line 2: unknown word verb"),
        ("terms", "code,term,form,value,type\nAAAA001,a,,,slang\n", r"line 2: unknown word slang.*brand"),
        ("ambiguity", "form,kind,rule,before,after,why\na,b,perhaps,,,\n", r"line 2: unknown rule perhaps"),
        ("ambiguity", "form,kind,rule,before,after,why\na,b,only,(,,\n", r"line 2: not a regular expression"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(shipped: Path, file: str, text: str, said: str) -> None:
    (shipped / "ccam" / f"{file}.csv").write_text(text, encoding="utf-8")
    if file == "concepts":
        (shipped / "ccam" / "terms.csv").unlink()
    with pytest.raises(ConfigurationError, match=said):
        terminology(shipped)


def test_a_byte_order_mark_does_not_matter(shipped: Path) -> None:
    path = shipped / "ccam" / "concepts.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert terminology(shipped).label("CCAM", "AAAA002") == "Ablation du blob"
