"""Stages, grades, performance status and lines of treatment, with the words that make the same letters mean another
thing.

Stages: UICC/AJCC and FIGO in Roman (I–IV with A–C). Grades: SBR/Nottingham, Fuhrman, FNCLCC, OMS, differentiation,
Gleason, ISUP. A « grade 2 » of mucositis (CTCAE) and a « stade III » of kidney failure are not of a tumour:
`not_grading` in the referential `context`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from consore.language.anchored import Anchored, Places
from consore.model import Mention, MentionKind, System
from consore.referentials import tables

_ROMAN = {"1": "I", "2": "II", "3": "III", "4": "IV"}
_ARABIC = {"i": "1", "ii": "2", "iii": "3", "iv": "4"}

_STAGE = re.compile(
    r"(?<!\w)(?:stades?|figo|ajcc|uicc|ann[ -]arbor)[\s:(]{1,3}"
    r"(?:(?:clinique|pathologique|tumoral|evolutif|pronostique|anatomique|initial|tnm|figo|ajcc|uicc|"
    r"ann arbor|d'ann arbor|"
    r"de la|selon la|classification|8e|edition|\d{4})[\s:]+){0,4}"
    r"(?P<number>iv|i{1,3}|[0-4])(?![0-9])[\s-]?(?P<letter>[abcde](?:[1-3])?)?(?![\w'])"
)
_GRADE = re.compile(
    r"(?<!\w)(?:(?:grades?|sbr|fuhrman|fnclcc|isup|ee|elston[- ]ellis|nottingham)[\s:]{1,3})"
    r"(?:(?:histologique|histopronostique|nucleaire|cytologique|tumoral|de malignite|global|sbr|ee|oms|"
    r"isup|fnclcc|fuhrman|"
    r"de fuhrman|de nottingham|nottingham|de scarff|bloom|et|richardson|scarff|selon|elston|ellis|d'elston|"
    r"de|a)[\s:,-]+){0,6}"
    r"(?P<number>i{1,3}|iv|[1-5])(?![\w+]|[.,]\d)(?:\s?/\s?(?:3|4|5|iii))?(?:\s\(?isup\)?)?"
)
_LEVEL = re.compile(
    r"(?<!\w)(?:de\s)?(?P<level>haut|bas|faible|intermediaire)\sgrade(?!\w)|(?<!\w)grade\s(?P<after>eleve|"
    r"intermediaire|bas)(?!\w)"
)
_SHORT_GRADE = re.compile(r"G(?<!\wG)\s?(?P<number>[1-4])(?!\w|[.,]\d)")
_TUMOUR_WORD = re.compile(r"carcin|tumeur|neuroend|sarcom|differenci|(?<!\w)tne(?!\w)")
_DIFFERENTIATION = re.compile(
    r"(?<!\w)(?P<how>bien|tres bien|moyennement|moderement|peu|pauvrement|"
    r"faiblement)[\s-]+differencie(?:e?s?)(?!\w)|(?<!\w)(?P<none>indifferencie)(?:e?s?)(?!\w)"
)
_GLEASON = re.compile(
    r"(?<!\w)(?:score\s+(?:de\s+)?|grade\s+(?:de\s+)?)?gleason[\s:]*(?:score[\s:]*)?(?:a\s|de\s|"
    r"est\s)?(?P<sum>(?:10|[2-9])(?!\s?\+))?"
    r"(?:\s?/\s?10)?[\s:=]*\(?(?:(?P<first>[1-5])\s?\+\s?(?P<second>[1-5]))?(?:\s?=\s?(?P<equals>10|[2-9]))?\)?(?!\d)"
)
_STATUS = re.compile(
    r"(?<!\w)(?:(?:score|indice|statut|performance status|ps|index)[\s:]{1,3})?"
    r"(?:\(?(?:oms|ecog|ps|performance status|who)\)?(?:[\s/-]{1,2}(?:oms|ecog|ps))?)"
    r"(?:\s(?:est|evalue|cote|estime|score))?\s?(?:a|"
    r"de)?\s?[:=]?\s?(?:a\s)?(?P<number>[0-4])(?:\s?[-/aà]\s?[0-4](?![\d/]))?(?![\d.,]\d|\w|\s?(?:ng|mg|%))"
)
_LINE = re.compile(
    r"(?<!\w)(?:(?P<ordinal>\d{1,2})\s?(?:ere|re|er|e|eme|nde|nd)|(?P<word>premiere|deuxieme|seconde|"
    r"troisieme|quatrieme|cinquieme|"
    r"sixieme|septieme|huitieme))\s+ligne(?!s? directrice)(?!\w)|"
    r"(?<!\w)ligne\s(?:n°\s?)?(?P<after>\d{1,2})(?![\w/.,])"
)
_SHORT_LINE = re.compile(
    r"(?:(?<=en )|(?<=\()|(?<=: )|(?<=de )|(?<=comme )|(?<=notre )|(?<=une )|(?<=la )|"
    r"(?<=sa ))L(?P<number>[1-9])(?!\d|\w)"
    r"|(?<![\w-])L(?P<of>[1-9])(?=\s(?:m[ée]tastatique|de (?:chimio|traitement|immuno)|par|avec))"
)
_ORDINALS = {
    "premiere": "1", "deuxieme": "2", "seconde": "2", "troisieme": "3", "quatrieme": "4", "cinquieme": "5",
    "sixieme": "6", "septieme": "7", "huitieme": "8",
}  # fmt: skip
_VERTEBRA = re.compile(
    r"vert[èeé]br|spondyl|listh|discal|hernie|arthrod|fractur|rachis|lombaire|tassement|corps|"
    r"\bL[1-5]\s?[-/]\s?(?:L|S)|sacr",
    re.IGNORECASE,
)
_DEGREES = {"bien": "1", "tres bien": "1", "moyennement": "2", "moderement": "2"}
_LEVELS = {"haut": "high", "eleve": "high", "bas": "low", "faible": "low", "intermediaire": "intermediate"}


_REACH = 24  # of the words before it that belong to a line, a level, a degree
_STAGES = Anchored(_STAGE, "stade", "figo", "ajcc", "uicc", "ann arbor", "ann-arbor")
_GRADES = Anchored(_GRADE, "grade", "sbr", "fuhrman", "fnclcc", "isup", "ee", "elston", "nottingham")
_LEVELLED = Anchored(_LEVEL, "grade", reach=_REACH)
_DIFFERENTIATED = Anchored(_DIFFERENTIATION, "differencie", reach=_REACH)
_GLEASONS = Anchored(_GLEASON, "gleason", reach=_REACH)
_SHORT_GRADES = Anchored(_SHORT_GRADE, *(f"G{blank}{n}" for blank in ("", " ", "\n") for n in "1234"), cased=True)
_STATUSES = Anchored(_STATUS, "oms", "ecog", "ps", "performance status", "who", reach=_REACH)
_LINES = Anchored(_LINE, "ligne", reach=_REACH)
_SHORT_LINES = Anchored(_SHORT_LINE, *(f"L{n}" for n in "123456789"), cased=True)


def find_gradings(text: str, plain: str, places: Places) -> Iterator[Mention]:
    """Mentions of kind stage, grade, performance_status and line."""
    yield from _stages(text, plain, places)
    yield from _grades(text, plain, places)
    yield from _statuses(text, plain, places)
    yield from _lines(text, plain, places)


def _stages(text: str, plain: str, places: Places) -> Iterator[Mention]:
    for match in _STAGES.within(plain, places):
        if _means_another_thing(plain, match):
            continue
        number = match["number"]
        stage = _ROMAN.get(number, number.upper()) + (match["letter"] or "").upper()
        yield _mention(text, match, MentionKind.STAGE, f"STAGE:{stage}", f"Stade {stage}", stage)


def _grades(text: str, plain: str, places: Places) -> Iterator[Mention]:
    for match in _GLEASONS.within(plain, places):
        first, second = match["first"], match["second"]
        total = match["sum"] or (str(int(first) + int(second)) if first else None)
        if total is None:
            continue
        value = f"{total} ({first}+{second})" if first else total
        yield _mention(text, match, MentionKind.GRADE, f"GLEASON:{total}", f"Score de Gleason {value}", value)
    for match in _GRADES.within(plain, places):
        if _means_another_thing(plain, match) or "gleason" in match.group():
            continue
        grade = _ARABIC.get(match["number"], match["number"])
        scale = "ISUP" if "isup" in match.group() else "GRADE"
        label = f"Grade {'ISUP ' if scale == 'ISUP' else ''}{grade}"
        yield _mention(text, match, MentionKind.GRADE, f"{scale}:{grade}", label, grade)
    for match in _LEVELLED.within(plain, places):
        level = _LEVELS[match["level"] or match["after"]]
        yield _mention(text, match, MentionKind.GRADE, f"GRADE:{level}", match.group().capitalize(), level)
    for match in _DIFFERENTIATED.within(plain, places):
        grade = "4" if match["none"] else _DEGREES.get(match["how"], "3")
        yield _mention(
            text, match, MentionKind.GRADE, f"GRADE:{grade}", text[match.start() : match.end()].lower(), grade
        )
    for match in _SHORT_GRADES.within(text, places):
        if _TUMOUR_WORD.search(plain, max(0, match.start() - 80), match.end() + 30):
            grade = match["number"]
            yield _mention(text, match, MentionKind.GRADE, f"GRADE:{grade}", f"Grade {grade}", grade)


def _statuses(text: str, plain: str, places: Places) -> Iterator[Mention]:
    for match in _STATUSES.within(plain, places):
        if re.search(r"grade\s$|classification\s(?:de l'|d')?$", plain[max(0, match.start() - 24) : match.start()]):
            continue
        number = match["number"]
        yield _mention(text, match, MentionKind.PERFORMANCE_STATUS, f"PS:{number}", f"OMS {number}", number)


def _lines(text: str, plain: str, places: Places) -> Iterator[Mention]:
    for match in _LINES.within(plain, places):
        number = match["ordinal"] or match["after"] or _ORDINALS[match["word"]]
        yield _mention(text, match, MentionKind.LINE, f"LINE:{int(number)}", f"Ligne {int(number)}", str(int(number)))
    for match in _SHORT_LINES.within(text, places):
        if _VERTEBRA.search(text, max(0, match.start() - 40), match.end() + 12):
            continue
        number = match["number"] or match["of"]
        yield _mention(text, match, MentionKind.LINE, f"LINE:{number}", f"Ligne {number}", number)


def _means_another_thing(plain: str, match: re.Match[str]) -> bool:
    """Whether the same sentence, just before or after, names a scale that is not a tumour's."""
    before = plain[max(0, match.start() - 45) : match.start()]
    before = re.split(r"[.;:\n]", before)[-1]
    after = re.split(r"[.;:\n,]", plain[match.end() : match.end() + 30])[0]
    return bool(_other_scales().search(before) or _other_scales().search(after))


@lru_cache(maxsize=1)
def _other_scales() -> re.Pattern[str]:
    words = [row["word"] for row in tables("context")["not_grading"]]
    return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, words)) + ")")


def _mention(text: str, match: re.Match[str], kind: MentionKind, code: str, label: str, value: str) -> Mention:
    start, end = match.span()
    written = text[start:end]
    trimmed = written.rstrip(" (:=")
    return Mention(start, start + len(trimmed), trimmed, kind, System.LOCAL, code, label, value)
