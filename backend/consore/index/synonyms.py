"""Synonyms of the engine, for words that are searched in documents: `HTA` and `hypertension artérielle` are one thing.

Drugs, sites and all that has a code need none: a question's codes are criteria before they are words.
Servers before 30 keep synonyms in each collection, later ones in sets that a collection names; only this file knows.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from consore.index.server import TypesenseServer
from consore.referentials import Terminology, tokens_for_index

SHORTEST = 3  # letters: two mean too many things
AT_ONCE = 8


def put_synonyms(engine: TypesenseServer, collection: str, terminology: Terminology) -> int:
    """Give `collection` the terminology's abbreviations with what they stand for; returns how many."""
    groups = _groups(terminology)
    if _major(engine.version) >= 30:
        items = [{"id": name, "synonyms": words} for name, words in groups.items()]
        engine.call(lambda c: c.synonym_sets[f"{collection}_words"].upsert({"items": items}))
        engine.call(lambda c: c.collections[collection].update({"synonym_sets": [f"{collection}_words"]}))
        return len(groups)

    def put(group: tuple[str, list[str]]) -> None:
        name, words = group
        engine.call(lambda c: c.collections[collection].synonyms.upsert(name, {"synonyms": words}))

    # Each is a write that the engine acknowledges from its disk: together they take as long as a few.
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(put, groups.items()))
    return len(groups)


def _groups(terminology: Terminology) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for concept in terminology.concepts(kind="abbreviation"):
        forms = dict.fromkeys(tokens_for_index(form) for form in (concept.code, concept.label, *concept.synonyms))
        words = [form for form in forms if len(form) >= SHORTEST]
        if len(words) > 1:
            groups[f"abbreviation-{tokens_for_index(concept.code).replace(' ', '-')}"] = words
    return groups


def _major(version: str) -> int:
    """`0.24.1` → 0, `30.1` → 30."""
    head = version.split(".", 1)[0]
    return int(head) if head.isdigit() else 0
