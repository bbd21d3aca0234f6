"""Most of what physicians ask is understood to the letter: questions written by hand, half of them never looked at."""

from __future__ import annotations

import datetime as dt

import pytest
from written_questions import WrittenQuestion, canonical, written_questions

from consore.referentials import terminology
from consore.search import understand

TODAY = dt.date(2026, 6, 15)
LEAST = 0.95


def is_understood(question: WrittenQuestion) -> bool:
    read = understand(question.text, terminology(), today=TODAY)
    criteria = canonical(read.criteria.as_json()) if read.criteria else None
    return criteria == question.criteria and read.words == question.words


def test_there_are_three_hundred_questions_half_of_them_kept_apart() -> None:
    seen, kept = written_questions(kept=False), written_questions(kept=True)
    assert len(seen) + len(kept) >= 300
    assert len({question.text for question in [*seen, *kept]}) == len(seen) + len(kept)


@pytest.mark.parametrize("kept", [False, True], ids=["seen", "kept apart"])
def test_questions_become_the_criteria_that_they_mean_and_the_words_left(kept: bool) -> None:
    asked = written_questions(kept=kept)
    missed = [question.text for question in asked if not is_understood(question)]
    share = 1 - len(missed) / len(asked)
    assert share >= LEAST, f"{share:.3f} understood" + ("" if kept else f"; not: {missed}")
