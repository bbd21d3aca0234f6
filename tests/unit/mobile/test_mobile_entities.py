"""A report keeps every letter of its text, and shows what was recognised and how it was said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consore_mobile.answers import Mention
from consore_mobile.entities import GROUP_OF, LONGEST_PARAGRAPH, assertions_present, groups_present, paragraphs
from consore_mobile.palette import LIGHT

TEXT = "Pas de métastase hépatique.\nMère : cancer de l'ovaire.\n\nPembrolizumab à discuter [RCP]."


def _mention(words: str, kind: str, assertion: str = "present") -> Mention:
    start = TEXT.index(words)
    return Mention(start, start + len(words), words, kind, assertion)


MENTIONS = [
    _mention("métastase hépatique", "metastasis", "negated"),
    _mention("cancer de l'ovaire", "topography", "family"),
    _mention("Pembrolizumab", "drug", "hypothetical"),
]


def test_each_assertion_has_a_form_of_its_own() -> None:
    shown = [block.markup(LIGHT) for block in paragraphs(TEXT, MENTIONS)]
    assert "[s]métastase hépatique[/s]" in shown[0]
    assert f"[color={LIGHT['quiet']}][i]cancer de l'ovaire[/i]" in shown[1]
    assert "[u]Pembrolizumab[/u]" in shown[3]
    assert "&bl;RCP&br;" in shown[3]


def test_an_entity_can_be_tapped() -> None:
    assert "[ref=0]" in paragraphs(TEXT, MENTIONS)[0].markup(LIGHT)


def test_the_longest_of_overlapping_mentions_is_shown() -> None:
    inner = _mention("hépatique", "topography")
    runs = paragraphs(TEXT, [inner, MENTIONS[0]])[0].runs
    assert [run.mention for run in runs if run.mention is not None] == [1]


@given(
    st.text(st.characters(codec="utf-8"), max_size=3000), st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 60)))
)
def test_no_letter_is_lost_whatever_the_text_and_the_offsets(text: str, spans: list[tuple[int, int]]) -> None:
    mentions = [Mention(start, start + size, "", "drug", "present") for start, size in spans]
    blocks = paragraphs(text, mentions)
    for block in blocks:
        assert "".join(run.text for run in block.runs) == text[block.start : block.end]
        assert block.end - block.start <= LONGEST_PARAGRAPH
    gaps = zip([0, *(block.end for block in blocks)], [*(block.start for block in blocks), len(text)], strict=True)
    assert all(not text[start:end].strip() for start, end in gaps)


def test_the_legend_holds_what_is_there_in_a_fixed_order() -> None:
    assert groups_present(MENTIONS) == ["tumour", "extent", "treatment"]
    assert assertions_present(MENTIONS) == ["negated", "hypothetical", "family"]


def test_every_kind_that_reports_speak_of_has_a_group() -> None:
    kinds = (
        "topography morphology tnm stage grade biomarker alteration drug regimen procedure metastasis recurrence "
        "response line dose date performance_status laterality measurement"
    )
    assert set(kinds.split()) == set(GROUP_OF)
