"""One patient as the exports see them: the history and what stands around it, from the store or from the generator.

A record says nothing of who the patient is but `id`; names come only with `identity`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from consore.history import Measure
from consore.model import Biography, EventItem, Sex, TreatmentItem, TumourItem

DEATH_OF_CANCER = "cancer"
DEATH_OF_OTHER_CAUSE = "other"


@dataclass(slots=True)
class Identity:
    """Who the patient is. Only in exports that may name."""

    ipp: str
    family_name: str = ""
    birth_name: str = ""
    given_name: str = ""
    postal_code: str = ""
    city: str = ""


@dataclass(slots=True)
class Happened:
    """An event, and the place in the record's events of the one that it follows; null: its tumour's first."""

    item: EventItem
    parent: int | None = None


@dataclass(slots=True)
class Care:
    """A treatment. `ccam`: its act; `event`: the place in the record's events of the one that it treats; null: the
    tumour's first; `evaluated`: the day of `item.response`; `toxicities`: MedDRA code and CTCAE grade."""

    item: TreatmentItem
    ccam: str | None = None
    is_brachytherapy: bool = False
    event: int | None = None
    evaluated: dt.date | None = None
    toxicities: list[tuple[str, int]] = field(default_factory=list)


@dataclass(slots=True)
class Taken:
    """A sample of the biobank. `type` as the biobank writes it, `topography` ICD-O-3."""

    id: str
    type: str
    status: str
    date: dt.date | None = None
    topography: str | None = None


@dataclass(slots=True)
class Record:
    """One patient, ready to be written. `centre`: FINESS number or code.

    `related`: CIM-10 and day of other diseases; `family`: ICD-O-3 topography and OSIRIS code of the relative;
    `performance`: WHO status at the diagnosis of a tumour, by rank. `birth_is_year`: only the year of `birth` is true.
    `germline`: constitutional variants, (gene, variant); null: nobody says which is which. `is_validated`: a
    biologist signed the alterations.
    """

    id: str
    sex: Sex
    centre: str
    birth: dt.date | None = None
    birth_is_year: bool = False
    death: dt.date | None = None
    cause_of_death: str | None = None
    last_news: dt.date | None = None
    is_lost: bool = False
    tumours: list[TumourItem] = field(default_factory=list)
    events: list[Happened] = field(default_factory=list)
    cares: list[Care] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)
    samples: list[Taken] = field(default_factory=list)
    related: list[tuple[str, dt.date | None]] = field(default_factory=list)
    family: list[tuple[str, str]] = field(default_factory=list)
    performance: dict[int, int] = field(default_factory=dict)
    germline: set[tuple[str, str]] | None = None
    is_validated: bool = False
    identity: Identity | None = None

    @property
    def biography(self) -> Biography:
        """The history alone."""
        return Biography(self.id, self.tumours, [one.item for one in self.events], [care.item for care in self.cares])


__all__ = [
    "DEATH_OF_CANCER",
    "DEATH_OF_OTHER_CAUSE",
    "Care",
    "Happened",
    "Identity",
    "Measure",
    "Record",
    "Taken",
]
