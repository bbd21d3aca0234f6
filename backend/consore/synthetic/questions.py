"""What physicians ask of a centre, with exact answers: an oracle over lives, written without the code of `search`.

`questions()` reads `data/questions.toml`; each question has criteria (design §6) and words. `matches(tree)` makes of
criteria a plain test of a life. Codes mean themselves and what begins with them; a stage means its letters too (`III`:
IIIA, IIIB…); attributes of a leaf hold for the same row; ages are completed years at a diagnosis.
`sequence`: the second thing comes on the day of the first or later, at most `within.max` days after it.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from string import Template
from typing import Any

from consore.synthetic.knowledge import read_table
from consore.synthetic.trajectory import Care, Happening, Life, Tumour

Test = Callable[[Life], bool]
_PLAIN_STATUSES = ("wild_type", "negative", "positive")


@dataclass(slots=True)
class Question:
    """One question. `texts`: (tag of the phrasing, words). `answer` grows as lives go by."""

    id: str
    texts: list[tuple[str, str]]
    tree: dict[str, Any]
    tags: list[str]
    test: Test
    answer: list[str] = field(default_factory=list)

    def rows(self) -> Iterator[dict[str, Any]]:
        """A line of `questions.jsonl` for each phrasing."""
        for number, (phrasing, text) in enumerate(self.texts):
            yield {
                "id": f"{self.id}.{number + 1}",
                "question": self.id,
                "text": text,
                "criteria": self.tree,
                "patients": self.answer,
                "count": len(self.answer),
                "tags": [phrasing, *self.tags],
            }


def questions() -> list[Question]:
    """All questions, without answers yet."""
    found = []
    for asked in read_table("questions.toml")["question"]:
        rows = read_table_sets()[asked["with"]]
        chosen = [row for row in rows if "only" not in asked or row["drug"] in asked["only"]]
        for number, row in enumerate(chosen, start=1):
            key = f"{asked['id']}.{number:02d}"
            tree = _tree(asked["tree"], row)
            texts = [
                Template(text).substitute({k: v for k, v in row.items() if isinstance(v, str)})
                for text in asked["texts"]
            ]
            phrased = [("telegraphic" if at == 0 else "sentence", text) for at, text in enumerate(texts)]
            phrased.append(("typo", misspelt(texts[0], Random(key))))
            found.append(Question(key, phrased, tree, [*asked["tags"], *row.get("tags", [])], matches(tree)))
    return found


@lru_cache
def read_table_sets() -> dict[str, list[dict[str, Any]]]:
    """The sets of values that questions are made with."""
    sets: dict[str, list[dict[str, Any]]] = read_table("questions.toml")["set"]
    return sets


def _tree(text: str, row: dict[str, Any]) -> dict[str, Any]:
    """Criteria with the values of a row; a code list that the row does not have is left out."""
    values = {key: value if isinstance(value, str) else json.dumps(value) for key, value in row.items()}
    filled = Template(text).safe_substitute(values)
    tree: dict[str, Any] = json.loads(re.sub(r', "\w+": \$\w+', "", filled))
    return tree


def misspelt(text: str, rng: Random) -> str:
    """The words with one slip of the fingers in the longest: two letters exchanged, one lost or one doubled."""
    word = max(re.findall(r"[^\W\d_]+", text), key=len, default="")
    if len(word) < 4:
        return text.lower()
    at = rng.randrange(1, len(word) - 2)
    slips = [
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        word[:at] + word[at + 1 :],
        word[:at] + word[at] + word[at:],
    ]
    return text.replace(word, next(slip for slip in rng.sample(slips, 3) if slip != word), 1)


# --- The oracle ------------------------------------------------------------------------------------------------


def matches(tree: dict[str, Any]) -> Test:
    """A test of a life for criteria."""
    ((key, value),) = tree.items()
    if key in ("all", "any", "none"):
        tests = [matches(item) for item in value]
        if key == "all":
            return lambda life: all(test(life) for test in tests)
        if key == "any":
            return lambda life: any(test(life) for test in tests)
        return lambda life: not any(test(life) for test in tests)
    if key == "patient":
        return lambda life: _patient(life, value)
    if key == "sequence":
        first, then = _days(value["first"]), _days(value["then"])
        most = value.get("within", {}).get("max", 10**6)
        return lambda life: any(0 <= (b - a).days <= most for a in first(life) for b in then(life))
    if key == "count":
        days, least = _days(value["of"]), value["atLeast"]
        return lambda life: len(days(life)) >= least
    if key in ("tumour", "event", "treatment"):
        days = _days(tree)
        return lambda life: bool(days(life))
    return _FACTS[key](value)


def _days(leaf: dict[str, Any]) -> Callable[[Life], list[dt.date]]:
    """The days of the rows of a life that a leaf describes."""
    ((key, value),) = leaf.items()
    if key == "tumour":
        return lambda life: [tumour.date for tumour in life.tumours if _tumour(tumour, value)]
    if key == "event":
        return lambda life: [event.date for event in life.happenings if _event(event, value)]
    return lambda life: [care.start for care in life.cares if _treatment(care, value)]


def _patient(life: Life, asked: dict[str, Any]) -> bool:
    if "sex" in asked and (asked["sex"] == "female") != (life.sex == "F"):
        return False
    if "vitalStatus" in asked and (asked["vitalStatus"] == "dead") != (life.death is not None):
        return False
    ages = asked.get("ageAtDiagnosis")
    return ages is None or any(_within(life.age(tumour.date), ages) for tumour in life.tumours)


def _tumour(tumour: Tumour, asked: dict[str, Any]) -> bool:
    return (
        _begins(tumour.place.code, asked.get("topography"))
        and _begins(tumour.histology.code, asked.get("morphology"))
        and asked.get("laterality", tumour.side) == tumour.side
        and ("stage" not in asked or any(_of_stage(tumour.stage, stage) for stage in asked["stage"]))
        and ("m" not in asked or any((tumour.ctnm or "").endswith(m) for m in asked["m"]))
        and ("grade" not in asked or tumour.grade in asked["grade"])
        and _between(tumour.date, asked.get("diagnosed"))
        and _within(tumour.rank, asked.get("rank", {}))
    )


def _of_stage(stage: str, asked: str) -> bool:
    return stage == asked or (stage.startswith(asked) and stage[len(asked)] in "ABCDE123456789")


def _event(event: Happening, asked: dict[str, Any]) -> bool:
    return (
        ("type" not in asked or event.type in asked["type"])
        and ("site" not in asked or any(_begins(site, asked["site"]) for site in event.sites))
        and _between(event.date, asked.get("between"))
    )


def _treatment(care: Care, asked: dict[str, Any]) -> bool:
    return (
        ("type" not in asked or care.type in asked["type"])
        and ("drug" not in asked or any(_begins(drug.atc, asked["drug"]) for drug in care.drugs))
        and ("regimen" not in asked or (care.course is not None and care.course.regimen in asked["regimen"]))
        and ("act" not in asked or (care.act is not None and care.act.code in asked["act"]))
        and ("line" not in asked or (care.line is not None and _within(care.line, asked["line"])))
        and ("response" not in asked or care.response in asked["response"])
    )


def _biomarker(asked: dict[str, Any]) -> Test:
    def test(life: Life) -> bool:
        for tumour in life.tumours:
            for code in asked["code"]:
                status, value = tumour.biomarkers.get(code, (None, None))
                if status is None or ("status" in asked and status not in asked["status"]):
                    continue
                if "value" not in asked or (value is not None and _within(float(value), asked["value"])):
                    return True
        return False

    return test


def _alteration(asked: dict[str, Any]) -> Test:
    def test(life: Life) -> bool:
        for tumour in life.tumours:
            for gene in asked["gene"]:
                value = tumour.alterations.get(gene)
                status = value if value in _PLAIN_STATUSES else "mutated"
                if value and status in asked.get("status", [status]) and asked.get("variant", value) == value:
                    return True
        return False

    return test


def _diagnosis(asked: dict[str, Any]) -> Test:
    return lambda life: any(_begins(item.cim10, asked["code"]) for item in life.comorbidities)


def _family(asked: dict[str, Any]) -> Test:
    return lambda life: any(_begins(code, asked["code"]) for _, code, _ in life.family)


_FACTS: dict[str, Callable[[dict[str, Any]], Test]] = {
    "biomarker": _biomarker,
    "alteration": _alteration,
    "diagnosis": _diagnosis,
    "concept": _family,
}


def _begins(code: str, asked: list[str] | None) -> bool:
    return asked is None or code.startswith(tuple(asked))


def _within(value: float, bounds: dict[str, float]) -> bool:
    return bounds.get("min", value) <= value <= bounds.get("max", value)


def _between(day: dt.date, period: dict[str, str] | None) -> bool:
    return period is None or period.get("from", "") <= day.isoformat() <= period.get("to", "9999")
