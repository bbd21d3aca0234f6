"""From one code system to another, and up and down inside each."""

import pytest

from consore.referentials import Terminology, terminology


@pytest.fixture(scope="module")
def known() -> Terminology:
    return terminology()


@pytest.mark.parametrize(
    ("topography", "morphology", "cim10"),
    [
        ("C50.4", "8500/3", "C50.4"),
        ("C61.9", "8140/3", "C61"),
        ("C56.9", "8441/3", "C56"),
        ("C50.4", "8500/2", "D05.1"),
        ("C50.9", "8520/2", "D05.0"),
        ("C53.9", "8070/2", "D06.9"),
        ("C02.1", "8070/2", "D00.0"),
        ("C67.9", "8130/2", "D09.0"),
        ("C44.5", "8720/3", "C43.5"),
        ("C44.5", "8720/2", "D03.5"),
        ("C44.3", "8090/3", "C44.3"),
        ("C44.3", "8070/2", "D04.3"),
        ("C38.4", "9050/3", "C45.0"),
        ("C70.0", "9530/0", "D32.0"),
        ("C22.0", "8000/6", "C78.7"),
        ("C34.1", "8140/6", "C78.0"),
        ("C77.3", "8500/6", "C77.3"),
        ("C41.9", "8000/6", "C79.5"),
        ("C25.0", "8000/6", "C78.8"),
        ("C51.9", "8000/6", "C79.8"),
        ("C42.1", "9732/3", "C90.0"),
        ("C42.1", "9861/3", "C92.0"),
        ("C42.1", "9823/3", "C91.1"),
        ("C42.1", "9950/3", "D45"),
        ("C42.1", "9989/3", "D46.9"),
        ("C77.0", "9680/3", "C83.3"),
        ("C77.1", "9663/3", "C81.1"),
        ("C16.9", "9699/3", "C88.4"),
        ("C77.9", "9699/3", "C83.0"),
        (None, "8010/3", "C80.9"),
    ],
)
def test_the_behaviour_and_the_histology_choose_the_hospital_code(
    known: Terminology, topography: str | None, morphology: str, cim10: str
) -> None:
    assert known.cim10_of(topography, morphology) == cim10


@pytest.mark.parametrize("morphology", ["", "8500", "carcinome", "8500/7", "9732/33"])
def test_what_is_no_morphology_has_no_hospital_code(known: Terminology, morphology: str) -> None:
    assert known.cim10_of("C50.4", morphology) is None


def test_every_topography_with_every_behaviour_lands_on_a_code_that_exists(known: Terminology) -> None:
    for site in known.concepts("ICD-O-3-T", "topography"):
        for behaviour in "01236":
            code = known.cim10_of(site.code, f"8010/{behaviour}")
            if behaviour in "236" and not site.code.startswith(("C42", "C77")):
                assert code, (site.code, behaviour)
            assert code is None or known.concept("CIM-10", code), (site.code, behaviour, code)


def test_every_morphology_lands_on_a_code_that_exists(known: Terminology) -> None:
    for histology in known.concepts("ICD-O-3-M", "morphology"):
        code = known.cim10_of("C42.1" if histology.code >= "9590" else "C34.9", histology.code)
        assert code is None or known.concept("CIM-10", code), (histology.code, code)


def test_a_hospital_code_and_its_organ_agree_both_ways(known: Terminology) -> None:
    for site in known.concepts("ICD-O-3-T", "topography"):
        code = known.cim10_of(site.code, "8010/3")
        if code:
            assert (known.topography_of_cim10(code) or "")[:3] == site.code[:3], (site.code, code)


def test_every_map_of_a_hospital_code_lands_on_a_code_that_exists(known: Terminology) -> None:
    for diagnosis in known.concepts("CIM-10"):
        for attribute, system in (("topography", "ICD-O-3-T"), ("morphology", "ICD-O-3-M")):
            code = diagnosis.attributes.get(attribute)
            assert code is None or known.concept(system, code), (diagnosis.code, code)


def test_every_map_of_an_adicap_code_lands_on_a_code_that_exists(known: Terminology) -> None:
    for concept in known.concepts("ADICAP"):
        for attribute, system in (("topography", "ICD-O-3-T"), ("morphology", "ICD-O-3-M")):
            code = concept.attributes.get(attribute)
            assert code is None or known.concept(system, code), (concept.code, code)


@pytest.mark.parametrize(
    ("code", "topography", "morphology"),
    [
        ("BHGSA7B2", "C50.9", "8500/3"),
        ("bh gs a7b2", "C50.9", "8500/3"),
        ("OHGSA7A0", "C50.9", "8140/3"),
        ("OHESA7A0", None, "8370/3"),
        ("BHACA0C8", "C11.9", None),
    ],
)
def test_a_code_of_the_laboratory_gives_organ_and_histology(
    known: Terminology, code: str, topography: str | None, morphology: str | None
) -> None:
    found = known.icdo3_of_adicap(code)
    assert found[1] == morphology
    assert topography is None or found[0] == topography


@pytest.mark.parametrize("code", ["", "BH", "BHZZ", "BHZZ99990", "🙂🙂🙂🙂🙂🙂🙂🙂"])
def test_what_is_no_adicap_code_gives_nothing(known: Terminology, code: str) -> None:
    assert known.icdo3_of_adicap(code) == (None, None)


@pytest.mark.parametrize("system", ["ICD-O-3-T", "ICD-O-3-M", "ATC", "CIM-10", "CCAM"])
def test_above_and_below_are_each_other_s_inverse(known: Terminology, system: str) -> None:
    listed = [concept.code for concept in known.concepts(system)]
    above = {code: set(known.ancestors(system, code)) for code in listed}
    for group in set().union(*above.values()):
        assert set(known.descendants(system, group)) == {code for code in listed if group in above[code]}, group
    assert not known.descendants(system, "no such code")


def test_all_that_lies_below_a_class_comes_at_all_levels(known: Terminology) -> None:
    assert {"L01FF02", "L01EB04", "L01FF"} <= set(known.descendants("ATC", "L01"))
    assert {"C18.7", "C20.9"} <= set(known.descendants("ICD-O-3-T", "C18-C20"))


@pytest.mark.parametrize(
    ("name", "atc"),
    [("Keytruda", "L01FF02"), ("PEMBROLIZUMAB", "L01FF02"), ("5-FU", "L01BC02"), ("letrozole", "L02BG04")],
)
def test_any_name_of_a_drug_gives_the_drug(known: Terminology, name: str, atc: str) -> None:
    drug = known.inn_of(name)
    assert drug is not None
    assert drug.code == atc


def test_a_name_that_no_drug_has_gives_none(known: Terminology) -> None:
    assert known.inn_of("zorglubine") is None
    assert known.drug_class("zorglubine") is None
    assert known.brands_of("zorglubine") == ()


def test_a_brand_leads_to_its_class_and_back(known: Terminology) -> None:
    drug = known.inn_of("Keytruda")
    assert drug is not None
    assert known.drug_class(drug.code) == "anti-PD-1"
    assert "Keytruda" in known.brands_of(drug.code)


def test_every_drug_has_a_class_and_every_brand_leads_to_a_drug(known: Terminology) -> None:
    for drug in known.concepts("ATC", "drug"):
        assert known.drug_class(drug.code), drug.code
        for brand in known.brands_of(drug.code):
            assert known.inn_of(brand), brand
