"""The questions written by hand (`unit/search/questions.jsonl`) with the criteria that they mean.

A line: `text`, `criteria` (criteria JSON with shorthand, null where only words are left), `words` left, `kept` (half of
them, never looked at while the rules were written). Shorthand, as a string in the place of a node: `@metastatic`,
`@de_novo`, `@TNBC`, `@HR+`, `@HR-`, `@mutated GENE`, `@wild_type GENE`, `@RAS wt`, `@PROC act`, `@cue LABEL`; a
morphology `~8140/3` means its family.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import consore.search
from consore.referentials import terminology
from consore.search.terms import codes_under

FILE = Path(__file__).parent / "unit" / "search" / "questions.jsonl"
Json = dict[str, Any]
_STATUSES = {"mutated": ["mutated", "positive"], "wild_type": ["wild_type", "negative"]}


@dataclass(frozen=True)
class WrittenQuestion:
    """A question and what it means, in full."""

    text: str
    criteria: Json | None
    words: list[str]
    kept: bool


def written_questions(*, kept: bool) -> list[WrittenQuestion]:
    """One half of the questions."""
    rows = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    return [
        WrittenQuestion(row["text"], canonical(_whole(row["criteria"])), row["words"], row["kept"])
        for row in rows
        if row["kept"] is kept
    ]


def canonical(node: Any) -> Any:
    """Criteria in one of the ways to write them: no `all` in `all`, lists sorted, equal leaves joined."""
    if isinstance(node, list):
        return sorted((canonical(item) for item in node), key=_line)
    if not isinstance(node, dict):
        return float(node) if isinstance(node, int) and not isinstance(node, bool) else node
    ((key, value),) = node.items() if len(node) == 1 else ((None, None),)
    if key == "none":
        # None of several things is none of each.
        parts = [{"none": [canonical(item)]} for item in value]
        return parts[0] if len(parts) == 1 else canonical({"all": parts})
    if key in ("all", "any"):
        flat: list[Any] = []
        for item in value:
            made = canonical(item)
            flat += made[key] if set(made) == {key} else [made]
        unique = {_line(item): item for item in (_joined(flat) if key == "any" else flat)}
        ordered = [unique[line] for line in sorted(unique)]
        return ordered[0] if len(ordered) == 1 else {key: ordered}
    return {name: canonical(item) for name, item in node.items()}


def _joined(options: list[Any]) -> list[Any]:
    """Leaves that differ in one list alone are one leaf with both: one drug or the other."""
    done: list[Any] = []
    for option in options:
        for place, other in enumerate(done):
            one = _union(option, other)
            if one is not None:
                done[place] = one
                break
        else:
            done.append(option)
    return done


def _union(one: Json, other: Json) -> Json | None:
    if set(one) != set(other) or len(one) != 1 or set(one) & {"all", "any", "none", "sequence", "count"}:
        return None
    ((name, first),) = one.items()
    second = other[name]
    differing = [key for key in {*first, *second} if first.get(key) != second.get(key)]
    if len(differing) != 1 or not isinstance(first.get(differing[0]), list) or differing[0] not in second:
        return None
    merged = sorted({*first[differing[0]], *second[differing[0]]})
    return {name: {**first, differing[0]: merged}}


def _line(node: Any) -> str:
    return json.dumps(node, sort_keys=True, ensure_ascii=False)


def _whole(node: Any) -> Any:
    """Criteria without shorthand."""
    if isinstance(node, str):
        return _node_of(node) if node.startswith("@") else node
    if isinstance(node, list):
        return [part for item in node for part in _codes(item)]
    if isinstance(node, dict):
        return {key: _whole(value) for key, value in node.items()}
    return node


def _codes(item: Any) -> list[Any]:
    if isinstance(item, str) and item.startswith("~"):
        return codes_under(terminology().widened("ICD-O-3-M", item[1:]))
    return [_whole(item)]


def _node_of(shorthand: str) -> Json:
    name, _, rest = shorthand[1:].partition(" ")
    match name:
        case "metastatic":
            return _cues()["Maladie métastatique"]
        case "de_novo":
            return _cues()["Métastatique au diagnostic"]
        case "cue":
            return _cues()[rest]
        case "TNBC":
            negative = [{"biomarker": {"code": [code], "status": ["negative"]}} for code in ("ER", "PR", "HER2")]
            return {"any": [{"all": negative}, {"biomarker": {"code": ["TNBC"], "status": ["positive"]}}]}
        case "HR+" | "HR-":
            status = "positive" if name == "HR+" else "negative"
            one, *both = ({"biomarker": {"code": [code], "status": [status]}} for code in ("HR", "ER", "PR"))
            return {"any": [one, *both] if status == "positive" else [one, {"all": both}]}
        case "mutated" | "wild_type":
            statuses = _STATUSES[name]
            return {
                "any": [
                    {"alteration": {"gene": [rest], "status": statuses}},
                    {"biomarker": {"code": [rest], "status": statuses}},
                ]
            }
        case "RAS":
            one = {"biomarker": {"code": ["RAS"], "status": _STATUSES["wild_type"]}}
            neither = {"all": [_node_of("@wild_type KRAS"), {"none": [_node_of("@mutated NRAS")]}]}
            return {"any": [one, neither]}
        case "PROC":
            code = f"PROC:{rest}"
            return {"any": [{"treatment": {"act": [code]}}, {"concept": {"system": "LOCAL", "code": [code]}}]}
    raise ValueError(shorthand)


@lru_cache(maxsize=1)
def _cues() -> dict[str, Json]:
    table = Path(consore.search.__file__).with_name("questions.toml").read_text(encoding="utf-8")
    return {cue["label"]: cue["criterion"] for cue in tomllib.loads(table)["cue"]}
