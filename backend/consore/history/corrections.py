"""What physicians said of a history, put over what was extracted.

A correction names its item by the key that the physician saw, and is applied at every structuring, before what
depends on it: a tumour whose side is corrected places its events, a corrected event counts the lines. The item
keeps that key from then on. Where nothing found any more answers to the key, a confirmed, corrected or added item
is made again from what was seen and said; a rejected one is not missed. What the extraction said stays beside, as
a conflict.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from consore.history.beliefs import french, same_item
from consore.history.tumours import Tumours
from consore.model import (
    AlterationItem,
    Believed,
    BiomarkerItem,
    BiomarkerStatus,
    Conflict,
    CorrectionItem,
    DrugItem,
    EventItem,
    EventType,
    EvidenceRef,
    Laterality,
    SetAside,
    TreatmentItem,
    TreatmentType,
    TumourItem,
    Verdict,
)

Item = TypeVar("Item", bound=Believed)
# How the values of a correction, as JSON writes them, become those of an item; the others are taken as they are.
_READ: dict[str, Callable[[Any], Any]] = {
    "laterality": Laterality,
    "diagnosis_date": dt.date.fromisoformat,
    "date": dt.date.fromisoformat,
    "start": dt.date.fromisoformat,
    "end": dt.date.fromisoformat,
    "status": BiomarkerStatus,
    "drugs": lambda drugs: [DrugItem(str(one["name"]), one.get("atc")) for one in drugs],
    "sites": lambda codes: [str(code) for code in codes],
}
_NEVER = frozenset({"key", "confidence", "why", "conflicts", "evidence", "rank", "biomarkers", "alterations"})


def correct_tumours(tumours: Tumours, corrections: Sequence[CorrectionItem]) -> None:
    """Apply what was said of tumours and of their biomarkers and alterations; ranks are counted again."""
    for one in _of_kind(corrections, "tumour"):
        item = _named(one, tumours.items, lambda _item: None)
        if one.verdict is Verdict.REJECT:
            if item is not None:
                tumours.remove(item)
        elif item is not None:
            _write(item, one)
        else:
            tumours.add(_made(TumourItem(0, None, None), one))
    if any(one.key.startswith("tumour") for one in corrections):
        tumours.rank_again()
    for kind, model in (("biomarker", BiomarkerItem), ("alteration", AlterationItem)):
        for one in _of_kind(corrections, kind):
            _correct_markers(tumours.items, one, kind, model)


def correct_events(events: list[EventItem], tumours: Tumours, corrections: Sequence[CorrectionItem]) -> list[EventItem]:
    """The events with what was said of them."""
    return _correct(events, tumours, _of_kind(corrections, "event"), lambda one: EventItem(_event_type(one), None))


def correct_treatments(
    treatments: list[TreatmentItem], tumours: Tumours, corrections: Sequence[CorrectionItem]
) -> list[TreatmentItem]:
    """The treatments with what was said of them."""
    return _correct(
        treatments,
        tumours,
        _of_kind(corrections, "treatment"),
        lambda one: TreatmentItem(TreatmentType({**one.before, **one.values}.get("type", "other")), ""),
    )


def not_corrected(aside: Iterable[SetAside], corrections: Sequence[CorrectionItem]) -> list[SetAside]:
    """What was set aside and that no physician has judged."""
    judged = {one.key.partition("~")[0] for one in corrections}
    return [one for one in aside if one.key.partition("~")[0] not in judged]


def _correct(
    items: list[Item],
    tumours: Tumours,
    corrections: Iterable[CorrectionItem],
    make: Callable[[CorrectionItem], Item],
) -> list[Item]:
    kept = list(items)
    by_rank = {item.rank: item for item in tumours.items}
    for one in corrections:
        item = _named(one, kept, lambda item: by_rank.get(item.tumour_rank or 0))
        if one.verdict is Verdict.REJECT:
            kept = [other for other in kept if other is not item]
        elif item is not None:
            _write(item, one)
        else:
            kept.append(_made(make(one), one))
            if kept[-1].tumour_rank not in by_rank:
                kept[-1].tumour_rank = _rank_of_key(one.key, tumours)
    return kept


def _correct_markers(items: list[TumourItem], one: CorrectionItem, kind: str, model: type[Any]) -> None:
    name = f"{kind}s"
    for tumour in items:
        item = _named(one, getattr(tumour, name), lambda _item, own=tumour: own)  # type: ignore[misc]
        if item is None:
            continue
        if one.verdict is Verdict.REJECT:
            setattr(tumour, name, [other for other in getattr(tumour, name) if other is not item])
        else:
            _write(item, one)
        return
    if one.verdict is Verdict.REJECT or not items:
        return
    parts = one.key.split(":")
    made = (
        BiomarkerItem(parts[1], BiomarkerStatus.UNKNOWN)
        if model is BiomarkerItem
        else AlterationItem(parts[1], parts[2].strip("-"))
    )
    rank = _rank_of_key(one.key, Tumours(items, [])) or 1
    owner = next((item for item in items if item.rank == rank), items[0])
    setattr(owner, name, [*getattr(owner, name), _made(made, one)])


def _of_kind(corrections: Iterable[CorrectionItem], kind: str) -> list[CorrectionItem]:
    """Those of one kind, the oldest first: a later one is written over it."""
    own = [one for one in corrections if one.key.partition(":")[0] == kind]
    return sorted(own, key=lambda one: (one.at.timestamp() if one.at else 0.0, one.id))


def _named(one: CorrectionItem, items: Sequence[Any], tumour_of: Callable[[Any], TumourItem | None]) -> Any:
    """The item that the correction speaks of, or None. An added one that is found by now is that one."""
    found = [
        (days, place)
        for place, item in enumerate(items)
        if (days := same_item(one.key, item, tumour_of(item))) is not None
    ]
    return items[min(found)[1]] if found else None


def _write(item: Believed, one: CorrectionItem) -> None:
    changed = []
    for name, raw in one.values.items():
        if name in _NEVER or name not in item.__dataclass_fields__:
            continue
        value = _value(item, name, raw)
        held = getattr(item, name)
        if held != value:
            item.conflicts = [*item.conflicts, Conflict(name, _words(held), item.evidence[:1])]
            changed.append(f"{name} {_words(value)} au lieu de {_words(held)}")
            setattr(item, name, value)
    _believe(item, one, "; ".join(changed))


def _made(item: Item, one: CorrectionItem) -> Item:
    """The item from the correction alone."""
    for name, raw in {**one.before, **one.values}.items():
        if name not in _NEVER and name in item.__dataclass_fields__ and raw is not None:
            setattr(item, name, _value(item, name, raw))
    _believe(item, one, "ajouté" if one.verdict is Verdict.ADD else "")
    return item


def _believe(item: Believed, one: CorrectionItem, changed: str) -> None:
    verb = {Verdict.CONFIRM: "Confirmé", Verdict.ADD: "Ajouté"}.get(one.verdict, "Corrigé")
    when = f" le {french(one.at.date())}" if one.at else ""
    who = f" par {one.author}" if one.author else " par un médecin"
    item.why = f"{verb}{who}{when}{f' : {changed}' if changed and one.verdict is Verdict.CORRECT else ''}."
    item.confidence = 1.0
    item.key = one.key
    item.evidence = [EvidenceRef(item.why, 1.0, row_id=f"correction:{one.id}"), *item.evidence]


def _value(item: Believed, name: str, raw: Any) -> Any:
    if raw is None:
        return None
    if name == "type":
        return EventType(raw) if isinstance(item, EventItem) else TreatmentType(raw)
    return _READ[name](raw) if name in _READ else raw


def _words(value: Any) -> str:
    if value is None or value == []:
        return "inconnu"
    if isinstance(value, dt.date):
        return french(value)
    if isinstance(value, list):
        return " + ".join(getattr(one, "name", None) or str(one) for one in value)
    return str(getattr(value, "value", value))


def _event_type(one: CorrectionItem) -> EventType:
    return EventType({**one.before, **one.values}.get("type") or one.key.split(":")[1])


def _rank_of_key(key: str, tumours: Tumours) -> int | None:
    """The tumour whose site and side the end of a key writes; the only one where it writes none."""
    parts = key.partition("~")[0].split(":")
    for item in tumours.items:
        if len(parts) >= 2 and same_item(":".join(("tumour", *parts[-2:], "-")), item) is not None:
            return item.rank
    return tumours.items[0].rank if len(tumours.items) == 1 else None


__all__ = ["correct_events", "correct_treatments", "correct_tumours", "not_corrected"]
