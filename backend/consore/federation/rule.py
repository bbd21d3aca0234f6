"""What a centre tells another about how many patients it has: the disclosure rule.

A count under the threshold, zero included, is told as "<10"; any other is rounded *up* to the next ten (the
practice of TriNetX and NUM-CODEX). The answer depends on the population alone: asked in other words, it is
the same. Two questions whose populations differ by a few patients would give those few away together, so the
second is refused. A requester has a daily quota.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import func
from sqlmodel import Session, col, select

from consore.errors import CriteriaError
from consore.model import FederatedQuery, now
from consore.search.cohort import patient_ids
from consore.search.criteria import Criteria, parse_criteria
from consore.settings import Settings

MEMORY = dt.timedelta(days=30)
# Answers more than so many steps apart cannot have populations that nearly coincide.
STEPS_APART = 3
MOST_COMPARED = 60
ANSWERED, REFUSED = "answered", "refused"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to another centre. `count` is what may be shown; `upper_bound` the most that it can mean."""

    state: str
    count: str | None = None
    upper_bound: int | None = None
    message: str = ""
    population_sha256: str = ""


def decide(session: Session, settings: Settings, peer_code: str, criteria: Criteria) -> Answer:
    """The answer to a question of `peer_code`; opposed patients are in no population.

    Populations are compared as they are today, so that new patients since an earlier answer refuse nothing.
    """
    if asked_today(session, peer_code) >= settings.federation_daily_quota:
        return Answer(REFUSED, message="Le quota quotidien de questions de votre centre est atteint. Réessayez demain.")
    population = patient_ids(session, criteria)
    threshold = settings.federation_threshold
    told = disclosed(len(population), threshold)
    for earlier in _earlier(session, peer_code, criteria, told, threshold):
        if is_differencing(population, patient_ids(session, earlier), threshold):
            return Answer(
                REFUSED,
                message="Cette question ne diffère d'une question précédente que par quelques patients : "
                "les deux réponses ensemble en diraient trop. Élargissez-la ou reprenez la précédente.",
                population_sha256=population_hash(population),
            )
    return Answer(ANSWERED, told, upper_bound(told), population_sha256=population_hash(population))


def disclosed(count: int, threshold: int) -> str:
    """The count as it may be told: "<10", else the next multiple of the threshold at or above it."""
    if count < threshold:
        return f"<{threshold}"
    return str(-(-count // threshold) * threshold)


def upper_bound(told: str) -> int:
    """The most patients that a told count can mean: 9 for "<10", 40 for "40"."""
    return int(told[1:]) - 1 if told.startswith("<") else int(told)


def is_differencing(population: Sequence[int], earlier: Sequence[int], threshold: int) -> bool:
    """Whether two answers would give a few patients away: the populations differ, by less than the threshold.

    Two populations that are both under the threshold are told alike whoever is in them, so they give nothing away.
    """
    if len(population) < threshold and len(earlier) < threshold:
        return False
    return 0 < len(set(population) ^ set(earlier)) < threshold


def population_hash(population: Iterable[int]) -> str:
    """SHA-256 of a population, whatever the order of its patients."""
    return hashlib.sha256(",".join(map(str, sorted(population))).encode("ascii")).hexdigest()


def asked_today(session: Session, peer_code: str) -> int:
    """How many questions this peer has asked since midnight UTC, refused ones included."""
    midnight = now().replace(hour=0, minute=0, second=0)
    statement = select(func.count()).select_from(FederatedQuery)
    statement = statement.where(
        FederatedQuery.direction == "in", FederatedQuery.peer_code == peer_code, col(FederatedQuery.at) >= midnight
    )
    return session.exec(statement).one()


def _earlier(session: Session, peer_code: str, criteria: Criteria, told: str, threshold: int) -> list[Criteria]:
    """The other questions answered to this peer lately whose answers were near this one, newest first."""
    statement = (
        select(FederatedQuery)
        .where(
            FederatedQuery.direction == "in",
            FederatedQuery.peer_code == peer_code,
            FederatedQuery.state == ANSWERED,
            col(FederatedQuery.at) >= now() - MEMORY,
        )
        .order_by(col(FederatedQuery.id).desc())
    )
    own = criteria.canonical()
    found: dict[str, Criteria] = {}
    for query in session.exec(statement):
        if abs(upper_bound(query.answer) - upper_bound(told)) > STEPS_APART * threshold:
            continue
        try:
            other = parse_criteria(query.criteria)
        except CriteriaError:  # written by an earlier version that knew other criteria
            continue
        if other.canonical() != own:
            found.setdefault(other.canonical(), other)
        if len(found) >= MOST_COMPARED:
            break
    return list(found.values())
