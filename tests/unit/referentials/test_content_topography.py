"""What a reader of French reports gets from the words of organs, of metastatic sites and of the CIM-10."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from consore.model import System
from consore.referentials.inflection import adjective_forms, noun_forms
from consore.referentials.terminology import Terminology, terminology
from consore.text import fold


@pytest.fixture(scope="module")
def known() -> Terminology:
    return terminology()


def _found(known: Terminology, kind: str, sentence: str) -> set[str]:
    return {match.code or "" for match in known.match(sentence) if match.kind == kind}


@pytest.mark.parametrize(
    ("sentence", "code"),
    [
        ("Lésion ulcérée de la base de langue gauche", "C01.9"),
        ("Carcinome du bord latéral droit de la langue mobile", "C02.1"),
        ("Ulcération du plancher buccal antérieur", "C04.0"),
        ("Tumeur du trigone rétromolaire", "C06.2"),
        ("Carcinome de la loge amygdalienne droite", "C09.0"),
        ("Bourgeon de la vallécule", "C10.0"),
        ("UCNT du cavum", "C11.9"),
        ("Lésion du sinus pyriforme", "C12.9"),
        ("Atteinte du pli aryépiglottique", "C13.1"),
        ("Rétrécissement du 1/3 moyen de l'œsophage", "C15.4"),
        ("Cancer de la jonction oeso-gastrique", "C16.0"),
        ("Tumeur de la JOG de type Siewert II", "C16.0"),
        ("Lésion de la 2e portion, en regard de l'angle de Treitz", "C17.0"),
        ("Masse de la région iléo-cæcale", "C18.0"),
        ("Tumeur du côlon droit", "C18.2"),
        ("Sténose de l'angle colique gauche", "C18.5"),
        ("Tumeur de la charnière recto-sigmoïdienne", "C19.9"),
        ("Adénocarcinome du bas rectum", "C20.9"),
        ("Lésion de la ligne pectinée", "C21.1"),
        ("Dilatation des VBIH", "C22.1"),
        ("Sténose de la VBP", "C24.0"),
        ("Masse de l'isthme pancréatique", "C25.7"),
        ("Tumeur corporéo-caudale du pancréas", "C25.8"),
        ("Envahissement de la corde vocale droite", "C32.0"),
        ("Nodule du LSD", "C34.1"),
        ("Opacité du segment de Fowler gauche", "C34.3"),
        ("Nodule de la lingula", "C34.1"),
        ("Masse du lobe moyen", "C34.2"),
        ("Masse du médiastin antéro-supérieur", "C38.1"),
        ("Lyse de la tête humérale", "C40.0"),
        ("Lésion du grand trochanter", "C40.2"),
        ("Tassement du corps vertébral de D11", "C41.2"),
        ("Lyse de l'arc postérieur de la 5e côte", "C41.3"),
        ("Lésion de la branche ilio-pubienne gauche", "C41.4"),
        ("Carcinome de la paupière inférieure", "C44.1"),
        ("Nodule du cuir chevelu", "C44.4"),
        ("Lésion de la plante du pied", "C44.7"),
        ("Nodule de la gouttière pariéto-colique droite", "C48.1"),
        ("Sarcome du vaste externe", "C49.2"),
        ("Thrombose de la VCS", "C49.3"),
        ("Nodule du QSE du sein gauche", "C50.4"),
        ("Foyer du quadrant inféro-interne", "C50.3"),
        ("Nodule à l'UQE", "C50.8"),
        ("Nodule du sein droit rayon de 10 h", "C50.4"),
        ("Nodule du sein gauche à 10h", "C50.2"),
        ("Lésion rétro-aréolaire", "C50.1"),
        ("Envahissement du paramètre droit", "C57.3"),
        ("Lésion du sillon balano-préputial", "C60.1"),
        ("Nodule de la zone périphérique de la prostate", "C61.9"),
        ("Envahissement des vésicules séminales", "C63.7"),
        ("Tumeur de la TVES", "C66.9"),
        ("Bourgeon du trigone vésical", "C67.0"),
        ("Métastase cérébelleuse du vermis", "C71.6"),
        ("Glioblastome fronto-temporal", "C71.8"),
        ("Lésion du plancher du quatrième ventricule", "C71.7"),
        ("Localisation cérébrale", "C71.9"),
        ("Empâtement de la FID", "C76.2"),
        ("Ganglion sus-claviculaire gauche", "C77.0"),
        ("Aires ganglionnaires médiastinales", "C77.1"),
        ("Relais ganglionnaire lombo-aortique", "C77.2"),
        ("Ganglions axillaires", "C77.3"),
        ("Curage des ganglions ilio-obturateurs", "C77.5"),
        ("Exérèse du ganglion sentinelle", "C77.9"),
        ("Cancer de primitif non identifié", "C80.9"),
        ("Tumeur du poumon droit", "C34.9"),
        ("Atteinte pulmonaire", "C34.9"),
        ("Lyse de l'os", "C41.9"),
    ],
)
def test_a_part_of_the_body_is_read_as_reports_write_it(known: Terminology, sentence: str, code: str) -> None:
    assert code in _found(known, "topography", sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Discuté au sein de la réunion de concertation",
        "Inscrit sur la main courante",
        "Le français n'est pas sa langue maternelle",
        "La barrière de la langue gêne l'entretien",
        "L'OS médiane est de 14 mois",
        "Patient vu du côté opposé",
        "Il est au cœur de la décision",
        "Syndrome main-pied de grade 2",
        "Crise de colique néphrétique",
        "VS à 45 mm",
        "Patiente du bras A",
        "Bains de bouche trois fois par jour",
        "Mise sur pied d'un suivi",
        "Un essai qui a raté",
    ],
)
def test_words_that_only_look_like_an_organ_are_none(known: Terminology, sentence: str) -> None:
    assert _found(known, "topography", sentence) == set()


@pytest.mark.parametrize(
    ("sentence", "codes"),
    [
        ("Métastases hépatiques, osseuses et surrénaliennes", {"C22.0", "C41.9", "C74.9"}),
        ("Carcinose péritonéale diffuse", {"C48.2"}),
        ("Méningite carcinomateuse", {"C70.9"}),
        ("Tumeur de Krukenberg", {"C56.9"}),
        ("Méta hép connues", {"C22.0"}),
        ("M+ hép", {"C22.0"}),
        ("M1 oss d'emblée", {"C41.9"}),
        ("Mets pulm", {"C34.9"}),
        ("Localisations secondaires choroïdiennes", {"C69.3"}),
        ("Nodules pulmonaires d'aspect secondaire", {"C34.9"}),
        ("Lésion splénique suspecte de métastase", {"C42.2"}),
        ("Métatases rachidiennes", {"C41.2"}),
        ("Métastase duodénale", {"C17.0"}),
        ("Pleurésie tumorale", {"C38.4"}),
        ("Péricardite néoplasique", {"C38.0"}),
        ("Adénopathies rétropéritonéales métastatiques", {"C77.2"}),
        ("Nodule de Sœur Marie-Joseph", {"C44.5"}),
    ],
)
def test_a_metastasis_is_read_with_its_site(known: Terminology, sentence: str, codes: set[str]) -> None:
    assert _found(known, "metastasis", sentence) == codes


def test_every_site_of_the_icd_o_3_has_a_french_label(known: Terminology, shared_data: Path) -> None:
    official = shared_data / "referentials" / "icdo3" / "icdo3_topography_en_osiris.csv"
    if not official.exists():
        pytest.skip("The list of ICD-O-3 topographies is not here.")
    with official.open(encoding="utf-8") as file:
        names = {row["code"].removeprefix("ICDO3:"): row["label"] for row in csv.DictReader(file)}
    assert len(names) > 300
    found = {code: known.concept(System.ICDO3_T.value, code) for code in names}
    assert [code for code, concept in found.items() if concept is None] == []
    labels = [concept.label for concept in found.values() if concept]
    assert [label for label in labels if not label or {"of", "nos", "and"} & set(fold(label).split())] == []


def test_the_cim_10_of_tumours_is_whole(known: Terminology, shared_data: Path) -> None:
    official = shared_data / "referentials" / "cim10" / "LIBCIM10MULTI_saufch20.TXT"
    if not official.exists():
        pytest.skip("LIBCIM10MULTI is not here.")
    codes = [line.split("|")[0].strip() for line in official.read_text(encoding="latin-1").splitlines()]
    tumours = [code if len(code) == 3 else f"{code[:3]}.{code[3:]}" for code in codes if "C00" <= code[:3] <= "D48"]
    assert len(tumours) > 900
    assert [code for code in tumours if known.concept(System.CIM10.value, code) is None] == []


def test_a_diagnosis_stands_under_its_category_and_its_block(known: Terminology) -> None:
    above = set(known.ancestors(System.CIM10.value, "C18.7"))
    assert {"C18", "C15-C26", "C00-C97", "C00-D48"} <= above


@pytest.mark.parametrize(
    ("code", "topography", "morphology"),
    [("C43.5", "C44.5", "8720/3"), ("C22.0", "C22.0", "8170/3"), ("C90.0", "C42.1", "9732/3")],
)
def test_a_diagnosis_says_its_site_and_its_histology(
    known: Terminology, code: str, topography: str, morphology: str
) -> None:
    concept = known.concept(System.CIM10.value, code)
    assert concept is not None
    assert (concept.attributes.get("topography"), concept.attributes.get("morphology")) == (topography, morphology)


def test_no_words_of_an_organ_stand_for_two_codes() -> None:
    root = Path(__file__).parents[3] / "referentials" / "icdo3_topography" / "terms.csv"
    claims: dict[str, set[str]] = defaultdict(set)
    with root.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["form"] in ("exact", "case"):
                forms: tuple[str, ...] = (row["term"],)
            else:
                forms = adjective_forms(row["term"]) if row["form"] == "adj" else noun_forms(row["term"])
            for form in forms:
                claims[" ".join(fold(form).split())].add(row["code"])
    assert len(claims) > 8000
    assert {form: codes for form, codes in claims.items() if len(codes) > 1} == {}
