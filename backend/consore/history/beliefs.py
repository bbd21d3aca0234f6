"""How sure an item is, why, and under which name it is known: what a physician needs to review it.

The confidence of an item is the chance that not all who say it are wrong, as if documents erred independently,
each as often as `rules.toml` says of its kind (`sources.trust`), times the share of those who speak of it and do
not say otherwise. A sentence copied from an earlier document is not another voice.

Keys name an item in the words of what it is, never by a number, so that they mean the same after any
re-structuring: `tumour:C50:left:2019-03-04`, `event:metastatic_recurrence:2022-09-15:C50:left`,
`treatment:L01CD02:2018-09-17`, `biomarker:HER2:C50:left`. Dates and sides move when a better document comes:
`same_item` says whether a key of yesterday names an item of today.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from consore.history.clues import Clue
from consore.history.primaries import site_group
from consore.history.rules import Rules, rules
from consore.model import (
    AlterationItem,
    Believed,
    Biography,
    BiomarkerItem,
    EventItem,
    EvidenceItem,
    Laterality,
    SetAside,
    StructuredRow,
    TreatmentItem,
    TumourItem,
)

NOTHING = "-"


class Voice(NamedTuple):
    """One document or row that says an item."""

    source: str  # as in `rules.toml`
    origin: str  # of which there is one voice
    date: dt.date | None
    confidence: float


def voices(clues: Iterable[Clue] = (), rows: Iterable[StructuredRow] = ()) -> list[Voice]:
    """Who says it: each document and each row once, a copied sentence only where it was first written."""
    found: dict[str, Voice] = {}
    said: dict[str, str] = {}
    for row in rows:
        found.setdefault(row.id, Voice(row.kind, row.id, row.date, 1.0))
    for clue in clues:
        document = clue.page.document
        origin = document.id
        if said.setdefault(clue.words_of_sentence(), origin) != origin:
            continue
        held, sure = found.get(origin), clue.mention.confidence
        if held is None or held.confidence < sure:
            found[origin] = Voice(clue.source, origin, document.date, sure)
    return list(found.values())


def confidence(said: Sequence[Voice], against: Sequence[Voice] = (), *, table: Rules | None = None) -> float:
    """The chance that what these voices say is so; two decimals."""
    table = table or rules()
    doubt = 1.0
    for one in said:
        doubt *= 1 - table.trust.get(one.source, 0.5) * one.confidence
    weight = sum(table.weight.get(one.source, 1) for one in said)
    other = sum(table.weight.get(one.source, 1) for one in against)
    share = weight / (weight + other) if weight + other else 1.0
    return round((1 - doubt) * share, 2)


def calibrate(biography: Biography) -> None:
    """Turn the confidence of each item into how often such items proved right (`rules.toml`, `calibration`).

    Documents do not err independently, as `confidence` supposes: they copy each other, and a reader misreads the same
    words everywhere. What a physician said or a file holds keeps its confidence.
    """
    table = rules().calibration
    for kind, item in items_of(biography):
        if isinstance(item, SetAside) or is_reviewed(item) or not any(one.document_id for one in item.evidence):
            continue
        name = item.type if isinstance(item, EventItem | TreatmentItem) else kind
        item.confidence = round(_calibrated(item.confidence, table.get(name) or table[kind]), 2)


def _calibrated(sure: float, points: list[tuple[float, float]]) -> float:
    """The observed share at this confidence, between the points where it was measured."""
    for (low, share), (high, next_share) in pairwise(points):
        if sure <= high:
            return share + (next_share - share) * (sure - low) / (high - low)
    return points[-1][1]


def who_says(said: Sequence[Voice]) -> str:
    """The voices in French: "la fiche tumeur, 2 comptes rendus d'anatomopathologie et 1 RCP"."""
    table = rules()
    counted = Counter(one.source for one in said)
    words = []
    for source, number in sorted(counted.items(), key=lambda one: (-table.trust.get(one[0], 0), one[0])):
        singular, plural = table.called.get(source, ("document", "documents"))
        words.append(f"{number} {singular if number == 1 else plural}")
    return _joined(words) or "aucune source"


def when_said(said: Sequence[Voice]) -> str:
    """ ", du 04/03/2019 au 12/05/2021", or " du 04/03/2019", or nothing."""
    dates = sorted(one.date for one in said if one.date)
    if not dates:
        return ""
    first, last = dates[0], dates[-1]
    return f" du {french(first)}" if first == last else f", du {french(first)} au {french(last)}"


def french(day: dt.date | None) -> str:
    """A day as French people write it."""
    return f"{day.day:02}/{day.month:02}/{day.year}" if day else "date inconnue"


def name_items(biography: Biography) -> None:
    """Give every item of a history that has none its key; two items of one name are told apart by their order."""
    taken: set[str] = set()
    tumours = {item.rank: item for item in biography.tumours}
    for item in _all(biography):
        if item.key:
            taken.add(item.key)
    for owner, item in _owned(biography, tumours):
        if item.key:
            continue
        name = key_of(item, owner)
        key, number = name, 1
        while key in taken:
            number += 1
            key = f"{name}~{number}"
        item.key = key
        taken.add(key)


def key_of(item: Believed, tumour: TumourItem | None = None) -> str:
    """The key of an item; `tumour` is the one that it belongs to."""
    if isinstance(item, TumourItem):
        return ":".join(("tumour", *_place(item), _iso(item.diagnosis_date)))
    if isinstance(item, EventItem):
        return ":".join(("event", item.type.value, _iso(item.date), *_place(tumour)))
    if isinstance(item, TreatmentItem):
        drugs = "+".join(sorted(drug.atc or drug.name for drug in item.drugs))
        what = drugs or item.act_code or item.type.value
        return ":".join(("treatment", what.replace(":", "."), _iso(item.start)))
    if isinstance(item, BiomarkerItem):
        return ":".join(("biomarker", item.code, *_place(tumour)))
    if isinstance(item, AlterationItem):
        return ":".join(("alteration", item.gene, item.variant.replace(":", ".") or NOTHING, *_place(tumour)))
    if isinstance(item, SetAside):
        return ":".join(
            (
                item.item.value,
                *(str(item.values.get(name) or NOTHING) for name in ("type", "topography")),
                _iso(item.date),
            )
        )
    raise TypeError(type(item).__name__)


def same_item(key: str, item: Believed, tumour: TumourItem | None = None) -> float | None:
    """How far the item is from the one that `key` names, in days, or None where it is another.

    The same kind of thing at the same place, within the window that `rules.toml` gives (`review.same_days`); sides
    that contradict each other, and drugs of which one set does not hold the other, are other things.
    """
    if item.key == key:
        return -1.0
    wanted = key.partition("~")[0].split(":")
    mine = key_of(item, tumour).split(":")
    if wanted[0] != mine[0] or len(wanted) != len(mine):
        return None
    window = rules().review["same_days"]
    kind = wanted[0]
    if kind == "tumour":
        if wanted[1] != mine[1] or not _same_side(wanted[2], mine[2]):
            return None
        return _apart(wanted[3], mine[3], window["tumour"])
    if kind == "event":
        if wanted[1] != mine[1] or wanted[3] != mine[3] or not _same_side(wanted[4], mine[4]):
            return None
        return _apart(wanted[2], mine[2], window["event"])
    if kind == "treatment":
        one, other = set(wanted[1].split("+")), set(mine[1].split("+"))
        if not (one <= other or other <= one):
            return None
        return _apart(wanted[2], mine[2], window["treatment"])
    same = wanted[1:-1] == mine[1:-1] and _same_side(wanted[-1], mine[-1])
    return 0.0 if same else None


def review_value(item: Believed, kind: EvidenceItem) -> float:
    """What a look at the item is worth: doubt times consequence (`rules.toml`, `review.consequence`).

    Doubt is greatest at a confidence of one half: of what is surely so, and surely not, a review learns nothing.
    Consequence is what changes for the patient's care and for those who count if it is wrong.
    """
    table = rules().review["consequence"]
    name = item.type.value if isinstance(item, EventItem | TreatmentItem) else kind.value
    if isinstance(item, SetAside):
        name = str(item.values.get("type") or item.item.value)
    weight = float(table.get(name, table.get(kind.value, 0.5)))
    sure = item.confidence
    doubt = 2 * min(sure, 1 - sure)
    if item.conflicts:
        doubt = max(doubt, min(1.0, doubt + rules().review["conflict"]))
    return round(doubt * weight, 3)


def review_queue(biography: Biography) -> list[tuple[float, EvidenceItem, Believed]]:
    """The items of a history, the most worth a review first; those that a physician saw are not asked again."""
    found = [(review_value(item, kind), kind, item) for kind, item in items_of(biography) if not is_reviewed(item)]
    return sorted(found, key=lambda one: (-one[0], one[2].key))


def is_reviewed(item: Believed) -> bool:
    """Whether a physician has said something of it."""
    return any((one.row_id or "").startswith("correction:") for one in item.evidence)


def items_of(biography: Biography) -> Iterable[tuple[EvidenceItem, Believed]]:
    """Every item with its kind, those set aside last."""
    for tumour in biography.tumours:
        yield EvidenceItem.TUMOUR, tumour
        yield from ((EvidenceItem.BIOMARKER, one) for one in tumour.biomarkers)
        yield from ((EvidenceItem.ALTERATION, one) for one in tumour.alterations)
    yield from ((EvidenceItem.EVENT, one) for one in biography.events)
    yield from ((EvidenceItem.TREATMENT, one) for one in biography.treatments)
    yield from ((one.item, one) for one in biography.set_aside)


def _all(biography: Biography) -> Iterable[Believed]:
    return (item for _, item in items_of(biography))


def _owned(biography: Biography, tumours: dict[int, TumourItem]) -> Iterable[tuple[TumourItem | None, Believed]]:
    for tumour in biography.tumours:
        yield tumour, tumour
        yield from ((tumour, one) for one in (*tumour.biomarkers, *tumour.alterations))
    for item in (*biography.events, *biography.treatments):
        yield tumours.get(item.tumour_rank or 0), item
    yield from ((None, one) for one in biography.set_aside)


def _place(tumour: TumourItem | None) -> tuple[str, str]:
    if tumour is None:
        return NOTHING, NOTHING
    group = site_group(tumour.topography) if tumour.topography else NOTHING
    return group, tumour.laterality.value if tumour.laterality else NOTHING


def _same_side(one: str, other: str) -> bool:
    return {one, other} != {Laterality.LEFT.value, Laterality.RIGHT.value}


def _apart(one: str, other: str, window: int) -> float | None:
    if NOTHING in (one, other):
        return float(window)
    days = abs((dt.date.fromisoformat(one) - dt.date.fromisoformat(other)).days)
    return float(days) if days <= window else None


def _iso(day: dt.date | None) -> str:
    return day.isoformat() if day else NOTHING


def _joined(words: Sequence[str]) -> str:
    return " et ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


__all__ = [
    "Voice",
    "calibrate",
    "confidence",
    "french",
    "is_reviewed",
    "items_of",
    "key_of",
    "name_items",
    "review_queue",
    "review_value",
    "same_item",
    "voices",
    "when_said",
    "who_says",
]
