"""How the chips of a question hold together: what belongs to one row, one tumour, what is one of several.

« pembrolizumab en 2e ligne » is one treatment, « cancer du sein gauche stade II » one tumour. Chips stay apart for the
user to take away; the criteria bind them. Words around a chip are `wording`'s, the order of things `order`'s.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

from consore.search.chips import Chip, Json
from consore.search.clause import TREATMENTS, Clause, TumourClause, is_treatment, with_more
from consore.search.criteria import Criteria, parse_criteria
from consore.search.order import ordered
from consore.search.phrases import LINK, rules
from consore.search.wording import as_worded


def compose(chips: list[Chip], plain: str) -> tuple[list[Chip], Criteria | None]:
    """The chips as they are to be shown, and the criteria of all together.

    `chips`: what was recognised, in the order of the question; `plain`: the question, normalised.
    """
    chips = as_worded(chips, plain)
    clauses = [Clause(chip.start, chip.end, chip.kind, chip.criterion, chip.negated, [chip]) for chip in chips]
    clauses = _bound(_one_of(clauses, plain), plain)
    tumours, others = _tumours(clauses, plain)
    clauses, links = ordered(others, tumours, plain)
    nodes: list[Json] = [{"tumour": tumour.leaf} for tumour in tumours if tumour.leaf and not tumour.used]
    nodes += [{"none": [clause.criterion]} if clause.negated else clause.criterion for clause in clauses]
    shown = [links.get(chip.start) if chip.kind == LINK else _with_negation(chip) for chip in chips]
    return [chip for chip in shown if chip], _criteria(nodes)


def _with_negation(chip: Chip) -> Chip:
    return replace(chip, criterion={"none": [chip.criterion]}) if chip.negated else chip


def _criteria(nodes: list[Json]) -> Criteria | None:
    unique = list({json.dumps(node, sort_keys=True): node for node in nodes}.values())
    if not unique:
        return None
    return parse_criteria(unique[0] if len(unique) == 1 else {"all": unique})


# --- What belongs to one row --------------------------------------------------------------------------------

_BY = re.compile(
    r"\s*(?:(?:par|a base|avec|de type|type|comportant|associant|selon|:|\(|en|du|de|d'|le protocole|protocole|une|un)"
    r" ?)*\s*"
)
_IN_LINE = re.compile(
    r"[ ,(]*(?:(?:en|de|des|la|par|avec|sous|:|du|traitement|recu|ayant|traitee?s?|metastatiques?) ?)*"
)
_UNDER = re.compile(r"\s*(?:(?:sous|apres|au|a|de|du|avec|par|d'|la|le|un|traitement|ligne) ?)*\s*")


def _one_of(clauses: list[Clause], plain: str) -> list[Clause]:
    """« nivolumab ou pembrolizumab »: one is enough. Tumour attributes are lists already."""
    result: list[Clause] = []
    for clause in clauses:
        previous = result[-1] if result else None
        if (
            previous
            and LINK not in (previous.kind, clause.kind)
            and previous.negated == clause.negated
            and not previous.negated
            and "tumour" not in (previous.key, clause.key)
            and rules().either.search(plain[previous.end : clause.start])
        ):
            old = previous.criterion
            options = old["any"] if "any" in old and len(previous.chips) > 1 else [old]
            previous.criterion = {"any": [*options, clause.criterion]}
            previous.end = clause.end
            previous.chips += clause.chips
        else:
            result.append(clause)
    return result


def _bound(clauses: list[Clause], plain: str) -> list[Clause]:
    """A line, a response, a kind of treatment and its drug, joined where they stand together."""
    result: list[Clause] = []
    waiting: Clause | None = None  # a line before its treatment
    for clause in clauses:
        previous = result[-1] if result else None
        gap = plain[previous.end : clause.start] if previous else ""
        if (
            clause.kind == "line"
            and previous
            and not previous.negated
            and is_treatment(previous)
            and _IN_LINE.fullmatch(gap)
        ):
            for one in _together(result, plain):
                one.criterion = with_more(one.criterion, TREATMENTS, clause.criterion["treatment"])
            previous.end = clause.end
            previous.chips += clause.chips
            continue
        if previous and not clause.negated and is_treatment(clause):
            if previous.kind == "line" and previous is waiting and _IN_LINE.fullmatch(gap):
                _join(previous, clause, with_more(clause.criterion, TREATMENTS, previous.criterion["treatment"]))
                previous.kind = clause.kind
                waiting = None
                continue
            response = _response(previous.criterion)
            if response and _UNDER.fullmatch(gap):
                _join(previous, clause, with_more(clause.criterion, TREATMENTS, {"response": [response]}))
                previous.kind = clause.kind
                continue
            line = previous.criterion.get("treatment", {}).get("line")
            if line and previous.chips[0].kind == "line" and _TOGETHER.fullmatch(gap):
                clause.criterion = with_more(clause.criterion, TREATMENTS, {"line": line})
                clause.chips.insert(0, previous.chips[0])
                result.append(clause)
                continue
            if _is_a_kind(previous) and clause.kind in ("drug", "regimen") and _BY.fullmatch(gap):
                kind = {"type": previous.criterion["treatment"]["type"]}
                kept = dict(previous.criterion["treatment"])
                _join(previous, clause, with_more(clause.criterion, TREATMENTS, {**kept, **kind}))
                previous.kind = clause.kind
                continue
        result.append(clause)
        waiting = clause if clause.kind == "line" else None
    return result


_TOGETHER = re.compile(
    r"\s*(?:et|\+|,|/|plus|associee?s? (?:a|au)|en association avec|avec)\s*(?:(?:du|de|d'|le|la|l') ?)?"
)


def _together(clauses: list[Clause], plain: str) -> list[Clause]:
    """The last clauses that are treatments given together: « palbociclib et létrozole »."""
    found = [clauses[-1]]
    for one in clauses[-2::-1]:
        if (
            not is_treatment(one)
            or one.negated
            or "line" in one.criterion.get("treatment", {})
            or not _TOGETHER.fullmatch(plain[one.end : found[-1].start])
        ):
            break
        found.append(one)
    return found


def _join(one: Clause, other: Clause, criterion: Json) -> None:
    one.criterion, one.end = criterion, other.end
    one.chips += other.chips


def _is_a_kind(clause: Clause) -> bool:
    """« chimiothérapie », with its line and period perhaps, but no drug yet."""
    leaf = clause.criterion.get("treatment", {})
    return "type" in leaf and not clause.negated and not {"drug", "regimen", "act"} & set(leaf)


def _response(criterion: Json) -> str | None:
    codes = criterion.get("concept", {}).get("code", [""])
    return codes[0].removeprefix("RESP:") if codes[0].startswith("RESP:") else None


# --- Tumours ------------------------------------------------------------------------------------------------


def _tumours(clauses: list[Clause], plain: str) -> tuple[list[TumourClause], list[Clause]]:
    """The tumours that the question speaks of, each with its attributes; and all that is not a tumour's.

    Lists of one attribute mean « one of »; « sein et ovaire » are two tumours, and so are two sides.
    """
    tumours: list[TumourClause] = []
    others: list[Clause] = []
    linked = False
    for clause in clauses:
        if clause.key != "tumour" or clause.negated or "rank" in clause.criterion["tumour"]:
            linked = linked or clause.kind == LINK
            others.append(clause)
            continue
        leaf = clause.criterion["tumour"]
        current = tumours[-1] if tumours else None
        gap = plain[current.end : clause.start] if current else ""
        named = set(leaf) & {"topography"} and current is not None and "topography" in current.leaf
        apart = bool(named) and (linked or re.search(r"\bet\b|\bautre\b|\+", gap) is not None)
        conflict = current is not None and any(
            key in current.leaf and current.leaf[key] != value and not isinstance(value, list)
            for key, value in leaf.items()
        )
        if current is None or apart or conflict:
            tumours.append(TumourClause(dict(leaf), clause.start, clause.end, clause.label))
        else:
            for key, value in leaf.items():
                old = current.leaf.get(key)
                current.leaf[key] = list(dict.fromkeys([*old, *value])) if isinstance(old, list) else value
            current.end = clause.end
        if named or current is None:
            linked = False
    return tumours, others
