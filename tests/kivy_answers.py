"""Recorded answers of a fictional centre, in the shape of the schema, for `kivy_replay`."""

from __future__ import annotations

from typing import Any

TEXT = """CENTRE DE LUTTE CONTRE LE CANCER – Compte rendu de consultation

Motif : suivi oncologique.

Patiente de 54 ans, suivie pour un carcinome canalaire infiltrant du sein gauche diagnostiqué en mars 2019.
Antécédents familiaux : cancer de l'ovaire chez la mère.
Histologie : grade SBR 3, RE négatif, RP négatif, HER2 négatif, Ki67 à 60 %. Classification pT2N1M0.
Traitement : mastectomie gauche le 14/04/2019, puis chimiothérapie par FEC-100 et docétaxel.
Pas de métastase hépatique. Scanner thoracique du 12/01/2022 : apparition de métastases pulmonaires bilatérales.
On propose un traitement par pembrolizumab en association à une chimiothérapie.

Examen clinique : état général OMS 1, pas d'adénopathie axillaire.

Conclusion : récidive métastatique pulmonaire d'un carcinome mammaire triple négatif.
Le dossier sera présenté en RCP de sénologie."""


def _mention(words: str, kind: str, assertion: str = "present", nth: int = 0, **more: Any) -> dict[str, Any]:
    start = -1
    for _ in range(nth + 1):
        start = TEXT.index(words, start + 1)
    return {
        "start": start,
        "end": start + len(words),
        "text": words,
        "kind": kind,
        "assertion": assertion,
        "system": None,
        "code": None,
        "label": None,
        "value": None,
        "unit": None,
        **more,
    }


MENTIONS = [
    _mention(
        "carcinome canalaire infiltrant",
        "morphology",
        system="ICD-O-3-M",
        code="8500/3",
        label="Carcinome canalaire infiltrant",
    ),
    _mention("sein gauche", "topography", system="ICD-O-3-T", code="C50.9", label="Sein"),
    _mention("mars 2019", "date"),
    _mention("cancer de l'ovaire", "topography", "family", system="ICD-O-3-T", code="C56.9", label="Ovaire"),
    _mention("grade SBR 3", "grade", value="3", system="LOCAL", code="GRADE:3", label="Grade 3"),
    _mention("RE négatif", "biomarker", value="negative", system="LOCAL", code="ER", label="Récepteurs aux œstrogènes"),
    _mention("HER2 négatif", "biomarker", value="negative", system="LOCAL", code="HER2", label="HER2"),
    _mention("Ki67 à 60 %", "biomarker", value="60", unit="%", system="LOCAL", code="KI67", label="Ki67"),
    _mention("pT2N1M0", "tnm", system="TNM", code="pT2N1M0", value="pT2N1M0"),
    _mention("mastectomie gauche", "procedure", system="LOCAL", code="PROC:mastectomy", label="Mastectomie"),
    _mention("FEC-100", "regimen", system="LOCAL", code="REG:FEC100", label="FEC 100"),
    _mention("docétaxel", "drug", system="ATC", code="L01CD02", label="docétaxel"),
    _mention(
        "métastase hépatique", "metastasis", "negated", system="ICD-O-3-T", code="C22.0", label="Métastase du foie"
    ),
    _mention(
        "métastases pulmonaires bilatérales",
        "metastasis",
        system="ICD-O-3-T",
        code="C34.9",
        label="Métastase du poumon",
    ),
    _mention("pembrolizumab", "drug", "hypothetical", system="ATC", code="L01FF02", label="pembrolizumab"),
    _mention("OMS 1", "performance_status", value="1", system="LOCAL", code="PS:1", label="OMS 1"),
    _mention(
        "récidive métastatique", "recurrence", system="LOCAL", code="REC:metastatic", label="Récidive métastatique"
    ),
]

CENTRE = {
    "code": "CLCC-A",
    "name": "Centre Jeanne-Barret",
    "finess": "990000001",
    "referentName": "Dr Hélène Vasseur",
    "referentEmail": "referent@jeanne-barret.example",
    "referentPhone": "01 00 00 00 01",
    "patientCount": 150,
    "documentCount": 6214,
    "freshness": "2026-11-22T02:10:00",
}


def _evidence(
    quote: str, start: int | None = None, document: str | None = "d1", confidence: float = 0.96
) -> dict[str, Any]:
    return {
        "documentId": document,
        "documentKind": "consultation" if document else None,
        "date": "2022-01-20",
        "start": start,
        "end": start and start + len(quote),
        "quote": quote,
        "confidence": confidence,
    }


META = "apparition de métastases pulmonaires bilatérales"
PROOF = [_evidence(f"Scanner thoracique du 12/01/2022 : {META}.", TEXT.index(META))]
SURGERY = [
    _evidence("mastectomie gauche le 14/04/2019", TEXT.index("mastectomie")),
    _evidence("QEFA010 – mastectomie totale", None, None, 1.0),
]


def _line(number: int, headline: str, **more: Any) -> dict[str, Any]:
    names = [("Lambert", "Odile"), ("Fournier", "Maïté"), ("Delacroix-Péron", "Anne-Sophie"), ("Guérin", "Yvette")]
    family, given = names[number % 4]
    return {
        "__typename": "Patient",
        "id": str(number),
        "ipp": f"8{number:06d}",
        "familyName": family,
        "givenName": given,
        "birthDate": "1967-05-03",
        "sex": "female",
        "age": 59,
        "vitalStatus": "alive",
        "headline": headline,
        "deathDate": None,
        "lastNewsDate": "2026-10-02",
        "summary": [headline],
        **more,
    }


def _item(
    number: str, kind: str, label: str, start: str, end: str | None = None, evidence: Any = None
) -> dict[str, Any]:
    return {
        "id": number,
        "kind": kind,
        "label": label,
        "start": start,
        "end": end,
        "tumourRank": 1,
        "evidence": PROOF if evidence is None else evidence,
    }


def _belief(key: str, confidence: float, why: str, *conflicts: tuple[str, str]) -> dict[str, Any]:
    told = [{"attribute": attribute, "value": value} for attribute, value in conflicts]
    return {"key": key, "confidence": confidence, "reviewed": False, "why": why, "conflicts": told}


DOUBT = _belief("event:progression:2023-07-01:C50:left", 0.42, "Écrit par 1 compte rendu d'imagerie du 01/07/2023.")
TIMELINE = {
    "from": "2019-03-01",
    "to": "2026-10-02",
    "lanes": [
        {
            "key": "diagnosis",
            "label": "Diagnostic",
            "items": [_item("e1", "initial", "Carcinome canalaire infiltrant, sein gauche", "2019-03-02")],
        },
        {
            "key": "surgery",
            "label": "Chirurgie",
            "items": [
                _item("t1", "surgery", "Mastectomie", "2019-04-14", evidence=SURGERY),
                _item("t9", "surgery", "Lobectomie", "2022-02-14"),
            ],
        },
        {
            "key": "radiotherapy",
            "label": "Radiothérapie",
            "items": [_item("t2", "radiotherapy", "Paroi 50 Gy", "2019-11-03", "2019-12-12")],
        },
        {
            "key": "systemic",
            "label": "Traitements systémiques",
            "items": [
                _item("t3", "chemotherapy", "FEC-docétaxel", "2019-05-20", "2019-10-01"),
                _item("t4", "immunotherapy", "Pembrolizumab + paclitaxel", "2022-03-01", "2023-06-20"),
                _item("t5", "targeted", "Olaparib", "2023-08-01", "2024-06-01"),
                _item("t6", "hormonotherapy", "Létrozole", "2020-01-10", "2021-12-01"),
                _item("t7", "chemotherapy", "Capécitabine", "2024-07-01", "2025-03-01"),
            ],
        },
        {
            "key": "events",
            "label": "Évènements",
            "items": [
                _item("e2", "metastatic_recurrence", "Métastases pulmonaires", "2022-01-12"),
                {**_item("e3", "progression", "Progression hépatique", "2023-07-01"), "belief": DOUBT},
                _item("e4", "local_recurrence", "Récidive cutanée", "2024-06-15"),
            ],
        },
        {
            "key": "biology",
            "label": "Biologie",
            "items": [
                _item("b1", "biology", "CA 15-3 18 U/mL", "2019-03-12"),
                _item("b2", "biology", "CA 15-3 64,5 U/mL ↑ · Hémoglobine 10,2 g/dL ↓", "2022-01-20"),
                _item("b3", "biology", "CA 15-3 112 U/mL ↑", "2023-06-28"),
            ],
        },
        {
            "key": "samples",
            "label": "Biobanque",
            "items": [_item("s1", "sample", "Tissu congelé", "2019-04-14", evidence=[])],
        },
    ],
}


def _biomarker(code: str, label: str, status: str, value: str | None = None, unit: str | None = None) -> dict[str, Any]:
    return {
        "id": code,
        "code": code,
        "label": label,
        "status": status,
        "value": value,
        "unit": unit,
        "date": "2019-03-10",
        "evidence": PROOF,
    }


BIOMARKERS = [
    _biomarker("ER", "Récepteurs aux œstrogènes", "negative"),
    _biomarker("PR", "Récepteurs à la progestérone", "negative"),
    _biomarker("HER2", "HER2", "negative"),
    _biomarker("KI67", "Ki67", "high", "60", "%"),
    _biomarker("PDL1", "PD-L1 (CPS)", "positive", "12", None),
]


def _treatment(
    number: str, kind: str, name: str, start: str, end: str | None, drugs: list[str], **more: Any
) -> dict[str, Any]:
    return {
        "id": number,
        "type": kind,
        "name": name,
        "regimen": None,
        "line": None,
        "start": start,
        "end": end,
        "intent": None,
        "response": None,
        "tumourRank": 1,
        "evidence": PROOF,
        "drugs": [{"name": drug, "atc": None} for drug in drugs],
        **more,
    }


HEADLINE = "Femme, 59 ans – carcinome canalaire infiltrant, sein gauche, 2019, métastatique"
PATIENT = _line(
    0,
    HEADLINE,
    tumours=[
        {
            "id": "1",
            "rank": 1,
            "label": "Carcinome canalaire infiltrant, sein gauche",
            "topography": "C50.9",
            "topographyLabel": "Sein",
            "morphology": "8500/3",
            "morphologyLabel": "Carcinome canalaire infiltrant",
            "laterality": "left",
            "diagnosisDate": "2019-03-02",
            "ctnm": "T2N0M0",
            "ptnm": "T2N1M0",
            "stage": "IIB",
            "grade": "3",
            "biomarkers": BIOMARKERS[:4],
            "evidence": PROOF,
        }
    ],
    events=[
        {
            "id": "e1",
            "type": "initial",
            "label": "Carcinome canalaire infiltrant, sein gauche",
            "date": "2019-03-02",
            "tumourRank": 1,
            "sites": [],
            "evidence": PROOF,
        },
        {
            "id": "e2",
            "type": "metastatic_recurrence",
            "label": "Métastases pulmonaires",
            "date": "2022-01-12",
            "tumourRank": 1,
            "sites": [{"code": "C34.9", "label": "Poumon"}],
            "evidence": PROOF,
        },
    ],
    treatments=[
        _treatment("t1", "surgery", "Mastectomie", "2019-04-14", None, [], intent="curative"),
        _treatment(
            "t3",
            "chemotherapy",
            "FEC-docétaxel",
            "2019-05-20",
            "2019-10-01",
            ["fluorouracile", "épirubicine", "cyclophosphamide", "docétaxel"],
            intent="adjuvant",
        ),
        _treatment("t2", "radiotherapy", "Paroi 50 Gy", "2019-11-03", "2019-12-12", []),
        _treatment(
            "t4",
            "immunotherapy",
            "Pembrolizumab + paclitaxel",
            "2022-03-01",
            "2023-06-20",
            ["pembrolizumab", "paclitaxel"],
            line=1,
            response="partial",
        ),
    ],
    biomarkers=BIOMARKERS,
    alterations=[
        {
            "id": "1",
            "gene": "BRCA1",
            "variant": "c.68_69delAG",
            "status": "mutated",
            "date": "2019-06-01",
            "evidence": PROOF,
        }
    ],
    samples=[{"id": "1", "type": "Tissu congelé", "status": "disponible", "date": "2019-04-14"}],
    timeline=TIMELINE,
    summary=[
        "Femme de 59 ans, carcinome canalaire infiltrant du sein gauche pT2N1M0 HER2− RE− RP− BRCA1 muté (03/2019)",
        "→ mastectomie + FEC-docétaxel + radiothérapie",
        "→ rechute pulmonaire (01/2022) → L1 pembrolizumab-paclitaxel (03/2022) → progression hépatique (07/2023) (?)",
        "Dernier traitement connu : capécitabine (début 07/2024) ; dernières nouvelles 10/2026. (?) : à vérifier.",
    ],
)
_KINDS = ["consultation", "rcp", "pathology", "surgery", "imaging", "chemotherapy", "molecular", "discharge", "letter"]
_TITLES = [
    "Consultation d'oncologie",
    "RCP de sénologie",
    "Pièce de mastectomie gauche",
    "Mastectomie gauche et curage",
    "Scanner thoraco-abdomino-pelvien",
    "Cure 1 pembrolizumab",
    "Panel BRCA",
    "Lettre de sortie",
    "Courrier au médecin traitant",
]
DOCUMENTS = [
    {
        "id": f"d{i + 1}",
        "kind": kind,
        "title": title,
        "date": f"202{i % 4 + 1}-0{i + 1}-20",
        "author": "Dr Vasseur",
        "service": "Oncologie médicale",
        "text": "",
        "mentions": [],
    }
    for i, (kind, title) in enumerate(zip(_KINDS, _TITLES, strict=True))
]
PATIENT["documents"] = {
    "totalCount": 9,
    "edges": [{"cursor": d["id"], "node": d} for d in DOCUMENTS],
    "pageInfo": {"hasNextPage": False, "endCursor": "d9"},
}
HEADLINES = [
    HEADLINE,
    "Femme, 63 ans – carcinome lobulaire infiltrant, sein droit, 2017",
    "Femme, 48 ans – carcinome canalaire infiltrant, sein droit, 2021, triple négatif",
    "Homme, 71 ans – carcinome canalaire infiltrant, sein gauche, 2020",
]
PATIENT["similar"] = [
    {
        "patient": _line(i, HEADLINES[i % 4]),
        "score": 0.93 - i * 0.11,
        "shared": [
            "Sein",
            "Carcinome canalaire infiltrant",
            "Triple négatif",
            "Métastases pulmonaires",
            "Pembrolizumab",
        ][: 5 - i],
        "different": ["Stade IIIA au lieu de IIB", "Pas de BRCA1"][: i + 1],
    }
    for i in range(1, 4)
]


def _hit(number: int) -> dict[str, Any]:
    return {
        "patient": _line(number, HEADLINES[number % 4]),
        "score": 1.0 - number / 100,
        "why": ["Sein", "Triple négatif", "Métastase"][: 3 - number % 2],
        "snippets": [
            {
                "documentId": "d1",
                "documentKind": ["consultation", "rcp", "pathology"][number % 3],
                "date": "2022-01-20",
                "html": "… conclusion : <mark>récidive métastatique</mark> pulmonaire d&#x27;un"
                " carcinome mammaire <mark>triple négatif</mark>, pembrolizumab à discuter en RCP.",
            }
        ],
    }


def _chip(label: str, text: str, start: int, kind: str, criterion: Any, *others: str) -> dict[str, Any]:
    return {
        "text": text,
        "start": start,
        "end": start + len(text),
        "kind": kind,
        "system": None,
        "code": None,
        "label": label,
        "negated": False,
        "criterion": criterion,
        "alternatives": [{"label": other.capitalize(), "text": other} for other in others],
    }


CRITERIA = {
    "all": [
        {"tumour": {"topography": ["C50"]}},
        {"biomarker": {"code": ["TNBC"]}},
        {"event": {"type": ["metastatic_recurrence"]}},
    ]
}
SEARCH = {
    "understood": [
        _chip("Sein", "cancer du sein", 0, "topography", CRITERIA["all"][0]),
        _chip("Triple négatif", "triple négatif", 15, "biomarker", CRITERIA["all"][1]),
        _chip("Métastatique", "métastatique", 30, "event", CRITERIA["all"][2], "métastatique d'emblée"),
    ],
    "words": [],
    "criteria": CRITERIA,
    "total": 43,
    "milliseconds": 12,
    "notice": None,
    "relaxations": [],
}
NEAR = [
    {"kind": "widen", "label": "Stade I à III", "text": "cancer du sein stade I à III", "criteria": None, "count": 12},
    {"kind": "drop", "label": "Sans « Triple négatif »", "text": "cancer du sein", "criteria": None, "count": 43},
]


def search_page(_: Any, text: str, page: int, perPage: int, **more: Any) -> dict[str, Any]:
    """A page of 43 patients; none for `rien`."""
    if text == "rien":
        return {**SEARCH, "total": 0, "hits": [], "relaxations": NEAR}
    first = (page - 1) * perPage
    return {**SEARCH, "hits": [_hit(i) for i in range(first, min(43, first + perPage))]}


def _facet(name: str, label: str, values: list[tuple[str, int]]) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "values": [
            {
                "value": value,
                "label": value,
                "count": count,
                "criterion": {"concept": {"system": "LOCAL", "code": [value]}},
            }
            for value, count in values
        ],
    }


FACETS = [
    _facet("topography", "Localisation", [("Sein", 43), ("Poumon", 4), ("Ovaire", 2)]),
    _facet(
        "treatment",
        "Traitement",
        [("Chimiothérapie", 39), ("Radiothérapie", 31), ("Immunothérapie", 12), ("Hormonothérapie", 6)],
    ),
    _facet("sex", "Sexe", [("Femme", 42), ("Homme", 1)]),
    _facet("year", "Année du diagnostic", [("2019", 9), ("2020", 12), ("2021", 8), ("2022", 14)]),
]


def _row(code: str, name: str, state: str, count: str | None, message: str | None = None) -> dict[str, Any]:
    return {
        "centreCode": code,
        "centreName": name,
        "state": state,
        "count": count,
        "upperBound": None,
        "freshness": "2026-11-22T02:10:00" if count else None,
        "message": message,
        "referentName": "Dr Paul Mercadier",
        "referentEmail": "referent@centre.example",
        "referentPhone": "02 00 00 00 02",
        "milliseconds": 84,
    }


COUNT = {
    "__typename": "FederatedCount",
    "requestId": "1",
    "total": "≥ 160",
    "milliseconds": 420,
    "rows": [
        _row("CLCC-A", "Centre Jeanne-Barret", "ANSWERED", "50"),
        _row("CLCC-B", "Institut Marie-Sklodowska", "ANSWERED", "120"),
        _row("CLCC-C", "Centre Louise-Bourgeois", "ANSWERED", "<10"),
        _row("CLCC-D", "Institut du Ponant", "UNREACHABLE", None, "Le centre ne répond pas."),
    ],
}


def _run(number: str, state: str, **counts: int) -> dict[str, Any]:
    return {
        "__typename": "IngestionRun",
        "id": number,
        "sourceId": "6",
        "sourceName": "Comptes rendus",
        "state": state,
        "stage": "index",
        "trigger": "schedule",
        "startedAt": "2026-11-22T02:00:00",
        "endedAt": "2026-11-22T02:10:00",
        "seen": 6214,
        "created": 38,
        "changed": 4,
        "unchanged": 6172,
        "rejected": 3,
        "message": "",
        "reason": "",
        "mayPass": False,
        "cancelling": False,
        "progress": None,
        **counts,
    }


WORDS = {
    "MANUAL": "à la main",
    "NIGHTLY": "chaque nuit à 2 h",
    "WEEKLY": "chaque lundi à 2 h",
    "MONTHLY": "le 1er de chaque mois à 2 h",
}


def _source(number: int, name: str, kind: str, frequency: str, rejected: int) -> dict[str, Any]:
    return {
        "__typename": "Source",
        "id": str(number),
        "name": name,
        "kind": kind,
        "location": f"/srv/extraits/{kind}",
        "enabled": True,
        "rejectedCount": rejected,
        "lastRun": _run(str(number), "done", rejected=rejected),
        "schedule": {
            "frequency": frequency,
            "hour": 2,
            "minute": 0,
            "weekday": 0,
            "day": 1,
            "timezone": "Europe/Paris",
            "cron": "",
            "blackouts": [],
            "startsAt": "2026-11-23T01:00:00",
            "words": WORDS[frequency],
            "blackoutWords": "",
        },
        "health": {
            "state": "OK",
            "lastSuccessAt": "2026-11-22T02:10:00",
            "nextAt": "2026-11-23T01:00:00",
            "retryAt": None,
            "attempts": 0,
            "lateSince": None,
            "reason": "",
            "message": "",
            "progress": None,
        },
    }


SOURCES = [
    _source(1, "Fichier administratif", "administrative", "NIGHTLY", 0),
    _source(2, "PMSI", "pmsi", "MONTHLY", 2),
    _source(3, "Fiches tumeur", "tumour_sheet", "WEEKLY", 0),
    _source(4, "Chimiothérapies", "chemotherapy", "NIGHTLY", 0),
    _source(5, "Biobanque", "biobank", "MANUAL", 0),
    _source(6, "Comptes rendus", "documents", "NIGHTLY", 3),
]
REJECTED = [
    {
        "id": str(i),
        "sourceId": "6",
        "runId": "6",
        "position": f"CR_{i:04d}.pdf",
        "reason": reason,
        "message": message,
        "createdAt": "2026-11-22T02:05:00",
        "replayedAt": None,
    }
    for i, (reason, message) in enumerate(
        [
            ("truncated", "Le PDF est tronqué : sa fin manque."),
            ("no_text", "Le PDF ne contient que des images."),
            ("unknown_patient", "Aucun patient ne porte l'IPP 8000999."),
        ]
    )
]
ROLES = {"medecin": "PHYSICIAN", "admin": "ADMIN", "chercheur": "RESEARCHER"}


def session(_: Any, login: str, password: str) -> dict[str, Any]:
    """Any login of `ROLES` with the password `secret`."""
    if password != "secret" or login not in ROLES:
        return {
            "__typename": "InputProblem",
            "code": "credentials",
            "message": "Identifiant ou mot de passe incorrect.",
            "hint": "Vérifiez les majuscules.",
            "field": "password",
        }
    me = {"login": login, "name": "Dr Camille Aubry", "role": ROLES[login], "centre": CENTRE}
    return {
        "__typename": "Session",
        "accessToken": f"{login}-0",
        "refreshToken": f"{login}-r0",
        "expiresAt": "2026-11-22T20:00:00",
        "me": me,
    }


def renewed(_: Any, refreshToken: str) -> dict[str, Any]:
    """The next pair of tokens; `-rN` gives N + 1."""
    login, _, number = refreshToken.rpartition("-r")
    return {
        **session(None, login, "secret"),
        "accessToken": f"{login}-{int(number) + 1}",
        "refreshToken": f"{login}-r{int(number) + 1}",
    }


def _contact(_: Any, peerCode: str, criteria: Any, purpose: str) -> dict[str, Any]:
    return {
        "__typename": "ContactRequest",
        "id": "1",
        "direction": "sent",
        "peerCode": peerCode,
        "requester": "Dr Aubry",
        "purpose": purpose,
        "criteria": criteria,
        "state": "sent",
        "answer": "",
        "createdAt": "2026-11-22T10:00:00",
    }


def _rescheduled(_: Any, sourceId: str, input: dict[str, Any]) -> dict[str, Any]:
    source = SOURCES[int(sourceId) - 1]
    source["schedule"] = {**source["schedule"], **input}
    return source


def _field(name: str, kind: str, label: str, others: list[str] | None = None, choices: Any = ()) -> dict[str, Any]:
    told = [{"value": value, "label": value} for value in others or []]
    return {"name": name, "kind": kind, "label": label, "value": None, "choices": list(choices), "others": told}


def _review(number: str, kind: str, label: str, date: str, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "key": f"key:{number}",
        "kind": kind,
        "type": None,
        "label": label,
        "date": date,
        "confidence": 0.62,
        "reviewValue": 0.7,
        "setAside": False,
        "patient": PATIENT,
        "belief": _belief(f"key:{number}", 0.62, "Écrit par 1 compte rendu d'anatomopathologie du 04/03/2019."),
        "evidence": PROOF,
        "fields": [],
        **more,
    }


SIDES = ["left", "right", "bilateral", "midline"]
REVIEW_ITEMS = [
    _review(
        "1",
        "TUMOUR",
        "carcinome canalaire infiltrant du sein gauche",
        "2019-03-02",
        belief=_belief(
            "key:1", 0.62, "Écrit par 2 comptes rendus d'anatomopathologie, du 04/03/2019 au 20/03/2019.",
            ("laterality", "right"), ("diagnosis_date", "2019-02-01"),
        ),
        fields=[
            _field("topography", "topography", "Sein"),
            _field("morphology", "morphology", "Carcinome canalaire infiltrant"),
            _field("laterality", "laterality", "left", ["right"], SIDES),
            _field("diagnosis_date", "date", "02/03/2019", ["2019-02-01"]),
            _field("ptnm", "tnm", "pT2N1M0"),
        ],
    ),
    _review(
        "2",
        "EVENT",
        "Progression hépatique",
        "2023-07-01",
        setAside=True,
        confidence=0.34,
        belief=_belief(
            "key:2", 0.34, "Non retenu : les documents suivants ne le disent plus ; écrit par 1 imagerie du 01/07/2023."
        ),
    ),
    _review("3", "TREATMENT", "Capécitabine (ligne 2)", "2024-07-01"),
]  # fmt: skip


def _queue(_: Any, first: int, kind: str | None = None, **__: Any) -> dict[str, Any]:
    found = [item for item in REVIEW_ITEMS if kind in (None, item["kind"])]
    return {
        "totalCount": len(found),
        "pageInfo": {"hasNextPage": False, "endCursor": None},
        "edges": [{"cursor": item["id"], "node": item} for item in found],
    }


def answers() -> dict[str, Any]:
    """Every answer."""
    return {
        "signIn": session,
        "refresh": renewed,
        "signOut": True,
        "search": search_page,
        "facets": FACETS,
        "suggest": [
            {"text": text, "label": text, "kind": kind, "system": None, "code": None}
            for text, kind in [
                ("cancer du sein", "topography"),
                ("cancer du sein triple négatif", "biomarker"),
                ("carcinome canalaire infiltrant", "morphology"),
                ("capécitabine", "drug"),
            ]
        ],
        "patient": PATIENT,
        "federatedCount": COUNT,
        "document": {"__typename": "Document", **DOCUMENTS[0], "text": TEXT, "mentions": MENTIONS, "patient": PATIENT},
        "cohortCount": {"__typename": "CohortCount", "count": 43, "criteria": CRITERIA, "milliseconds": 3},
        "requestContact": _contact,
        "contactRequests": [_contact(None, "CLCC-B", CRITERIA, "Faisabilité d'un essai de phase II")],
        "sources": SOURCES,
        "ingestionRuns": [_run("9", "done"), _run("8", "done", created=12), _run("7", "failed", seen=12)],
        "rejectedRecords": REJECTED,
        "reviewQueue": _queue,
        "itemForReview": {"__typename": "ReviewItem", **REVIEW_ITEMS[0]},
        "reviewItem": {"__typename": "Reviewed", "id": "12", "key": "k", "patient": PATIENT},
        "withdrawReview": {"__typename": "Reviewed", "id": "12", "key": "k", "patient": PATIENT},
        "rejectedReasons": [{"sourceId": "6", "reason": one["reason"], "count": 1, "example": one} for one in REJECTED],
        "schedulePreview": {
            "__typename": "SchedulePreview",
            "words": "chaque lundi à 2 h",
            "blackoutWords": "",
            "nextReadings": ["2026-11-23T01:00:00"],
        },
        "cancelRun": _run("10", "cancelled"),
        "replayRejected": _run("11", "running"),
        "setSchedule": _rescheduled,
        "runIngestion": _run("10", "running"),
    }
