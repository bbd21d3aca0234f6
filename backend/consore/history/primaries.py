"""Whether two statements speak of one primary tumour.

The rules are those of registries: *International Rules for Multiple Primary Cancers (ICD-O Third Edition)*,
IARC/IACR/ENCR, 2004. Two tumours of one site (three characters of the topography, some sites counted as one:
`single_sites.csv`, their table 1) are one, whatever the time between them, unless their histologies belong to
different groups (`histology_groups.csv`, their table 2); unspecified histologies agree with every specified
one; Kaposi sarcoma and haematopoietic tumours are one tumour wherever they sit. We depart from rule 3 on one
point, as clinicians do: in the paired organs marked `side_makes_another` (`sites.csv`), a tumour of the other
side is another tumour. And 8046 (*non à petites cellules*), which says what a carcinoma is not, stands with the
unspecified ones.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from consore.model import Laterality

HERE = Path(__file__).parent
UNSPECIFIED_SITES = frozenset({"C76", "C80"})
SPREAD_CLASSES = frozenset({"haematopoietic", "haematopoietic_nos", "kaposi"})


@dataclass(frozen=True, slots=True)
class Site:
    """How people speak of a three-character topography: `of` ("du sein"), `adjective` of a metastasis there."""

    code: str
    of: str
    gender: str
    adjective: str
    paired: bool
    side_makes_another: bool


@cache
def site(topography: str) -> Site:
    """The site of a topography (four characters where they have a row, else three); an unknown one is its code."""
    code = topography[:3]
    return _sites().get(topography) or _sites().get(code) or Site(code, f"({code})", "m", "", False, False)


@cache
def site_group(topography: str) -> str:
    """The three characters under which registries count this topography."""
    return _single_sites().get(topography[:3], topography[:3])


@cache
def histology(morphology: str) -> tuple[str, str]:
    """Group and class of a morphology `8500/3`; `("17", "nos")` where it is not one of the table."""
    digits = morphology[:4]
    number = int(digits) if digits.isdigit() else 8000
    for low, high, group, family in _histology_ranges():
        if low <= number <= high:
            return group, family
    return "17", "nos"


@cache
def same_histology(one: str | None, other: str | None) -> bool:
    """Whether two morphologies may be of one tumour; an absent one agrees with all."""
    if one is None or other is None:
        return True
    (group_a, class_a), (group_b, class_b) = histology(one), histology(other)
    if group_a == group_b or "nos" in (class_a, class_b):
        return True
    if "carcinoma_nos" in (class_a, class_b):
        return class_a.startswith("carcinoma") and class_b.startswith("carcinoma")
    if class_a.startswith("haematopoietic") and class_b.startswith("haematopoietic"):
        return "haematopoietic_nos" in (class_a, class_b)
    return False


@cache
def is_spread(morphology: str | None) -> bool:
    """Whether a tumour of this morphology is one wherever it sits (Kaposi, lymphomas, leukaemias)."""
    return morphology is not None and histology(morphology)[1] in SPREAD_CLASSES


@cache
def is_unspecified(morphology: str) -> bool:
    """Whether the morphology says no more than "tumour" or "carcinoma"."""
    return histology(morphology)[1] in ("nos", "carcinoma_nos", "haematopoietic_nos")


def same_primary(
    topography: str | None,
    morphology: str | None,
    laterality: Laterality | None,
    other_topography: str | None,
    other_morphology: str | None,
    other_laterality: Laterality | None,
) -> bool:
    """Whether two statements speak of one primary tumour; what is absent agrees with all."""
    if not same_histology(morphology, other_morphology) and not _is_variant(
        topography, morphology, other_topography, other_morphology
    ):
        return False
    if is_spread(morphology) and is_spread(other_morphology):
        return True
    if topography is None or other_topography is None:
        return True
    group, other_group = site_group(topography), site_group(other_topography)
    if group in UNSPECIFIED_SITES or other_group in UNSPECIFIED_SITES:
        return True
    if group != other_group:
        return may_be(topography, other_topography, other_morphology or morphology) or may_be(
            other_topography, topography, morphology or other_morphology
        )
    return not (site(topography).side_makes_another and opposite(laterality, other_laterality))


def _is_variant(
    topography: str | None, morphology: str | None, other_topography: str | None, other_morphology: str | None
) -> bool:
    """Whether two histologies of one organ are variants of one tumour there (`one_histology.csv`)."""
    place = topography or other_topography
    if place is None or morphology is None or other_morphology is None:
        return False
    if topography and other_topography and site_group(topography) != site_group(other_topography):
        return False
    ranges = _one_histology().get(site_group(place), ())
    return _within(morphology, ranges) and _within(other_morphology, ranges)


@cache
def may_be(vague: str, topography: str, morphology: str | None) -> bool:
    """Whether a topography that says little ("cavité buccale") may mean this one (`vague_sites.csv`)."""
    for row in _vague_sites().get(vague[:5], ()):
        may, ranges = row
        if topography[:3] in may and (not ranges or (morphology is not None and _within(morphology, ranges))):
            return True
    return False


@cache
def is_vague(topography: str) -> bool:
    """Whether the topography may mean another one that says more."""
    return topography[:5] in _vague_sites() or topography[:3] in UNSPECIFIED_SITES


@cache
def is_unlikely(topography: str, morphology: str) -> bool:
    """Whether no tumour of this morphology is born there (`unlikely_sites.csv`)."""
    return any(topography[:3] in sites and _within(morphology, ranges) for ranges, sites in _unlikely_sites())


@cache
def usual_site(topography: str | None, morphology: str | None) -> str | None:
    """The topography that a tumour of this morphology has: that of its tissue, for a region or where none is told.

    ICD-O-3 gives leukaemias and myeloma the marrow (C42.1), a lymphoma without a site its nodes (C77.9), and a
    melanoma or a sarcoma of a limb the skin or the soft tissue of that limb (`usual_sites.csv`).
    """
    if morphology is None:
        return topography
    for ranges, row in _usual_sites():
        if not _within(morphology, ranges):
            continue
        if topography is None:
            return row["without"] or None
        if row["only"] and topography is not None and topography[:3] not in row["only"].split():
            return row["without"]
        if topography[:3] == "C80" and row["without"]:
            return row["without"]
        return row.get(topography[:5]) or topography
    return topography


def opposite(one: Laterality | None, other: Laterality | None) -> bool:
    """Whether two sides are left and right."""
    return {one, other} == {Laterality.LEFT, Laterality.RIGHT}


@cache
def behaviour(morphology: str) -> str:
    """The digit after the slash: 3 malignant, 2 in situ, 1 uncertain, 6 metastatic, 9 unknown origin."""
    return morphology.partition("/")[2][:1]


@cache
def _sites() -> dict[str, Site]:
    return {
        row["topography"]: Site(
            row["topography"],
            row["of"],
            row["gender"],
            row["adjective"],
            row["paired"] == "1",
            row["side_makes_another"] == "1",
        )
        for row in _rows("sites.csv")
    }


@cache
def _single_sites() -> dict[str, str]:
    return {code: row["site"] for row in _rows("single_sites.csv") for code in row["topographies"].split()}


@cache
def _histology_ranges() -> list[tuple[int, int, str, str]]:
    return [
        (int(low), int(high), row["group"], row["class"])
        for row in _rows("histology_groups.csv")
        for low, _, high in (item.partition("-") for item in row["ranges"].split())
    ]


@cache
def _vague_sites() -> dict[str, list[tuple[frozenset[str], tuple[tuple[int, int], ...]]]]:
    found: dict[str, list[tuple[frozenset[str], tuple[tuple[int, int], ...]]]] = {}
    for row in _rows("vague_sites.csv"):
        entry = (frozenset(row["may_be"].split()), _ranges(row["histologies"]))
        found.setdefault(row["topography"], []).append(entry)
    return found


@cache
def _one_histology() -> dict[str, tuple[tuple[int, int], ...]]:
    return {row["site"]: _ranges(row["ranges"]) for row in _rows("one_histology.csv")}


@cache
def _unlikely_sites() -> list[tuple[tuple[tuple[int, int], ...], frozenset[str]]]:
    return [(_ranges(row["ranges"]), frozenset(row["topographies"].split())) for row in _rows("unlikely_sites.csv")]


@cache
def _usual_sites() -> list[tuple[tuple[tuple[int, int], ...], dict[str, str]]]:
    return [(_ranges(row["ranges"]), row) for row in _rows("usual_sites.csv")]


def _ranges(written: str) -> tuple[tuple[int, int], ...]:
    return tuple((int(low), int(high)) for low, _, high in (item.partition("-") for item in written.split()))


def _within(morphology: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    digits = morphology[:4]
    return digits.isdigit() and any(low <= int(digits) <= high for low, high in ranges)


def _rows(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))
