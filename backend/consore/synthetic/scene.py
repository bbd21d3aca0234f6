"""What one report may speak of, seen from its date: the slots of the grammar for one patient at one moment."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from random import Random
from typing import Any

from consore.synthetic.knowledge import Course, Place, acts, biomarkers, course, diseases, names, sites, targets
from consore.synthetic.trajectory import Alarm, Benign, Care, Happening, Lab, Life, Tumour
from consore.synthetic.writing import GRAMMARS, CannotSay, Piece, Said, grammar

MONTHS = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
]
_NUMBERS = ["zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix"]
_SIDES = {"left": ("gauche", "gauche"), "right": ("droit", "droite")}


# The rule that concludes a report, by its kind and topic.
_CONCLUSIONS = {
    ("imaging", "diagnosis"): "img_conclusion_neg",
    ("imaging", "staging"): "img_met_conclusion",
    ("imaging", "recurrence"): "img_rec_conclusion",
    ("imaging", "progression"): "img_prog_conclusion",
    ("imaging", "evaluation"): "img_eval_conclusion",
    ("imaging", "alarm"): "img_alarm_conclusion",
    ("imaging", "refuted"): "img_refute_conclusion",
    ("pathology", "biopsy"): "path_conclusion",
    ("pathology", "surgery"): "path_piece_conclusion",
    ("molecular", "result"): "mol_text",
}
_SUPPORT = [
    ("ondansétron", "A04AA01", "8 mg x 2 pendant 3 jours"),
    ("aprépitant", "A04AD12", "125 mg puis 80 mg"),
    ("filgrastim", "L03AA02", "30 MU/j de J5 à J10"),
    ("paracétamol", "N02BE01", "1 g si besoin"),
]


@dataclass(slots=True)
class Moment:
    """A report to write: of what kind, about what, when."""

    date: dt.date
    kind: str
    topic: str
    tumour: Tumour | None
    care: Care | None = None
    event: Happening | None = None
    alarm: Alarm | None = None
    cycle: int = 0
    benign: Benign | None = None


@dataclass(slots=True)
class PatientScene:
    """The slots for one moment of one life, written by one author."""

    life: Life
    moment: Moment
    style: str
    author: str
    split: str
    centre: str = "Centre de lutte contre le cancer"
    focus: Tumour | None = None
    recap: list[Piece] = field(default_factory=list)
    earlier: list[Moment] = field(default_factory=list)
    used: set[tuple[str, int]] = field(default_factory=set)
    _memory: dict[str, str] = field(default_factory=dict)
    _own: dict[str, Sequence[int]] = field(default_factory=dict)

    @property
    def tumour(self) -> Tumour:
        """The tumour that the report is about. Raises CannotSay for a patient who has none."""
        found = self.focus or self.moment.tumour
        if found is None:
            raise CannotSay("tumour")
        return found

    def say(self, slot: str, rng: Random) -> Sequence[Piece]:
        """The pieces of a slot. See `_slot_…` below for the names; raises CannotSay."""
        name, _, argument = slot.partition(":")
        method = getattr(self, "_slot_" + name, None)
        if method is None:
            raise KeyError(f"No slot {slot!r}")
        told = method(rng, argument) if argument else method(rng)
        if told is None:
            raise CannotSay(slot)
        return [Piece(told)] if isinstance(told, str) else told

    # --- the patient -------------------------------------------------------------------------------------

    def _slot_age(self, rng: Random) -> str:
        return str(self.life.age(self.moment.date))

    def _slot_civility(self, rng: Random) -> str:
        return "Madame" if self.life.sex == "F" else "Monsieur"

    def _slot_mme(self, rng: Random) -> str:
        return rng.choice(["Mme", "Madame"]) if self.life.sex == "F" else rng.choice(["M.", "Monsieur"])

    def _slot_name(self, rng: Random) -> str:
        return self.life.family_name

    def _slot_NAME(self, rng: Random) -> str:
        return self.life.family_name.upper()

    def _slot_first(self, rng: Random) -> str:
        return self.life.given_name

    def _slot_birth(self, rng: Random) -> str:
        return self.life.birth.strftime("%d/%m/%Y")

    def _slot_ipp(self, rng: Random) -> str:
        return self.life.ipp

    def _slot_e(self, rng: Random) -> str:
        return "e" if self.life.sex == "F" else ""

    def _slot_il(self, rng: Random) -> str:
        return "elle" if self.life.sex == "F" else "il"

    def _slot_ne(self, rng: Random) -> str:
        return "née" if self.life.sex == "F" else "né"

    def _slot_au_patient(self, rng: Random) -> str:
        return "à la patiente" if self.life.sex == "F" else "au patient"

    def _slot_le_patient(self, rng: Random) -> str:
        return "la patiente" if self.life.sex == "F" else "le patient"

    def _slot_town(self, rng: Random) -> str:
        return self.life.town

    def _slot_author(self, rng: Random) -> str:
        return self.author

    def _slot_colleague(self, rng: Random) -> str:
        return str(rng.choice([name for name in names()[self.split]["authors"] if name != self.author]))

    def _slot_doctor(self, rng: Random) -> str:
        """A physician of the town, whom the hospital writes to or hears from."""
        families: list[str] = names()[self.split]["families"]
        initial = "ABCDEFGHIJKLMNOPRSTVXY"[int(rng.random() * 22)]
        return f"Dr {initial}. {families[int(rng.random() * len(families))]}"

    def _slot_service(self, rng: Random) -> str:
        return kind_words(self.moment.kind, self.moment.topic)["service"]

    def _slot_title(self, rng: Random) -> str:
        return kind_words(self.moment.kind, self.moment.topic)["label"]

    def _slot_centre(self, rng: Random) -> str:
        return self.centre

    def _slot_woman(self, rng: Random) -> str | None:
        return "" if self.life.sex == "F" else None

    def _slot_man(self, rng: Random) -> str | None:
        return "" if self.life.sex == "M" else None

    def _slot_old(self, rng: Random) -> str | None:
        return "" if self.life.age(self.moment.date) >= 70 else None

    def _slot_young(self, rng: Random) -> str | None:
        return "" if self.life.age(self.moment.date) < 62 else None

    # --- what kind of disease: tests that write nothing --------------------------------------------------------

    def _slot_solid(self, rng: Random) -> str | None:
        return None if self.tumour.cancer.raw.get("haematology") else ""

    def _slot_marrow(self, rng: Random) -> str | None:
        """A disease of the blood or of the marrow: no mass, no piece to cut."""
        return "" if self.tumour.cancer.organ.code.startswith("C42") else None

    def _slot_nodal(self, rng: Random) -> str | None:
        return "" if self.tumour.cancer.organ.code.startswith("C77") else None

    def _slot_brain(self, rng: Random) -> str | None:
        return "" if self.tumour.cancer.organ.code.startswith("C71") else None

    def _slot_skin(self, rng: Random) -> str | None:
        return "" if self.tumour.cancer.organ.code.startswith("C44") else None

    def _slot_body(self, rng: Random) -> str | None:
        """The disease is explored in the chest and the belly, which is not so of the brain."""
        return None if self.tumour.cancer.organ.code.startswith("C71") else ""

    def _slot_abdominal(self, rng: Random) -> str | None:
        """The operation enters the belly: digestive, urinary and genital organs, retroperitoneum."""
        return (
            "" if "C16" <= self.tumour.place.code[:3] <= "C26" or self.tumour.place.code.startswith(_IN_BELLY) else None
        )

    def _slot_treated(self, rng: Random) -> str | None:
        """A treatment by drugs has begun."""
        return "" if any(care.course and care.start < self.moment.date for care in self.life.cares) else None

    def _slot_gland(self, rng: Random) -> str | None:
        """An adenocarcinoma or its like (ICD-O-3 morphologies 814 to 857): glands, mucus."""
        return "" if "8140" <= self.tumour.histology.code[:4] <= "8579" else None

    def _slot_squamous(self, rng: Random) -> str | None:
        return "" if "8050" <= self.tumour.histology.code[:4] <= "8089" else None

    def _slot_palpable(self, rng: Random) -> str | None:
        """The tumour lies where fingers feel it: breast, skin, neck, mouth, testis, limb, groin."""
        return "" if self.tumour.place.code.startswith(_PALPABLE) else None

    def _slot_not_palpable(self, rng: Random) -> str | None:
        return None if self.tumour.place.code.startswith(_PALPABLE) else ""

    def _modality(self) -> str:
        """What the exam is made with, the same in all its sentences: ct, pet, mri or us."""
        benign = self.moment.benign
        if benign:
            return _BENIGN_EXAMS.get(benign.topography[:3], "ct")
        if self.tumour.cancer.organ.code.startswith("C71"):
            return "mri"
        return "pet" if Random(f"exam/{self.life.ipp}/{self.moment.date}").random() < 0.3 else "ct"

    def _slot_ct(self, rng: Random) -> str | None:
        return "" if self._modality() == "ct" else None

    def _slot_pet(self, rng: Random) -> str | None:
        return "" if self._modality() == "pet" else None

    def _slot_mri(self, rng: Random) -> str | None:
        return "" if self._modality() == "mri" else None

    def _slot_us(self, rng: Random) -> str | None:
        return "" if self._modality() == "us" else None

    # --- the person -------------------------------------------------------------------------------------------

    def _diseases(self) -> tuple[str, ...]:
        """CIM-10 of the other diseases that are known at the date of the report."""
        return tuple(disease.cim10 for disease in self.life.comorbidities if disease.since <= self.moment.date)

    def _slot_has(self, rng: Random, code: str) -> str | None:
        """A test: the patient has a disease whose CIM-10 code begins so."""
        return "" if any(known.startswith(code) for known in self._diseases()) else None

    def _slot_allergic(self, rng: Random) -> str | None:
        return "" if self._allergic() else None

    def _slot_no_allergy(self, rng: Random) -> str | None:
        return None if self._allergic() else ""

    def _allergic(self) -> bool:
        return Random(f"allergy/{self.life.ipp}").random() < 0.3

    def _slot_phone(self, rng: Random) -> str:
        return f"0{rng.randint(1, 5)} 99 00 {rng.randint(10, 99)} {rng.randint(10, 99)}"

    def _slot_letterhead(self, rng: Random) -> str:
        """The top of the page. Its words ("radiothérapie", "sénologie") say nothing of the patient."""
        unit = kind_words(self.moment.kind, self.moment.topic)["service"]
        number = f"01 99 00 {rng.randint(10, 99)} {rng.randint(10, 99)}"
        line = rng.choice(
            [f"{unit} - Secrétariat : {number}", f"Pôle {unit.lower()}", f"Service : {unit}, tél. {number}"]
        )
        return f"{self.centre.upper() if rng.random() < 0.5 else self.centre}{rng.choice([' - ', chr(10)])}{line}"

    # --- dates ---------------------------------------------------------------------------------------------

    def _slot_date(self, rng: Random, which: str = "here") -> str:
        return self._date(rng, self._day(which))

    def _slot_day(self, rng: Random, which: str = "here") -> str:
        return self._day(which).strftime("%d/%m/%Y")

    def _slot_since(self, rng: Random, which: str) -> str | None:
        """A relative date: "il y a 3 ans", "le mois dernier"."""
        days = (self.moment.date - self._day(which)).days
        if days < 10 or (which == "care" and days > 4000):
            return None
        if days < 45:
            weeks = round(days / 7)
            return f"il y a {weeks} semaines" if weeks > 1 else "la semaine dernière"
        if days < 700:
            months = round(days / 30.4)
            spelled = _NUMBERS[months] if months <= 10 and rng.random() < 0.4 else str(months)
            return f"il y a {spelled} mois"
        years = round(days / 365.25)
        spelled = _NUMBERS[years] if years <= 10 and rng.random() < 0.4 else str(years)
        return f"il y a {spelled} ans"

    def _slot_next(self, rng: Random) -> str:
        return rng.choice(
            ["dans 3 mois", "dans 6 mois", "dans trois mois", "dans six mois", "dans 4 mois", "dans un an"]
        )

    def _slot_soon(self, rng: Random) -> str:
        """A date of the coming weeks."""
        return self._date(rng, self.moment.date + dt.timedelta(days=rng.randint(3, 40)))

    def _slot_lately(self, rng: Random) -> str:
        """A date of the past weeks."""
        return self._date(rng, self.moment.date - dt.timedelta(days=rng.randint(2, 30)))

    def _slot_long_ago(self, rng: Random) -> str:
        """A year of the patient's adult life, before the first disease that reports speak of."""
        before = min([t.date for t in self.life.tumours] + [b.date for b in self.life.benign] + [self.moment.date])
        first = self.life.birth.year + 18
        return str(rng.randint(min(first, before.year - 2), before.year - 1))

    def _slot_when(self, rng: Random, which: str) -> str:
        day = self._day(which)
        return rng.choice([f"le {self._full(day)}", f"en {MONTHS[day.month - 1]} {day.year}", f"en {day.year}"])

    def _day(self, which: str) -> dt.date:
        moment = self.moment
        if which == "here":
            return moment.date
        if which == "diagnosis":
            return self.tumour.date
        if which == "care" and moment.care:
            return moment.care.start
        if which == "end" and moment.care:
            return moment.care.end or moment.date
        if which == "event" and moment.event:
            return moment.event.date
        if which == "alarm" and moment.alarm:
            return moment.alarm.date
        if which == "death" and self.life.death:
            return self.life.death
        if which == "benign" and moment.benign:
            return moment.benign.date
        raise CannotSay(which)

    def _date(self, rng: Random, day: dt.date) -> str:
        return rng.choice([day.strftime("%d/%m/%Y"), self._full(day), day.strftime("%d/%m/%y")])

    @staticmethod
    def _full(day: dt.date) -> str:
        return f"{'1er' if day.day == 1 else day.day} {MONTHS[day.month - 1]} {day.year}"

    # --- the tumour ----------------------------------------------------------------------------------------

    def _place_word(self, rng: Random, place: Place) -> Piece:
        word = self._memory.setdefault(f"place {place.code} {rng.random() < 0.3}", rng.choice(place.words))
        return Piece(word, Said("topography", "ICD-O-3-T", place.code))

    def _sided(self, rng: Random, place: Place) -> list[Piece]:
        pieces = [self._place_word(rng, place)]
        side = self.tumour.side
        if side:
            feminine = place.article == "la" and not pieces[0].text.endswith(("du sein", "du poumon"))
            pieces += [Piece(" "), Piece(_SIDES[side][feminine], Said("laterality", "LOCAL", f"LAT:{side}", side))]
        return pieces

    def _slot_place(self, rng: Random) -> list[Piece]:
        return self._sided(rng, self.tumour.place)

    def _slot_of_place(self, rng: Random) -> list[Piece]:
        return [Piece(_de(self.tumour.place.article)), *self._sided(rng, self.tumour.place)]

    def _slot_the_place(self, rng: Random) -> list[Piece]:
        return [Piece(_le(self.tumour.place.article)), *self._sided(rng, self.tumour.place)]

    def _slot_at_place(self, rng: Random) -> list[Piece]:
        return [Piece(_a(self.tumour.place.article)), *self._sided(rng, self.tumour.place)]

    def _slot_organ(self, rng: Random) -> list[Piece]:
        return self._sided(rng, self.tumour.cancer.organ)

    def _slot_of_organ(self, rng: Random) -> list[Piece]:
        return [Piece(_de(self.tumour.cancer.organ.article)), *self._sided(rng, self.tumour.cancer.organ)]

    def _slot_cancer(self, rng: Random) -> list[Piece]:
        """The disease by its common name: "cancer du sein"."""
        return _disease(rng.choice(self.tumour.cancer.words), self.tumour.cancer.organ.code)

    def _slot_histology(self, rng: Random) -> list[Piece]:
        found = self.tumour.histology
        word = self._memory.setdefault(f"histology {rng.random() < 0.3}", rng.choice(found.words))
        return [Piece(word, Said("morphology", "ICD-O-3-M", found.code))]

    def _slot_of_histology(self, rng: Random) -> list[Piece]:
        (piece,) = self._slot_histology(rng)
        return [Piece("de "), piece]

    def _slot_ctnm(self, rng: Random) -> list[Piece] | None:
        return self._tnm(rng, self.tumour.ctnm)

    def _slot_ptnm(self, rng: Random) -> list[Piece] | None:
        return self._tnm(rng, self._ptnm())

    def _ptnm(self) -> str | None:
        """The pTNM, unless the report is about a later operation: that one stages nothing."""
        care = self.moment.care
        if (
            care
            and care.act
            and any(
                other.type == "surgery" and other.tumour.rank == self.tumour.rank and other.start < care.start
                for other in self.life.cares
            )
        ):
            return None
        return self.tumour.ptnm

    def _slot_tnm(self, rng: Random) -> list[Piece] | None:
        return self._tnm(rng, self.tumour.ptnm if self._operated() else self.tumour.ctnm)

    def _operated(self) -> bool:
        done = [c.start for c in self.life.cares if c.tumour.rank == self.tumour.rank and c.type == "surgery"]
        return bool(self.tumour.ptnm and done and min(done) <= self.moment.date)

    def _tnm(self, rng: Random, code: str | None) -> list[Piece] | None:
        if not code:
            return None
        text = code
        if rng.random() < 0.5:
            text = text.replace("N", " N", 1).replace("M", " M", 1)
        if rng.random() < 0.15:
            text = text.rpartition("M")[0].strip() if code.endswith("M0") else text
            code = code[:-2] if not text.endswith(("M0", "M1")) else code
        return [Piece(text, Said("tnm", "TNM", code, code))]

    def _slot_stage(self, rng: Random) -> list[Piece] | None:
        stage = self.tumour.stage
        if not stage:
            return None
        word = rng.choice(["stade", "stade"])
        return [Piece(f"{word} {stage}", Said("stage", "LOCAL", f"STAGE:{stage}", stage))]

    def _slot_ann_arbor(self, rng: Random) -> list[Piece] | None:
        """The stage with the name of its classification, for the diseases of the blood that have one."""
        staging, stage = self.tumour.cancer.raw.get("staging"), self.tumour.stage
        if not staging or not stage:
            return None
        after = " d'Ann Arbor" if staging == "Ann Arbor" else f" {staging}"
        return [Piece(f"stade {stage}", Said("stage", "LOCAL", f"STAGE:{stage}", stage)), Piece(after)]

    def _slot_grade(self, rng: Random) -> list[Piece] | None:
        grade = self.tumour.grade
        if not grade:
            return None
        if self.tumour.cancer.key == "prostate":
            total, _, sums = grade.partition(" ")
            text = rng.choice([f"score de Gleason {grade}", f"Gleason {grade}", f"Gleason {sums[1:-1]} = {total}"])
            return [Piece(text, Said("grade", "LOCAL", f"GLEASON:{total}", grade))]
        words = [f"grade {grade}", f"grade {['', 'I', 'II', 'III', 'IV'][int(grade)]}"]
        if self.tumour.cancer.key == "breast":
            words += [f"SBR {['', 'I', 'II', 'III'][int(grade)]}", f"grade SBR {grade}"]
        if self.tumour.cancer.key == "kidney":
            words += [f"grade {grade} ISUP"]
        return [Piece(rng.choice(words), Said("grade", "LOCAL", f"GRADE:{grade}", grade))]

    def _slot_stage_is_low(self, rng: Random) -> str | None:
        return "" if not self.tumour.metastatic else None

    def _slot_circumstance(self, rng: Random) -> str:
        return str(rng.choice(self.tumour.cancer.raw["circumstances"]))

    def _slot_biopsy(self, rng: Random) -> list[Piece]:
        raw = self.tumour.cancer.raw
        word = rng.choice(raw["biopsy"])
        said = Piece(word, Said("procedure", "LOCAL", raw["biopsy_kind"]))
        return [Piece("série de "), said] if word.startswith("biopsies") else [said]

    def _slot_size(self, rng: Random) -> str:
        if self.tumour.size_mm and rng.random() < 0.8:
            value = self.tumour.size_mm
            return rng.choice([f"{value} mm", f"{value / 10:.1f} cm".replace(".", ",")])
        t = (self.tumour.ctnm or "T2")[2:3]
        low, high = {"1": (6, 19), "2": (21, 48), "3": (42, 85), "4": (50, 110)}.get(t, (8, 40))
        value = rng.randint(low, high)
        return rng.choice([f"{value} mm", f"{value / 10:.1f} cm".replace(".", ",")])

    def _slot_small_size(self, rng: Random) -> str:
        return f"{rng.randint(4, 14)} mm"

    def _slot_nodes(self, rng: Random) -> str | None:
        code = self._ptnm()
        if not code:
            return None
        if self.tumour.nodes:
            total, hit = self.tumour.nodes
        else:
            total = rng.randint(8, 24)
            hit = 0 if "N0" in code else rng.randint(1, 3) if "N1" in code else rng.randint(4, 8)
        return (
            f"{hit}N+/{total}N"
            if rng.random() < 0.5
            else f"{hit} ganglion{'s' if hit > 1 else ''} positif{'s' if hit > 1 else ''} sur {total}"
        )

    def _slot_no_markers(self, rng: Random) -> str | None:
        return None if self._slot_markers(rng) else ""

    def _slot_no_ptnm(self, rng: Random) -> str | None:
        return None if self._ptnm() else ""

    def _slot_has_biology(self, rng: Random) -> str | None:
        return "" if self.tumour.biomarkers or self.tumour.alterations else None

    # --- biomarkers and alterations --------------------------------------------------------------------------

    def _slot_marker(self, rng: Random, code: str) -> list[Piece] | None:
        """One biomarker with its status or value: "RE positifs (90 %)". The name carries the mention."""
        known = self.tumour.biomarkers.get(code)
        if known is None:
            return None
        status, number = known
        words = biomarkers()[code]
        name = rng.choice(words["names"])
        value, unit = (number, words.get("unit")) if number is not None else (status, None)
        said = Said("biomarker", "LOCAL", code, value)
        plural = "s" if name.startswith(("récepteurs", "RE", "RP", "RO")) else ""
        if code == "TNBC":
            return [Piece(name, Said("biomarker", "LOCAL", "TNBC", "positive"))]
        if number is not None:
            unit_text = f" {unit}" if unit != "%" or rng.random() < 0.4 else unit
            if code in ("ER", "PR") and status == "positive":
                form = rng.choice(
                    [f" positif{plural} à {number}{unit_text}", f" : {number}{unit_text}", f" {number}{unit_text}"]
                )
            else:
                form = rng.choice([f" : {number}{unit_text}", f" à {number}{unit_text}", f" {number}{unit_text}"])
            return [Piece(name, said), Piece(form or "")]
        if code in ("ER", "PR"):
            return [Piece(name, said), Piece(rng.choice([f" négatif{plural}", " : négatif", " 0 %", " -"]))]
        if code == "MSI":
            text = {
                "negative": ["MSS", "microsatellites stables"],
                "positive": ["MSI-H", "microsatellites instables", "MSI high"],
            }[status]
            return [Piece(rng.choice(text), said)]
        options = words.get(status) or {"positive": ["positif"], "negative": ["négatif"]}[status]
        return [Piece(name, said), Piece(" " + rng.choice(options))]

    def _slot_markers(self, rng: Random) -> list[Piece] | None:
        """Every biomarker known of the tumour, in one go."""
        codes = [
            code
            for code in self.tumour.biomarkers
            if (code != "TNBC" or rng.random() < 0.6)
            and not (self.moment.kind == "pathology" and biomarkers()[code].get("unit") in _OF_BLOOD)
        ]
        if not codes:
            return None
        separator = rng.choice([", ", ", ", " ; ", " - "])
        pieces: list[Piece] = []
        for code in codes:
            pieces += [Piece(separator)] if pieces else []
            pieces += self._slot_marker(rng, code) or []
        return pieces

    def _slot_alteration(self, rng: Random) -> list[Piece] | None:
        """One gene with what was found in it. The symbol carries the mention."""
        found = self.tumour.alterations
        return self._gene(rng, rng.choice(list(found))) if found else None

    def _slot_alterations(self, rng: Random) -> list[Piece] | None:
        pieces: list[Piece] = []
        for gene in self.tumour.alterations:
            pieces += [Piece(rng.choice([", ", " ; "]))] if pieces else []
            pieces += self._gene(rng, gene)
        return pieces or None

    def _slot_mutated(self, rng: Random) -> list[Piece] | None:
        """A gene that is altered, if any: "mutation BRAF p.V600E"."""
        hit = [gene for gene, value in self.tumour.alterations.items() if value not in ("wild_type", "negative")]
        return self._gene(rng, rng.choice(hit)) if hit else None

    def _gene(self, rng: Random, gene: str) -> list[Piece]:
        value = self.tumour.alterations[gene]
        said = Piece(gene, Said("alteration", "HGNC", gene, value))
        if value == "wild_type":
            return rng.choice(
                [[said, Piece(" sauvage")], [Piece("pas de mutation "), said], [said, Piece(" non muté")]]
            )
        if value == "negative":
            return rng.choice([[Piece("pas de réarrangement "), said], [said, Piece(" négatif")]])
        if value == "positive":
            return rng.choice(
                [[Piece("réarrangement "), said], [said, Piece(" réarrangé")], [Piece("translocation "), said]]
            )
        return rng.choice(
            [
                [Piece("mutation "), said, Piece(f" {value}")],
                [said, Piece(f" muté ({value})")],
                [said, Piece(f" {value}")],
            ]
        )

    # --- treatments --------------------------------------------------------------------------------------------

    def _care(self) -> Care:
        if self.moment.care is None:
            raise CannotSay("care")
        return self.moment.care

    def _slot_act(self, rng: Random) -> list[Piece] | None:
        act = self._care().act
        if act is None:
            return None
        first, _, rest = rng.choice(act.words).partition("*")
        named = first
        for joint in (" avec ", " et "):
            named = named.removesuffix(joint)
        words = [Piece(named, Said("procedure", "LOCAL", act.local))]
        if rest:
            second = Said("procedure", "LOCAL", act.second)
            words += [Piece(first.removeprefix(named)), Piece(rest.removesuffix("*"), second)]
        if act.sides and self.tumour.side:
            side = self.tumour.side
            word = _SIDES[side][0 if words[-1].text.startswith("curage") else 1]
            words += [Piece(" "), Piece(word, Said("laterality", "LOCAL", f"LAT:{side}", side))]
        return words

    def _slot_treatment(self, rng: Random) -> list[Piece] | None:
        """What is prescribed: a protocol, drugs, or both."""
        given = self._care().course
        return self._prescription(rng, given) if given else None

    @staticmethod
    def _prescription(rng: Random, given: Course) -> list[Piece]:
        pieces: list[Piece] = []
        if given.regimen:
            pieces.append(Piece(rng.choice(given.words), Said("regimen", "LOCAL", given.regimen)))
        for drug in given.extra:
            pieces += [Piece(rng.choice([" + ", " + ", " et ", " avec "]))] if pieces else []
            word = rng.choice([drug.name, drug.name, *drug.brands]) if drug.brands else drug.name
            if rng.random() < 0.1:
                word = word.upper()
            pieces.append(Piece(word, Said("drug", "ATC", drug.atc)))
        return pieces

    def _slot_other_treatment(self, rng: Random) -> list[Piece] | None:
        """A treatment of this cancer that the patient never had: to be refused, ruled out or kept for later."""
        had = {drug.name for care in self.life.cares for drug in care.drugs}
        lines = self.tumour.cancer.raw["lines"]
        options = [o for steps in lines.values() for step in steps for o in step.split("|")]
        free = [o for o in options if not {drug.name for drug in course(o).drugs} & had]
        if not free:
            return None
        return self._prescription(rng, course(rng.choice(free)))

    def _slot_drug_lines(self, rng: Random) -> list[Piece] | None:
        """One line a drug with its dose: a prescription."""
        care = self._care()
        if care.course is None:
            return None
        pieces: list[Piece] = []
        for drug in care.drugs:
            dose = rng.choice([75, 80, 85, 100, 175, 200, 375, 400, 500, 600])
            unit = rng.choice(["mg/m²", "mg/m2", "mg/kg", "mg"]) if not drug.name.endswith("mab") else "mg"
            if pieces:
                pieces.append(Piece("\n"))
            pieces += [
                Piece("- "),
                Piece(drug.name, Said("drug", "ATC", drug.atc)),
                Piece(f" {dose} {unit} {rng.choice(['J1', 'à J1', 'J1 J8'])}"),
            ]
        return pieces

    def _slot_support(self, rng: Random) -> list[Piece]:
        """Drugs given beside a treatment against cancer."""
        return self._listed(rng.sample(_SUPPORT, rng.randint(1, 2)), rng)

    @staticmethod
    def _listed(drugs: list[tuple[str, str, str]], rng: Random) -> list[Piece]:
        separator = rng.choice([", ", " ; "])
        pieces: list[Piece] = []
        for name, code, dose in drugs:
            pieces += [Piece(separator)] if pieces else []
            pieces += [Piece(name, Said("drug", "ATC", code)), Piece(f" {dose}")]
        return pieces

    def _slot_cycle(self, rng: Random) -> str:
        return rng.choice([f"C{self.moment.cycle}", f"cure n°{self.moment.cycle}", f"cycle {self.moment.cycle}"])

    def _slot_cycles(self, rng: Random) -> str | None:
        """How many cycles were given so far; pills have none."""
        care = self._care()
        if not care.course or care.type == "hormonotherapy":
            return None
        given = (min(care.end or self.moment.date, self.moment.date) - care.start).days // care.course.days + 1
        return str(max(1, min(care.cycles, given)))

    def _slot_intent(self, rng: Random) -> str | None:
        words = {
            "adjuvant": ["adjuvant", "à visée adjuvante"],
            "neoadjuvant": ["néoadjuvant", "à visée néoadjuvante"],
            "curative": ["à visée curative"],
            "palliative": ["à visée palliative"],
        }
        return rng.choice(words[self._care().intent])

    def _slot_line(self, rng: Random) -> list[Piece] | None:
        line = self._care().line
        if line is None or self.tumour.cancer.raw.get("haematology"):
            return None
        forms = {
            1: ["première ligne", "1ère ligne", "L1", "1re ligne"],
            2: ["deuxième ligne", "2ème ligne", "L2", "2e ligne"],
            3: ["troisième ligne", "3ème ligne", "L3"],
            4: ["quatrième ligne", "4ème ligne"],
        }
        return [Piece(rng.choice(forms[line]), Said("line", "LOCAL", f"LINE:{line}", str(line)))]

    def _slot_dose(self, rng: Random) -> str | None:
        care = self._care()
        return f"{care.dose} Gy" if care.dose else None

    def _slot_fractions(self, rng: Random) -> str | None:
        care = self._care()
        return str(care.fractions) if care.fractions else None

    def _slot_per_fraction(self, rng: Random) -> str | None:
        care = self._care()
        return f"{care.dose / care.fractions:.2g} Gy".replace(".", ",") if care.fractions else None

    def _slot_target(self, rng: Random) -> str | None:
        care = self._care()
        return targets()[care.target] if care.target else None

    def _slot_response(self, rng: Random) -> list[Piece] | None:
        words = {
            "partial": ["réponse partielle", "bonne réponse partielle", "RP"],
            "complete": ["réponse complète", "rémission complète"],
            "stable": ["stabilité", "maladie stable", "stabilité lésionnelle"],
        }
        response = self._care().response
        if not response or (self.moment.date - self._care().start).days < 80:
            return None
        return [Piece(rng.choice(words[response]), Said("response", "LOCAL", f"RESP:{response}"))]

    def _slot_ps(self, rng: Random) -> list[Piece]:
        known = [value for date, value in self.life.performance if date <= self.moment.date]
        drawn = str(known[-1]) if known else rng.choice("000111112" if not self._advanced() else "01112")
        value = self._memory.setdefault("ps", drawn)
        text = rng.choice([f"OMS {value}", f"PS {value}", f"ECOG {value}", f"performance status {value}"])
        return [Piece(text, Said("performance_status", "LOCAL", f"PS:{value}", value))]

    def _advanced(self) -> bool:
        found = self.focus or self.moment.tumour
        return bool(found and found.metastatic)

    def _slot_tox(self, rng: Random) -> str | None:
        """A toxicity that the treatment truly gave, with its grade (CTCAE)."""
        known = self._care().toxicities
        if not known:
            return None
        word, grade = rng.choice(known)
        return f"{word} {rng.choice([f'de grade {grade}', f'grade {grade}', f'(grade {grade})', f'G{grade}'])}"

    # --- what came back ------------------------------------------------------------------------------------------

    def _sites(self) -> list[str]:
        if self.moment.event and self.moment.event.type in (
            "metastatic_recurrence",
            "initial",
            "second_cancer",
            "progression",
        ):
            return self.moment.event.sites
        return []

    def _slot_metastases(self, rng: Random) -> list[Piece] | None:
        """The metastases of the event that the report is about."""
        pieces: list[Piece] = []
        for code in self._sites():
            pieces += [Piece(rng.choice([" et ", ", "]))] if pieces else []
            pieces.append(Piece(rng.choice(sites()[code].metastases), Said("metastasis", "ICD-O-3-T", code)))
        return pieces or None

    def _slot_met(self, rng: Random, code: str) -> list[Piece]:
        """Metastases of one site, to be denied or feared."""
        return [Piece(rng.choice(sites()[code].metastases), Said("metastasis", "ICD-O-3-T", code))]

    def _slot_any_met(self, rng: Random) -> list[Piece]:
        return [
            Piece(
                rng.choice(["métastase", "métastase à distance", "lésion métastatique", "localisation secondaire"]),
                Said("metastasis", None, None),
            )
        ]

    def _slot_mets(self, rng: Random) -> list[Piece]:
        return [Piece(rng.choice(["métastases", "métastases à distance"]), Said("metastasis", None, None))]

    def _slot_recurrence(self, rng: Random) -> list[Piece] | None:
        words = {
            "local_recurrence": ("local", ["récidive locale", "rechute locale", "récidive locale"]),
            "regional_recurrence": (
                "regional",
                ["récidive ganglionnaire", "récidive régionale", "rechute ganglionnaire"],
            ),
            "metastatic_recurrence": (
                "metastatic",
                ["récidive métastatique", "rechute métastatique", "évolution métastatique"],
            ),
            "progression": ("progression", ["progression", "progression tumorale", "progression de la maladie"]),
        }
        event = self.moment.event
        if event is None or event.type not in words:
            return None
        code, texts = words[event.type]
        if self.tumour.cancer.raw.get("haematology") and event.type == "local_recurrence":
            code, texts = "unspecified", ["rechute"]
        return [Piece(rng.choice(texts), Said("recurrence", "LOCAL", f"REC:{code}"))]

    def _slot_remission(self, rng: Random) -> list[Piece]:
        return [Piece(rng.choice(["rémission complète", "rémission"]), Said("response", "LOCAL", "RESP:complete"))]

    def _slot_sampled(self, rng: Random) -> list[Piece]:
        return [Piece("biopsie", Said("procedure", "LOCAL", "PROC:biopsy"))]

    def _slot_radiotherapy(self, rng: Random) -> list[Piece]:
        words = ["radiothérapie", "radiothérapie externe", "irradiation", "radiothérapie conformationnelle"]
        return [Piece(rng.choice(words), Said("procedure", "LOCAL", "PROC:radiotherapy"))]

    def _slot_is_metastatic_recurrence(self, rng: Random) -> str | None:
        return "" if self.moment.event and self.moment.event.type == "metastatic_recurrence" else None

    def _slot_is_local(self, rng: Random) -> str | None:
        return (
            "" if self.moment.event and self.moment.event.type in ("local_recurrence", "regional_recurrence") else None
        )

    def _slot_any_recurrence(self, rng: Random) -> list[Piece]:
        """A recurrence to be denied."""
        word, code = rng.choice(
            [
                ("récidive", "unspecified"),
                ("récidive locale", "local"),
                ("rechute", "unspecified"),
                ("rechute locale", "local"),
                ("récidive tumorale", "unspecified"),
            ]
        )
        return [Piece(word, Said("recurrence", "LOCAL", f"REC:{code}"))]

    def _slot_progressing(self, rng: Random) -> list[Piece]:
        return [
            Piece(rng.choice(["progression", "progression tumorale"]), Said("recurrence", "LOCAL", "REC:progression"))
        ]

    def _slot_suspect(self, rng: Random) -> str | None:
        return sites()[self.moment.alarm.site].lesion if self.moment.alarm else None

    def _slot_suspect_met(self, rng: Random) -> list[Piece] | None:
        return self._slot_met(rng, self.moment.alarm.site) if self.moment.alarm else None

    def _slot_benign(self, rng: Random) -> str | None:
        return self.moment.alarm.benign if self.moment.alarm else None

    def _slot_benign_organ(self, rng: Random) -> str:
        return str(rng.choice(self.tumour.cancer.raw["benign"]))

    # --- history -----------------------------------------------------------------------------------------------------

    def _slot_recap(self, rng: Random) -> list[Piece] | None:
        return self.recap or None

    def _slot_earlier(self, rng: Random) -> list[Piece] | None:
        """The conclusions of some earlier exams, told again, even those that were refuted since."""
        known = [moment for moment in self.earlier if (moment.kind, moment.topic) in _CONCLUSIONS]
        if not known:
            return None
        pieces: list[Piece] = []
        for moment in sorted(rng.sample(known, min(len(known), rng.randint(1, 3))), key=lambda item: item.date):
            then = PatientScene(self.life, moment, self.style, self.author, self.split)
            try:
                told = [
                    *grammar(self.split).write(f"earlier.{moment.kind}", then, rng),
                    *grammar(self.split).write(_CONCLUSIONS[moment.kind, moment.topic], then, rng),
                ]
            except CannotSay:
                continue
            pieces += [Piece("\n" if self.style == "headed" else " ")] if pieces else []
            pieces += told
        return pieces or None

    def _slot_family_cancer(self, rng: Random) -> list[Piece] | None:
        if not self.life.family:
            return None
        relative, code, words = rng.choice(self.life.family)
        age = rng.randint(38, 81)
        cancer = _disease(words, code, "family")
        return rng.choice(
            [
                [Piece(f"{relative} a eu un "), *cancer, Piece(f" à {age} ans")],
                [*cancer, Piece(f" chez {relative}")],
                [Piece(f"{relative} : "), *cancer],
                [*cancer, Piece(f" chez {relative} à {age} ans")],
            ]
        )

    def _slot_no_family(self, rng: Random) -> str | None:
        return None if self.life.family else ""

    def _slot_past(self, rng: Random) -> list[Piece] | None:
        """Past events and other diseases of the patient, that are not this cancer."""
        told: list[list[Piece]] = []
        for item in self.life.past:
            act = acts()[item]
            year = self._slot_long_ago(rng)
            said = Said("procedure", "LOCAL", act.local, None, "history")
            told.append([Piece(act.words[0], said), Piece(rng.choice([f" en {year}", f" ({year})", ""]))])
        for disease in self.life.comorbidities:
            if disease.since <= self.moment.date:
                since = rng.choice(["", "", f" depuis {disease.since.year}", f" ({disease.since.year})"])
                told.append([Piece(rng.choice(disease.words) + since)])
        if not told:
            return None
        rng.shuffle(told)
        separator = rng.choice([", ", ", ", " ; ", "\n- "])
        pieces: list[Piece] = []
        for item_pieces in told:
            pieces += [Piece(separator), *item_pieces] if pieces else item_pieces
        return pieces

    def _slot_predisposition(self, rng: Random) -> list[Piece] | None:
        """The constitutional variant of the patient: "BRCA1 (c.68_69del)"; the symbol carries the mention."""
        known = self.life.predisposition
        if known is None:
            return None
        return [Piece(known.gene, Said("alteration", "HGNC", known.gene, known.variant)), Piece(f" {known.variant}")]

    def _slot_syndrome(self, rng: Random) -> str | None:
        known = self.life.predisposition
        return rng.choice(known.syndrome) if known and known.syndrome else None

    def _slot_no_predisposition(self, rng: Random) -> str | None:
        return None if self.life.predisposition else ""

    def _slot_benign_lesion(self, rng: Random) -> str | None:
        """What a patient without cancer was found to have."""
        return rng.choice(self.moment.benign.words) if self.moment.benign else None

    def _slot_other_tumour(self, rng: Random) -> list[Piece] | None:
        """A sentence of the patient's other cancer that is known by now."""
        others = [t for t in self.life.tumours if t.rank != self.tumour.rank and t.date < self.moment.date]
        if not others:
            return None
        other = rng.choice(others)
        then = replace(self.moment, tumour=other, care=None, event=None)
        scene = PatientScene(self.life, then, self.style, self.author, self.split, focus=other)
        return grammar(self.split).write("about_other", scene, rng)

    def _slot_other_cancer(self, rng: Random) -> list[Piece] | None:
        """The first cancer of a patient, told in the reports of the second."""
        others = [t for t in self.life.tumours if t.rank < self.tumour.rank]
        if not others:
            return None
        first = others[0]
        named = _disease(rng.choice(first.cancer.words), first.cancer.organ.code, "history")
        return [*named, Piece(rng.choice([f" en {first.date.year}", f" traité en {first.date.year}"]))]

    def _slot_smoking(self, rng: Random) -> str:
        packs = self.life.pack_years
        if packs:
            return rng.choice([f"tabagisme sevré à {packs} PA", f"tabac : {packs} paquets-années"])
        return rng.choice(["non fumeur" if self.life.sex == "M" else "non fumeuse", "pas de tabac"])

    # --- biology -----------------------------------------------------------------------------------------------------

    def _known_lab(self, code: str) -> Lab | None:
        """The result of that code nearest to the report, in the month around."""
        near = [lab for lab in self.life.labs if lab.code == code and abs((lab.date - self.moment.date).days) <= 30]
        return min(near, key=lambda lab: abs((lab.date - self.moment.date).days), default=None)

    def _usual_lab(self, item: dict[str, Any]) -> float:
        """A result that every report of the same day gives alike."""
        return Random(f"{item['code']}/{self.life.ipp}/{self.moment.date}").uniform(*item["seen"])

    def _slot_lab(self, rng: Random, what: str) -> str:
        told = self._memory.get(f"lab {what}")
        if told is None and what == "weight":
            told = self._memory["lab weight"] = f"{self._weight()} kg"
        if told is None:
            item = lab_words()[what]
            known = self._known_lab(item["code"])
            value, unit = (known.value, known.unit) if known else (self._usual_lab(item), item["unit"])
            told = self._memory[f"lab {what}"] = f"{_decimal(value, item['digits'])} {unit}".strip()
        return told

    def _build(self) -> Random:
        """A generator that is always the same for this person: their weight and height."""
        return Random(f"build/{self.life.ipp}/{self.life.birth}")

    def _weight(self) -> int:
        """Weight in kg, from the height and a body mass index that says whether the patient is obese."""
        build = self._build()
        low, high = (150, 176) if self.life.sex == "F" else (163, 190)
        metres = build.randint(low, high) / 100
        index = (
            build.uniform(31, 38)
            if any(known.startswith("E66") for known in self._diseases())
            else build.uniform(19, 28)
        )
        return round(index * metres**2) + self.moment.date.toordinal() % 3 - 1

    def _slot_height(self, rng: Random) -> str:
        low, high = (150, 176) if self.life.sex == "F" else (163, 190)
        return str(self._build().randint(low, high))

    def _slot_bmi(self, rng: Random) -> str:
        metres = int(self._slot_height(rng)) / 100
        return _decimal(int(self._slot_lab(rng, "weight").split()[0]) / metres**2, 1)

    def _slot_bsa(self, rng: Random) -> str:
        """Body surface in m², by Mosteller's formula."""
        weight, height = int(self._slot_lab(rng, "weight").split()[0]), int(self._slot_height(rng))
        return _decimal((weight * height / 3600) ** 0.5, 2)

    def choices(self, rule: str, size: int) -> Sequence[int]:
        """A person has one job and few usual drugs: which alternatives of a rule are theirs, in order."""
        kept = _OWN.get(rule)
        if kept is None:
            return ()
        own = self._own.get(rule)
        if own is None:
            order = Random(f"{rule}/{self.life.ipp}/{self.life.birth}").sample(range(size), size)
            own = self._usual_drugs(order) if rule == "drug_item" else order
            own = self._own[rule] = own if kept == 1 else own[:kept]
        return own

    def _usual_drugs(self, order: list[int]) -> list[int]:
        """Drugs that this patient may take: those of their diseases first, never two of one family."""
        codes, known = _drug_codes(self.split), self._diseases()
        suited: list[int] = []
        others: list[int] = []
        for at in order:
            needs = _needs(codes[at])
            if codes[at].startswith("G04C") and self.life.sex == "F":
                continue
            if needs is None:
                others.append(at)
            elif any(disease.startswith(needs) for disease in known):
                suited.append(at)
        families: set[str] = set()
        kept: list[int] = []
        for at in [*suited, *others]:
            family = codes[at][:3] if codes[at].startswith("B01") else codes[at][:4]
            if family not in families:
                families.add(family)
                kept.append(at)
        return kept

    def _slot_lab_table(self, rng: Random) -> list[Piece]:
        """Results of biology, one a line: those known of the patient, then usual ones of the same panels."""
        layout = rng.choice(_LAYOUTS)
        pieces: list[Piece] = []
        marker = self.tumour.cancer.raw.get("marker") if self.focus or self.moment.tumour else None
        panels = rng.sample(_PANELS, rng.randint(2, 4))
        for panel in _PANELS:
            items = [item for item in lab_words().values() if item["panel"] == panel]
            if panel not in panels and not any(self._known_lab(item["code"]) for item in items):
                continue
            if rng.random() < 0.7:
                pieces.append(Piece(f"\n{rng.choice(lab_panels()[panel])}"))
            started = False
            for item in items:
                known = self._known_lab(item["code"])
                if known is None and rng.random() < item.get("rare", 0.15):
                    continue
                value = known.value if known else self._usual_lab(item)
                joint = ", " if layout == "row" and started else "\n"
                started = True
                pieces.append(Piece(joint + _lab_line(layout, item, value, rng)))
        for code in biomarkers():
            known = self._known_lab(code)
            if known:
                name = rng.choice(biomarkers()[code]["names"])
                said = Said("biomarker", "LOCAL", code, _number(known.value))
                pieces += [Piece("\n"), Piece(name, said), Piece(f" : {_decimal(known.value, 1)} {known.unit}")]
                marker = None if code == marker else marker
        if marker and rng.random() < 0.8:
            pieces += [Piece("\n"), *(self._slot_tumour_marker(rng) or [])]
        return pieces

    def _slot_tumour_marker(self, rng: Random) -> list[Piece] | None:
        code = self.tumour.cancer.raw.get("marker")
        if not code:
            return None
        words = biomarkers()[code]
        top = 400.0 if self.tumour.metastatic or self.moment.event else 9.0
        value = f"{rng.uniform(0.1, top):.1f}"
        return [
            Piece(rng.choice(words["names"]), Said("biomarker", "LOCAL", code, value)),
            Piece(rng.choice([" : ", " à "]) + value.replace(".", ",") + f" {words['unit']}"),
        ]


def _disease(words: str, topography: str, assertion: str = "present") -> list[Piece]:
    """ "cancer du *sein*" as pieces: a general word for the disease, and the organ between asterisks."""
    before, _, rest = words.partition("*")
    organ, _, after = rest.partition("*")
    name, space, middle = before.partition(" ")
    code = diseases().get(before.strip()) or diseases().get(name)
    if before.strip() in diseases():
        name, space, middle = before.strip(), before[len(before.strip()) :], ""
    pieces = [Piece(name, Said("morphology", "ICD-O-3-M", code, None, assertion) if code else None)]
    if space or middle:
        pieces.append(Piece(space + middle))
    if organ:
        pieces.append(Piece(organ, Said("topography", "ICD-O-3-T", topography, None, assertion)))
    return [*pieces, Piece(after)] if after else pieces


def _de(article: str) -> str:
    return {"le": "du ", "la": "de la ", "l'": "de l'", "les": "des "}[article]


def _le(article: str) -> str:
    return article if article == "l'" else article + " "


def _a(article: str) -> str:
    return {"le": "au ", "la": "à la ", "l'": "à l'", "les": "aux "}[article]


# How many alternatives of a rule one person keeps; 1: always the first that fits.
_OWN = {
    "drug_item": 8,
    "old_minor": 7,
    "old_minor_woman": 6,
    "hobby": 4,
    "relation": 8,
    "job": 1,
    "allergen": 1,
    "home": 1,
}
# Where fingers feel a tumour: ICD-O-3 topographies.
_PALPABLE = ("C50", "C73", "C62", "C44", "C49", "C77.0", "C77.4", "C02", "C03", "C04", "C06", "C09", "C21")
_IN_BELLY = ("C48", "C53", "C54", "C55", "C56", "C57", "C61", "C64", "C65", "C66", "C67")
# What a benign anomaly is usually seen with, by the place where it is.
_BENIGN_EXAMS = {"C50": "us", "C61": "mri", "C73": "us", "C44": "us", "C56": "mri", "C49": "us"}
# The diseases (CIM-10) for which usual drugs (ATC) are taken. Others may be taken by anyone; those whose diseases
# are never drawn (epilepsy, psychosis, colitis) by nobody.
_TAKEN_FOR = {
    "A10": ("E11",),
    "H03": ("E03",),
    "B01AF": ("I48", "I80"),
    "B01AB": ("I80",),
    "B01AC": ("I25", "I64"),
    "C10": ("E78", "I25"),
    "C01AA": ("I48",),
    "C01BD": ("I48",),
    "C01DA": ("I25",),
    "C03CA": ("I50", "N18"),
    "C03DA": ("I50", "K74"),
    "C0": ("I10", "I25", "I48", "I50"),
    "R03": ("J44",),
    "A07EA": ("J44",),
    "N06A": ("F32",),
    "M05B": ("M81",),
    "N03AG": ("G40",),
    "N03AX09": ("G40",),
    "N03AX14": ("G40",),
    "N05A": ("F20",),
    "A07EC": ("K51",),
    "H02": ("M06",),
    "M01A": ("M06",),
    "M04AA": ("M10",),
}
_OF_BLOOD = ("ng/mL", "U/mL", "UI/L", "g/L", "mg/L")
_PANELS = ["blood", "clotting", "ions", "kidney", "liver", "protein", "iron", "thyroid", "urine"]
_LAYOUTS = ("colon", "wide", "pipe", "range", "row", "row", "row")


def _lab_line(layout: str, item: dict[str, Any], value: float, rng: Random) -> str:
    name, unit = rng.choice(item["names"]), item["unit"]
    text = _decimal(value, item["digits"])
    low, high = (_decimal(bound, item["digits"]) for bound in item["normal"])
    flag = "H" if value > item["normal"][1] else "B" if value < item["normal"][0] else ""
    if layout == "row":
        return f"{name} {text} {unit}{' *' if flag else ''}".rstrip()
    if layout == "colon":
        return f"{name} : {text} {unit}{' *' if flag else ''}"
    if layout == "wide":
        return f"{name} {'.' * max(3, 40 - len(name))}{text} {unit} ({low} à {high}){' ' + flag if flag else ''}"
    if layout == "pipe":
        return f"{name} | {text} | {unit} | {low}-{high} | {flag}"
    return f"{name}\t{text}\t{unit}\tN : {low}-{high}"


def _decimal(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace(".", ",")


def _number(value: float) -> str:
    return f"{value:.1f}"


@lru_cache
def _needs(atc: str) -> tuple[str, ...] | None:
    """The diseases (CIM-10) for which a usual drug is taken; None: anyone may take it."""
    return next((needs for prefix, needs in _TAKEN_FOR.items() if atc.startswith(prefix)), None)


@lru_cache
def _drug_codes(split: str) -> list[str]:
    """ATC codes of the alternatives of `drug_item`, in their order."""
    rules = grammar(split)
    texts = [*rules.common.get("drug_item", ()), *rules.sources.get("drug_item", ())]
    return [found.group(1) if (found := re.search(r"ATC (\w+)", text)) else "" for text in texts]


@lru_cache
def _labs() -> dict[str, Any]:
    with (GRAMMARS / "labs.toml").open("rb") as file:
        return tomllib.load(file)


def lab_words() -> dict[str, dict[str, Any]]:
    """Results of biology: code in `Life.labs`, names, unit, normal bounds, values that are seen, panel."""
    results: dict[str, dict[str, Any]] = _labs()["results"]
    return results


def lab_panels() -> dict[str, list[str]]:
    """How laboratories head their panels."""
    panels: dict[str, list[str]] = _labs()["panels"]
    return panels


@lru_cache
def kind_words(kind: str, topic: str) -> dict[str, str]:
    """Label and service of a report: those of its topic if it has some, else of its kind."""
    with (GRAMMARS / "kinds.toml").open("rb") as file:
        table: dict[str, dict[str, str]] = tomllib.load(file)
    return table.get(f"{kind}.{topic}") or table[kind]
