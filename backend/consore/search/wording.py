"""What the words around a chip make of it: denied, a relative's, spread to an organ, dated, counted, or no tumour."""

from __future__ import annotations

import re
from dataclasses import replace

from consore.referentials import tokens_for_index
from consore.search.chips import Chip, Json, uncapitalised
from consore.search.clause import death_of, leaves, with_more
from consore.search.periods import NUMBER, number_of
from consore.search.phrases import LINES, LINK, rules
from consore.search.terms import sites_of_metastasis


def as_worded(chips: list[Chip], plain: str) -> list[Chip]:
    """The chips, each with what the words around it say; those that these words undo are left out.

    A denied chip says so in `negated`; its criterion is still that of the thing denied.
    """
    chips = _without_symptoms(chips, plain)
    chips = [_of_family(chip, plain) for chip in chips]
    chips = _spread(chips, plain)
    chips = _denied(chips, plain)
    chips = _dated(chips, plain)
    return _without_overlap([_counted(chip, plain) for chip in chips])


# --- What is a symptom, a relative's, denied ----------------------------------------------------------------

_ADJECTIVE = re.compile(r"(?:al|ale|aux|aire|ique|aque|euse?|eux|el|elle|ien|ienne)s?$")


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
    told: Json = chip.criterion.get("tumour", {})
    attribute = next((name for name in ("topography", "morphology") if name in told), None)
    if found is None or attribute is None:
        return chip
    codes = told[attribute]
    system = "ICD-O-3-T" if attribute == "topography" else "ICD-O-3-M"
    criterion = {"concept": {"system": system, "code": codes, "assertion": ["family"]}}
    label = f"Antécédent familial : {uncapitalised(chip.label)}"
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
        is_site, is_spread = (
            "topography" in chip.criterion.get("tumour", {}),
            chip.kind == "metastasis" and "event" in chip.criterion,
        )
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
    return replace(chip, kind="metastasis", label=f"{name} : {uncapitalised(place)}", criterion=criterion)


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
            row = death_of(previous.criterion) or previous.criterion
            if "diag" not in plain[chip.start : chip.end] and leaves(row, ("treatment", "event")):
                period = chip.criterion["tumour"]["diagnosed"]
                label = f"{previous.label} {chip.label.removeprefix('Diagnostic ')}"
                criterion = with_more(row, ("treatment", "event"), {"between": period})
                result[-1] = replace(previous, end=chip.end, label=label, criterion=criterion)
                continue
        result.append(chip)
    return result


_WHEN = re.compile(
    r"[ ,(]*(?:(?:survenue?s?|realisee?s?|debutee?s?|commencee?s?|faite?s?|posee?s?|pratiquee?s?|administree?s?|"
    r"entreprise?s?|"
    r"initiee?s?|ayant eu lieu|prescrite?s?|a eu lieu|decouverte?s?|constatee?s?) ?)?"
)


_TIMES_BEFORE = re.compile(
    rf"(?:\b(?:(?:au moins|minimum|>=|≥) ?|(?P<more>plus de |plus d'|> ?))?(?P<n>{NUMBER})|"
    r"\b(?P<several>plusieurs|multiples))"
    r"(?: (?:traitements? (?:par|de)|cures? de|episodes? de|epreuves? de|antecedents? de))?[ ']*$"
)
_TIMES_AFTER = re.compile(
    rf"\s*(?:a |au moins )?(?:(?P<n>{NUMBER}) (?:fois|reprises)|(?P<several>plusieurs (?:fois|reprises)))"
    r"(?: (?:ou|et) plus)?\b"
)
_OR_MORE = re.compile(r"\s*(?:ou|et) (?:plus|davantage)\b")


def _counted(chip: Chip, plain: str) -> Chip:
    """« deux chirurgies », « opérés plusieurs fois »."""
    leaf = next(iter(leaves(chip.criterion, ("treatment", "event"))), None)
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
    label = f"Au moins {least} fois : {uncapitalised(chip.label)}"
    return replace(chip, start=start, end=end, label=label, criterion={"count": {"of": leaf, "atLeast": least}})


def _without_overlap(chips: list[Chip]) -> list[Chip]:
    """Chips that grew over others take them in."""
    grown = [chip for chip in chips if chip.kind in ("family",) or "count" in chip.criterion or chip.negated]
    return [
        chip
        for chip in chips
        if chip in grown or not any(one.start <= chip.start and chip.end <= one.end for one in grown)
    ]
