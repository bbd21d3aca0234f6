"""What an edition says beyond its rows: parents from codes, maps to other systems, names looked for in texts.

What needs judgement is a rule of `rules/cim10_topography.csv` (the longest prefix applies, its source is beside) or of
`referentials/ccam/rules.csv`. Curated attributes of shipped codes win over these when the edition is laid over them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from consore.referentials.acts import classify
from consore.referentials.importing.drafting import Draft, Entry, aliases_of
from consore.text import fold

RULES = Path(__file__).with_name("rules")
GROUP = "group"


@dataclass(frozen=True)
class Known:
    """What Consore ships of a code: an import keeps its label where the file has only a poorer one."""

    label: str
    kind: str
    parents: tuple[str, ...]


def derive(draft: Draft, known: dict[str, Known], topographies: frozenset[str]) -> None:
    """Complete every entry of a draft. `topographies`: the codes of ICD-O-3 that Consore ships."""
    _mend_labels(draft, known)
    finish = _FINISH.get(draft.kind.key)
    for code, entry in draft.entries.items():
        entry.kind = known[code].kind if code in known else draft.kind.concept
        if finish:
            finish(code, entry, draft, topographies)
        if not entry.parents and code in known:
            entry.parents = known[code].parents
    for entry in draft.entries.values():
        entry.attributes = {name: _safe(value) for name, value in entry.attributes.items() if value}


def _safe(value: str) -> str:
    return " ".join(value.replace("|", "/").split())


# Labels

_ENGLISH = re.compile(r"\b(the|of|with|and|nos|other|unspecified|malignant|skin|lung|bone|agents?|for)\b", re.I)
_FRENCH = re.compile(r"\b(de|du|des|la|le|les|et|sai|avec|autres?|tumeur|maligne?|peau|os|à|au)\b", re.I)


def _mend_labels(draft: Draft, known: dict[str, Known]) -> None:
    """A label cut short, in capitals or in English does not replace a better one that Consore ships."""
    labels = [entry.label for entry in draft.entries.values()]
    english = sum(bool(_ENGLISH.search(label)) for label in labels) > sum(
        bool(_FRENCH.search(label)) for label in labels
    )
    long = [label for label in labels if sum(map(str.isalpha, label)) > 3]
    capitals = len(long) > 0 and sum(label.isupper() for label in long) > 0.9 * len(long)
    kept_as_is = draft.kind.key in ("genes", "osiris", "bdpm", "centres")
    if kept_as_is:
        return
    draft.foreign = english
    for code, entry in draft.entries.items():
        shipped = known[code].label if code in known else ""
        if english:
            entry.attributes["label_en"] = entry.label
            entry.label = shipped or entry.label
        elif entry.extra.get("quality") == "short":
            entry.label = shipped or _sentence(entry.label)
        elif capitals:
            same = fold(shipped).split() == fold(entry.label).split()
            entry.label = shipped if same else _sentence(entry.label)


def _sentence(label: str) -> str:
    """Capitals as a sentence (`TUMEUR DU SEIN` → `Tumeur du sein`); what is not all in capitals stays."""
    return label[:1] + label[1:].lower() if label.isupper() else label[:1].upper() + label[1:]


# CIM-10


@lru_cache(maxsize=1)
def _topography_rules() -> dict[str, tuple[str, dict[str, str]]]:
    with (RULES / "cim10_topography.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["prefix"]: (row["topography"], dict([row["attributes"].split("=")] if row["attributes"] else []))
            for row in csv.DictReader(file)
        }


def topography_of(code: str, topographies: frozenset[str]) -> tuple[str, dict[str, str]]:
    """The ICD-O-3 topography of a CIM-10 code (empty: none), and what else its rule says (`secondary`).

    The longest prefix in `rules/cim10_topography.csv`, else the same site: CIM-O-3 takes its topography from C00–C80.
    """
    rules = _topography_rules()
    prefix = code
    while len(prefix) >= 3:
        if prefix in rules:
            return rules[prefix]
        prefix = prefix[:-1].rstrip(".")
    if re.match(r"C([0-7]\d|80)", code):
        found = next((one for one in (code[:5], f"{code[:3]}.9") if one in topographies and len(one) == 5), "")
        return found, {}
    return "", {}


def _finish_cim10(code: str, entry: Entry, draft: Draft, topographies: frozenset[str]) -> None:
    if entry.extra.get("class") in ("chapter", "block") or not re.match(r"[A-Z]\d\d", code) or "-" in code:
        entry.kind = GROUP
        return
    if not any(parent in draft.entries for parent in entry.parents):
        above = code[:-1].rstrip(".+")
        while len(above) >= 3 and above not in draft.entries:
            above = above[:-1].rstrip(".+")
        entry.parents = (above,) if len(above) >= 3 else tuple(entry.parents)
    if len(code) == 3 and _has_children(draft, code):
        entry.kind = GROUP
    topography, more = topography_of(code, topographies)
    entry.attributes |= {"topography": topography} | more


def _has_children(draft: Draft, code: str) -> bool:
    return any(f"{code}.{digit}" in draft.entries for digit in "0123456789+")


# CCAM


def _finish_ccam(code: str, entry: Entry, draft: Draft, _: frozenset[str]) -> None:
    if code.isdigit():
        entry.kind = GROUP
        entry.label = _sentence(entry.label)
        return
    entry.parents = tuple(dict.fromkeys((code[:4], *entry.parents)))
    entry.attributes |= classify(entry.label, code)
    entry.words.append((code, "exact", "code"))
    if "act" in entry.attributes:
        entry.words.append((entry.label, "exact", "label"))


# ICD-O-3, ADICAP


def _finish_topography(code: str, entry: Entry, draft: Draft, _: frozenset[str]) -> None:
    if "." in code and not entry.parents:
        entry.parents = (code[:3],)


def _finish_adicap(code: str, entry: Entry, draft: Draft, _: frozenset[str]) -> None:
    if entry.kind == draft.kind.concept:
        shape = "organ" if len(code) == 2 else {"D1:": "mode", "D2:": "technique"}.get(code[:3], "lesion")
        entry.kind = f"adicap_{shape}"
    entry.attributes |= {name: entry.extra.get(name, "") for name in ("topography", "morphology", "dictionary")}


# Genes

_ROLES = (("oncogene", "oncogene"), ("suppressor", "suppressor"))


def _finish_genes(code: str, entry: Entry, draft: Draft, _: frozenset[str]) -> None:
    """A cancer gene is looked for in texts by its symbol, and by aliases whose letters mean nothing else."""
    if entry.label != code:
        entry.attributes["name"] = entry.label
    entry.label = code
    roles = [name for column, name in _ROLES if fold(entry.extra.get(column, "")).strip() in ("yes", "oui", "true")]
    said = fold(entry.extra.get("type", ""))
    roles += [
        word
        for word, name in (("oncogene", "oncogene"), ("suppressor", "suppressor"), ("tsg", "suppressor"))
        if name in said
    ]
    entry.attributes |= {"role": "+".join(dict.fromkeys(roles)), "id": entry.extra.get("id", "")}
    if entry.extra.get("cancer"):
        entry.kind = "alteration"
    if entry.kind != "alteration":
        return
    safe = draft.kind.pattern("alias")
    if safe.fullmatch(code) or len(code) > 4:
        entry.words.append((code, "case", "label"))
    for alias in aliases_of(entry):
        if safe.fullmatch(alias) and draft.aliases[alias] == 1 and alias not in draft.entries:
            entry.words.append((alias, "case", "synonym"))


def _finish_osiris(code: str, entry: Entry, draft: Draft, _: frozenset[str]) -> None:
    entry.attributes["domain"] = "+".join(dict.fromkeys(entry.extra.get("domain", "").split("|")))


def _finish_centres(code: str, entry: Entry, draft: Draft, _: frozenset[str]) -> None:
    entry.attributes |= {name: entry.extra.get(name, "") for name in ("city", "legal_entity", "department")}


_FINISH: dict[str, Callable[[str, Entry, Draft, frozenset[str]], None]] = {
    "cim10": _finish_cim10,
    "ccam": _finish_ccam,
    "icdo3-topography": _finish_topography,
    "adicap": _finish_adicap,
    "genes": _finish_genes,
    "osiris": _finish_osiris,
    "centres": _finish_centres,
}
