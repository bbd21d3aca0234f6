"""What an administrator asks of sources and runs: how they are, when they are read, what waits, what goes on."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlmodel import select

from consore.api.problem import in_language
from consore.ingestion import add_source
from consore.model import AuditEntry, IngestionRun, RejectedRecord, RunProgress, Schedule, now

SET = """mutation ($id: ID!, $i: ScheduleInput!) { setSchedule(sourceId: $id, input: $i) {
    ... on Source { schedule { frequency cron words blackoutWords startsAt blackouts { weekdays start end } } }
    ... on InputProblem { code message hint } } }"""
PREVIEW = """query ($i: ScheduleInput!) { schedulePreview(input: $i) {
    ... on SchedulePreview { words blackoutWords nextReadings } ... on InputProblem { message hint } } }"""
HEALTH = """{ sources { name health { state lastSuccessAt nextAt retryAt attempts late rejectedWaiting reason message
    alerts { kind } progress { stage done total rate share etaSeconds rejected } } } }"""
MONDAYS = {"frequency": "CRON", "cron": "30 2 * * mon,thu", "timezone": "UTC"}


@pytest.fixture
def source(api_store, request):
    with api_store.session() as session:
        made = add_source(session, name=request.node.name[:60], kind="pmsi", location="/srv/pmsi.txt")
        key = made.id
    yield key
    with api_store.session() as session:
        session.delete(session.get(type(made), key))


@pytest.fixture
def english(http):
    from api_centre import ApiClient

    from consore.model import Role

    return ApiClient(http, Role.ADMIN, "en")


def health(client, name):
    return next(one["health"] for one in client.ask(HEALTH)["sources"] if one["name"] == name)


def test_a_cron_schedule_is_said_back_in_the_language_of_who_asks(admin, english, source):
    given = {**MONDAYS, "blackouts": [{"weekdays": [0, 1, 2, 3, 4], "start": "08:00", "end": "18:00"}]}
    french = admin.ask(SET, id=str(source), i=given)["setSchedule"]["schedule"]
    assert french["words"] == "chaque lundi et jeudi à 2 h 30"
    assert french["blackoutWords"] == "Pas de lecture du lundi au vendredi de 8 h à 18 h"
    told = english.ask(SET, id=str(source), i=MONDAYS)["setSchedule"]["schedule"]
    assert told["words"] == "every Monday and Thursday at 02:30"
    assert told["blackouts"] == [{"weekdays": [0, 1, 2, 3, 4], "start": "08:00", "end": "18:00"}], "null keeps them"
    gone = admin.ask(SET, id=str(source), i={**MONDAYS, "blackouts": []})["setSchedule"]["schedule"]
    assert gone["blackouts"] == []


def test_a_schedule_is_looked_at_before_it_is_set_blackouts_counted(admin, source):
    given = {**MONDAYS, "cron": "0 3 * * *", "blackouts": [{"start": "02:00", "end": "05:30"}]}
    preview = admin.ask(PREVIEW, i=given)["schedulePreview"]
    assert preview["words"] == "chaque jour à 3 h"
    assert [moment[11:16] for moment in preview["nextReadings"]] == ["05:30"] * 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cron": "30 2 * *"}, "« 30 2 * * » n’a pas les cinq champs d’une expression cron."),
        ({"cron": "30 25 * * *"}, "L’heure 25 d’une expression cron n’est pas entre 0 et 23."),
        ({"cron": "0 0 30 2 *"}, "« 0 0 30 2 * » n’arrive jamais : aucun de ces mois n’a ce jour."),
        ({"blackouts": [{"start": "8h", "end": "18:00"}]}, "« 8h » n’est pas une heure de la journée."),
        (
            {"blackouts": [{"start": "00:00", "end": "00:00"}]},
            "Les plages sans lecture ne laissent aucun moment de la semaine.",
        ),
    ],
)
def test_a_schedule_that_cannot_be_says_why_in_french(admin, source, given, message):
    assert admin.ask(SET, id=str(source), i={**MONDAYS, **given})["setSchedule"]["message"] == message
    refused = admin.ask(PREVIEW, i={**MONDAYS, **given})["schedulePreview"]
    assert refused["message"] == message
    assert refused["hint"]


def test_the_state_of_a_source_is_seen_at_a_glance(admin, api_store, source, request):
    name = request.node.name[:60]
    assert health(admin, name)["state"] == "NEVER"
    with api_store.session() as session:
        session.get(Schedule, source).frequency = "nightly"
        session.get(Schedule, source).next_run_at = now() - dt.timedelta(hours=7)
    late = health(admin, name)
    assert (late["state"], late["late"]) == ("LATE", True)
    with api_store.session() as session:
        run = IngestionRun(source_id=source, stage="read", seen=9, rejected=2)
        session.add(run)
        session.flush()
        session.add(RunProgress(run_id=run.id, stage="extract pmsi", done=30, total=120, rate=3.0))
        key = run.id
    going = health(admin, name)
    assert going["state"] == "RUNNING"
    assert going["progress"] == {
        "stage": "extract",
        "done": 30,
        "total": 120,
        "rate": 3.0,
        "share": 0.25,
        "etaSeconds": 30,
        "rejected": 2,
    }
    with api_store.session() as session:
        run = session.get(IngestionRun, key)
        run.state, run.reason, run.failure, run.ended_at = "failed", "source", "lasting", now()
        run.message = "There is no file /srv/pmsi.txt. Check the location of the source and the rights on it."
        schedule = session.get(Schedule, source)
        schedule.next_run_at = now() + dt.timedelta(hours=3)
    failed = health(admin, name)
    assert (failed["state"], failed["reason"], failed["progress"]) == ("FAILED", "source", None)
    assert failed["message"] == (
        "Le fichier /srv/pmsi.txt est absent. Vérifiez l’emplacement de la source et les droits d’y lire."
    )
    with api_store.session() as session:
        schedule = session.get(Schedule, source)
        schedule.retry_at, schedule.attempts = now() + dt.timedelta(minutes=2), 3
    retrying = health(admin, name)
    assert (retrying["state"], retrying["attempts"], retrying["nextAt"]) == ("RETRYING", 3, retrying["retryAt"])


def test_the_metrics_tell_of_each_source_even_where_no_worker_lives(http, api_store, source, request):
    with api_store.session() as session:
        session.get(Schedule, source).frequency = "nightly"
        session.get(Schedule, source).next_run_at = now() - dt.timedelta(hours=7)
    text = http.get("/metrics").text
    assert f'consore_source_late{{source="{request.node.name[:60]}"}} 1.0' in text
    assert "consore_http_requests_total" in text


def test_a_run_is_cancelled_by_an_administrator_and_that_is_audited(admin, physician, api_store, source):
    with api_store.session() as session:
        run = IngestionRun(source_id=source, trigger="schedule")
        session.add(run)
        session.flush()
        key = str(run.id)
    cancel = "mutation ($id: ID!) { cancelRun(runId: $id) { __typename ... on IngestionRun { state } } }"
    assert physician.refused(cancel, id=key)["extensions"]["code"] == "forbidden"
    assert admin.ask(cancel, id=key)["cancelRun"]["state"] == "cancelled"
    assert admin.ask(cancel, id=key)["cancelRun"]["__typename"] == "InputProblem"
    assert admin.ask(cancel, id="99999")["cancelRun"]["__typename"] == "NotFound"
    with api_store.session() as session:
        details = [entry.detail for entry in session.exec(select(AuditEntry))]
    assert {"cancel": key} in details


def test_what_was_rejected_is_counted_by_reason_and_filtered(admin, api_store, source):
    with api_store.session() as session:
        run = IngestionRun(source_id=source, state="done")
        session.add(run)
        session.flush()
        for number, reason in enumerate(["invalid_date", "invalid_date", "unknown_patient", "invalid_date"]):
            session.add(
                RejectedRecord(
                    source_id=source,
                    run_id=run.id,
                    position=f"pmsi.txt:{number}",
                    reason=reason,
                    message="The column date holds “31/02/2024”, which is no date.",
                    replayed_at=now() if number == 3 else None,
                )
            )
    reasons = admin.ask(
        "query ($id: ID!) { rejectedReasons(sourceId: $id) { reason count example { position message } } }",
        id=str(source),
    )["rejectedReasons"]
    assert [(one["reason"], one["count"]) for one in reasons] == [("invalid_date", 2), ("unknown_patient", 1)]
    assert reasons[0]["example"] == {
        "position": "pmsi.txt:1",
        "message": "La colonne date contient « 31/02/2024 », qui n’est pas une date.",
    }
    listed = (
        'query ($id: ID!, $w: Boolean) { rejectedRecords(sourceId: $id, reason: "invalid_date", waiting: $w) { id } }'
    )
    assert len(admin.ask(listed, id=str(source), w=True)["rejectedRecords"]) == 2
    assert len(admin.ask(listed, id=str(source), w=False)["rejectedRecords"]) == 3


def test_a_look_into_a_source_shows_how_its_values_look_and_no_value(admin, integrator, tmp_path):
    file = tmp_path / "administratif.csv"
    header = "ipp;nom_usage;nom_naissance;prenom;sexe;date_naissance;date_deces"
    header += ";date_dernieres_nouvelles;code_postal;commune;opposition"
    file.write_text(f"{header}\n00123;Marchant;;Élise;F;1956-02-03;;2024-01-01;35000;Rennes;0\n", encoding="utf-8")
    made = admin.ask(
        "mutation ($i: SourceInput!) { upsertSource(input: $i) { ... on Source { id } } }",
        i={"name": "à regarder", "kind": "administrative", "location": str(file)},
    )["upsertSource"]
    look = """query ($id: ID!) { checkSource(sourceId: $id) { ... on SourceCheck {
        usable columns lookedAt problems fields { name filled shapes } } } }"""
    assert integrator.refused(look, id=made["id"])["extensions"]["code"] == "forbidden"
    check = admin.ask(look, id=made["id"])["checkSource"]
    assert (check["usable"], check["lookedAt"], check["problems"]) == (True, 1, [])
    shapes = {field["name"]: field["shapes"] for field in check["fields"]}
    assert shapes["family_name"] == ["Aaaaaaaa"]
    assert shapes["birth_date"] == ["9999-99-99"]
    assert "Marchant" not in str(check)
    file.unlink()
    gone = admin.ask(look, id=made["id"])["checkSource"]
    assert not gone["usable"]
    assert gone["problems"]


def test_a_source_of_any_format_is_made_and_no_secret_is_kept_in_clear(admin):
    made = """mutation ($i: SourceInput!) { upsertSource(input: $i) {
        ... on Source { format location options } ... on InputProblem { message } } }"""
    given = {
        "name": "entrepôt",
        "kind": "pmsi",
        "location": "postgresql+psycopg://lecteur@entrepot/base",
        "format": "sql",
        "options": {"query": "select * from pmsi", "watermark": "modifie_le", "password_env": "MOT_DE_PASSE"},
    }
    source = admin.ask(made, i=given)["upsertSource"]
    assert source["format"] == "sql"
    assert source["location"] == given["location"]
    assert source["options"]["password_env"] == "MOT_DE_PASSE"
    clear = {**given, "name": "autre", "location": "postgresql://lecteur:secret@entrepot/base"}
    assert "secret" not in admin.ask(made, i=clear)["upsertSource"]["message"].replace("password", "")
    unknown = {**given, "name": "autre", "format": "fax"}
    assert "fax" in admin.ask(made, i=unknown)["upsertSource"]["message"]


def test_what_a_run_said_while_nobody_asked_is_told_in_french():
    assert in_language("Paused: a blackout has begun. It goes on when it is over.", "fr").startswith("En pause")
    said = "3 documents are no longer in the source; they are kept. Its process died; a later run went on from there."
    assert in_language(said, "fr").endswith("Son processus est mort ; une lecture suivante a repris de là.")
    assert in_language(said, "en") == said
    assert in_language("", "fr") == ""
