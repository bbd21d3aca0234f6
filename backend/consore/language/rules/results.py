"""Results of biomarkers and gene alterations: which status or number stands beside a name that the dictionary found.

« RE 90 % », « RE+ RP- », « HER2 score 2+, FISH non amplifiée », « Ki67 à 30 % », « EGFR muté (exon 19) », « ALK
négatif », « PSA 4,2 ng/ml », « absence de mutation KRAS ». `value` is a `BiomarkerStatus` word, or the number with
its `unit`. A name without a result in a list takes that of the next name (« RE, RP et HER2 négatifs »). HER2 scores
follow ASCO/CAP: 3+ positive, 2+ decided by in-situ hybridisation and else equivocal, 0 and 1+ negative.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from consore.language.anchored import Anchored, Places
from consore.model import BiomarkerStatus, Mention, MentionKind, System
from consore.referentials import Match, grammar_of

_NUMBER = re.compile(
    r"\D{0,4}?(?:(?:est|etait|dose|mesure|evalue|estime|positifs?|positives?|positivite|exprimes?|"
    r"expression|marquage|taux|tps|cps|ic|score|"
    r"nucleaire|intense|modere|faible|index|de|du|d'|a|au|environ|superieur a|inferieur a|cellules|"
    r"tumorales|des|sur|des|"
    r"proliferation|actuel|initial|total)[\s:=(]*){0,6}"
    r"[\s:=(]*[<>≥≤~]?\s?(?P<number>\d{1,3}(?: \d{3})+(?=\s?(?:ng|ui|u/|kui|mui|µg|ug))|"
    r"\d{1,5}(?:[.,]\d{1,3})?)(?:\s?(?:-|a)\s?\d{1,3})?\s?(?P<unit>%|"
    r"pourcent|pour cent|ng/ml|ug/l|µg/l|pg/ml|"
    r"kui/l|kui/ml|mui/ml|ui/ml|ui/l|u/ml|u/l|pmol/l|nmol/l|mg/l|g/l|mg/24\s?h|g/24\s?h|mut/mb|ng/mg|mm|"
    r"mois)?(?![\w+]|\s?\+|/\d|[.,]\d|\s(?:ans?|jours?|fois|pour)(?!\w)|\s(?:janv|fevr|mars|avril|mai|juin|juil|aout|sept|"
    r"oct|nov|dec)|\s[µm]?mol)"
)
_SCORE = re.compile(
    r"[\s:=(,]*(?:(?:score|a|ihc|immunohistochimie|surexpression|"
    r"cote)[\s:=(]*){0,4}(?P<score>[0-3])\s?(?P<plus>\+)?(?![\w%.,]\S)"
)
_ISH = re.compile(
    r"(?:fish|cish|sish|dish|ish|hybridation)[^;.]{0,30}?(?P<no>non[\s-]|pas d'|absence d'|sans |-$|"
    r"neg)?\s?(?:amplifi|ampli|negati|positi|\+|-)"
)
# « Le dernier PSA, dosé en mars, est à 0,05 » , « PD-L1 (clone 22C3) : 50 % ».
_ASIDE = re.compile(r",[^,;.()\d]{0,30},|\s?\([^()]{0,30}\)")
_ISH_AFTER = re.compile(
    r"(?P<no>non[\s-]|pas\s(?:d')?)?amplifi\w*\s(?:en|par|au|a la)\s(?:fish|cish|dish|sish|ish|hybridation)"
)
_SIGN = re.compile(r"\s?(?:[(:=]\s?)?(?P<sign>\+{1,3}|-(?!\s?\d|\w)|⊕|⊖)\)?")
_WORDS: tuple[tuple[BiomarkerStatus, re.Pattern[str]], ...] = (
    (
        BiomarkerStatus.WILD_TYPE,
        re.compile(
            r"sauvage|non[\s-]mute|wild[\s-]?type|(?<!\w)wt(?!\w)|(?:pas|absence|sans|"
            r"aucune)[^,;.]{0,14}mutation|mutation[^,;.]{0,20}(?:non retrouvee|non detectee|absente|negative)"
        ),
    ),
    (
        BiomarkerStatus.NEGATIVE,
        re.compile(
            r"negati|(?<!\w)neg(?!\w)|indetectable|indosable|non[\s-](?:methyl|retrouve|identifie|exprim|"
            r"amplifi|surexprim|rearrang|transloqu|detect)|(?:pas|"
            r"absence|sans|aucune?)[^,;.]{0,14}(?:expression|surexpression|amplification|rearrangement|"
            r"translocation|fusion|marquage)|perte d'expression|eteint|normal|(?<!\w)absente?s?(?!\w)|"
            r"(?<!\w)pas\s(?:ete\s)?(?:detect|retrouv|identifi|mise?\sen\sevidence)"
        ),
    ),
    (
        BiomarkerStatus.MUTATED,
        re.compile(r"(?<!\w)mute|(?<!\w)mutation|muta(?!\w)|variant pathogene|deletion|insertion|pathogenique"),
    ),
    (BiomarkerStatus.EQUIVOCAL, re.compile(r"equivoque|indetermine|douteux|ininterpretable")),
    (BiomarkerStatus.HIGH, re.compile(r"eleve|(?<!\w)high|(?<!\w)haut|instable|instabilite|(?<!\w)-h(?!\w)")),
    (BiomarkerStatus.LOW, re.compile(r"(?<!\w)low(?!\w)|(?<!\w)bas(?!\w)|(?<!\w)faible(?!ment)")),
    (
        BiomarkerStatus.POSITIVE,
        re.compile(
            r"positi|(?<!\w)pos(?!\w)|amplifi|(?<!\w)methyl|surexprim|surexpression|rearrang|transloqu|fusion|"
            r"(?<!\w)exprim|"
            r"expression conservee|conserve|(?<!\w)detecte|(?<!\w)mise?s?\sen\sevidence"
        ),
    ),
)
# The first of them; of two at the same place the one listed first.
_ANY_STATUS = re.compile("|".join(f"(?P<{status.value}>{pattern.pattern})" for status, pattern in _WORDS))
_BEFORE = re.compile(
    r"(?P<no>(?:pas|absence|sans|aucune?|non|recherche|statut)\s[^,;.:]{0,24}|"
    r"n')?(?P<what>variant de signification\s(?:inconnue|"
    r"indeterminee)|mutation|mute|variant|amplification|surexpression|"
    r"expression|rearrangement|fusion|translocation|perte d'expression|perte|deletion homozygote|deletion|"
    r"methylation|negativite|"
    r"negati(?:f|ve)s? (?:pour|avec)|positi(?:f|ve)s? (?:pour|avec)|exprim(?:ent|ant|e)(?P<not>\spas|\sni)?|"
    r"marquage positif (?:pour|avec|de)|"
    r"positivite)s?\s(?:activatrice\s|somatique\s|nucleaire\s|focale?\s|diffuse\s|intense\s|promoteur\s|"
    r"anticorps\s|anti-|a\s|pour\s|"
    r"constitutionnelle\s|pathogene\s|germinale\s|activant\s|des\s|du\s|de\s|d'|l'|la\s|le\s|les\s|gene\s|"
    r"genes\s|proteine\s|recepteurs?\s){0,6}$"
)
_BEFORE_AT = re.compile(
    "variant|mut|amplif|surexpr|expr|rearr|fusion|transloc|perte|deletion|methyl|negati|positi|marquage"
)
# « Pas d'instabilité microsatellitaire », « délétion 17p non retrouvée »: words that state a result, denied.
_DENIED_BEFORE = re.compile(r"(?:pas|absence|sans|aucune?|ni)\s(?:de\s|d'|du\s|des\s|la\s|l'|retrouve\sde\s)?$")
_DENIED_AFTER = re.compile(
    r"[\s:()]*(?:est\s|a\sete\s)?(?:negati|absente?s?(?!\w)|non\s(?:retrouve|detecte|identifie|mis|vu)|"
    r"(?:n'est|n'a)\spas\s)"
)
_OPPOSITE = {"positive": "negative", "negative": "positive", "mutated": "wild_type"}
_LIST = re.compile(r"\s?(?:,|/|et|ou|&|ni|-)?\s?(?:des |les |l'|le |la |de )?$")
_WINDOW, _LOOK_BACK = 70, 60
_CLAUSE_END = re.compile(r";|\n(?!\d|a \d|positi|negati|non |mute|sauvage|amplifi)|\.(?=\s)")
_SCORED = frozenset({"HER2"})
_USUAL_UNITS = {"PSA": "ng/ml", "ER": "%", "PR": "%", "KI67": "%", "PDL1": "%", "BRESLOW": "mm"}
_TRIPLE_NEGATIVE = ("ER", "PR", "HER2")

_HGVS = re.compile(
    r"(?<!\w)(?:p\.\s?\(?(?:[A-Z][a-z]{2}|[A-Z])\d{1,4}(?:[A-Z][a-z]{2}|[A-Z*]|=|"
    r"_[A-Za-z]{1,3}\d{1,4})?(?:fs|del|ins|dup|\*|Ter)?\w{0,10}\)?"
    r"|c\.\s?[\d_+*-]{1,14}(?:[ACGT]>[ACGT]|del|dup|ins|inv)\w{0,12})"
)
_SHORT_VARIANT = re.compile(r"(?<![\w.])[ACDEFGHIKLMNPQRSTVWY]\d{2,4}[ACDEFGHIKLMNPQRSTVWYX*](?!\w)")
_SHORT_VARIANT_BESIDE = re.compile(r"[\s:(]{1,3}(?:p\.\(?)?[a-z]\d{2,4}[a-z*](?!\w)")
_EXON = re.compile(
    r"(?<!\w)(?P<event>(?:deletion|insertion|mutation|duplication|saut|skipping)s?\s(?:de\s|d'|du\s|dans\s|"
    r"l'|sur\s){0,3})?exon\s?(?P<exon>\d{1,2})"
    r"(?P<after>\s(?:deletion|insertion|skipping|saut))?(?!\w)"
)
_HGVSS = Anchored(_HGVS, "p.", "c.", cased=True)
_SHORT_VARIANTS = Anchored(
    _SHORT_VARIANT, *(f"{acid}{digit}" for acid in "ACDEFGHIKLMNPQRSTVWY" for digit in range(10)), cased=True
)
_EXONS = Anchored(_EXON, "exon", reach=40)


@dataclass(frozen=True, slots=True)
class _Result:
    end: int
    value: str | None
    unit: str | None = None
    lists: bool = False


def find_results(text: str, plain: str, places: Places, matches: Sequence[Match]) -> Iterator[Mention]:
    """Mentions of kind biomarker and alteration from the dictionary's biomarker and gene matches, in text order."""
    names = [match for match in matches if match.kind == MentionKind.BIOMARKER]
    names = sorted([*names, *_short_receptors(text, places, names)], key=lambda name: name.start)
    names = [
        n for i, n in enumerate(names) if not (i and names[i - 1].code == n.code and n.start - names[i - 1].end <= 2)
    ]
    results: list[_Result | None] = [None] * len(names)
    for index in range(len(names) - 1, -1, -1):
        following = names[index + 1] if index + 1 < len(names) else None
        results[index] = _result(plain, names[index], following)
        if (
            results[index] is None
            and following is not None
            and _LIST.fullmatch(plain, names[index].end, following.start)
        ):
            shared = results[index + 1]
            results[index] = _Result(names[index].end, shared.value, shared.unit) if shared and shared.value else None
    repeated: set[int] = set()
    for index in range(1, len(names)):
        before, name, result = names[index - 1], names[index], results[index - 1]
        gap = plain[before.end : name.start]
        if result is not None and result.lists and results[index] is None and _LIST.fullmatch(gap):
            results[index] = _Result(name.end, result.value, lists=True)
        if before.code == name.code and len(gap) <= 25 and results[index - 1] is None and not _CLAUSE_END.search(gap):
            results[index - 1] = results[index]  # « PD-L1 (clone 22C3) : TPS 50 % » names it twice
            repeated.add(index)
    for index, (name, result) in enumerate(zip(names, results, strict=True)):
        if index in repeated:
            continue
        if name.code == "TNBC":
            yield from _triple_negative(text, name)
        elif result is not None or not name.ambiguous:
            yield _biomarker(text, name, result)
    said = {name.start: result for name, result in zip(names, results, strict=True) if result and result.value}
    yield from _alterations(text, plain, places, matches, said)


def _short_receptors(text: str, places: Places, names: Sequence[Match]) -> Iterator[Match]:
    """« RE+ RP- », « RO : 100 % »: letters that mean a receptor only because a result follows."""
    taken = {name.start for name in names}
    for match in _SHORT_RECEPTORS.within(text, places):
        if match.start() not in taken:
            name = match["name"]
            spelt = "oestrogenes" if name.lower().endswith("nes") else "progesterone" if len(name) > 4 else name
            code, label = _RECEPTORS[spelt]
            yield Match(
                match.start(), match.end("name"), match["name"], System.LOCAL, code, label, MentionKind.BIOMARKER
            )


_RECEPTORS = {
    "RE": ("ER", "Récepteurs aux estrogènes"),
    "RO": ("ER", "Récepteurs aux estrogènes"),
    "RP": ("PR", "Récepteurs à la progestérone"),
    "RPg": ("PR", "Récepteurs à la progestérone"),
    "oestrogenes": ("ER", "Récepteurs aux estrogènes"),
    "progesterone": ("PR", "Récepteurs à la progestérone"),
    "RH": ("HR", "Récepteurs hormonaux"),
}
_RECEPTOR = re.compile(
    r"(?<![\w-])(?P<name>RE|RO|RPg?|RH|[œŒEeé]strog[eè]nes|[oO]estrog[eè]nes|"
    r"[Pp]rogest[ée]rone)(?=\s?(?:[:=(]\s?|à\s)?(?:\+|[-–−](?![\s]?\w)|\d{1,3}\s?%|"
    r"(?:faiblement |fortement )?(?:positif|n[ée]gatif))|\s?(?:,|/|et)\s?(?:les\s)?(?:RP|RO|RE|"
    r"HER-?2)(?!\w))"
)
_SHORT_RECEPTORS = Anchored(_RECEPTOR, "RE", "RO", "RP", "RH", "strog", "rogest", reach=len("oe"), cased=True)


def _result(plain: str, name: Match, following: Match | None) -> _Result | None:
    limit = min(len(plain), name.end + _WINDOW)
    if following is not None and following.start < limit:
        limit = max(name.end, following.start)
    if (stop := _CLAUSE_END.search(plain, name.end, limit)) is not None:
        limit = stop.start()
    if name.value:
        denied = _DENIED_BEFORE.search(plain, max(0, name.start - _LOOK_BACK), name.start)
        denied = denied or _DENIED_AFTER.match(plain, name.end, limit)
        return _Result(name.end, _OPPOSITE.get(name.value, name.value) if denied else name.value)
    grammar = grammar_of(name.code or "")
    if name.code in _SCORED and (score := _her2(plain, name.end, limit)):
        return score
    number = _NUMBER.match(plain, name.end, limit) if grammar else None
    if grammar and not number and (aside := _ASIDE.match(plain, name.end, limit)):
        number = _NUMBER.match(plain, aside.end(), limit)
    if grammar and grammar.is_number and number:
        return _Result(
            number.end(),
            number["number"].replace(",", ".").replace(" ", ""),
            _unit(number["unit"], name.code or "", plain[name.start : number.start("number")]),
        )
    if name.code not in _SCORED and _SHORT_VARIANT_BESIDE.match(plain, name.end, limit):
        return _Result(name.end, "mutated")
    if sign := _SIGN.match(plain, name.end, limit):
        status = BiomarkerStatus.POSITIVE if sign["sign"][0] in "+⊕" else BiomarkerStatus.NEGATIVE
        return _Result(sign.end(), status.value)
    said = _said_before(plain, name)
    if said is None or not said.lists:
        before, said = said, _said_after(plain, name.end, limit) or said
        if before and before.value in ("mutated", "wild_type") and said and said.value == "negative":
            said = _Result(said.end, "wild_type")  # « mutation BRAF non retrouvée »
    if said is None and grammar and grammar.is_share and number and number["unit"]:
        return _Result(
            number.end(),
            number["number"].replace(",", ".").replace(" ", ""),
            _unit(number["unit"], name.code or "", plain[name.start : number.start("number")]),
        )
    return said


def _her2(plain: str, start: int, limit: int) -> _Result | None:
    score = _SCORE.match(plain, start, limit)
    if amplified := _ISH_AFTER.search(plain, start, limit):
        return _Result(amplified.end(), "negative" if amplified["no"] else "positive")
    hybridisation = _ISH.search(plain, start, limit)
    if hybridisation:
        tail = hybridisation.group()
        negative = bool(hybridisation["no"]) or tail.endswith(("negati", "-"))
        return _Result(hybridisation.end(), "negative" if negative else "positive")
    if score is None or (not score["plus"] and "score" not in score.group() and score["score"] != "0"):
        return None
    status = {"3": "positive", "2": "equivocal"}.get(score["score"], "negative")
    return _Result(score.end(), status)


def _said_after(plain: str, start: int, limit: int) -> _Result | None:
    """The first status word after the name, not across a comma unless nothing else stands before it."""
    comma = plain.find(",", start, limit)
    limit = comma if comma > start + 2 else limit
    found = _ANY_STATUS.search(plain, start, limit)
    if found is None or found.start() - start > 45:
        return None
    return _Result(_word_end(plain, found.end()), found.lastgroup)


def _said_before(plain: str, name: Match) -> _Result | None:
    """What stands before the name: « mutation de », « perte d'expression de », « les cellules expriment »."""
    first = max(0, name.start - _LOOK_BACK)
    before = _BEFORE.search(plain, first, name.start) if _BEFORE_AT.search(plain, first, name.start) else None
    if before is None:
        return None
    what, no = before["what"], before["no"]
    if no and no.startswith(("recherche", "statut")):
        return None
    denied = bool(no or before["not"] or _DENIED_AFTER.match(plain, name.end))
    lists = what.startswith(_OF_LISTS)
    if what.startswith("variant de"):
        return _Result(name.end, "unknown")
    if what in ("mutation", "mute", "variant", "deletion", "deletion homozygote"):
        return _Result(name.end, "wild_type" if denied else "mutated")
    lost = what.startswith(("perte", "negati"))
    return _Result(name.end, "negative" if lost or denied else "positive", lists=lists)


# Heads of an enumeration of names: what they state holds for each of them.
_OF_LISTS = ("exprim", "positi", "negati", "perte", "marquage", "expression")


def _biomarker(text: str, name: Match, result: _Result | None) -> Mention:
    return Mention(
        name.start,
        name.end,
        text[name.start : name.end],
        MentionKind.BIOMARKER,
        name.system,
        name.code,
        name.label,
        result.value if result else None,
        result.unit if result else None,
        confidence=1.0 if result and result.value else 0.6,
    )


def _triple_negative(text: str, name: Match) -> Iterator[Mention]:
    """« Triple négatif » is itself, and a negative result of each of the three receptors."""
    for code in ("TNBC", *_TRIPLE_NEGATIVE):
        value = "positive" if code == "TNBC" else "negative"
        label = name.label if code == "TNBC" else f"{code} négatif"
        yield Mention(
            name.start, name.end, text[name.start : name.end], MentionKind.BIOMARKER, System.LOCAL, code, label, value
        )


def _alterations(
    text: str, plain: str, places: Places, matches: Sequence[Match], said: dict[int, _Result]
) -> Iterator[Mention]:
    """Genes with the variant written beside them, or said to be mutated, wild type, rearranged or not."""
    genes = _one_per_place([match for match in matches if _is_gene(match)])
    variants = sorted(_variants(text, plain, places)) if genes else []
    begin = [start for start, _, _ in variants]
    named = [m for m in matches if m.kind == MentionKind.BIOMARKER or _is_gene(m)] if genes else []
    named_at = [m.start for m in named]
    for index, gene in enumerate(genes):
        next_start = genes[index + 1].start if index + 1 < len(genes) else len(text)
        near = variants[bisect_left(begin, gene.start - 60) : bisect_left(begin, gene.end + _WINDOW)]
        variant = _variant_of(plain, gene, next_start, near)
        after = bisect_left(named_at, gene.end)
        following = named[after] if after < len(named) else None
        result = None if variant else said.get(gene.start) or _result(plain, gene, following)
        value = variant or (result.value if result and not result.unit and not result.value.isdigit() else None)
        if value:
            yield Mention(
                gene.start, gene.end, gene.text, MentionKind.ALTERATION, System.HGNC, gene.code,
                f"{gene.code} {variant}" if variant else gene.code, value,
            )  # fmt: skip


def _one_per_place(genes: list[Match]) -> list[Match]:
    """Genes are found as biomarkers and as genes: one match for each place, the gene's own first."""
    kept: dict[int, Match] = {}
    for gene in genes:
        if gene.start not in kept or gene.kind == MentionKind.ALTERATION:
            kept[gene.start] = gene
    return [kept[start] for start in sorted(kept)]


def _variants(text: str, plain: str, places: Places) -> Iterator[tuple[int, int, str]]:
    for pattern, source in ((_HGVSS, text), (_SHORT_VARIANTS, text), (_EXONS, plain)):
        for match in pattern.within(source, places):
            yield match.start(), match.end(), _balanced(text[match.start() : match.end()].strip())


def _balanced(written: str) -> str:
    """`p.G12C)` of « (p.G12C) » without the bracket that was opened before it."""
    return written[:-1] if written.endswith(")") and "(" not in written else written


def _variant_of(plain: str, gene: Match, next_start: int, variants: Sequence[tuple[int, int, str]]) -> str | None:
    """The first variant written after the gene and before the next one, else one just before it (« V600E de BRAF »).

    A short form (`V600E`) is given as the protein change that it is (`p.V600E`).
    """
    near = [v for v in variants if gene.end <= v[0] <= min(gene.end + _WINDOW, next_start)]
    near = near or [v for v in variants if 0 <= gene.start - v[1] <= 30 and _OF.fullmatch(plain, v[1], gene.start)]
    for start, end, written in near:
        if not _CLAUSE_END.search(plain, min(end, gene.end), max(start, gene.start)):
            return f"p.{written}" if _SHORT_VARIANT.fullmatch(written) else written
    return None


_OF = re.compile(r"[\s(]*(?:de|du|d'|sur|dans)[\s']*(?:l'|le |la )?(?:gene |l')?")


def _is_gene(match: Match) -> bool:
    return match.kind == MentionKind.ALTERATION and match.system == System.HGNC


def _unit(unit: str | None, code: str, said: str) -> str | None:
    """The unit as people write it; a number without one has the usual unit of its marker, but a CPS has none."""
    if unit in ("pourcent", "pour cent", "%"):
        return "%"
    if unit is None:
        return None if "cps" in said else _USUAL_UNITS.get(code)
    if unit == "mut/mb":
        return "mut/Mb"
    return unit.replace("ui/", "UI/").replace("u/ml", "U/ml") if "u" in unit else unit


def _word_end(plain: str, position: int) -> int:
    while position < len(plain) and plain[position].isalpha():
        position += 1
    return position
