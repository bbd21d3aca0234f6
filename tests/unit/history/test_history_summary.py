"""A physician reads a patient in at most five lines, in their language, and never a guess as a fact."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consore.history import summary
from consore.model import (
    Biography,
    BiomarkerItem,
    BiomarkerStatus,
    DrugItem,
    EventItem,
    EventType,
    Laterality,
    Sex,
    TreatmentItem,
    TreatmentType,
    TumourItem,
)

TODAY = dt.date(2024, 6, 1)
T, E = TreatmentType, EventType


def day(year: int, month: int = 1) -> dt.date:
    return dt.date(year, month, 3)


def breast(**more) -> TumourItem:
    label = "carcinome canalaire infiltrant du sein gauche"
    marks = [BiomarkerItem("HER2", BiomarkerStatus.POSITIVE), BiomarkerItem("KI67", BiomarkerStatus.HIGH)]
    kept = {"ptnm": "pT2N1M0", "label": label, "biomarkers": marks, "diagnosis_date": day(2019, 3), **more}
    return TumourItem(1, "C50.4", "8500/3", Laterality.LEFT, **kept)


def drugs(name: str, kind: TreatmentType, start: dt.date, *given: tuple[str, str], **more) -> TreatmentItem:
    return TreatmentItem(kind, name, [DrugItem(*one) for one in given], start=start, tumour_rank=1, **more)


TAXANE = ("paclitaxel", "L01CD01"), ("trastuzumab", "L01FD01")
MASTECTOMY = TreatmentItem(T.SURGERY, "Mastectomie", act_code="PROC:mastectomy", start=day(2019, 4), tumour_rank=1)
EC = drugs("EC 90", T.CHEMOTHERAPY, day(2019, 6), ("épirubicine", "L01DB03"), regimen="REG:EC", cycles=4)
WEEKLY = drugs("Paclitaxel", T.CHEMOTHERAPY, day(2019, 9), *TAXANE, cycles=12)
RELAPSE = EventItem(E.METASTATIC_RECURRENCE, day(2021, 6), 1, ["C22.0"])
LINE = drugs("Docétaxel", T.CHEMOTHERAPY, day(2021, 7), ("docétaxel", "L01CD02"), line=1)


def told(biography: Biography, **more) -> list[str]:
    return summary(biography, Sex.FEMALE, dt.date(1970, 1, 1), today=TODAY, **more)


def test_a_breast_cancer_that_came_back_is_told_as_a_physician_would():
    lines = told(Biography("P", [breast()], [RELAPSE], [MASTECTOMY, EC, WEEKLY, LINE]), last_news=day(2024, 2))
    assert lines == [
        "Femme de 54 ans, carcinome canalaire infiltrant du sein gauche pT2N1M0 HER2+ (03/2019)",
        "→ mastectomie + 4 EC 90 + 12 paclitaxel-trastuzumab",
        "→ rechute hépatique (06/2021) → L1 docétaxel (07/2021)",
        "Dernier traitement connu : docétaxel (début 07/2021) ; dernières nouvelles 02/2024.",
    ]


def test_the_same_in_english():
    lines = told(Biography("P", [breast()], [RELAPSE], [MASTECTOMY, EC, WEEKLY, LINE]), language="en")
    assert lines[0] == "54-year-old woman, infiltrating duct carcinoma of the left breast pT2N1M0 HER2+ (03/2019)"
    assert lines[1] == "→ total mastectomy + 4 EC 90 + 12 paclitaxel-trastuzumab"
    assert lines[2] == "→ hepatic recurrence (06/2021) → L1 docetaxel (07/2021)"
    with pytest.raises(ValueError, match="de"):
        told(Biography("P"), language="de")


def test_what_is_not_sure_is_marked_and_explained_and_what_is_sure_is_not():
    sure = Biography("P", [breast()], [RELAPSE], [MASTECTOMY])
    assert not any("(?)" in line for line in told(sure))
    doubt = EventItem(E.METASTATIC_RECURRENCE, day(2021, 6), 1, ["C22.0"], confidence=0.4)
    marker = BiomarkerItem("HER2", BiomarkerStatus.POSITIVE, confidence=0.3)
    lines = told(Biography("P", [breast(biomarkers=[marker])], [doubt], [MASTECTOMY]))
    assert "HER2+ (?)" in lines[0]
    assert "rechute hépatique (06/2021) (?)" in " ".join(lines)
    assert lines[-1].endswith("(?) : à vérifier.")


def test_a_treatment_without_an_end_is_not_told_as_going_on():
    lines = told(Biography("P", [breast()], [], [LINE]))
    assert lines[-1] == "Dernier traitement connu : docétaxel (début 07/2021)."


def test_the_age_is_that_at_death_and_the_death_is_told():
    dead = EventItem(E.DEATH, day(2022, 5))
    lines = told(Biography("P", [breast()], [dead], []))
    assert lines[0].startswith("Femme de 52 ans")
    assert lines[-1] == "Décédée en 05/2022."


def test_a_second_cancer_has_its_own_line_and_a_patient_without_one_says_so():
    colon = TumourItem(2, "C18.7", "8140/3", None, day(2022), label="adénocarcinome du côlon")
    surgery = TreatmentItem(T.SURGERY, "Colectomie", start=day(2022, 2), tumour_rank=2)
    lines = told(Biography("P", [breast(), colon], [], [MASTECTOMY, surgery]))
    assert lines[1] == "2e cancer : adénocarcinome du côlon (01/2022) → colectomie"
    assert told(Biography("P")) == ["Femme de 54 ans – aucune tumeur documentée."]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["C50.4", "C18.7", "C34.1", None]), st.integers(2001, 2023)), max_size=7),
    st.lists(st.tuples(st.sampled_from(list(E)), st.integers(2001, 2024), st.integers(0, 7)), max_size=12),
    st.lists(st.tuples(st.sampled_from(list(T)), st.integers(2001, 2024), st.integers(0, 7)), max_size=20),
    st.sampled_from(["fr", "en"]),
)
def test_whatever_the_history_it_takes_one_to_five_lines(tumours, events, treatments, language):
    biography = Biography(
        "P",
        [TumourItem(rank, code, None, None, day(year)) for rank, (code, year) in enumerate(tumours, 1)],
        [EventItem(kind, day(year), rank or None, ["C22.0"]) for kind, year, rank in events],
        [TreatmentItem(kind, "Nom", start=day(year), tumour_rank=rank or None) for kind, year, rank in treatments],
    )
    lines = told(biography, language=language, last_news=TODAY)
    assert 1 <= len(lines) <= 5
    assert all(line.strip() for line in lines)
