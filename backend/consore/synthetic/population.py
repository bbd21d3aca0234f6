"""The rows of a large centre straight into a store: no file, no reading, made to be counted by the hundred thousand.

What is drawn looks like a centre where a count feels it: sites by their frequency, a skewed number of rows a patient,
words by Zipf's law, or those of generated reports where a search is to feel it. Nothing is consistent medically: the
histories of `centre` are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any

import numpy as np
from sqlalchemy import Connection, Table, text
from sqlmodel import SQLModel

from consore.language.sentences import sentences
from consore.model import (
    Act,
    Biomarker,
    Diagnosis,
    Document,
    EvidenceItem,
    Fact,
    Patient,
    Stay,
    Treatment,
    TreatmentDrug,
    Tumour,
    TumourEvent,
    TumourEventSite,
)
from consore.store import Store
from consore.store.words import GIN, keep_words
from consore.synthetic.realism import generated_texts

CHUNK = 20_000  # rows of a statement
BLOCK = 5_000  # patients whose documents or facts are drawn at once
WORDS_A_DOCUMENT = 60
VOCABULARY = 20_000

_SITES = ("C50.4", "C50.1", "C34.1", "C61.9", "C18.7", "C20.9", "C56.9", "C67.9", "C25.0", "C43.5", "C64.9", "C73.9")
_SITE_WEIGHTS = (0.14, 0.11, 0.13, 0.14, 0.10, 0.06, 0.05, 0.06, 0.06, 0.05, 0.06, 0.04)
_MORPHOLOGIES = ("8500/3", "8140/3", "8070/3", "8520/3", "8720/3", "8310/3", "8480/3", "8046/3")
_STAGES = ("I", "IA", "IIA", "IIB", "IIIA", "IIIB", "IV", None)
_EVENTS = ("initial", "local_recurrence", "metastatic_recurrence", "progression", "remission")
_METASTASES = ("C22.0", "C34.9", "C41.9", "C71.9", "C77.3")
_TYPES = ("surgery", "chemotherapy", "radiotherapy", "hormonotherapy", "targeted", "immunotherapy")
_DRUGS = ("L01FF02", "L01FD01", "L02BA01", "L01CD01", "L01XA03", "L01BC02", "L01AA01", "L02BG04")
_MARKERS = ("HER2", "ER", "PR", "KI67", "PDL1", "EGFR", "KRAS", "BRAF")
_ACTS = ("QEFA020", "QEFA001", "HHFA009", "GFFA007", "ZZNL045", "ZBQK002")
_KINDS = ("consultation", "imaging", "pathology", "rcp", "letter", "surgery")
_DAYS = [(dt.date(2005, 1, 1) + dt.timedelta(days=day)).isoformat() for day in range(7300)]


@dataclass(frozen=True, slots=True)
class Population:
    """What was written."""

    patients: int
    documents: int
    facts: int


Texts = Callable[[int], Iterator[str]]  # so many texts


def fill_store(
    store: Store,
    *,
    patients: int,
    documents: int = 20,
    facts: int = 20,
    seed: int = 1,
    texts: Texts | None = None,
) -> Population:
    """Write `patients` into an empty store, with so many documents and facts a patient on average.

    About 1.2 tumours, 3 events, 4 treatments, 4 biomarkers and 2 acts a patient come with them. Indexes of what is many
    are made at the end, which takes a tenth of the time. `texts`: of the documents, by default words that mean nothing;
    where they are given, each tumour, event, treatment and biomarker has a line of one as its evidence.
    """
    draw = _Draw(seed, patients)
    many = [index for table in (Fact, Document) for index in table.__table__.indexes]  # type: ignore[attr-defined]
    with store.engine.connect() as connection:
        for index in many:
            index.drop(connection)
        for statement in _QUICKER[store.dialect]:
            connection.exec_driver_sql(statement)
        for table, rows in _tables(draw, documents, facts, texts or draw.texts):
            _write(connection, table, rows)
        for index in many:
            index.create(connection)
        if texts:
            for item in (Tumour, TumourEvent, Treatment, Biomarker):
                connection.exec_driver_sql(_EVIDENCE.format(item=item.__tablename__, name=_ITEMS[item]))
        if store.dialect == "postgresql":
            _end_sequences(connection)
            keep_words(connection)
            connection.exec_driver_sql(GIN)
        connection.commit()
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    return Population(patients, patients * documents, patients * facts)


def report_texts(words: int, seed: int = 1) -> Texts:
    """Texts with the words of generated reports, of which `words` words are written first.

    Each is the beginning, the middle and the end of three reports that stand near one another there, which mostly tell
    of the same patient: a generator of a million whole reports would take hours.
    """
    pool = [[text[start:end] for start, end in sentences(text)] for text in generated_texts("train", words, seed=seed)]
    draw = Random(seed)

    def texts(size: int) -> Iterator[str]:
        for _ in range(size):
            place = draw.randrange(len(pool))
            near = [pool[(place + draw.randrange(NEAR)) % len(pool)] for _ in range(3)]
            yield "\n".join(
                line
                for part, lines in enumerate(near)
                for line in lines[len(lines) * part // 3 : len(lines) * (part + 1) // 3]
            )

    return texts


NEAR = 12  # reports

_QUICKER = {
    "sqlite": ("PRAGMA synchronous=OFF", "PRAGMA cache_size=-262144"),  # 256 MB
    "postgresql": ("DROP INDEX ix_documentwords_words",),
}

_ITEMS = {
    Tumour: EvidenceItem.TUMOUR.value,
    TumourEvent: EvidenceItem.EVENT.value,
    Treatment: EvidenceItem.TREATMENT.value,
    Biomarker: EvidenceItem.BIOMARKER.value,
}
_EVIDENCE = """
    INSERT INTO evidence (patient_id, item, item_id, document_id, start, "end", quote, confidence)
    SELECT i.patient_id, '{name}', i.id, d.id, 0, 12, substr(d.text, 1, 100), 0.9
    FROM {item} i JOIN (SELECT patient_id, min(id) AS id FROM document GROUP BY patient_id) f
    ON f.patient_id = i.patient_id JOIN document d ON d.id = f.id"""


class _Draw:
    """Random columns. Rows of a table belong to patients in the order of these, a skewed number each."""

    def __init__(self, seed: int, patients: int) -> None:
        self._rng = np.random.default_rng(seed)
        self.patients = patients

    def owners(self, mean: float) -> list[int]:
        """The patient of each row, `mean` rows a patient on average, some with many."""
        return self._owners(mean, 1, self.patients)

    def blocks(self, mean: float) -> Iterator[list[int]]:
        """`owners`, for some patients after the others: what is many does not fit into memory at once."""
        for first in range(1, self.patients + 1, BLOCK):
            yield self._owners(mean, first, min(first + BLOCK - 1, self.patients))

    def _owners(self, mean: float, first: int, last: int) -> list[int]:
        counts = self._rng.poisson(mean * self._rng.gamma(2.0, 0.5, last - first + 1))
        return np.repeat(np.arange(first, last + 1), counts).tolist()  # type: ignore[no-any-return]

    def of(self, values: Sequence[Any], size: int, weights: Sequence[float] | None = None) -> list[Any]:
        """So many of these values; by default the first are the most frequent."""
        if weights is None:
            ranks = 1 / np.arange(1, len(values) + 1)
            weights = list(ranks / ranks.sum())
        return [values[place] for place in self._rng.choice(len(values), size, p=weights).tolist()]

    def days(self, size: int) -> list[str]:
        """So many days of twenty years, as both databases read them."""
        return [_DAYS[day] for day in self._rng.integers(0, len(_DAYS), size).tolist()]

    def numbers(self, low: int, high: int, size: int) -> list[int]:
        """So many whole numbers, both bounds included."""
        return self._rng.integers(low, high + 1, size).tolist()  # type: ignore[no-any-return]

    def texts(self, size: int) -> Iterator[str]:
        """So many texts; the word `mot7` is seven times as rare as `mot1`."""
        ranks = 1 / np.arange(1, VOCABULARY + 1)
        bounds = np.cumsum(ranks / ranks.sum())
        known = [f"mot{_letters(rank)}" for rank in range(VOCABULARY)]
        for start in range(0, size, 1000):
            drawn = np.searchsorted(bounds, self._rng.random((min(1000, size - start), WORDS_A_DOCUMENT)))
            for line in np.minimum(drawn, VOCABULARY - 1).tolist():
                yield " ".join(known[place] for place in line)


def _letters(rank: int) -> str:
    """A rank in letters: what ends in a digit is no plural, what ends in `s` would be."""
    digits = ""
    while True:
        rank, digit = divmod(rank, 16)
        digits = "abcdefghijklmnop"[digit] + digits
        if not rank:
            return digits


def _tables(draw: _Draw, documents: int, facts: int, texts: Texts) -> Iterator[tuple[type[SQLModel], Iterable[Any]]]:
    size = draw.patients
    births = [(dt.date(1925, 1, 1) + dt.timedelta(days=day)).isoformat() for day in draw.numbers(0, 25_000, size)]
    deaths = [day if dead < 25 else None for day, dead in zip(draw.days(size), draw.numbers(0, 99, size), strict=True)]
    yield (
        Patient,
        (
            {"id": key, "ipp": f"{key:08}", "sex": sex, "birth_date": birth, "death_date": death, "opposed": no < 1}
            for key, (sex, birth, death, no) in enumerate(
                zip(draw.of(("female", "male"), size), births, deaths, draw.numbers(0, 99, size), strict=True), 1
            )
        ),
    )
    owners = draw.owners(1.2)
    yield (
        Tumour,
        _rows(
            owners,
            rank=[1] * len(owners),
            topography=draw.of(_SITES, len(owners), _SITE_WEIGHTS),
            morphology=draw.of(_MORPHOLOGIES, len(owners)),
            stage=draw.of(_STAGES, len(owners)),
            diagnosis_date=draw.days(len(owners)),
        ),
    )
    owners = draw.owners(3)
    yield TumourEvent, _rows(owners, type=draw.of(_EVENTS, len(owners)), date=draw.days(len(owners)))
    yield TumourEventSite, _of_rows("event_id", len(owners), code=draw.of(_METASTASES, len(owners)))
    owners = draw.owners(4)
    lines = [line or None for line in draw.numbers(0, 3, len(owners))]
    types = draw.of(_TYPES, len(owners))
    yield Treatment, _rows(owners, type=types, name=types, line=lines, start=draw.days(len(owners)))
    yield TreatmentDrug, _of_rows("treatment_id", len(owners), atc=draw.of(_DRUGS, len(owners)), name=types)
    owners = draw.owners(4)
    yield (
        Biomarker,
        _rows(
            owners,
            code=draw.of(_MARKERS, len(owners)),
            status=draw.of(("negative", "positive"), len(owners)),
            number=[float(number) for number in draw.numbers(0, 100, len(owners))],
            date=draw.days(len(owners)),
        ),
    )
    yield Stay, ({"patient_id": key, "number": str(key)} for key in range(1, size + 1))
    owners = draw.owners(2)
    acts = {"stay_id": owners, "code": draw.of(_ACTS, len(owners)), "date": draw.days(len(owners))}
    yield Act, _rows(owners, **acts)
    yield (
        Diagnosis,
        _rows(
            owners, stay_id=owners, code=[site[:3] for site in draw.of(_SITES, len(owners))], role=["DP"] * len(owners)
        ),
    )
    codes = [f"C{number:02}.{digit}" for number in range(80) for digit in range(10)]
    for owners in draw.blocks(facts):
        yield (
            Fact,
            _rows(
                owners,
                kind=["topography"] * len(owners),
                system=draw.of(("ICD-O-3-T", "LOCAL", "ATC", "ICD-O-3-M"), len(owners)),
                code=draw.of(codes, len(owners)),
                assertion=draw.of(("present", "negated", "history"), len(owners)),
                date=draw.days(len(owners)),
            ),
        )
    for owners in draw.blocks(documents):
        yield (
            Document,
            _rows(
                owners,
                external_id=[f"{owners[0]:08}-{number:06}" for number in range(len(owners))],
                kind=draw.of(_KINDS, len(owners)),
                date=draw.days(len(owners)),
                text=texts(len(owners)),
            ),
        )


def _rows(owners: list[int], **columns: Iterable[Any]) -> Iterator[dict[str, Any]]:
    names = ["patient_id", *columns]
    return (dict(zip(names, values, strict=True)) for values in zip(owners, *columns.values(), strict=True))


def _of_rows(owner: str, size: int, **columns: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """One row of each row of a table that was just written, which has the identifiers from 1 on."""
    names = [owner, *columns]
    return (dict(zip(names, values, strict=True)) for values in zip(range(1, size + 1), *columns.values(), strict=True))


def _write(connection: Connection, model: type[SQLModel], rows: Iterable[dict[str, Any]]) -> None:
    """Rows with their plain defaults, as each driver takes them fastest."""
    table: Table = model.__table__  # type: ignore[attr-defined]
    missing = {column.name: _default(column.default) for column in table.columns if column.default is not None}
    waiting = iter(rows)
    while some := list(islice(waiting, CHUNK)):
        more = {name: value for name, value in missing.items() if name not in some[0]}
        names = ", ".join(f'"{name}"' for name in (*some[0], *more))
        given = ((*row.values(), *more.values()) for row in some)
        with closing(connection.connection.cursor()) as cursor:
            if connection.dialect.name == "postgresql":
                with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:  # type: ignore[attr-defined]
                    for values in given:
                        copy.write_row(values)
            else:
                places = ", ".join("?" * (len(some[0]) + len(more)))
                cursor.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({places})", given)
        connection.connection.commit()  # the driver's own: SQLAlchemy knows of no transaction here


def _default(default: Any) -> Any:
    """What a column holds where nothing is given; a time as both databases read it."""
    value = default.arg(None) if default.is_callable else default.arg
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, dt.datetime) else value


def _end_sequences(connection: Connection) -> None:
    """What was written with its identifier moves PostgreSQL's counter on."""
    connection.execute(text("SELECT setval(pg_get_serial_sequence('patient', 'id'), max(id)) FROM patient"))
