"""SQL sources on SQLite and on a real PostgreSQL: a SELECT, read only, from its watermark, through lost connections."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from consore.errors import SourceError
from consore.model import SourceKind
from consore.sources import Mark, SourceRecord, check_source, read_source, reread_record

QUERY = "SELECT num AS id, pat AS ipp, quand AS date, nom AS analyse, val AS valeur, maj FROM resultat"


@pytest.fixture(params=["sqlite", "postgresql"])
def hospital(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A hospital's database with 2,500 results, the URL of which is given."""
    url = f"sqlite:///{tmp_path / 'his.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS resultat"))
        connection.execute(
            text("CREATE TABLE resultat (num TEXT, pat TEXT, quand DATE, nom TEXT, val NUMERIC, maj INTEGER)")
        )
        rows = [{"num": f"R{n}", "pat": str(n % 7), "nom": "PSA", "val": n / 4, "maj": n} for n in range(2_500)]
        connection.execute(text("INSERT INTO resultat VALUES (:num, :pat, '2024-03-01', :nom, :val, :maj)"), rows)
    engine.dispose()
    return url


def run(url: str, marks: dict[str, str], **options: Any) -> list[SourceRecord]:
    records = []
    for item in read_source(SourceKind.BIOLOGY, url, {"query": QUERY, **options}, mark=marks.get):
        if isinstance(item, Mark):
            marks[item.key] = item.value
        else:
            assert isinstance(item, SourceRecord)
            records.append(item)
    return records


def write(url: str, statement: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_only_what_changed_since_the_last_watermark_is_read(hospital: str) -> None:
    marks: dict[str, str] = {}
    first = run(hospital, marks, watermark="maj")
    assert len(first) == len({record.external_id for record in first}) == 2_500
    assert first[-1].values["valeur"] == "624.75"
    write(hospital, "UPDATE resultat SET val = 1, maj = 9000 WHERE num = 'R3'")
    again = run(hospital, marks, watermark="maj")
    assert [record.external_id for record in again] == ["R2499", "R3"]  # the last of before is asked again
    assert again[-1].version > again[0].version
    assert [record.external_id for record in run(hospital, marks, watermark="maj")] == ["R3"]


def test_a_query_without_watermark_is_read_whole_each_time(hospital: str) -> None:
    marks: dict[str, str] = {}
    assert len(run(hospital, marks)) == len(run(hospital, marks)) == 2_500
    assert marks == {}


def test_a_source_cannot_write(hospital: str) -> None:
    with pytest.raises(SourceError, match="no single SELECT"):
        run(hospital, {}, query="DELETE FROM resultat")
    with pytest.raises(SourceError, match="no single SELECT"):
        run(hospital, {}, query="SELECT 1; DELETE FROM resultat")
    if hospital.startswith("postgresql"):
        sneaky = "WITH gone AS (DELETE FROM resultat RETURNING *) SELECT num AS id FROM gone"
        with pytest.raises(SourceError):
            run(hospital, {}, query=sneaky)
    assert len(run(hospital, {})) == 2_500


def test_a_wrong_query_says_what_the_database_says_and_no_password(hospital: str) -> None:
    with pytest.raises(SourceError, match="refuses the query"):
        run(hospital, {}, query="SELECT nothing FROM nowhere")
    with pytest.raises(SourceError, match="lacks the columns"):
        run(hospital, {}, query="SELECT num AS id FROM resultat")
    report = check_source(SourceKind.BIOLOGY, hospital, {"query": QUERY})
    assert (report.format, report.columns[:2], report.problems) == ("sql", ("id", "ipp"), ())


def test_a_rejected_row_is_read_again_from_its_cells(hospital: str) -> None:
    write(hospital, "UPDATE resultat SET pat = NULL WHERE num = 'R3'")
    items = list(read_source(SourceKind.BIOLOGY, hospital, {"query": QUERY}))
    (rejection,) = [item for item in items if not isinstance(item, SourceRecord)]
    assert rejection.reason == "missing_ipp"
    mended = rejection.raw.replace(b'"ipp": ""', b'"ipp": "3"')
    (again,) = reread_record(SourceKind.BIOLOGY, hospital, {"query": QUERY}, rejection.position, mended)
    assert (again.external_id, again.ipp) == ("R3", "3")


@pytest.mark.parametrize("watermark", [{"watermark": "maj"}, {}])
def test_a_connection_that_is_lost_in_the_middle_loses_and_repeats_nothing(
    postgres_url: str, watermark: dict[str, str]
) -> None:
    write(postgres_url, "DROP TABLE IF EXISTS resultat")
    write(
        postgres_url,
        "CREATE TABLE resultat AS SELECT 'R' || n AS num, '1' AS pat, DATE '2024-03-01' AS quand, "
        "repeat('x', 50) AS nom, n AS val, n AS maj FROM generate_series(1, 20000) AS n",
    )
    killed = 0
    taken = []
    for item in read_source(SourceKind.BIOLOGY, postgres_url, {"query": QUERY, **watermark}):
        if isinstance(item, SourceRecord):
            taken.append(item.external_id)
        if len(taken) in (1, 7_000) and killed < 2 and isinstance(item, SourceRecord):
            killed += 1
            write(
                postgres_url,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND query LIKE '%resultat%'",
            )
    assert killed == 2
    assert len(taken) == len(set(taken)) == 20_000


def test_a_sqlite_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="refuses the query"):
        run(f"sqlite:///{tmp_path / 'nowhere.db'}", {})
    assert not (tmp_path / "nowhere.db").exists()


def test_a_password_comes_from_where_the_options_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from consore.settings import load_settings
    from consore.sources.options import secret_of

    with pytest.raises(SourceError, match="HIS_PASSWORD, which holds the password"):
        secret_of({"password_env": "HIS_PASSWORD"}, "password")
    monkeypatch.setenv("HIS_PASSWORD", "secret")
    assert secret_of({"password_env": "HIS_PASSWORD"}, "password") == "secret"
    folder = load_settings().home / "secrets"
    folder.mkdir(parents=True)
    (folder / "his").write_text("secret\n")
    with pytest.raises(SourceError, match="chmod 600"):
        secret_of({"password_file": "his"}, "password")
    (folder / "his").chmod(0o600)
    assert secret_of({"password_file": "his"}, "password") == "secret"
    with pytest.raises(SourceError, match="There is no file"):
        secret_of({"password_file": "../consore.toml"}, "password")


def test_a_locked_database_is_waited_for(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'his.db'}"
    write(url, "CREATE TABLE resultat (num, pat, quand, nom, val, maj)")
    write(url, "INSERT INTO resultat VALUES ('R1', '1', '2024-03-01', 'PSA', 1, 1)")
    engine = create_engine(url)
    connection = engine.connect()
    connection.exec_driver_sql("BEGIN EXCLUSIVE")
    threading.Thread(target=lambda: (time.sleep(0.5), connection.rollback()), daemon=True).start()
    assert len(run(url, {})) == 1
