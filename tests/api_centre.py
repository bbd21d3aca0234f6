"""A small fictional centre in a real store, and a client that asks its API as an app does."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlmodel import Session
from starlette.testclient import TestClient

from consore.access import save_account
from consore.model import (
    Alteration,
    Biomarker,
    Document,
    DocumentMentions,
    Evidence,
    IngestionRun,
    Mention,
    MentionKind,
    Patient,
    Role,
    Sample,
    Source,
    Treatment,
    TreatmentDrug,
    Tumour,
    TumourEvent,
    TumourEventSite,
    pack_mentions,
)
from consore.store import Store

PASSWORD = "Une-phrase-7-longue"
LOGINS = {role: f"{role.value}.essai" for role in Role}
REPORT = (
    "Compte rendu de consultation\nMadame Élise MARCHANT, née le 03/02/1956, IPP 00812345.\n"
    "Carcinome canalaire infiltrant du sein gauche. Pas de métastase hépatique.\n"
)


def fill_centre(store: Store, patients: int = 3) -> list[int]:
    """Accounts of every role, `patients` patients alike, and one more who is opposed. Gives the patients' keys."""
    with store.session() as session:
        for role, login in LOGINS.items():
            save_account(session, login, name=f"Compte {role.value}", role=role, password=PASSWORD)
        source = Source(name="Dossier administratif", kind="administrative", location="/srv/extraits/administratif.csv")
        session.add(source)
        session.flush()
        session.add(IngestionRun(source_id=source.id, state="done", seen=4, created=4))
        keys = [_patient(session, number, opposed=False) for number in range(patients)]
        _patient(session, patients, opposed=True)
        return keys


def _patient(session: Session, number: int, *, opposed: bool) -> int:
    name = "MARCHANT" if number == 0 else f"LEBRUN{number}X"
    report = REPORT.replace("MARCHANT", name).replace("00812345", f"0081234{5 + number}")
    patient = Patient(
        ipp=f"0081234{5 + number}",
        family_name=name,
        given_name="Élise",
        sex="female",
        birth_date=dt.date(1956, 2, 3),
        opposed=opposed,
    )
    session.add(patient)
    session.flush()
    key = patient.id or 0
    tumour = Tumour(
        patient_id=key,
        rank=1,
        topography="C50.4",
        morphology="8500/3",
        laterality="left",
        diagnosis_date=dt.date(2019, 3, 4),
        ptnm="pT2N1M0",
        label="carcinome canalaire infiltrant du sein gauche",
    )
    session.add(tumour)
    session.flush()
    initial = TumourEvent(
        patient_id=key, tumour_id=tumour.id, type="initial", date=dt.date(2019, 3, 4), label="Diagnostic"
    )
    relapse = TumourEvent(patient_id=key, tumour_id=tumour.id, type="metastatic_recurrence", date=dt.date(2022, 6, 1))
    surgery = Treatment(
        patient_id=key, tumour_id=tumour.id, type="surgery", name="Mastectomie", start=dt.date(2019, 4, 2)
    )
    drugs = Treatment(
        patient_id=key,
        tumour_id=tumour.id,
        type="chemotherapy",
        name="Paclitaxel",
        line=1,
        start=dt.date(2022, 7, 1),
        end=dt.date(2022, 12, 1),
    )
    session.add_all([initial, relapse, surgery, drugs])
    session.flush()
    session.add(TumourEventSite(event_id=relapse.id, code="C22.0"))
    session.add(TreatmentDrug(treatment_id=drugs.id, atc="L01CD01", name="paclitaxel"))
    session.add(Biomarker(patient_id=key, tumour_id=tumour.id, code="HER2", label="HER2", status="positive"))
    session.add(Alteration(patient_id=key, tumour_id=tumour.id, gene="PIK3CA", variant="p.H1047R"))
    session.add(Sample(patient_id=key, external_id=f"S{number}", type="tissu congelé", date=dt.date(2019, 4, 2)))
    for rank in range(3):
        document = Document(
            patient_id=key,
            external_id=f"D{number}-{rank}",
            kind="consultation" if rank else "pathology",
            title=f"Consultation de Mme {name}",
            date=dt.date(2019, 3, 1 + rank),
            author="Dr Paul Aubry",
            service="Oncologie",
            text=report,
        )
        session.add(document)
        session.flush()
        session.add(DocumentMentions(document_id=document.id, payload=pack_mentions(_mentions()), total=2))
    begin = REPORT.index("Madame")
    session.add(
        Evidence(
            patient_id=key,
            item="tumour",
            item_id=tumour.id,
            document_id=document.id,
            start=begin,
            end=begin + 20,
            quote=report[begin:],
        )
    )
    return key


def _mentions() -> list[Mention]:
    words = "Carcinome canalaire infiltrant", "MARCHANT"
    return [
        Mention(REPORT.index(word), REPORT.index(word) + len(word), word, MentionKind.MORPHOLOGY, "ICD-O-3-M", "8500/3")
        for word in words
    ]


class ApiClient:
    """A signed-in client; `ask` gives the data and fails on errors, `raw` gives the whole answer."""

    def __init__(self, http: TestClient, role: Role | None = None, language: str = "fr") -> None:
        self.http = http
        self.headers = {"Accept-Language": language}
        self.session: dict[str, Any] = {}
        if role is not None:
            self.sign_in(LOGINS[role], PASSWORD)

    def sign_in(self, login: str, password: str) -> None:
        """Open a session and send its token from now on."""
        question = """mutation ($login: String!, $password: String!) { signIn(login: $login, password: $password) {
            ... on Session { accessToken refreshToken expiresAt me { login name role } }
            ... on InputProblem { code message hint field } } }"""
        self.session = self.ask(question, login=login, password=password)["signIn"]
        self.headers["Authorization"] = f"Bearer {self.session['accessToken']}"

    def raw(self, question: str, **variables: Any) -> dict[str, Any]:
        """The whole answer, errors included."""
        answer = self.http.post("/graphql", json={"query": question, "variables": variables}, headers=self.headers)
        return answer.json()

    def ask(self, question: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer without errors."""
        answer = self.raw(question, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def refused(self, question: str, **variables: Any) -> dict[str, Any]:
        """The first error of an answer that has one."""
        answer = self.raw(question, **variables)
        assert answer.get("errors"), answer
        return answer["errors"][0]


__all__ = ["LOGINS", "PASSWORD", "REPORT", "ApiClient", "fill_centre"]
