"""The histologies that French reports write, and the ADICAP codes of pathology laboratories."""

import csv
from pathlib import Path

import pytest

from consore.referentials import Terminology, terminology


@pytest.fixture(scope="module")
def known() -> Terminology:
    return terminology()


def found(known: Terminology, text: str) -> list[str]:
    """The codes of the morphologies found in `text`, in order."""
    return [match.code or "" for match in known.match(text) if match.kind == "morphology"]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Carcinome infiltrant de type non spécifique de grade II.", ["8500/3"]),
        ("Carcinome mammaire infiltrant de type non spécifique (TNS).", ["8500/3"]),
        ("CCI de 18 mm, quadrant supéro-externe.", ["8500/3"]),
        ("Cancer du sein lobulaire infiltrant.", ["8520/3"]),
        ("CLI multifocal du sein gauche.", ["8520/3"]),
        ("Carcinome canalaire de haut grade in situ.", ["8500/2"]),
        ("Carcinome intracanalaire de type cribriforme.", ["8201/2"]),
        ("Carcinome mixte canalaire et lobulaire.", ["8522/3"]),
        ("Maladie de Paget du mamelon.", ["8540/3"]),
        ("Tumeur phyllode de grade 3.", ["9020/3"]),
        ("Fibro-adénome du sein droit.", ["9010/0"]),
        ("Carcinomes épidermoïdes bien différenciés kératinisants.", ["8071/3"]),
        ("Carcinome épidermoïde peu différencié non kératinisant.", ["8072/3"]),
        ("Carcinome malpighien micro-infiltrant du col.", ["8076/3"]),
        ("carcinome epidermoide infiltrant", ["8070/3"]),
        ("Néoplasie cervicale intra-épithéliale de haut grade.", ["8077/2"]),
        ("Frottis : HSIL.", ["8077/2"]),
        ("Frottis : LSIL.", ["8077/0"]),
        ("Carcinome épidermoïde HPV-induit de l'oropharynx.", ["8085/3"]),
        ("Adénocarcinome colique lieberkühnien.", ["8140/3"]),
        ("ADK lieberkuhnien moyennement différencié.", ["8140/3"]),
        ("Adénocarcinome gastrique à cellules indépendantes.", ["8490/3"]),
        ("Adénocarcinome rectal colloïde muqueux.", ["8480/3"]),
        ("Adénome tubulo-villeux en dysplasie de bas grade.", ["8263/0"]),
        ("Adénome festonné sessile du côlon droit.", ["8213/0"]),
        ("Carcinome urothélial papillaire de haut grade infiltrant.", ["8130/3"]),
        ("Carcinome urothélial papillaire de bas grade non infiltrant.", ["8130/2"]),
        ("Carcinome urothélial de haut grade infiltrant le muscle.", ["8120/3"]),
        ("Carcinome urothélial in situ.", ["8120/2"]),
        ("CBNPC de stade IV.", ["8046/3"]),
        ("Cancer bronchique à petites cellules.", ["8041/3"]),
        ("Carcinome bronchique non à petites cellules de type adénocarcinome.", ["8140/3"]),
        ("Carcinome neuroendocrine à grandes cellules.", ["8013/3"]),
        ("Adénocarcinome bronchique à prédominance lépidique.", ["8250/3"]),
        ("Tumeur neuroendocrine bien différenciée de grade 1.", ["8240/3"]),
        ("TNE G2 du pancréas.", ["8249/3"]),
        ("Carcinoïde atypique.", ["8249/3"]),
        ("Carcinome rénal à cellules claires.", ["8310/3"]),
        ("CCRCC métastatique d'emblée", ["8310/3", "8000/6"]),
        ("Carcinome tubulo-papillaire du rein.", ["8260/3"]),
        ("Carcinome de l'ovaire séreux de bas grade.", ["8460/3"]),
        ("Tumeur borderline séreuse.", ["8442/1"]),
        ("Carcinome papillaire de la thyroïde de forme vésiculaire.", ["8340/3"]),
        ("Carcinome médullaire de la thyroïde.", ["8345/3"]),
        ("NIFTP de 12 mm.", ["8349/1"]),
        ("CHC sur cirrhose.", ["8170/3"]),
        ("Mélanome cutané de type SSM.", ["8743/3"]),
        ("Mélanome acrolentigineux.", ["8744/3"]),
        ("Mélanose de Dubreuilh.", ["8742/2"]),
        ("Carcinome basocellulaire sclérodermiforme.", ["8092/3"]),
        ("Sarcome pléomorphe indifférencié.", ["8805/3"]),
        ("Liposarcome dédifférencié du rétropéritoine.", ["8858/3"]),
        ("GIST gastrique.", ["8936/1"]),
        ("Séminome pur du testicule.", ["9061/3"]),
        ("TGNS de bon pronostic.", ["9065/3"]),
        ("Tumeur de Wilms du rein droit.", ["8960/3"]),
        ("Astrocytome IDH muté de grade 3.", ["9401/3"]),
        ("Oligodendrogliome IDH muté et codélété 1p19q.", ["9450/3"]),
        ("Glioblastome IDH sauvage.", ["9440/3"]),
        ("Gliome infiltrant du tronc cérébral.", ["9385/3"]),
        ("Lymphomes B diffus à grandes cellules.", ["9680/3"]),
        ("LBDGC de stade III.", ["9680/3"]),
        ("Lymphome folliculaire de grade 3A.", ["9698/3"]),
        ("Lymphome gastrique du MALT.", ["9699/3"]),
        ("Lymphome de Hodgkin classique de type scléronodulaire.", ["9663/3"]),
        ("Myélome multiple à IgG kappa.", ["9732/3"]),
        ("LAM2 avec t(8;21) en rémission.", ["9874/3"]),
        ("Leucémie aiguë promyélocytaire.", ["9866/3"]),
        ("LAM5 en rechute.", ["9891/3"]),
        ("AREB-2 traitée par azacitidine.", ["9983/3"]),
        ("LLC en surveillance.", ["9823/3"]),
        ("LYMHOME de bas grade, lymhome confirmé.", ["9590/3", "9590/3"]),
    ],
)
def test_a_histology_is_read_as_french_reports_write_it(known: Terminology, text: str, codes: list[str]) -> None:
    assert found(known, text) == codes


@pytest.mark.parametrize(
    "text",
    [
        "Examen relu par le Dr Ewing.",
        "Prélèvement par LBA et brossage.",
        "CPT à 85 % de la théorique.",
        "Fusion du gène CIC recherchée.",
        "Kyste épidermoïde du dos.",
        "Résistance aux ARSI.",
        "Toxicité de grade 2.",
        "Température à 38,2.",
    ],
)
def test_words_that_are_no_histology_are_left_alone(known: Terminology, text: str) -> None:
    assert found(known, text) == []


def test_the_organ_and_the_grade_stay_outside_the_histology(known: Terminology) -> None:
    words = [m.text for m in known.match("Adénocarcinome peu différencié de l'estomac") if m.kind == "morphology"]
    assert words == ["Adénocarcinome"]


def test_a_metastasis_of_a_carcinoma_tells_both(known: Terminology) -> None:
    assert found(known, "Métastase d'un carcinome épidermoïde.") == ["8000/6", "8070/3"]


def test_every_official_histology_has_a_french_label(known: Terminology, shared_data: Path) -> None:
    with (shared_data / "referentials/icdo3/cimo3_morphologie_fr_ans_jdv.csv").open(encoding="utf-8") as file:
        codes = [row["code"] for row in csv.DictReader(file)]
    assert len(codes) > 1000
    for code in codes:
        concept = known.concept("ICD-O-3-M", code)
        assert concept, code
        assert concept.label, code


@pytest.mark.parametrize(
    ("code", "topography", "morphology"),
    [
        ("BHGSA7B2", "C50.9", "8500/3"),
        ("OHDCA7M3", "C18.9", "8140/3"),
        ("OHESA7A0", "C74.9", "8370/3"),
        ("BHRPE7T0", "C34.9", "8070/3"),
        ("BHSGJ7G1", "C77.9", "9680/3"),
        ("OHURA7K2", "C64.9", "8310/3"),
        ("BHUVU5D3", "C67.9", "8130/2"),
        ("BHOTM7B5", "C44.9", "8743/3"),
        ("PHSMH7C4", "C42.1", "9867/3"),
        ("BHGS7000", "C50.9", None),
    ],
)
def test_an_adicap_code_gives_its_organ_and_its_histology(
    known: Terminology, code: str, topography: str, morphology: str | None
) -> None:
    assert known.icdo3_of_adicap(code) == (topography, morphology)


def test_an_invasive_adicap_lesion_never_becomes_a_benign_tumour(known: Terminology) -> None:
    invasive = [c for c in known.concepts("ADICAP", "adicap_lesion") if c.attributes.get("behaviour") == "3"]
    mapped = [c for c in invasive if "morphology" in c.attributes]
    assert len(mapped) > 500
    benign = [c.code for c in mapped if c.attributes["morphology"].endswith("/0")]
    assert benign == ["B7G6"]  # the retinocytoma, benign in ICD-O-3


def test_the_way_of_sampling_and_the_technique_are_known(known: Terminology) -> None:
    assert known.label("ADICAP", "D1:B") == "Biopsie chirurgicale"
    assert known.label("ADICAP", "D2:H") == "Histologie et cytologie par inclusion"
