"""The app can be read in a light and in a dark room (WCAG 2.2 AA)."""

from __future__ import annotations

import pytest

from consore_mobile.entities import GROUPS
from consore_mobile.palette import DARK, LIGHT, SCHEMES, SHAPE_PAIRS, TEXT_PAIRS, blend, contrast
from consore_mobile.timeline_layout import COLOURS


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("ink", "ground"), TEXT_PAIRS)
def test_text_can_be_read_on_its_ground(scheme: str, ink: str, ground: str) -> None:
    assert contrast(SCHEMES[scheme][ink], SCHEMES[scheme][ground]) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("shape", "ground"), SHAPE_PAIRS)
def test_shapes_can_be_seen_on_their_ground(scheme: str, shape: str, ground: str) -> None:
    assert contrast(SCHEMES[scheme][shape], SCHEMES[scheme][ground]) >= 3


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("group", GROUPS)
def test_an_entity_can_be_read_on_its_tint(scheme: str, group: str) -> None:
    ink, surface = SCHEMES[scheme][f"entity_{group}"], SCHEMES[scheme]["surface"]
    assert contrast(ink, blend(ink, surface, 0.13)) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_chosen_row_can_be_read(scheme: str) -> None:
    colours = SCHEMES[scheme]
    assert contrast(colours["tint_ink"], colours["tint"]) >= 4.5
    assert contrast(colours["mark"], colours["tint"]) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_label_inside_a_span_can_be_read(scheme: str) -> None:
    colours = SCHEMES[scheme]
    for name in ("chemotherapy", "targeted", "immunotherapy", "radiotherapy"):
        assert contrast(colours["surface"], colours[COLOURS[name]]) >= 3.5, name


def test_both_schemes_name_the_same_colours() -> None:
    assert list(LIGHT) == list(DARK)
