"""All code systems as one: looked up by code, found in text, suggested as a user types."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

import structlog

from consore.errors import ConfigurationError
from consore.model import DocumentKind, System, TreatmentType
from consore.referentials.compiled import Compiled, compiled, stamp
from consore.referentials.concept import Concept, Edition, Match, Suggestion
from consore.referentials.maps import DrugNames, TumourCodes
from consore.referentials.matcher import Matcher, Refusal
from consore.referentials.sites import listed_sites
from consore.referentials.slips import Slips
from consore.referentials.spelling import Spelling
from consore.referentials.suggestion import Suggester
from consore.settings import shipped_referentials
from consore.text import fold

log = structlog.get_logger("consore.referentials")

_T, _M, _ATC, _CCAM, _CIM10, _LOCAL = (
    System.ICDO3_T.value,
    System.ICDO3_M.value,
    System.ATC.value,
    System.CCAM.value,
    System.CIM10.value,
    System.LOCAL.value,
)
_ADICAP = "ADICAP"


def terminology(path: Path | None = None, cache: Path | None = None, site: Path | None = None) -> Terminology:
    """The code systems of `path` (default: those shipped with Consore), with what `site` lays over them.

    `site` is the node's own folder (`CONSORE_HOME/referentials`: imported editions, local words). `cache` is the folder
    where what was made of the files is kept for the next process; without it they are read anew. Loaded once per
    process, and again by itself when one of the files has changed since; a change that cannot be read is logged, and
    what was loaded before it stays in force.
    Raises ConfigurationError naming the file and line that cannot be read, where nothing was loaded before.
    """
    root, own = (path or shipped_referentials()).resolve(), site.resolve() if site else None
    now = stamp(root, own)
    with _LOADING:
        known = _LOADED.get((root, own))
        if known is None or known[0] != now:
            known = (now, _loaded_or_kept(root, own, cache, now, known[1] if known else None))
            _LOADED.pop((root, own), None)
            _LOADED[root, own] = known
            if len(_LOADED) > _MOST_LOADED:
                del _LOADED[next(iter(_LOADED))]
    return known[1]


def _loaded_or_kept(
    root: Path, site: Path | None, cache: Path | None, now: str, before: Terminology | None
) -> Terminology:
    try:
        return Terminology(root, compiled(root, site, cache, now))
    except ConfigurationError as error:
        if before is None:
            raise
        log.warning("referentials_not_changed", problem=str(error))
        return before


_LOADING = threading.Lock()
_LOADED: dict[tuple[Path, Path | None], tuple[str, Terminology]] = {}
_MOST_LOADED = 4


class Terminology:
    """The code systems under `root`. Safe to share between threads: nothing changes after it is built."""

    def __init__(self, root: Path, known: Compiled) -> None:
        self.root = root
        self._known = known
        self._place = {(row[0], row[1]): index for index, row in enumerate(known.concepts)}
        self._whole: dict[int, Concept] = {}
        self._below: dict[str, dict[str, list[str]]] = {}
        self._climbing = threading.Lock()
        self._matcher = Matcher(known.patterns)

    @property
    def fingerprint(self) -> str:
        """Changes whenever a concept, a form or a rule does: what was read under another one may read differently."""
        return self._known.fingerprint

    # Looking up

    def concept(self, system: str, code: str) -> Concept | None:
        """The concept of a code, or None."""
        index = self._place.get((system, code))
        return None if index is None else self._concept_at(index)

    def _concept_at(self, index: int) -> Concept:
        found = self._whole.get(index)
        if found is None:
            found = self._whole[index] = self._known.concept(index)
        return found

    def label(self, system: str | None, code: str | None) -> str:
        """The French label of a code; the code itself where it is unknown."""
        index = self._place.get((system or "", code or ""))
        return code or "" if index is None else str(self._known.concepts[index][2])

    def ancestors(self, system: str, code: str) -> list[str]:
        """The codes above `code`, nearest first, itself excluded. Works for codes that are not listed too."""
        result: list[str] = []
        queue = list(self._parents(system, code))
        while queue:
            above = queue.pop(0)
            if above not in result and above != code:
                result.append(above)
                queue.extend(self._parents(system, above))
        return result

    def descendants(self, system: str, code: str) -> list[str]:
        """The listed codes below `code` at all levels, in the order of the codes, itself excluded.

        A code is a descendant of another exactly when the other is among its `ancestors`.
        """
        with self._climbing:
            below = self._below.get(system)
            if below is None:
                below = self._below[system] = {}
                for of, listed in self._place:
                    if of == system:
                        for above in self.ancestors(system, listed):
                            below.setdefault(above, []).append(listed)
                for codes in below.values():
                    codes.sort()
        return list(below.get(code, ()))

    def _parents(self, system: str, code: str) -> tuple[str, ...]:
        found = self.concept(system, code)
        if found:
            return found.parents
        if system in (_T, _CIM10) and "." in code:
            return (code[: code.index(".")],) if len(code) <= code.index(".") + 2 else (code[:-1],)
        if system == _ATC and len(code) in (7, 5, 4, 3):
            return ({7: code[:5], 5: code[:4], 4: code[:3], 3: code[:1]}[len(code)],)
        return ()

    def widened(self, system: str, code: str) -> str:
        """What a general word means in a question: `poumon` is C34.9 in a report, all of C34 in a question.

        Topographies ending in .9 give their category, general morphologies (`8140/3`) their family.
        """
        found = self.concept(system, code)
        if found and "widened" in found.attributes:
            return found.attributes["widened"]
        if system == _T and code.endswith(".9"):
            return code[:3]
        return code

    def concepts(self, system: str | None = None, kind: str | None = None) -> list[Concept]:
        """The concepts of a system, of a kind, of both, or all."""
        return [
            self._concept_at(index)
            for index, row in enumerate(self._known.concepts)
            if (system is None or row[0] == system) and (kind is None or row[3] == kind)
        ]

    # Finding

    def match(self, text: str, refused: list[Refusal] | None = None) -> list[Match]:
        """Every form found in `text`, in order. See `matcher` for what overlaps, what does not, and what is `refused`.

        A gene of routine gives two matches, `biomarker` (LOCAL) and `alteration` (HGNC). The organs listed after a
        metastasis (`métastases hépatiques, osseuses et pulmonaires`) are metastases too.
        """
        found = self._matcher.match(text, refused)
        if any(match.kind == "metastasis" for match in found):
            return listed_sites(text, found, lambda code: self.label(_T, code))
        return found

    def suggest(self, text: str, systems: Iterable[str] | None = None, limit: int = 10) -> list[Concept]:
        """Concepts that begin like `text`, accents and small typing errors forgiven, the best first.

        Words of labels and synonyms, and codes with or without their signs (`C50.4`, `c504`); never withdrawn ones.
        """
        return [one.concept for one in self.suggestions(text, systems, limit)]

    def suggestions(self, text: str, systems: Iterable[str] | None = None, limit: int = 10) -> list[Suggestion]:
        """`suggest`, with the name that was found where it is not the label (`Keytruda` for pembrolizumab)."""
        return self._suggester.suggest(text, frozenset(systems) if systems else None, limit)

    @cached_property
    def _suggester(self) -> Suggester:
        return Suggester(self._known.suggestable(), self._known.concepts, self._concept_at)

    def spelling(self, more: Iterable[str] = ()) -> Spelling:
        """How words were probably meant to be spelt; `more`: other words that may be meant. Costs about a second."""
        return Spelling(self._known.suggestable(), self._known.concepts, more)

    def names(self, system: str, kind: str) -> Iterator[tuple[str, str]]:
        """Every name of the concepts of a kind, as `tokens_for_index` gives its words, with its code."""
        found = self._known.suggestable()
        for tokens, index in zip(found.tokens, found.concepts, strict=True):
            row = self._known.concepts[index]
            if row[0] == system and row[3] == kind:
                yield tokens, row[1]

    @cached_property
    def slips(self) -> Slips:
        """What misspelt words of reports mean. Costs a tenth of a second."""
        return Slips(self._known.patterns)

    # Treatments

    def drug(self, atc: str) -> Concept | None:
        """The drug of an ATC code, or None."""
        return self.concept(_ATC, atc)

    def regimen(self, code: str) -> tuple[tuple[str, str], ...]:
        """The drugs of a regimen (`REG:FOLFOX`) as (INN, ATC); empty when unknown."""
        found = self.concept(_LOCAL, code)
        codes = _NEXT_DRUG.split(found.attributes.get("drugs", "")) if found else []
        return tuple((self.label(_ATC, atc), atc) for atc in codes if atc)

    def treatment_type_of_drug(self, atc: str) -> TreatmentType:
        """The kind of treatment that a drug is: as declared, else from its ATC class."""
        found = self.concept(_ATC, atc)
        if found and "treatment_type" in found.attributes:
            return TreatmentType(found.attributes["treatment_type"])
        return _type_of_class(atc)

    def treatment_type_of_regimen(self, code: str) -> TreatmentType:
        """The kind of treatment that a regimen is: chemotherapy as soon as one drug is."""
        found = self.concept(_LOCAL, code)
        if found and "treatment_type" in found.attributes:
            return TreatmentType(found.attributes["treatment_type"])
        types = [self.treatment_type_of_drug(atc) for _, atc in self.regimen(code)]
        return next((t for t in _STRONGEST if t in types), TreatmentType.OTHER)

    def treatment_type_of_act(self, code: str) -> TreatmentType | None:
        """The kind of treatment that a CCAM act or LOCAL procedure is; None for a diagnostic act or an unknown code."""
        found = self.concept(_CCAM, code) or self.concept(_LOCAL, code)
        name = found.attributes.get("treatment_type") if found else None
        return TreatmentType(name) if name else None

    def kind_of_act(self, code: str) -> str | None:
        """What sort of act a CCAM act or LOCAL procedure is (`surgery`, `biopsy`, `imaging`…), where it is said."""
        found = self.concept(_CCAM, code) or self.concept(_LOCAL, code)
        return found.attributes.get("act") if found else None

    def inn_of(self, name: str) -> Concept | None:
        """The drug of an INN, a brand, an abbreviation or a usual misspelling (`Keytruda`, `5-FU`), or None."""
        code = self._drug_names.code(name)
        return self.drug(code) if code else None

    @cached_property
    def _drug_names(self) -> DrugNames:
        return DrugNames(self.concepts(_ATC, "drug"))

    def brands_of(self, atc: str) -> tuple[str, ...]:
        """The French brands of a drug."""
        found = self.drug(atc)
        return found.called("brand") if found else ()

    def drug_class(self, atc: str) -> str | None:
        """What a drug does, in French (`anti-PD-1`): as declared, else the label of the nearest ATC class, or None."""
        found = self.drug(atc)
        if found and "class" in found.attributes:
            return found.attributes["class"]
        above = (self.concept(_ATC, code) for code in self.ancestors(_ATC, atc))
        return next((concept.label for concept in above if concept), None)

    # Diagnoses

    def topography_of_cim10(self, code: str) -> str | None:
        """The ICD-O-3 topography of a CIM-10 tumour code (`C50.4`, `C504` → `C50.4`; `C43.5` → `C44.5`), or None."""
        return self._of_cim10(code, "topography")

    def morphology_of_cim10(self, code: str) -> str | None:
        """The ICD-O-3 morphology that a CIM-10 tumour code says by itself (`C90.0` → `9732/3`), or None."""
        return self._of_cim10(code, "morphology")

    def _of_cim10(self, code: str, attribute: str) -> str | None:
        written = code.strip().upper()
        if len(written) > 3 and "." not in written:
            written = f"{written[:3]}.{written[3:]}"
        while len(written) >= 3:
            found = self.concept(_CIM10, written)
            if found and attribute in found.attributes:
                return found.attributes[attribute]
            written = written[:-1].rstrip(".")
        return None

    def cim10_of(self, topography: str | None, morphology: str) -> str | None:
        """The CIM-10 code of a tumour of ICD-O-3 (`C50.4`, `8500/3` → `C50.4`; `8500/2` → `D05.1`), or None.

        The behaviour chooses the part of chapter II, and some morphologies have categories of their own there: see
        `maps`. None for the topography is an unknown one.
        """
        return self._tumour_codes.of(topography, morphology)

    @cached_property
    def _tumour_codes(self) -> TumourCodes:
        def group_of(site: str) -> str | None:
            return next(reversed(self.ancestors(_T, site)), None)

        return TumourCodes(self.concepts(_CIM10), self._known.own_categories, group_of)

    def icdo3_of_adicap(self, code: str) -> tuple[str | None, str | None]:
        """The ICD-O-3 topography and morphology of an ADICAP code, each None where it is not known.

        A code has 8 characters (thésaurus ADICAP, version 5): how the sample was taken, the technique, the organ in
        two letters, the lesion in four (`BHGSA7B2`); what follows is not read. A lesion of one organ goes before the
        same letters of any organ; one that the thesaurus does not list is read as its family, whose code ends in 0.
        """
        written = "".join(code.upper().split())
        organ, lesion = written[2:4], written[4:8]
        if len(lesion) != 4:
            return None, None
        named = (self.concept(_ADICAP, name) for name in (organ + lesion, lesion, f"{lesion[:3]}0"))
        what, where = next(filter(None, named), None), self.concept(_ADICAP, organ)
        sites = [concept.attributes.get("topography") for concept in (what, where) if concept]
        return next(filter(None, sites), None), what.attributes.get("morphology") if what else None

    # Documents

    def document_kind(self, title: str) -> DocumentKind | None:
        """The kind of document that a French title or type names (`CRO`, `Fiche RCP sein`), or None."""
        asked = f" {' '.join(fold(title).split())} "
        named = [(len(form), code) for form, code in self._document_titles if f" {form} " in asked]
        return DocumentKind(max(named)[1]) if named else None

    @cached_property
    def _document_titles(self) -> list[tuple[str, str]]:
        return [
            (" ".join(fold(name).split()), concept.code)
            for concept in self.concepts(kind="document_kind")
            for name in (concept.label, *concept.synonyms)
        ]

    def editions(self) -> list[Edition]:
        """The edition in force of each code system, with its counts and, where it was imported, when and by whom."""
        return list(self._known.editions)

    @property
    def forms(self) -> int:
        """The number of forms that can be found in text."""
        return len(self._matcher)


_STRONGEST = (
    TreatmentType.CHEMOTHERAPY,
    TreatmentType.IMMUNOTHERAPY,
    TreatmentType.TARGETED,
    TreatmentType.HORMONOTHERAPY,
    TreatmentType.CELL_THERAPY,
)
# Between two drugs of a regimen; a code may itself hold a plus, before a name (`L01EM+inavolisib`).
_NEXT_DRUG = re.compile(r"\+(?=[A-Z]\d\d)")
# ATC classes, longest first (OMS, index ATC/DDD).
_CLASSES = (
    ("L01FF", TreatmentType.IMMUNOTHERAPY),
    ("L01FX04", TreatmentType.IMMUNOTHERAPY),
    ("L01XL", TreatmentType.CELL_THERAPY),
    ("L01E", TreatmentType.TARGETED),
    ("L01F", TreatmentType.TARGETED),
    ("L01XK", TreatmentType.TARGETED),
    ("L01XG", TreatmentType.TARGETED),
    ("L01XJ", TreatmentType.TARGETED),
    ("L01", TreatmentType.CHEMOTHERAPY),
    ("L02", TreatmentType.HORMONOTHERAPY),
    ("L03A", TreatmentType.IMMUNOTHERAPY),
    ("V10", TreatmentType.RADIOTHERAPY),
)


def _type_of_class(atc: str) -> TreatmentType:
    return next((t for prefix, t in _CLASSES if atc.startswith(prefix)), TreatmentType.OTHER)
