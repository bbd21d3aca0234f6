"""Synonyms of the engine, for words that are searched in documents: `5-FU`, `5FU` and `fluorouracile` are one drug.

Servers before 30 keep synonyms in each collection, later ones in sets that a collection names; only this file knows.
"""

from __future__ import annotations

from consore.index.server import TypesenseServer
from consore.referentials import Terminology, tokens_for_index

KINDS = ("drug", "abbreviation")
LONGEST = 6  # forms of one concept: the engine tries each


def put_synonyms(engine: TypesenseServer, collection: str, terminology: Terminology) -> int:
    """Give `collection` the synonyms of the terminology's drugs and abbreviations; returns how many groups."""
    groups = _groups(terminology)
    if _major(engine.version) >= 30:
        items = [{"id": name, "synonyms": words} for name, words in groups.items()]
        engine.call(lambda c: c.synonym_sets[f"{collection}_words"].upsert({"items": items}))
        engine.call(lambda c: c.collections[collection].update({"synonym_sets": [f"{collection}_words"]}))
    else:
        for name, words in groups.items():
            engine.call(lambda c, n=name, w=words: c.collections[collection].synonyms.upsert(n, {"synonyms": w}))
    return len(groups)


def _groups(terminology: Terminology) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for kind in KINDS:
        for concept in terminology.concepts(kind=kind):
            forms = dict.fromkeys(tokens_for_index(form) for form in (concept.label, *concept.synonyms))
            words = [form for form in forms if len(form) > 2][:LONGEST]
            if len(words) > 1:
                groups[f"{concept.system}-{concept.code}".replace("/", "-").replace(":", "-")] = words
    return groups


def _major(version: str) -> int:
    """`0.24.1` → 0, `30.1` → 30."""
    head = version.split(".", 1)[0]
    return int(head) if head.isdigit() else 0
