"""The sentences written by hand: they load, they mark what they say, and they are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from consore.language import Reader
from consore.language.constructs import constructs, measure_constructs
from consore.model import Assertion, MentionKind

SENTENCES = list(constructs())


def test_there_are_many_sentences_and_a_third_of_them_is_kept_from_tuning() -> None:
    kept = [sentence for sentence in SENTENCES if sentence.kept]
    assert len(SENTENCES) >= 350
    assert 0.3 <= len(kept) / len(SENTENCES) <= 0.36
    assert all(sentence.why for sentence in SENTENCES)


def test_markup_is_taken_out_of_the_text_and_gives_the_mention(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text(
        'document_date = 2024-06-15\nexhaustive = ["tnm"]\n[[sentence]]\nid = "a"\nwhy = "b"\n'
        'text = "Pas de [récidive](recurrence negated), [pT1 N0(sn)](tnm code=pT1N0(sn) value~N0)."\n',
        encoding="utf-8",
    )
    [sentence] = constructs(tmp_path)
    assert sentence.text == "Pas de récidive, pT1 N0(sn)."
    recurrence, tnm = sentence.mentions
    assert (recurrence.kind, recurrence.assertion) == (MentionKind.RECURRENCE, Assertion.NEGATED)
    assert sentence.text[tnm.start : tnm.end] == "pT1 N0(sn)"
    assert tnm.wanted == (("code", True, "pT1N0(sn)"), ("value", False, "N0"))


def test_an_id_given_twice_is_refused(tmp_path: Path) -> None:
    item = '[[sentence]]\nid = "a"\nwhy = "b"\ntext = "c"\n'
    (tmp_path / "one.toml").write_text(f"document_date = 2024-06-15\nexhaustive = []\n{item}{item}", encoding="utf-8")
    with pytest.raises(ValueError, match="given twice"):
        list(constructs(tmp_path))


def test_no_markup_is_left_in_a_sentence() -> None:
    assert [s.id for s in SENTENCES if "](" in s.text] == []


def test_most_of_what_the_sentences_say_is_read_on_the_kept_part_too() -> None:
    report = measure_constructs(Reader.load())
    assert report.share(kept=False) >= 0.85
    assert report.share(kept=True) >= 0.85
