"""How fast histories are built: patients a second of one core, from mentions already read, and what each part takes."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from time import process_time
from typing import Any

from consore.history.beliefs import items_of
from consore.history.structure import structure
from consore.language import Reader
from consore.language.sentences import sentences
from consore.memory import uncollected
from consore.model import DocumentKind, Dossier, DossierDocument, Sex, pack_mentions, unpack_page
from consore.referentials import Terminology, terminology
from consore.settings import Settings

Rebuild = Callable[[Sequence[Dossier], Terminology, int], float]


@dataclass(frozen=True)
class HistoryBench:
    """Patients a second of CPU time of one core."""

    patients: int
    documents: int
    mentions: int
    items: int
    read: float
    unpacked: float
    structured: float
    stored: float  # unpacked and structured
    rebuilt: float  # in a store: read from its rows, unpacked, structured and written
    memory: int  # MB at the most

    def as_json(self) -> dict[str, Any]:
        """The figures."""
        return asdict(self)

    def text(self) -> str:
        """A table for people."""
        return (
            f"{self.patients} patients, {self.documents} documents, {self.mentions} mentions, {self.items} items\n"
            f"read                            {self.read:8.1f} patients a second\n"
            f"stored mentions unpacked        {self.unpacked:8.1f}\n"
            f"structured                      {self.structured:8.1f}\n"
            f"unpacked and structured         {self.stored:8.1f}\n"
            f"rebuilt in a store              {self.rebuilt:8.1f}\n"
            f"memory at the most              {self.memory:8} MB"
        )


def bench(
    settings: Settings, fiction: Sequence[tuple[dict[str, Any], Iterable[Any]]], rebuild: Rebuild, *, rounds: int = 3
) -> HistoryBench:
    """Read the reports of fictional patients once, then structure them `rounds` times from their stored mentions.

    `fiction`: (truth, reports) as `synthetic.fictional_dossiers` gives them; `rebuild`: the CPU seconds in which a
    store does it. Cycles are not looked for meanwhile, as in a batch of the store.
    """
    terms = terminology(settings.referentials, settings.cache, settings.site_referentials)
    reader = Reader.load(settings)
    dossiers: list[Dossier] = []
    started = process_time()
    for true, reports in fiction:
        written = list(reports)
        mentions = reader.read_many([(one.text, one.kind, one.date) for one in written])
        documents = [
            DossierDocument(one.id, DocumentKind(one.kind), one.date, one.text, list(found))
            for one, found in zip(written, mentions, strict=True)
        ]
        dossiers.append(Dossier(true["patient_id"], Sex(true["sex"]), documents=documents))
    read = process_time() - started
    packed = [
        [pack_mentions(document.mentions, sentences(document.text)) for document in one.documents] for one in dossiers
    ]
    for one in dossiers:
        for document in one.documents:
            document.sentences = sentences(document.text)
    structure(dossiers[0], terms)  # what is loaded once is no part of it
    with uncollected():
        started = process_time()
        for _ in range(rounds):
            for payloads in packed:
                for payload in payloads:
                    unpack_page(payload)
        unpacked = (process_time() - started) / rounds
        started = process_time()
        for _ in range(rounds):
            histories = [structure(one, terms) for one in dossiers]
        structured = (process_time() - started) / rounds
    count = len(dossiers)
    return HistoryBench(
        count,
        sum(len(one.documents) for one in dossiers),
        sum(len(document.mentions) for one in dossiers for document in one.documents),
        sum(1 for one in histories for _ in items_of(one)),
        round(count / read, 1),
        round(count / unpacked, 1),
        round(count / structured, 1),
        round(count / (unpacked + structured), 1),
        round(count / rebuild(dossiers, terms, rounds), 1),
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    )
