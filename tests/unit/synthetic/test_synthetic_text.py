"""What reports say: every kind in every split, in several manners, no sentence in two splits, nothing left over."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from functools import cache
from itertools import combinations, pairwise
from random import Random

import pytest

from consore.errors import ConfigurationError
from consore.model import DocumentKind
from consore.synthetic import ANNOTATED_KINDS
from consore.synthetic.documents import Report, write_reports
from consore.synthetic.scene import PatientScene, kind_words
from consore.synthetic.trajectory import draw_life
from consore.synthetic.writing import SPLITS, CannotSay, Piece, Said, agree, assemble, grammar, styles


@cache
def reports(split: str, noise: str = "medium", patients: int = 60) -> list[Report]:
    found: list[Report] = []
    for number in range(patients):
        rng = Random(f"text/{split}/{number}")
        life = draw_life(rng, f"TXT{number:06d}", split)
        found += write_reports(life, split, rng, 1, "Centre Alpha", noise)
    return found


def masked(template: str) -> str:
    """A template without what differs between two fillings: slots, rules, digits, punctuation, case."""
    text = re.sub(r"<<([^=>]+) = [^>]*>>", r"\1", template)
    text = re.sub(r"\{[^}]*\}|<[^>]*>|# \w+", " ", text)
    return " ".join(re.sub(r"[\W\d_]+", " ", text).lower().split())


@pytest.mark.parametrize(("one", "other"), list(combinations(SPLITS, 2)))
def test_no_sentence_template_is_in_two_splits(one: str, other: str) -> None:
    def sentences(split: str) -> set[str]:
        return {masked(text) for texts in grammar(split).sources.values() for text in texts}

    shared = {text for text in sentences(one) & sentences(other) if len(text.split()) > 3}
    assert shared == set()


def test_words_common_to_all_splits_are_no_sentences() -> None:
    for texts in grammar("train").common.values():
        for text in texts:
            assert not text.rstrip("]}>").endswith("."), text
            assert len(masked(text).split()) <= 11, text


@pytest.mark.parametrize("split", SPLITS)
def test_a_template_asks_only_for_what_exists(split: str) -> None:
    asked = " ".join(text for texts in grammar(split).sources.values() for text in texts)
    slots = set(re.findall(r"\{(\w+)(?::[\w.]+)?(?:!\w+)?\}", asked))
    assert {slot for slot in slots if not hasattr(PatientScene, f"_slot_{slot}")} == set()
    rules = {name.split(".")[0] for name in grammar(split).sources} | set(grammar(split).common)
    called = set(re.findall(r"(?<!<)<(\w+)[?*!>]", asked)) - {"earlier"}
    assert called - rules == set()


def test_every_split_writes_the_same_kinds_and_topics() -> None:
    plans = [{name for name in grammar(split).sources if name.startswith("doc.")} for split in SPLITS]
    assert plans[0] == plans[1] == plans[2]
    assert {name.split(".")[1] for name in plans[0]} == {kind.value for kind in DocumentKind}


@pytest.mark.parametrize("split", SPLITS)
def test_every_kind_is_written_in_several_manners(split: str) -> None:
    manners: dict[str, set[str]] = defaultdict(set)
    for report in reports(split):
        manners[report.kind].add(report.style)
    assert set(manners) == {kind.value for kind in DocumentKind}
    assert all(len(found) >= 4 for found in manners.values()), manners
    assert {report.style for report in reports(split)} == set(styles())


@pytest.mark.parametrize("split", SPLITS)
def test_no_report_shows_the_syntax_of_its_template(split: str) -> None:
    for report in reports(split):
        assert not re.search(r"[{}]|<\w|<<|>>|\|\||^#| = [a-z]+ [A-Z]|\[[^X ]", report.text, re.MULTILINE), report.text


@pytest.mark.parametrize("split", SPLITS)
def test_french_elides_and_contracts(split: str) -> None:
    for report in reports(split, "none"):
        if report.style == "capitals":
            continue
        fault = re.search(r"\b(?:de le|de les|à le|à les|d'une un|un une|le le|la la|de de|d'un des)\b", report.text)
        assert fault is None, report.text
        stops = re.sub(r" ?\.{3,}:? ?", " ", report.text)
        assert not re.search(r" \.\s| ,|\.\.(?!/)|,\.|;\s*\.|:\s*\.", stops.replace(" . 0", "")), report.text


def test_lengths_are_those_of_their_kinds() -> None:
    sizes: dict[str, list[int]] = defaultdict(list)
    for split in SPLITS[::2]:
        for report in reports(split):
            sizes[f"{report.kind}.{report.topic}"].append(len(report.text.split()))
            sizes["all"].append(len(report.text.split()))
    mean = {name: sum(found) / len(found) for name, found in sizes.items()}
    assert mean["all"] >= 140
    assert 15 <= mean["other.phone"] <= 80
    assert mean["consultation.first"] > mean["imaging.diagnosis"] > mean["nurse.cycle"]


def test_a_wrong_letter_says_what_it_says_and_admits_it() -> None:
    wrong = [report for report in reports("train", "high", 120) if report.contradicts]
    assert {name for report in wrong for name in report.contradicts} == {"side", "date", "stage"}
    assert not {report.kind for report in wrong} & {"pathology", "imaging", "molecular", "biology"}
    assert not any(report.contradicts for report in reports("train", "none"))
    sides = [
        (report, mention)
        for report in wrong
        for mention in report.mentions
        if "side" in report.contradicts and mention["kind"] == "laterality"
    ]
    assert sides
    for report, mention in sides:
        assert report.text[mention["start"] : mention["end"]] == mention["text"]


def test_drugs_of_every_day_are_in_the_truth() -> None:
    codes = Counter(
        mention["code"] for report in reports("train") for mention in report.mentions if mention["kind"] == "drug"
    )
    assert {"C08CA01", "H03AA01", "A10BA02"} <= set(codes)


def test_assertions_are_told_in_every_split() -> None:
    for split in SPLITS:
        told = {mention["assertion"] for report in reports(split) for mention in report.mentions}
        assert told == {"present", "negated", "hypothetical", "family", "history"}
        assert {mention["kind"] for report in reports(split) for mention in report.mentions} <= ANNOTATED_KINDS


def test_biology_is_a_table_of_values() -> None:
    tables = [report.text for report in reports("test") if report.kind == "biology"]
    assert tables
    assert all(len(re.findall(r"[\wéà)+] ?[:|.\t ]+ ?\d+(?:[.,O]\d+)?", text)) >= 5 for text in tables)


def test_every_topic_has_its_label_and_its_service() -> None:
    for name in grammar("train").sources:
        if name.startswith("doc."):
            _, kind, topic = name.split(".")
            assert set(kind_words(kind, topic)) == {"label", "service"}


class _Words:
    """A scene that knows two words."""

    style = "headed"

    def __init__(self) -> None:
        self.used: set[tuple[str, int]] = set()

    def say(self, slot: str, rng: Random) -> list[Piece]:
        if slot == "organ":
            return [Piece("sein", Said("topography", "ICD-O-3-T", "C50.9"))]
        raise CannotSay(slot)

    def choices(self, rule: str, size: int) -> list[int]:
        return []


def written(rules: dict[str, list[str]], seed: int = 1) -> str:
    from consore.synthetic.writing import Grammar

    text, _ = assemble(agree(Grammar(rules).write("start", _Words(), Random(seed))), {"plan": "CAT : "})
    return text


def test_several_alternatives_are_all_different() -> None:
    for seed in range(20):
        words = written({"start": ["<item*3-3:, >."], "item": ["un", "deux", "trois", "quatre"]}, seed)
        assert len(set(words.rstrip(".").lower().split(", "))) == 3


def test_what_cannot_be_said_is_left_out_with_its_heading() -> None:
    rules = {"start": ["bonjour.\n# plan\n<lost?>"], "lost": ["{unknown}"]}
    assert written(rules) == "Bonjour."


def test_numbers_stay_between_their_bounds() -> None:
    for seed in range(30):
        first, second = written({"start": ["{n:10-30/10} et {x:0.5-1.5}"]}, seed).split(" et ")
        assert first in {"10", "20", "30"}
        assert 0.5 <= float(second.replace(",", ".")) <= 1.5


def test_a_term_written_in_a_template_carries_its_code() -> None:
    from consore.synthetic.writing import Grammar

    rules = {
        "start": [
            "prend <<metformine = drug ATC A10BA02>> 1 g, <<mastectomie = procedure LOCAL PROC:mastectomy history>>"
        ]
    }
    text, mentions = assemble(Grammar(rules).write("start", _Words(), Random(0)), {})
    assert [(m["text"], m["code"], m["assertion"]) for m in mentions] == [
        ("metformine", "A10BA02", "present"),
        ("mastectomie", "PROC:mastectomy", "history"),
    ]
    assert all(text[m["start"] : m["end"]] == m["text"] for m in mentions)
    assert all(left["end"] <= right["start"] for left, right in pairwise(mentions))


def test_an_unknown_split_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="train, dev, test"):
        grammar("production")
