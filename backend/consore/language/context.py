"""What the author says of a finding: there, not there, perhaps, planned, in the family, in the past.

Cues are phrases of the referential `context` with a direction and a reach in words, and the verbs of `verbs.py`. A cue
acts inside its sentence, up to the next boundary (« mais », « en revanche »…) and, for the short ones, up to a comma
that opens a new statement; an enumeration (« pas de métastase hépatique, pulmonaire ni osseuse ») stays under its cue.
Cues about plans act on treatments only. Some phrases look like cues and are not (« pas seulement », « lymphome non
hodgkinien »): they are found first and silence what they cover. A relative makes a family only where no companion is
meant (« avec sa fille », « sa fille a été informée »). Sections (`sections.py`) speak where no cue does.

On a generated hospital of the test split: negated F1 .92, hypothetical .80, family .95 (README.md).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

from consore.language.choices import weighed
from consore.language.fillers import without_fillers
from consore.language.forms import UNTICKED, answers
from consore.language.layout import Layout
from consore.language.sections import Section, SectionKind
from consore.language.verbs import SAME_AS, VerbForm, read_form, verb_forms
from consore.model import Assertion, Mention, MentionKind
from consore.referentials import tables

TREATMENT_KINDS = frozenset(
    {MentionKind.DRUG, MentionKind.REGIMEN, MentionKind.PROCEDURE, MentionKind.LINE, MentionKind.DOSE}
)
# A day or a length is what it is; a result that is written down was obtained, « N0 » and « RE négatifs » included.
_NEVER_TURNED = frozenset({MentionKind.DATE, MentionKind.MEASUREMENT})
_RESULTS = frozenset({MentionKind.BIOMARKER, MentionKind.ALTERATION, MentionKind.PERFORMANCE_STATUS})
_NEVER_NEGATED = frozenset({*_RESULTS, MentionKind.TNM, MentionKind.STAGE, MentionKind.GRADE, MentionKind.LATERALITY})
_OF_THE_TUMOUR = frozenset({MentionKind.MORPHOLOGY, MentionKind.TOPOGRAPHY})
_OF_THE_PATIENT_TODAY = frozenset({MentionKind.PERFORMANCE_STATUS})
# A drug without one of these is for something else than the cancer: in use, not planned (« paracétamol si douleur »).
_AGAINST_CANCER = ("L01", "L02", "L03AX03", "L03AC01", "L04AX02", "L04AX04", "L04AX06", "V10", "H01CB", "L03AB")
# Operations of the past that no cancer report is about.
_OF_THE_PAST = frozenset({"PROC:appendicectomy", "PROC:cholecystectomy"})
_SPECIMEN = re.compile(
    r"piece|specimen|operatoire|anatomopath|recu |hysterectom|colectom|curage|omentectom|hepatectom|pancreat|"
    r"gastrectom"
)
_ASKED = re.compile(r"[^.;:,\n?]{0,25}\?(?!\w)")
_WHAT_TO_DO = re.compile(
    r"(?<!\w)(?:que |quel(?:le)?s? |comment |quand |faut-il |peut-on |doit-on |indication|place |interet |"
    r"prise en charge|traitement|strategie|conduite)[^:?]*$"
)
_FAR_REACH = 20
_OF_A_SIGN = 8
_FAR_BACK = 260
_NEW_STATEMENT = re.compile(
    r",\s*(?:avec|mais|il|elle|ils|elles|on|nous|le|la|les|l'|un|une|ce|cet|cette|ces|presence|patiente?|sous|"
    r"traitee?|"
    r"opere|confirm|qui|dont|a|est|d'autre part|par ailleurs|prend|dyspnee|apparition|persistance|progression|"
    r"stabilite|"
    r"poursuite|reprise|puis)(?![a-z-])"
)
# « …dont la mère a eu un cancer, suivie pour un lymphome » : from here on it is the patient again.
_THE_PATIENT = re.compile(
    r"[,;]\s*(?:est |a ete )?(?:suivie?|adressee?|porteuse|porteur|hospitalisee?|prise? en charge|"
    r"traitee? (?:pour|par)|operee? (?:pour|d)|"
    r"consulte|vue? (?:pour|en)|presente|decouverte? (?:d|chez)|chez (?:qui|un|une))(?![a-z-])"
)
_AFFIRMED = re.compile(
    r"\s*(?:\w+\s)?(?:multiples?|diffus\w*|connue?s?|stables?|uniques?|bilat\w+|bilobaires?|traitee?s?|prouvee?s?|"
    r"evolutiv\w+|en progression|de \d|d'apparition)(?!\w)"
)
_DEFINITE = re.compile(r"(?:^|\W)(?:son|sa|ses|notre|votre|leurs?|ce|cet|cette|ces|mon) (?:\w+ )?$")
_OWN = re.compile(r"(?:^|\W)(?:son|sa|ses) (?:\w+ )?$")
# « pas d'embole autour de l'adénocarcinome » : a tumour that is known is not what is denied.
_OF_THE_KNOWN = re.compile(r"\w{3,}.*\W(?:du|de la|le|la|de l'|l') ?$")
_ARGUMENT = re.compile(r"\s*(?:argument|element|signe|stigmate|indice)s?\W.*\W(?:pour|en faveur|de|d')\W[^,]*")
_ANOTHER_NEGATION = re.compile(r"(?:^|\W)(?:aucune?|pas|ni|sans)\W")
_IMAGING = re.compile(
    r"image|scanner|tdm|tep|irm|echo|radio|opacite|mammo|nodul|masse|foyer|fixation|endoscop|colosco|hypermeta|"
    r"scinti|densit"
)
_PATHOLOGIST = re.compile(r"(?<!\w)(?:biops|histolog|anatomopath|anapath|cytolog|immunohisto|microscop|(?:re)?lectur)")
_NI_OR = re.compile(r"(?:^|\W)(?:ni|ou)\W")
_LISTED = re.compile(r"\s*(?:ni|ou|et|de|d'|aucune?|sans)(?:\W|$)")
_HEAD = re.compile(
    r"met|mets|lesion|local|second|nodul|carcin|adeno|recid|rech|progr|tumeu|attein|envah|cancer|lymph|sarco|"
    r"mela|reprise"
)
_LIST_GOES_ON = re.compile(r"[^.;:(]{0,60}?\W(?:ni|ou)\W")
_COMPANION = re.compile(
    r"(?:\w{3,}er|avec|ac|av|par|aide de|presence de|aupres de|vit chez|vit avec|habite chez|accompagn\w+|"
    r"assist\w+ de|entre|compagnie de|a|"
    r"chez|pour|que|confie a|vue?)\s(?:l'aide de\s)?(?:sa|son|ses|une?|l'un de ses|une de ses|leur|le|"
    r"la)\s(?:[a-z]+\s)?$"
)
_AT_A_RELATIVE = re.compile(
    r"(?<!vit )(?<!habite )(?<!loge )chez\s(?:sa|son|ses|une?|l'un de ses|le|la|les|un de ses|\d|"
    r"deux)\s?(?:[a-z]+\s)?$"
)
_SPEAKS = re.compile(
    r"(?:\s\w+)?,?\s(?:(?:ne|n'|en|l'|le|la|lui|y|s'|se|nous|m'|qui|a|est|ont|etait|ayant|avait|aussi|bien|"
    r"toujours|egalement|fut|"
    r"puisse|pas)\s?){0,4}(?:ete\s)?(?:assist|confirm|rapport|signal|demand|souhait|inquiet|inform|present a|"
    r"present au|present\w* (?:lors|pendant)|"
    r"accompagn|aid|vi[tv]|occup|appel|decri|not[ea]|expliqu|ger[ea]|condui|verifi|prepar|particip|compr|entend|"
    r"pos[ea]|insist|"
    r"pense|trouv|redout|crain|evoqu|interrog|prevenu|averti|joint|joignable|habit|mari|age|en bonne sante|"
    r"entour|gard|travaill|attend|prend)"
)
_CYCLE_BEFORE = re.compile(
    r"(?<!\w)c(?:ures?|ycles?)?\s?(?:n°\s?)?(?:[2-9]|1\d)(?:\s?[dj]\s?\d+)?\s(?:de\s|du\s|d'|par\s)?$"
)
_CYCLE_AFTER = re.compile(r"[\s,(]{1,3}c(?:ure|ycle)?\s?(?:n°\s?)?(?:[2-9]|1\d)(?![\w-])")
# Between a finding and what is said of it later: « , un temps redoutée, a été », « , que le scanner n'a pas ».
_ASIDE = re.compile(
    r"[^,]{0,30},[^,]*,(?: (?:a|ont|avait|est|sont|etait|fut|ete|pu|ne|n'a|n'est|ne s'est|s'est|se|nous|lui|y))*\s*"
    r"|,? (?:ce )?(?:que|qu') ?(?!il|elle|on)[^,]*"
)
# « le docétaxel, la RCP ne l'a pas retenu », « quant au docétaxel, nous n'y sommes pas favorables »: named, then
# spoken of.
_NAMED_AGAIN = re.compile(
    r"(?:ne |n')?(?:l'(?:ai?|ont|avait|avaient|avons)|les (?:ai?|ont|avait|avaient|avons)) |"
    r"ne (?:le|la|les) |n'(?:en|y) "
)
_TOPIC = re.compile(
    r"(?:^|\W)(?:quant (?:a |au |aux |a la |a l')|concernant |pour ce qui est |en ce qui concerne |s'agissant |"
    r"au sujet )"
    r"[^,.;:]*$"
)
_TUMOUR_OF = r"(?:\w*carcinomes?|cancers?|tumeurs?|sarcomes?|neoplasies?)(?: \w+)? (?:du |de la |de l'|de |d')?"
# « suspicion de récidive chez un patient opéré d'un adénocarcinome »: the tumour is not what is doubted.
_IS_KNOWN = re.compile(
    r"(?:^|\W)(?:suivie?s?|traitee?s?|operee?s?|soignee?s?|prise? en charge|atteinte?s?|porteur|porteuse|connue?|"
    rf"surveillee?) (?:\w+ )?(?:pour|d'|du |de |par )(?: ?(?:une?|son|sa|l'|la|le|cette?|ce|un second) ?)?"
    rf"(?:{_TUMOUR_OF})?$"
)
_RELATIVE_CLAUSE = re.compile(r" (?:pour (?:lequel|laquelle)|dont|chez|auquel) ")
_THE = re.compile(r"(?:^|\W)(?:l'|le |la )$")
_OF_ONE = re.compile(r" (?:d'une?|d'|du|de la|de l'|de) ?")
_ANOTHER_STATEMENT = re.compile(r"[^,]*\w{4}[^,]*,(?![^,]*\W(?:ou|ni)\W) *(?:pour nous,? *)?(?:" + _TUMOUR_OF + ")?")
_SPOKEN_OF = re.compile(r"[^,.;:]{0,20},[^,.;:]*")
# « a été proposée, acceptée puis », « a été discuté mais »: what was done at last counts.
_DONE_AND = re.compile(
    r" (?:a|ont|avait|avaient|est|sont|etait|etaient|fut)(?: ete)? [a-z]+"
    r"(?:(?:,|(?: puis| et| mais| ensuite| finalement| aussitot)+) [a-z]+){0,2}"
    r"(?:,| puis| et| mais| ensuite| finalement| aussitot)+ "
)
_CLAUSE_STOPS = re.compile(r"[;:]|\.\s")


class Cue(NamedTuple):
    """A phrase that turns what stands within `reach` words after it, before it, or on both sides."""

    assertion: str
    direction: str
    reach: int
    about: str


class _Found(NamedTuple):
    start: int
    end: int
    phrase: str
    cues: tuple[Cue, ...]


class Context:
    """The cues, boundaries and sections of one document, ready to judge spans of it."""

    def __init__(
        self, text: str, cues: list[_Found], boundaries: list[tuple[int, bool]], sections: list[Section]
    ) -> None:
        self.text = text
        self._cues = cues
        self._cue_starts = [cue.start for cue in cues]
        self._back = [cue for cue in cues if any(c.direction == "back" for c in cue.cues)]
        self._boundaries = boundaries
        self._boundary_starts = [start for start, _ in boundaries]
        self._sections = sections
        self._section_starts = [section.start for section in sections]
        self._asks = "?" in text
        self._weighed = weighed(text)
        self._sentence: tuple[int, int] | None = None  # the one asked for last, and its cues
        self._of_sentence: list[_Found] = []

    @classmethod
    def of(cls, plain_text: str, sections: list[Section], text: str = "") -> Context:
        """Find the cues of a text given in its `layout.plain` form; `text` itself has the accents."""
        lexicon = _lexicon()
        lean, lean_text = without_fillers(plain_text, text)
        found = lexicon.find(lean.text)
        cues = list(_read(lean.text, lean_text, found, lexicon))
        bounds = [f for f in found if f.phrase in lexicon.boundaries]
        if lean.text is not plain_text:
            cues, bounds = _carried_back(cues, lean), _carried_back(bounds, lean)
        boundaries = [(f.start, lexicon.boundaries[f.phrase]) for f in bounds]
        if "," in lean.text:
            opened = [(m.start(), False) for m in _NEW_STATEMENT.finditer(lean.text)]
            opened += [(m.start(), True) for m in _THE_PATIENT.finditer(lean.text)]
            boundaries += [(lean.original(start, start + 1)[0], strong) for start, strong in opened]
        signs, limits = answers(plain_text, text or plain_text)
        if signs or limits:
            cues += [_Found(a.start, a.end, "", (Cue(a.says, a.side, _OF_A_SIGN, "any"),)) for a in signs]
            cues.sort()
            boundaries += [(limit, True) for limit in limits]
        boundaries.sort()
        return cls(plain_text, cues, boundaries, sections)

    def assertion(
        self, start: int, end: int, kind: MentionKind, sentence: tuple[int, int], code: str | None = None
    ) -> Assertion:
        """How the author stands to the span `start`–`end` of that sentence."""
        if kind in _NEVER_TURNED:
            return Assertion.PRESENT
        for choice in self._weighed if kind in TREATMENT_KINDS else ():
            if choice.start <= start < choice.end and (choice.past or not choice.taken):
                return Assertion.PRESENT if choice.taken else Assertion.NEGATED
        said = self._said(start, end, kind, sentence) if self._cues else {}
        if (kind is MentionKind.DRUG or kind is MentionKind.REGIMEN) and self._is_under_way(start, end):
            said["certain"] = 0
        if self._asks and _ASKED.match(self.text, end) and not self._is_known(said, start, kind, sentence):
            said["doubt"] = 0
        if UNTICKED in said:
            return Assertion.NEGATED
        if not said and kind is not MentionKind.DRUG and code not in _OF_THE_PAST:
            return self._of_section(start, kind)
        if "aspect" in said:
            # A pathologist's « compatible avec un adénocarcinome » is the diagnosis, a radiologist's is not.
            gap = said.pop("aspect")
            diagnosed = _PATHOLOGIST.search(self.text, sentence[0], start)
            if not diagnosed and (kind not in _OF_THE_TUMOUR or _IMAGING.search(self.text, sentence[0], end)):
                said["hypothetical"] = min(gap, said.get("hypothetical", 999))
        if kind in _OF_THE_TUMOUR and ("hypothetical" in said or "doubt" in said):
            before = self.text[max(sentence[0], start - 70) : start]
            if _DEFINITE.search(before[-9:]):
                said.pop("hypothetical", None)  # « le traitement de cet adénocarcinome devrait »
            if _IS_KNOWN.search(before):
                said.pop("hypothetical", None)
                said.pop("doubt", None)
        if kind in _NEVER_NEGATED:
            said.pop("negated", None)
        if kind in _NEVER_NEGATED and kind is not MentionKind.LATERALITY:
            for name in ("hypothetical", "doubt", *(("condition",) if kind in _RESULTS else ())):
                said.pop(name, None)
        if kind is MentionKind.DRUG and not _is_against_cancer(code):
            return Assertion.NEGATED if said.get("negated", 99) <= 12 else Assertion.PRESENT
        return self._decided(said, start, end, kind, sentence, code)

    def _decided(
        self, said: dict[str, int], start: int, end: int, kind: MentionKind, sentence: tuple[int, int], code: str | None
    ) -> Assertion:
        if "dropped" in said and ("hypothetical" in said or "doubt" in said):
            return Assertion.NEGATED  # « la crainte d'une récidive s'est éloignée »
        if "doubt" in said:
            return Assertion.NEGATED if self._refuted_later(end) else Assertion.HYPOTHETICAL
        if "using" in said and said["using"] < said.get("negated", 0):
            return Assertion.PRESENT  # « pas lieu d'interrompre le docétaxel »
        if "negated" in said and ("family" not in said or said["negated"] <= said["family"] + 20):
            return Assertion.NEGATED
        if "using" in said:  # « si toxicité du docétaxel », « nous proposons de remplacer le docétaxel »
            return Assertion.PRESENT
        if "family" in said and kind not in _OF_THE_PATIENT_TODAY and kind is not MentionKind.DRUG:
            return Assertion.FAMILY
        if "condition" in said or said.get("certain", 999) > said.get("hypothetical", 999) + 4:
            return Assertion.NEGATED if self._refuted_later(end) else Assertion.HYPOTHETICAL
        if "certain" in said:
            return Assertion.PRESENT
        if "history" in said:
            return Assertion.HISTORY
        if code in _OF_THE_PAST and not _SPECIMEN.search(self.text, sentence[0], sentence[1]):
            return Assertion.HISTORY
        if "offered" in said:  # « lui avait été proposé » : and given, unless what follows says no
            return Assertion.NEGATED if self._refuted_later(end) else Assertion.PRESENT
        return Assertion.PRESENT if "present" in said else self._of_section(start, kind)

    def _is_known(self, said: dict[str, int], start: int, kind: MentionKind, sentence: tuple[int, int]) -> bool:
        """Whether a question asks what to do: « tolérance du docétaxel ? », « quel traitement pour ce cancer ? »."""
        if kind in TREATMENT_KINDS:
            return not said.keys().isdisjoint(("using", "present", "certain"))
        return _WHAT_TO_DO.search(self.text, sentence[0], start) is not None

    def _is_under_way(self, start: int, end: int) -> bool:
        """Whether a cycle after the first is named beside: « C3 FOLFOX », « docétaxel, cure 4 »."""
        return bool(_CYCLE_BEFORE.search(self.text[max(0, start - 16) : start]) or _CYCLE_AFTER.match(self.text, end))

    def _refuted_later(self, end: int) -> bool:
        """Whether the next words answer (« cette option n'a pas été retenue », « nous avons répondu que non »)."""
        return any(0 <= cue.start - end <= _FAR_BACK and "\n\n" not in self.text[end : cue.start] for cue in self._back)

    def _said(self, start: int, end: int, kind: MentionKind, sentence: tuple[int, int]) -> dict[str, int]:
        """How far the nearest cue of each assertion is that reaches the span, in characters."""
        if sentence is not self._sentence:
            first = bisect_left(self._cue_starts, sentence[0])
            last = bisect_left(self._cue_starts, sentence[1], first)
            while last > first and self._cues[last - 1].end > sentence[1]:
                last -= 1
            self._sentence, self._of_sentence = sentence, self._cues[first:last]
        said: dict[str, int] = {}
        if not self._of_sentence:
            return said
        treatment = kind in TREATMENT_KINDS
        for found in self._of_sentence:
            if found.end <= start:
                first, last, side = found.end, start, "after"
            elif found.start >= end:
                first, last, side = end, found.start, "before"
            else:
                continue
            for cue in found.cues:
                if cue.direction != side and cue.direction != "both":
                    continue
                if cue.about != "any" and not _is_about(cue.about, kind, treatment):
                    continue
                if self._reaches(cue, side, first, last, kind, (start, end)):
                    name = cue.assertion
                    distance = 0 if name == "certain" and side == "before" else last - first
                    said[name] = min(distance, said.get(name, 999))
        return said

    def _reaches(self, cue: Cue, side: str, first: int, last: int, kind: MentionKind, span: tuple[int, int]) -> bool:
        treatment = kind in TREATMENT_KINDS
        if last - first > 12 * (cue.reach + 1) or self.text.count(" ", first, last) > cue.reach:
            return False
        far = cue.reach >= _FAR_REACH
        gap = self.text[first:last]
        done = side == "before" and _DONE_AND.fullmatch(gap) is not None
        over = far or done or (side == "before" and "," in gap and self._is_spoken_of(gap, last, span[0]))
        index = bisect_left(self._boundary_starts, first)
        while index < len(self._boundaries) and self._boundaries[index][0] < last:
            if not over or (self._boundaries[index][1] and not done):
                return False
            index += 1
        if far:
            return True
        stop = _CLAUSE_STOPS.search(gap)
        doubted = kind in _OF_THE_TUMOUR and cue.assertion in ("hypothetical", "doubt")
        if side == "before":
            if doubted and (_RELATIVE_CLAUSE.search(gap) or (cue.reach > _OF_A_SIGN and self._is_the(span[0]))):
                return False  # « l'adénocarcinome serait accessible à », « un carcinome pour lequel … pourrait »
            if cue.assertion == "negated" and _ANOTHER_NEGATION.search(gap):
                return False
            if gap.count("(") > gap.count(")") and gap.strip() != "(":
                return False  # « carcinome (p16 négatif) »
            return (stop is None or gap.strip() == ":") and (over or "," not in gap)
        if stop is not None and stop.start() > 1 and cue.assertion != "family":
            return False
        if cue.assertion == "negated":
            if kind is MentionKind.MORPHOLOGY and _OF_THE_KNOWN.search(gap):
                return False
            return self._goes_on(gap, treatment, cue.reach, span)
        if cue.assertion == "hypothetical" and not treatment and _OWN.search(gap):
            return False  # « la question du traitement de ses métastases »
        if doubted and (_ANOTHER_STATEMENT.fullmatch(gap) or (cue.reach < _OF_A_SIGN and _OF_ONE.fullmatch(gap))):
            return False  # « suspicion de métastases, adénocarcinome du sein », « récidive possible d'un carcinome »
        if doubted and kind is MentionKind.MORPHOLOGY and _OF_THE_KNOWN.search(gap):
            return False
        return cue.assertion == "family" or "(" not in gap

    def _is_the(self, start: int) -> bool:
        return _THE.search(self.text, max(0, start - 8), start) is not None

    def _is_spoken_of(self, gap: str, cue: int, start: int) -> bool:
        """Whether what is said at `cue`, behind a comma, is said of the span that begins at `start`."""
        if _ASIDE.fullmatch(gap):
            return True
        return _SPOKEN_OF.fullmatch(gap) is not None and bool(
            _NAMED_AGAIN.match(self.text, cue) or _TOPIC.search(self.text[max(0, start - 40) : start])
        )

    def _goes_on(self, gap: str, treatment: bool, reach: int, span: tuple[int, int]) -> bool:
        """Whether a negation goes on behind what it was said of (« pas de métastase hépatique, ni osseuse »)."""
        if _DEFINITE.search(gap):
            return False
        if reach <= 1:
            return not gap.strip()
        if "," not in gap:
            return True
        tail = gap[gap.rfind(",") + 1 :]
        if treatment:
            return bool(_NI_OR.search(tail))
        if _AFFIRMED.match(self.text, span[1]):
            return False
        if _LISTED.match(tail) or _ARGUMENT.fullmatch(gap):
            return True
        return not _HEAD.match(self.text, span[0]) or bool(_LIST_GOES_ON.match(self.text, span[1]))

    def _of_section(self, start: int, kind: MentionKind) -> Assertion:
        index = bisect_right(self._section_starts, start) - 1
        section = self._sections[index].kind if index >= 0 else SectionKind.NEUTRAL
        if section is SectionKind.NEUTRAL or kind in _OF_THE_PATIENT_TODAY:
            return Assertion.PRESENT
        if section is SectionKind.FAMILY:
            return Assertion.FAMILY
        if section is SectionKind.HISTORY:
            return Assertion.HISTORY
        if section is SectionKind.PLAN and kind in TREATMENT_KINDS:
            return Assertion.HYPOTHETICAL
        return Assertion.PRESENT


def is_against_cancer(mention: Mention) -> bool:
    """Whether a drug or regimen is one against cancer, by its ATC code."""
    return mention.kind is MentionKind.REGIMEN or _is_against_cancer(mention.code)


def _is_against_cancer(code: str | None) -> bool:
    return (code or "").startswith(_AGAINST_CANCER)


def sentence_assertions(
    text: str, mentions: list[Mention], spans: list[tuple[int, int]] | None = None
) -> list[tuple[int, int, Assertion]]:
    """For each sentence, how its findings are asserted, so that the index can search what is present apart.

    A sentence with any present finding, or none at all, is present; else it takes its first finding's assertion.
    """
    from consore.language.sentences import sentences

    turnable = sorted((m for m in mentions if m.kind not in _NEVER_TURNED), key=lambda m: m.start)
    result: list[tuple[int, int, Assertion]] = []
    index = 0
    for start, end in sentences(text) if spans is None else spans:
        while index < len(turnable) and turnable[index].start < start:
            index += 1
        inside: list[Assertion] = []
        while index < len(turnable) and turnable[index].start < end:
            inside.append(turnable[index].assertion)
            index += 1
        present = not inside or Assertion.PRESENT in inside
        result.append((start, end, Assertion.PRESENT if present else inside[0]))
    return result


def _carried_back(found: Sequence[_Found], lean: Layout) -> list[_Found]:
    """The phrases where they stand in the text that has its fillers."""
    places = (lean.original(one.start, one.end) for one in found)
    return [_Found(start, end, one.phrase, one.cues) for one, (start, end) in zip(found, places, strict=True)]


def _read(plain: str, text: str, found: Sequence[_Found], lexicon: _Lexicon) -> Iterator[_Found]:
    """The phrases that act, in order: verbs read in their form; the negation of a verb that denies nothing (« n'exclut
    pas », « n'avons pas modifié ») is left to it."""
    accents = len(text) == len(plain) and not text.isascii()
    taken: list[tuple[int, int]] = []
    read: list[_Found] = []
    for one in found:
        verb = lexicon.verbs.get(one.phrase)
        if verb is None:
            continue
        accented = (text[one.start : one.end].find("é", -3) >= 0 or None) if accents else None
        row, first, last = read_form(verb, plain, one.start, one.end, accented)
        if cues := lexicon.effects.get((verb.verb_class, row)) or lexicon.effects.get(
            (verb.verb_class, SAME_AS.get(row, row))
        ):
            read.append(_Found(first, last, one.phrase, cues))
            if all(cue.assertion != "negated" for cue in cues):
                taken.append((first, last))
    place = 0
    for one in found:
        if not one.cues:
            continue
        while place < len(taken) and taken[place][1] <= one.start:
            place += 1
        if place < len(taken) and taken[place][0] <= one.start and one.phrase in _BARE_NEGATIONS:
            continue
        if one.cues[0].assertion == "relative":
            if kept := _relative(plain, one):
                read.append(kept)
            continue
        read.append(one)
    read.sort()
    yield from read


def _is_about(about: str, kind: MentionKind, treatment: bool) -> bool:
    if about == "procedure":
        return kind is MentionKind.PROCEDURE
    return treatment is (about == "treatment")


_BARE_NEGATIONS = frozenset(
    {"pas", "jamais", "non", "plus", "pas de", "pas d'", "plus de", "plus d'", "jamais de", "jamais d'", "sans", "ss"}
)


def _relative(plain: str, found: _Found) -> _Found | None:
    """A relative as the one who has the disease: not as a companion, nor as the one who speaks."""
    before = plain[max(0, found.start - 40) : found.start].replace("\n", " ")
    at = _AT_A_RELATIVE.search(before)
    if (not at and _COMPANION.search(before)) or _SPEAKS.match(plain, found.end):
        return None
    cue = found.cues[0]
    bracketed = (
        before.endswith(("(", ", ", ": ", "- ")) or at is not None or before.rstrip().endswith(("sein", "colon"))
    )
    cues = [Cue("family", "after", cue.reach, "any")]
    if bracketed:
        cues.append(Cue("family", "before", 8 if at else 3, "any"))
    return found._replace(cues=tuple(cues))


class _Lexicon:
    """All phrases and verbs in one automaton; the longest at a place wins, so a pseudo-cue hides the cue inside it."""

    def __init__(self) -> None:
        read = tables("context")
        cues: dict[str, list[Cue]] = {}
        for row in read["assertion"]:
            cue = Cue(row["assertion"], row["direction"], int(row["reach"]), row["about"])
            for phrase in _spelt_out(row["phrase"]):
                cues.setdefault(phrase, []).append(cue)
        effects: dict[tuple[str, str], list[Cue]] = {}
        for row in read["verb_classes"]:
            cue = Cue(row["assertion"], row["direction"], int(row["reach"]), row["about"])
            effects.setdefault((row["class"], row["form"]), []).append(cue)
        self.effects = {key: tuple(value) for key, value in effects.items()}
        self.verbs: dict[str, VerbForm] = dict(verb_forms(read["verbs"]))
        self.boundaries = {
            phrase: row["strength"] == "strong" for row in read["boundaries"] for phrase in _spelt_out(row["phrase"])
        }
        pseudo = {phrase for row in read["pseudo"] for phrase in _spelt_out(row["phrase"])}
        self.cues = {phrase: tuple(value) for phrase, value in cues.items()}
        self._phrases = list({*cues, *self.verbs, *self.boundaries, *pseudo})
        self._open = [not phrase[0].isalnum() for phrase in self._phrases]
        self._elided = [not phrase[-1].isalnum() for phrase in self._phrases]
        self._automaton = BytesAhoCorasick(
            [phrase.encode("ascii") for phrase in self._phrases],
            matchkind=MatchKind.Standard,
            # No slower than a DFA, which does not fit the processor's cache, and built in half the time.
            implementation=Implementation.ContiguousNFA,
        )

    def find(self, text: str) -> list[_Found]:
        """Phrases on whole words, longest first, not overlapping, in order."""
        whole: list[tuple[int, int, str]] = []
        flat = text.replace("\n", " ")  # a phrase may run over the end of a line
        length = len(flat)
        # A byte a character, whatever it is: phrases are of plain letters.
        letters = flat.encode("ascii", "replace")
        for index, start, end in self._automaton.find_matches_as_indexes(letters, overlapping=True):
            if start and not self._open[index] and flat[start - 1].isalnum():
                continue
            if end < length and not self._elided[index] and flat[end].isalnum():
                continue
            if flat[start] == ":" and not _ENDS_HERE.match(flat, end):
                continue
            whole.append((start, -end, self._phrases[index]))
        whole.sort()
        kept: list[_Found] = []
        reached = 0
        for start, minus_end, phrase in whole:
            if start >= reached:
                reached = -minus_end
                kept.append(_Found(start, reached, phrase, self.cues.get(phrase, ())))
        return kept


_ENDS_HERE = re.compile(r"\s*(?:[.;,)]|$|\s[-–•*A-Z])")


def _spelt_out(phrase: str) -> Iterator[str]:
    """`(a|b) c` → `a c`, `b c`; and each with its small words as notes shorten them (`ss` for `sans`)."""
    pieces = [piece.split("|") for piece in re.split(r"[()]", phrase)]
    for chosen in product(*pieces):
        words = "".join(chosen).split()
        yield " ".join(words)
        if not _SHORT.keys().isdisjoint(words):
            yield " ".join(_SHORT.get(word, word) for word in words)


_SHORT = {"sans": "ss", "pour": "pr", "dans": "ds", "avec": "av"}


@lru_cache(maxsize=1)
def _lexicon() -> _Lexicon:
    return _Lexicon()
