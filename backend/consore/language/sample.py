"""Fictional reports without end, to measure speed where no corpus is at hand. The same ones every time."""

from __future__ import annotations

import random
from collections.abc import Iterator

_SENTENCES = (
    "Patiente de {a} ans suivie pour un carcinome canalaire infiltrant du sein gauche, pT2N{d}M0, grade SBR {d}.",
    "RE {p} %, RP négatifs, HER2 score {d}+, Ki67 à {p} %.",
    "Mastectomie gauche avec curage axillaire le {j:02d}/{m:02d}/20{y}, suites opératoires simples.",
    "Chimiothérapie adjuvante par FEC 100 puis docétaxel 100 mg/m², {d} cures, fin en 20{y}.",
    "Radiothérapie {p} Gy en {j} fractions sur la paroi et les aires ganglionnaires sus-claviculaires.",
    "Le scanner thoraco-abdomino-pelvien du {j} mars 20{y} ne retrouve pas de localisation secondaire.",
    "Apparition de multiples métastases hépatiques, la plus volumineuse mesurant {p} mm dans le segment {d}.",
    "Adénocarcinome du côlon sigmoïde moyennement différencié, classé pT3 N{d} M0, marges saines.",
    "Statut MSS, KRAS muté p.G12D, BRAF sauvage.",
    "On propose une {d}e ligne par FOLFIRI et bévacizumab, à débuter dans les {d} semaines.",
    "Antécédents : hypertension artérielle, appendicectomie en 19{p}, tabagisme sevré à {p} paquets-années.",
    "Sa mère a été traitée pour un cancer du sein à {a} ans.",
    "État général conservé, OMS {d}, poids {p} kg, pas de douleur.",
    "À l'examen, l'abdomen est souple, indolore, sans masse palpable ni hépatomégalie.",
    "Absence d'adénopathie médiastinale ou axillaire suspecte.",
    "Biopsie transthoracique le {j:02d}/{m:02d}/20{y} : adénocarcinome bronchique, TTF1 positif, PD-L1 TPS {p} %.",
    "PSA à {d},{j} ng/ml, score de Gleason 7 (3+4) sur {d} des 12 biopsies.",
    "Réponse partielle après {d} cycles, bonne tolérance hormis une neuropathie de grade {d}.",
    "Suspicion de récidive locale sur la mammographie, une IRM sera réalisée.",
    "Progression de la maladie en {j} mois avec apparition de lésions osseuses lytiques du bassin.",
    "Je vous remercie de m'avoir adressé ce patient et reste à votre disposition.",
    "Le bilan biologique est sans particularité, hémoglobine {p} g/l, plaquettes {a}{d}000.",
    "Le prélèvement n{d} mesure {p} x {j} mm et montre une prolifération épithéliale d'architecture trabéculaire.",
    "La tumeur infiltre la musculeuse sans atteindre la séreuse, avec {d} ganglions envahis sur {j}.",
)


def reports(seed: int = 1) -> Iterator[str]:
    """Reports of 20 sentences with changing figures."""
    chance = random.Random(seed)
    while True:
        lines = []
        for sentence in chance.choices(_SENTENCES, k=20):
            figures = {"a": chance.randint(30, 90), "d": chance.randint(1, 3), "p": chance.randint(10, 95)}
            dates = {"j": chance.randint(1, 28), "m": chance.randint(1, 12), "y": chance.randint(10, 25)}
            lines.append(sentence.format(**figures, **dates))
        yield "\n".join(lines)
