"""The rules of registries for several primary cancers."""

import pytest

from consore.history.primaries import histology, same_histology, same_primary, site, site_group
from consore.model import Laterality


@pytest.mark.parametrize(
    ("morphology", "family"),
    [
        ("8500/3", "3"),
        ("8070/3", "1"),
        ("8041/3", "4"),
        ("8010/3", "5"),
        ("8720/3", "16"),
        ("9680/3", "9"),
        ("8000/3", "17"),
    ],
)
def test_a_morphology_belongs_to_its_histology_group(morphology, family):
    assert histology(morphology)[0] == family


def test_tongue_base_and_tongue_are_one_site_and_colon_and_rectum_two():
    assert site_group("C01.9") == site_group("C02.1")
    assert site_group("C18.7") != site_group("C20.9")


def test_an_unspecified_carcinoma_agrees_with_every_carcinoma_and_with_no_sarcoma():
    assert same_histology("8010/3", "8500/3")
    assert not same_histology("8010/3", "8800/3")
    assert same_histology("8000/3", "8800/3")


def test_a_lymphoma_is_one_tumour_wherever_it_sits():
    assert same_primary("C77.0", "9680/3", None, "C16.9", "9680/3", None)


def test_two_histologies_of_one_lung_are_two_tumours():
    assert not same_primary("C34.1", "8140/3", None, "C34.3", "8041/3", None)


def test_two_breasts_are_two_tumours_and_two_ovaries_one():
    left, right = Laterality.LEFT, Laterality.RIGHT
    assert not same_primary("C50.4", "8500/3", left, "C50.9", "8500/3", right)
    assert same_primary("C56.9", "8441/3", left, "C56.9", "8441/3", right)


def test_every_site_is_named_in_french():
    assert site("C50.4").of == "du sein"
    assert site("C22.0").adjective == "hépatique"
    assert site("C99.9").of == "(C99)"
