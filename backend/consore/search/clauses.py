"""How the chips of a question hold together: what is denied, what belongs to one row, what comes before what.

« pembrolizumab en 2e ligne » is one treatment, « cancer du sein gauche stade II » one tumour, « récidive après
tamoxifène » an order, « deux chirurgies » a count. Chips stay apart for the user to take away; the criteria bind them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from consore.referentials import tokens_for_index
from consore.search.chips import Chip, Json
from consore.search.criteria import DATED, Criteria, parse_criteria
from consore.search.periods import NUMBER, number_of
from consore.search.phrases import LINES, LINK, rules
from consore.search.terms import sites_of_metastasis


def compose(chips: list[Chip], plain: str) -> tuple[list[Chip], Criteria | None]:
    """The chips as they are to be shown, and the criteria of all together.

    `chips`: what was recognised, in the order of the question; `plain`: the question, normalised.
    """
    chips = _without_symptoms(chips, plain)
    chips = [_of_family(chip, plain) for chip in chips]
    chips = _spread(chips, plain)
    chips = _denied(chips, plain)
    chips = _dated(chips, plain)
    chips = [_counted(chip, plain) for chip in chips]
    chips = _without_overlap(chips)
    clauses = [_Clause(chip.start, chip.end, chip.kind, chip.criterion, chip.negated, [chip]) for chip in chips]
    clauses = _bound(_one_of(clauses, plain), plain)
    tumours, others = _tumours(clauses, plain)
    clauses, tumours, links = _ordered(others, tumours, plain)
    nodes = [{"tumour": tumour.leaf} for tumour in tumours if tumour.leaf and not tumour.used]
    nodes += [{"none": [clause.criterion]} if clause.negated else clause.criterion for clause in clauses]
    shown = [
        replace(chip, criterion={"none": [chip.criterion]})
        if chip.negated
        else links.get(chip.start, chip)
        if chip.kind == LINK
        else chip
        for chip in chips
        if chip.kind != LINK or chip.start in links
    ]
    return shown, _criteria(nodes)


def _criteria(nodes: list[Json]) -> Criteria | None:
    unique = list({json.dumps(node, sort_keys=True): node for node in nodes}.values())
    if not unique:
        return None
    return parse_criteria(unique[0] if len(unique) == 1 else {"all": unique})


@dataclass(slots=True, eq=False)
class _Clause:
    """Neighbouring chips that became one criterion; `criterion` is without the negation."""

    start: int
    end: int
    kind: str
    criterion: Json
    negated: bool
    chips: list[Chip]

    @property
    def key(self) -> str:
        return next(iter(self.criterion), "")


@dataclass(slots=True, eq=False)
class _Tumour:
    """The attributes of one tumour, and where the question speaks of it; `used` in a sequence."""

    leaf: Json
    start: int
    end: int
    used: bool = False


# --- What is a symptom, a relative's, denied ----------------------------------------------------------------

_ADJECTIVE = re.compile(r"(?:al|ale|aux|aire|ique|euse?|eux|el|elle|ien|ienne)s?$")


def _without_symptoms(chips: list[Chip], plain: str) -> list[Chip]:
    """« douleur abdominale » is no tumour of the abdomen: an adjective after a word of its own is a word too."""
    stop = rules().stop_words
    covered = [False] * len(plain)
    for chip in chips:
        if chip.kind != "topography":
            covered[chip.start : chip.end] = [True] * (chip.end - chip.start)

    def qualifies_a_word(chip: Chip) -> bool:
        if chip.kind != "topography" or not _ADJECTIVE.search(plain[chip.start : chip.end]):
            return False
        if any(covered[chip.start : chip.end]):
            return False  # inside a histology
        before = re.search(r"(\w+) +$", plain[: chip.start])
        return bool(
            before and not covered[before.start(1)] and not stop & set(tokens_for_index(before.group(1)).split())
        )

    return [chip for chip in chips if not qualifies_a_word(chip)]


def _of_family(chip: Chip, plain: str) -> Chip:
    """« mère ayant eu un cancer du sein »: the organ is the relative's."""
    if chip.kind not in ("topography", "morphology"):
        return chip
    found = rules().family.search(plain[: chip.start])
    if found is None:
        return chip
    ((attribute, codes),) = chip.criterion["tumour"].items()
    system = "ICD-O-3-T" if attribute == "topography" else "ICD-O-3-M"
    criterion = {"concept": {"system": system, "code": codes, "assertion": ["family"]}}
    label = f"Antécédent familial : {chip.label[:1].lower()}{chip.label[1:]}"
    return replace(chip, start=found.start(), kind="family", label=label, criterion=criterion)


_SPREAD_ON = re.compile(
    r"[ ,]*(?:et|ou|,|/|puis)(?: (?:au|aux|a la|dans (?:le|la|les)|du|de la|des|les?|la))?(?: [al]')? *"
)
_SPREAD_TO = re.compile(
    r"[ ,:(]*(?:touchant|atteignant|avec|a type de|sous forme de|au niveau|dans|au|aux|a|sur)?[ :]*"
    r"(?:(?:de|du|des|d'|le|la|les|l') ?)*"
)


def _spread(chips: list[Chip], plain: str) -> list[Chip]:
    """« métastases au foie et au poumon », « rechute cérébrale », « récidive avec métastases osseuses »: one spread."""
    result: list[Chip] = []
    for chip in chips:
        previous = result[-1] if result else None
        event = previous.criterion.get("event", {}) if previous else {}
        gap = plain[previous.end : chip.start] if previous else ""
        is_site, is_spread = chip.kind == "topography", chip.kind == "metastasis" and "event" in chip.criterion
        if previous and "site" in event and is_site and previous.kind == "metastasis" and _SPREAD_ON.fullmatch(gap):
            chip = _at(chip, event["type"], previous)
        elif previous and event and "site" not in event and "between" not in event and set(event["type"]) & _RELAPSES:
            adjective = is_site and not gap.strip() and _ADJECTIVE.search(plain[chip.start : chip.end])
            told = gap.strip(" ,:(") and _SPREAD_TO.fullmatch(gap) and (is_spread or is_site)
            if (is_spread and _SPREAD_TO.fullmatch(gap)) or adjective or (told and gap.strip() not in ("de", "du")):
                result[-1] = _at(replace(chip, start=previous.start), event["type"], previous)
                continue
        at_once = _AT_ONCE.match(plain, chip.end) if chip.kind == "metastasis" and "event" in chip.criterion else None
        if at_once:
            criterion = {"event": {**chip.criterion["event"], "type": ["initial"]}}
            chip = replace(chip, end=at_once.end(), label=f"{chip.label} (au diagnostic)", criterion=criterion)
        result.append(chip)
    return result


_AT_ONCE = re.compile(r" (?:d'emblee|synchrones?|(?:au|des le|lors du) diagnostic|initiales?)(?!\w)")
_RELAPSES = frozenset({"local_recurrence", "regional_recurrence", "metastatic_recurrence", "progression"})


def _at(chip: Chip, types: list[str], event: Chip) -> Chip:
    leaf = chip.criterion
    site = leaf["event"]["site"] if "event" in leaf else sites_of_metastasis(leaf["tumour"]["topography"][0])
    place = chip.label.removeprefix("Métastase : ")
    name = event.label.partition(" : ")[0]
    criterion = {"event": {"type": types, "site": site}}
    return replace(chip, kind="metastasis", label=f"{name} : {place[:1].lower()}{place[1:]}", criterion=criterion)


def _denied(chips: list[Chip], plain: str) -> list[Chip]:
    table = rules()
    result: list[Chip] = []
    for chip in chips:
        # What stands between the denial and the chip: its first word may have been taken by the chip itself.
        low = max(0, chip.start - 80)
        before = plain[low : chip.start]
        found = table.negation.search(before)
        if found and chip.kind not in ("age", "year", "laterality", LINK):
            result.append(replace(chip, start=low + found.start(), negated=True))
        elif (
            result
            and result[-1].negated
            and chip.kind not in ("age", "year", LINK)
            and table.goes_on.fullmatch(plain[result[-1].end : chip.start])
        ):
            result.append(replace(chip, negated=True))
        else:
            result.append(chip)
    return result


# --- Periods and counts -------------------------------------------------------------------------------------


def _dated(chips: list[Chip], plain: str) -> list[Chip]:
    """« opérés en 2019 », « en 2019, opérés »: the period is the treatment's, not the diagnosis'."""
    result: list[Chip] = []
    for chip in chips:
        previous = result[-1] if result else None
        if chip.kind == "year" and previous and _WHEN.fullmatch(plain[previous.end : chip.start]):
            row = _death_of(previous.criterion) or previous.criterion
            if "diag" not in plain[chip.start : chip.end] and _leaves(row, ("treatment", "event")):
                period = chip.criterion["tumour"]["diagnosed"]
                label = f"{previous.label} {chip.label.removeprefix('Diagnostic ')}"
                criterion = _with(row, ("treatment", "event"), {"between": period})
                result[-1] = replace(previous, end=chip.end, label=label, criterion=criterion)
                continue
        result.append(chip)
    return result


_WHEN = re.compile(
    r"[ ,(]*(?:(?:survenue?s?|realisee?s?|debutee?s?|commencee?s?|faite?s?|posee?s?|pratiquee?s?|administree?s?|entreprise?s?|"
    r"initiee?s?|ayant eu lieu|prescrite?s?|a eu lieu|decouverte?s?|constatee?s?) ?)?"
)


def _death_of(criterion: Json) -> Json | None:
    """A death that has a day is an event; « décédés » alone is a state."""
    return {"event": {"type": ["death"]}} if criterion == {"patient": {"vitalStatus": "dead"}} else None


_TIMES_BEFORE = re.compile(
    rf"(?:\b(?:(?P<at_least>au moins|minimum|>=|≥) ?|(?P<more>plus de |plus d'|> ?))?(?P<n>{NUMBER})|\b(?P<several>plusieurs|multiples))"
    r"(?: (?:traitements? (?:par|de)|cures? de|episodes? de|epreuves? de|antecedents? de))?[ ']*$"
)
_TIMES_AFTER = re.compile(
    rf"\s*(?:(?:a |au moins )?(?:(?P<n>{NUMBER}) (?:fois|reprises)|(?P<several>plusieurs fois|plusieurs reprises))(?: (?:ou|et) plus)?)\b"
)
_OR_MORE = re.compile(r"\s*(?:ou|et) (?:plus|davantage)\b")


def _counted(chip: Chip, plain: str) -> Chip:
    """« deux chirurgies », « opérés plusieurs fois »."""
    leaf = next(iter(_leaves(chip.criterion, ("treatment", "event"))), None)
    if leaf is None or chip.kind in ("line", LINES, LINK, "drug", "regimen"):
        return chip
    start, end = chip.start, chip.end
    found = _TIMES_AFTER.match(plain, end)
    if found:
        end = found.end()
    else:
        found = _TIMES_BEFORE.search(plain[:start])
        if found is None:
            return chip
        start = found.start()
        more = _OR_MORE.match(plain, end)
        end = more.end() if more else end
    groups = found.groupdict()
    least = 2 if groups.get("several") else number_of(groups["n"]) + bool(groups.get("more"))
    if least < 2:
        return chip  # « une mastectomie », « au moins une récidive »
    label = f"Au moins {least} fois : {chip.label[:1].lower()}{chip.label[1:]}"
    return replace(chip, start=start, end=end, label=label, criterion={"count": {"of": leaf, "atLeast": least}})


def _without_overlap(chips: list[Chip]) -> list[Chip]:
    """Chips that grew over others take them in."""
    grown = [chip for chip in chips if chip.kind in ("family",) or "count" in chip.criterion or chip.negated]
    return [
        chip
        for chip in chips
        if chip in grown or not any(one.start <= chip.start and chip.end <= one.end for one in grown)
    ]


# --- What belongs to one row --------------------------------------------------------------------------------

_TREATMENTS = ("treatment",)
_BY = re.compile(
    r"\s*(?:(?:par|a base|avec|de type|type|comportant|associant|selon|:|\(|en|du|de|d'|le protocole|protocole|une|un) ?)*\s*"
)
_IN_LINE = re.compile(
    r"[ ,(]*(?:(?:en|de|des|la|par|avec|sous|:|du|traitement|recu|ayant|traitee?s?|metastatiques?) ?)*"
)
_UNDER = re.compile(r"\s*(?:(?:sous|apres|au|a|de|du|avec|par|d'|la|le|un|traitement|ligne) ?)*\s*")


def _one_of(clauses: list[_Clause], plain: str) -> list[_Clause]:
    """« nivolumab ou pembrolizumab »: one is enough. Tumour attributes are lists already."""
    result: list[_Clause] = []
    for clause in clauses:
        previous = result[-1] if result else None
        if (
            previous
            and LINK not in (previous.kind, clause.kind)
            and previous.negated == clause.negated
            and not previous.negated
            and "tumour" not in (previous.key, clause.key)
            and rules().either.search(plain[previous.end : clause.start])
        ):
            old = previous.criterion
            options = old["any"] if "any" in old and len(previous.chips) > 1 else [old]
            previous.criterion = {"any": [*options, clause.criterion]}
            previous.end = clause.end
            previous.chips += clause.chips
        else:
            result.append(clause)
    return result


def _bound(clauses: list[_Clause], plain: str) -> list[_Clause]:
    """A line, a response, a kind of treatment and its drug, joined where they stand together."""
    result: list[_Clause] = []
    waiting: _Clause | None = None  # a line before its treatment
    for clause in clauses:
        previous = result[-1] if result else None
        gap = plain[previous.end : clause.start] if previous else ""
        if (
            clause.kind == "line"
            and previous
            and not previous.negated
            and _is_treatment(previous)
            and _IN_LINE.fullmatch(gap)
        ):
            for one in _together(result, plain):
                one.criterion = _with(one.criterion, _TREATMENTS, clause.criterion["treatment"])
            previous.end = clause.end
            previous.chips += clause.chips
            continue
        if previous and not clause.negated and _is_treatment(clause):
            if previous.kind == "line" and previous is waiting and _IN_LINE.fullmatch(gap):
                _join(previous, clause, _with(clause.criterion, _TREATMENTS, previous.criterion["treatment"]))
                previous.kind = clause.kind
                waiting = None
                continue
            response = _response(previous.criterion)
            if response and _UNDER.fullmatch(gap):
                _join(previous, clause, _with(clause.criterion, _TREATMENTS, {"response": [response]}))
                previous.kind = clause.kind
                continue
            line = previous.criterion.get("treatment", {}).get("line")
            if line and previous.chips[0].kind == "line" and _TOGETHER.fullmatch(gap):
                clause.criterion = _with(clause.criterion, _TREATMENTS, {"line": line})
                clause.chips.insert(0, previous.chips[0])
                result.append(clause)
                continue
            if _is_a_kind(previous) and clause.kind in ("drug", "regimen") and _BY.fullmatch(gap):
                kind = {"type": previous.criterion["treatment"]["type"]}
                kept = dict(previous.criterion["treatment"])
                _join(previous, clause, _with(clause.criterion, _TREATMENTS, {**kept, **kind}))
                previous.kind = clause.kind
                continue
        result.append(clause)
        waiting = clause if clause.kind == "line" else None
    return result


_TOGETHER = re.compile(r"\s*(?:et|\+|,|/|plus|associee?s? (?:a|au)|en association avec|avec)\s*(?:(?:du|de|d'|le|la|l') ?)?")


def _together(clauses: list[_Clause], plain: str) -> list[_Clause]:
    """The last clauses that are treatments given together: « palbociclib et létrozole »."""
    found = [clauses[-1]]
    for one in clauses[-2::-1]:
        if not _is_treatment(one) or one.negated or "line" in one.criterion.get("treatment", {}) or not _TOGETHER.fullmatch(plain[one.end : found[-1].start]):
            break
        found.append(one)
    return found


def _join(one: _Clause, other: _Clause, criterion: Json) -> None:
    one.criterion, one.end = criterion, other.end
    one.chips += other.chips


def _is_treatment(clause: _Clause) -> bool:
    return clause.kind not in ("line", LINES, LINK) and bool(_leaves(clause.criterion, _TREATMENTS))


def _is_a_kind(clause: _Clause) -> bool:
    """« chimiothérapie », with its line and period perhaps, but no drug yet."""
    leaf = clause.criterion.get("treatment", {})
    return "type" in leaf and not clause.negated and not {"drug", "regimen", "act"} & set(leaf)


def _response(criterion: Json) -> str | None:
    codes = criterion.get("concept", {}).get("code", [""])
    return codes[0].removeprefix("RESP:") if codes[0].startswith("RESP:") else None


def _leaves(criterion: Json, names: Iterable[str]) -> list[Json]:
    """The leaves of these kinds in a criterion that is one leaf or a choice or set of leaves."""
    key = next(iter(criterion), "")
    if key in ("any", "all"):
        return [leaf for child in criterion[key] for leaf in _leaves(child, names)]
    return [criterion] if key in names else []


def _with(criterion: Json, names: Iterable[str], more: Json) -> Json:
    """The criterion with `more` in each of its leaves of these kinds; of a choice, only such leaves are kept."""
    key = next(iter(criterion))
    if key in ("any", "all"):
        kept = [_with(child, names, more) for child in criterion[key] if _leaves(child, names)]
        return kept[0] if len(kept) == 1 else {key: kept}
    return {key: {**criterion[key], **more}} if key in names else criterion


# --- Tumours ------------------------------------------------------------------------------------------------


def _tumours(clauses: list[_Clause], plain: str) -> tuple[list[_Tumour], list[_Clause]]:
    """The tumours that the question speaks of, each with its attributes; and all that is not a tumour's.

    Lists of one attribute mean « one of »; « sein et ovaire » are two tumours, and so are two sides.
    """
    tumours: list[_Tumour] = []
    others: list[_Clause] = []
    linked = False
    for clause in clauses:
        if clause.key != "tumour" or clause.negated or "rank" in clause.criterion["tumour"]:
            linked = linked or clause.kind == LINK
            others.append(clause)
            continue
        leaf = clause.criterion["tumour"]
        current = tumours[-1] if tumours else None
        gap = plain[current.end : clause.start] if current else ""
        named = set(leaf) & {"topography"} and current is not None and "topography" in current.leaf
        apart = bool(named) and (linked or re.search(r"\bet\b|\bautre\b|\+", gap) is not None)
        conflict = current is not None and any(
            key in current.leaf and current.leaf[key] != value and not isinstance(value, list)
            for key, value in leaf.items()
        )
        if current is None or apart or conflict:
            tumours.append(_Tumour(dict(leaf), clause.start, clause.end))
        else:
            for key, value in leaf.items():
                old = current.leaf.get(key)
                current.leaf[key] = list(dict.fromkeys([*old, *value])) if isinstance(old, list) else value
            current.end = clause.end
        if named or current is None:
            linked = False
    return tumours, others


# --- Order --------------------------------------------------------------------------------------------------

_FILLER = re.compile(
    r"(?:[^\w]|\b(?:de|du|des|d|l|la|le|les|un|une|par|a|au|aux|sa|leur|leurs|son|ce|cette|traitements?|debut|fin|arret|"
    r"avoir|eu|ete|recu|ont|et|qui|en|cancers?|tumeurs?|traitee?s?|ayant|administration|premiere?s?|initiale?s?|prise|charge|"
    r"realisation|survenue?s?|est|sont|diagnostic|diagnostiquee?s?|puis|autre|lors|sous|avec|K|k)\b)*+"
)


def _ordered(
    clauses: list[_Clause], tumours: list[_Tumour], plain: str
) -> tuple[list[_Clause], list[_Tumour], dict[int, Chip]]:
    """The clauses with those that a link orders made sequences; the links that did, as chips to be shown."""
    rows = sorted([*clauses, *tumours], key=lambda row: (row.start, row.end))
    used: set[_Clause] = set()
    made: list[tuple[int, _Clause]] = []
    shown: dict[int, Chip] = {}
    for position, link in enumerate(rows):
        if isinstance(link, _Tumour) or link.kind != LINK:
            continue
        used.add(link)
        how = link.criterion
        first: _Clause | _Tumour | None
        then: _Clause | _Tumour | None
        before = _near(rows[:position][::-1], lambda row, at=link: plain[row.end : at.start])
        after = _near(rows[position + 1 :], lambda row, at=link: plain[at.end : row.start])
        if how.get("last"):
            then = before  # « opérés, irradiés ensuite »
            rest = [row for row in rows[:position] if row is not before][::-1]
            first = _near(rest, lambda row, at=before: plain[row.end : at.start]) if before else None
        elif how.get("diagnosis"):
            # A delay alone is after the treatment before it, if any; else days are counted from the diagnosis of the tumour that the question is about.
            then = before if isinstance(before, _Clause) else after if isinstance(after, _Clause) else None
            then = then or next(
                (row for row in rows[:position][::-1] if isinstance(row, _Clause) and _row_of(row)), None
            )
            first = next((one for one in tumours[::-1] if not one.used), _Tumour({}, 0, 0))
            if how.get("alone"):
                care = (row for row in rows[:position][::-1] if isinstance(row, _Clause) and row is not then)
                first = next((row for row in care if _is_treatment(row) and not row.negated), first)
        elif how.get("backward"):
            first, then = after, before
        else:
            first, then = before, after
        if first is None or then is None or first is then:
            continue
        if isinstance(first, _Clause) and first.negated:
            continue
        sequence = _sequence(first, then, how.get("within"))
        if sequence is None:
            continue
        negated = isinstance(then, _Clause) and then.negated
        if negated:
            sequence_clause = _Clause(link.start, link.end, LINK, sequence, True, link.chips)
        else:
            sequence_clause = _Clause(link.start, link.end, LINK, sequence, False, link.chips)
            if isinstance(first, _Tumour):
                first.used = True
            else:
                used.add(first)
        if isinstance(then, _Tumour):
            then.used = True
        else:
            used.add(then)
        made.append((link.start, sequence_clause))
        shown[link.start] = replace(
            link.chips[0],
            label=_said(first, then, how.get("within")),
            negated=negated,
            criterion={"none": [sequence]} if negated else sequence,
        )
    kept = [(clause.start, clause) for clause in clauses if clause not in used]
    ordered = [clause for _, clause in sorted([*kept, *made], key=lambda pair: pair[0])]
    return ordered, tumours, shown


def _near(rows: list[_Clause | _Tumour], between: Callable[[Any], str]) -> _Clause | _Tumour | None:
    """The nearest row, where only words that say nothing stand between."""
    for row in rows:
        if not _FILLER.fullmatch(between(row)):
            return None
        if isinstance(row, _Clause) and row.kind == LINK:
            return None
        if _row_of(row):
            return row
    return None


def _row_of(row: _Clause | _Tumour) -> list[Json]:
    """The dated leaves that a clause may stand for in a sequence; the first kind of them where it is a choice."""
    if isinstance(row, _Tumour):
        return [{"tumour": row.leaf}]
    criterion = _death_of(row.criterion) or row.criterion
    found = _leaves(criterion, DATED)
    named = [leaf for leaf in found if next(iter(leaf)) in ("event", "treatment")] or found
    if next(iter(criterion)) == "any" and len(row.chips) == 1:
        named = named[:1]  # one thing, in several ways of writing it
    return named


def _sequence(first: _Clause | _Tumour, then: _Clause | _Tumour, within: Json | None) -> Json | None:
    """Every leaf of the one before every leaf of the other, or one before one where either is a choice."""
    pairs = [
        {"sequence": {"first": one, "then": other, **({"within": within} if within else {})}}
        for one, other in product(_row_of(first), _row_of(then))
    ]
    if len(pairs) < 2:
        return pairs[0] if pairs else None
    chosen = any(isinstance(row, _Clause) and row.key == "any" for row in (first, then))
    return {"any" if chosen else "all": pairs}


_UNIT_WORDS = {"days": "jour", "weeks": "semaine", "months": "mois", "years": "an"}


def _said(first: _Clause | _Tumour, then: _Clause | _Tumour, within: Json | None) -> str:
    """`Chirurgie, puis récidive (au plus 2 ans)`."""
    names = [
        row.chips[0].label if isinstance(row, _Clause) else "Diagnostic" if row.leaf is not None else ""
        for row in (first, then)
    ]
    label = f"{names[0]}, puis {names[1][:1].lower()}{names[1][1:]}"
    for bound, words in (("max", "au plus"), ("min", "au moins")):
        if within and bound in within:
            count, unit = within[bound], _UNIT_WORDS[within["unit"]]
            label += f" ({words} {count} {unit}{'s' if count > 1 and unit != 'mois' else ''})"
    return label
