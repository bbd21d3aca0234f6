"""Whatever happens to a page, its mentions stay where the truth says, and noise is what its level promises."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from consore.errors import ConfigurationError
from consore.synthetic.documents import write_reports
from consore.synthetic.noise import NOISE, NoiseLevel, disturb, noise_level
from consore.synthetic.trajectory import draw_life
from consore.synthetic.writing import SPLITS, styles

EVERYTHING = NoiseLevel("everything", 1.0, 1.5, 1.0, 0.3, 0.5, 1.0, 0.2, 1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0)
TEXT = (
    "Madame Dupin a été traitée en 2019. Carcinome canalaire infiltrant du sein gauche, pT2 N1 M0, HER2 négatif.\n"
    "Pas de récidive locale. Elle reçoit du létrozole depuis la radiothérapie, avec une bonne tolérance générale.\n"
    "Examen clinique normal. Surveillance dans six mois, avec mammographie et échographie des deux seins.\n"
)
TERMS = [
    ("Carcinome canalaire infiltrant", "morphology"),
    ("sein", "topography"),
    ("gauche", "laterality"),
    ("pT2 N1 M0", "tnm"),
    ("HER2", "biomarker"),
    ("récidive locale", "recurrence"),
    ("létrozole", "drug"),
    ("radiothérapie", "procedure"),
]


def mentions() -> list[dict[str, object]]:
    found = []
    for text, kind in TERMS:
        start = TEXT.index(text)
        found.append({"start": start, "end": start + len(text), "text": text, "kind": kind, "code": kind})
    return found


@pytest.mark.parametrize("level", [*NOISE.values(), EVERYTHING], ids=lambda level: level.name)
@pytest.mark.parametrize("style", list(styles().values()), ids=lambda style: style.name)
def test_every_mention_lies_where_it_says_under_every_noise(level: NoiseLevel, style) -> None:
    for seed in range(40):
        text, found = disturb(
            TEXT, mentions(), level, style, Random(seed), running_head="CENTRE ALPHA", openers=["Enfin, "]
        )
        assert [mention["code"] for mention in found] == [kind for _, kind in TERMS]
        assert all(text[m["start"] : m["end"]] == m["text"] for m in found)
        assert all(left["end"] <= right["start"] for left, right in pairwise(found))


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("noise", list(NOISE))
def test_whole_reports_keep_their_offsets_at_every_level(split: str, noise: str) -> None:
    for number in range(8):
        rng = Random(f"noise/{number}")
        life = draw_life(rng, f"NOI{number:06d}", split)
        for report in write_reports(life, split, rng, 1, "Centre Alpha", noise):
            for mention in report.mentions:
                assert report.text[mention["start"] : mention["end"]] == mention["text"]


def test_codes_stages_and_drugs_survive_slips_and_scans() -> None:
    headed = styles()["headed"]
    for seed in range(60):
        _, found = disturb(TEXT, mentions(), EVERYTHING, headed, Random(seed))
        words = {str(m["code"]): str(m["text"]).replace("\n", " ") for m in found}
        assert words["tnm"] == "pT2 N1 M0"
        assert words["drug"] in ("létrozole", "letrozole")
        assert words["biomarker"] == "HER2"


def test_more_noise_changes_more() -> None:
    headed = styles()["headed"]

    def changed(level: str) -> int:
        reference = [disturb(TEXT, mentions(), NOISE["none"], headed, Random(seed))[0] for seed in range(300)]
        return sum(
            disturb(TEXT, mentions(), NOISE[level], headed, Random(seed))[0] != before
            for seed, before in enumerate(reference)
        )

    assert changed("low") < changed("medium") < changed("high")


def test_no_noise_leaves_words_as_they_were_written() -> None:
    telegraphic = styles()["telegraphic"]
    for seed in range(50):
        text, _ = disturb(TEXT, mentions(), NOISE["none"], telegraphic, Random(seed))
        assert text.lower().replace(" ; ", ". ").replace(", ", ". ") == TEXT.lower().replace(", ", ". ")


def test_an_old_system_writes_in_capitals_and_loses_accents() -> None:
    level = replace(NOISE["medium"], ocr=0.0)
    texts = [disturb(TEXT, mentions(), level, styles()["capitals"], Random(seed))[0] for seed in range(40)]
    assert all(text == text.upper() for text in texts)
    assert any("RECIDIVE" in text for text in texts)


def test_a_page_may_end_in_the_middle_of_a_report() -> None:
    for seed in range(40):
        text, _ = disturb(TEXT, mentions(), EVERYTHING, styles()["form"], Random(seed), running_head="ENTETE 42")
        if "42" in text and "\n" in text:
            return
    pytest.fail("no page was broken in forty documents")


def test_dictation_leaves_its_marks() -> None:
    texts = [disturb(TEXT, mentions(), NOISE["high"], styles()["dictated"], Random(seed))[0] for seed in range(200)]
    assert any(" virgule " in text or " point " in text for text in texts)


def test_an_unknown_level_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="none, low, medium, high"):
        noise_level("deafening")
