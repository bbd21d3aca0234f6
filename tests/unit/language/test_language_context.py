"""What is there, not there, perhaps there, planned, in the family or in the past, as a user writes it."""

from __future__ import annotations

import pytest

from consore.language import Reader
from consore.model import Assertion, MentionKind

M, R, D, G, C, T = (
    MentionKind.METASTASIS,
    MentionKind.RECURRENCE,
    MentionKind.DRUG,
    MentionKind.REGIMEN,
    MentionKind.MORPHOLOGY,
    MentionKind.TOPOGRAPHY,
)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader.load()


@pytest.mark.parametrize(
    ("text", "kind", "assertion"),
    [
        ("Métastases hépatiques.", M, "present"),
        ("Pas de métastase hépatique.", M, "negated"),
        ("Absence de métastase hépatique, pulmonaire ou osseuse.", M, "negated"),
        ("Sans métastase.", M, "negated"),
        ("Ni récidive ni métastase.", M, "negated"),
        ("0 métastase.", M, "negated"),
        ("Rien en faveur d'une récidive locale.", R, "negated"),
        ("Le scanner a éliminé une récidive.", R, "negated"),
        ("La récidive a été éliminée.", R, "negated"),
        ("Métastases non retrouvées.", M, "negated"),
        ("Des métastases osseuses ne sont pas exclues.", M, "hypothetical"),
        ("Une récidive ne peut être formellement exclue.", R, "hypothetical"),
        ("Les craintes d'une récidive locale sont levées.", R, "negated"),
        ("Les métastases évoquées n'ont pas été confirmées.", M, "negated"),
        ("Le bilan confirme des métastases pulmonaires.", M, "present"),
        ("Une progression ferait passer au paclitaxel.", R, "hypothetical"),
        ("Une progression ferait passer au paclitaxel.", D, "hypothetical"),
        ("La lésion suspectée d'être une métastase hépatique est en fait un angiome.", M, "negated"),
        ("Aspect devant faire évoquer des métastases osseuses, sans certitude.", M, "hypothetical"),
        ("Pas seulement une récidive locale.", R, "present"),
        ("Pas de fièvre mais récidive locale.", R, "present"),
        ("Pas d'adénopathie, présence de métastases osseuses.", M, "present"),
        ("Suspicion de récidive locale.", R, "hypothetical"),
        ("Récidive locale ?", R, "hypothetical"),
        ("Sans doute des métastases osseuses.", M, "hypothetical"),
        ("Éliminer une récidive.", R, "hypothetical"),
        ("On propose une chimiothérapie par FOLFOX.", G, "hypothetical"),
        ("Le pembrolizumab sera débuté la semaine prochaine.", D, "hypothetical"),
        ("Pembrolizumab à discuter en RCP.", D, "hypothetical"),
        ("La patiente refuse le FOLFOX.", G, "negated"),
        ("Contre-indication au cisplatine.", D, "negated"),
        ("Poursuite du pembrolizumab.", D, "present"),
        ("Proposition : FOLFOX.", G, "hypothetical"),
        ("Sa mère a eu un cancer du sein à 60 ans.", C, "family"),
        ("Cancer du sein chez sa tante maternelle.", C, "family"),
        ("Antécédents familiaux : cancer du côlon.", C, "family"),
        ("Accompagnée de sa fille, suivie pour un carcinome du sein.", C, "present"),
        ("Pas d'antécédent familial de cancer du sein.", C, "negated"),
        ("Antécédent de mélanome en 2005.", C, "history"),
        ("Antécédents : mélanome en 2005.\nHistoire de la maladie : adénocarcinome du côlon.", C, "history"),
        ("Lymphome non hodgkinien.", C, "present"),
        ("Ne permet pas d'exclure des métastases hépatiques.", M, "hypothetical"),
        ("Des métastases osseuses ne peuvent être formellement éliminées.", M, "hypothetical"),
        ("Examen ss métastase hépatique.", M, "negated"),
        ("Évérolimus non retenu en raison de l'âge.", D, "negated"),
        ("Avis favorable pour axitinib.", D, "hypothetical"),
        ("Traitement : tamoxifène, antalgique si besoin, abiratérone.", D, "present"),
        ("Geste prévu : mastectomie.", MentionKind.PROCEDURE, "hypothetical"),
        ("Le docétaxel, la RCP ne l'a pas retenu.", D, "negated"),
        ("Le docétaxel, nous ne le conseillons pas.", D, "negated"),
        ("Quant au docétaxel, nous n'y sommes pas favorables.", D, "negated"),
        ("Elle a reçu le docétaxel, son médecin ne l'a pas revue depuis.", D, "present"),
        ("Il n'y a pas lieu d'interrompre le docétaxel.", D, "present"),
        ("Le docétaxel n'a pas trouvé sa place dans le projet.", D, "negated"),
        ("L'IRM a réduit à néant l'hypothèse d'une récidive.", R, "negated"),
        ("Pas d'indication pr le docétaxel.", D, "negated"),
        ("Biopsie : carcinome malpighien (p16 négatif).", C, "present"),
        ("Suspicion de métastases, adénocarcinome du sein opéré.", T, "present"),
        ("Suspicion de récidive chez un patient opéré d'un adénocarcinome du côlon.", T, "present"),
        ("L'adénocarcinome serait accessible à une chirurgie.", C, "present"),
        ("Il s'agirait d'un adénocarcinome.", C, "hypothetical"),
        ("La surveillance n'a pas révélé, à ce jour, de récidive.", R, "negated"),
        ("Aspect compatible avec un adénocarcinome.", C, "present"),
    ],
)
def test_a_finding_is_asserted_as_its_sentence_says(
    reader: Reader, text: str, kind: MentionKind, assertion: str
) -> None:
    found = [mention for mention in reader.read(text) if mention.kind is kind]
    assert found, "nothing was found"
    assert found[0].assertion is Assertion(assertion)


def test_a_whole_enumeration_stays_under_its_negation(reader: Reader) -> None:
    found = reader.read("Absence de métastase hépatique, pulmonaire ou osseuse.")
    assert {mention.assertion for mention in found} == {Assertion.NEGATED}


def test_a_negative_result_is_a_result(reader: Reader) -> None:
    found = [m for m in reader.read("Absence de surexpression de HER2.") if m.kind is MentionKind.BIOMARKER]
    assert [(m.value, m.assertion) for m in found] == [("negative", Assertion.PRESENT)]


def test_the_section_of_the_past_ends_where_the_story_begins(reader: Reader) -> None:
    text = "Antécédents : mélanome en 2005.\nHistoire de la maladie : adénocarcinome du côlon."
    found = [m.assertion for m in reader.read(text) if m.kind is C]
    assert found == [Assertion.HISTORY, Assertion.PRESENT]


def test_the_side_of_a_planned_operation_is_planned(reader: Reader) -> None:
    found = reader.read("On propose une mastectomie gauche.")
    assert {m.assertion for m in found if m.kind in (MentionKind.PROCEDURE, MentionKind.LATERALITY)} == {
        Assertion.HYPOTHETICAL
    }


def test_the_date_of_the_diagnosis_is_not_that_of_the_recurrence(reader: Reader) -> None:
    found = reader.read("Récidive métastatique d'un cancer du sein diagnostiqué en 2019 : métastases osseuses.")
    assert {m.date for m in found if m.kind in (R, M)} == {None}
    found = reader.read("Récidive locale en juin 2021 d'un cancer opéré en 2019.")
    assert {str(m.date) for m in found if m.kind is R} == {"2021-06-01"}
    found = reader.read("Cancer du sein métastatique diagnostiqué en 2019.")
    assert {str(m.date) for m in found if m.kind is M} == {"2019-01-01"}


def assertions(reader: Reader, text: str, *kinds: MentionKind) -> list[str]:
    """What is said of each mention of these kinds, in the order of the text."""
    return [mention.assertion.value for mention in reader.read(text) if mention.kind in kinds]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Extension : ☐ métastases osseuses ☑ métastases hépatiques", ["negated", "present"]),
        ("[x] Métastases hépatiques\n[ ] Métastases osseuses", ["present", "negated"]),
        ("Métastases : [ ] oui [x] non", ["negated"]),
        ("Métastases : ☑ oui ☐ non", ["present"]),
        ("Métastases : ☐ oui ☐ non", ["hypothetical"]),
        ("Métastases hépatiques | oui | Métastases osseuses | non", ["present", "negated"]),
        ("Métastases hépatiques\tnon\nMétastases osseuses\toui", ["negated", "present"]),
        ("Absence de :\n- métastase osseuse\n\nMétastase cérébrale.", ["negated", "present"]),
    ],
)
def test_a_form_says_what_its_boxes_and_cells_say(reader: Reader, text: str, said: list[str]) -> None:
    assert assertions(reader, text, M) == said


def test_a_heading_answered_by_none_does_not_make_what_follows_the_past(reader: Reader) -> None:
    assert assertions(reader, "Antécédents carcinologiques : néant. Mélanome du dos.", C) == ["present"]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("la balance avait penché pour le premier", ["present", "negated"]),
        ("le second avait été écarté", ["present", "negated"]),
        ("le premier avait été refusé", ["negated", "present"]),
    ],
)
def test_of_two_treatments_the_one_taken_may_be_told_by_its_rank(reader: Reader, told: str, said: list[str]) -> None:
    assert assertions(reader, f"Entre pembrolizumab et docétaxel, {told}.", D) == said


def test_a_treatment_in_use_stays_so_near_what_is_planned(reader: Reader) -> None:
    text = "Devant la toxicité du docétaxel, nous proposons de remplacer le docétaxel par du nivolumab."
    assert assertions(reader, text, D) == ["present", "present", "hypothetical"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Quel traitement pour cette récidive ?", "present"),
        ("S'agit-il d'une récidive ?", "hypothetical"),
    ],
)
def test_a_question_about_what_to_do_does_not_doubt_what_is_known(reader: Reader, text: str, said: str) -> None:
    assert assertions(reader, text, R) == [said]
