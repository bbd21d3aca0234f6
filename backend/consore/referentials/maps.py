"""From one code system to another: ICD-O-3 to CIM-10, ADICAP to ICD-O-3, the name of a drug to its code.

ICD-O-3 to CIM-10 follows the structure of the two books (OMS): topographies of ICD-O-3 are the categories C00–C80 of
CIM-10, and the behaviour chooses the part of its chapter II: /3 and /9 C00–C80, /2 D00–D09, /1 D37–D48, /0 D10–D36, /6
C77–C79. Some morphologies have categories of their own there (lymphomas, leukaemias, melanomas…): these are listed in
`cim10/by_morphology.csv` (first,last,behaviour,site,target), after the morphology part of CIM-10 and its index.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from consore.errors import ConfigurationError
from consore.referentials.concept import Concept
from consore.text import fold

# The part of chapter II of CIM-10 that a behaviour chooses (first and last category).
_PARTS = {
    "3": ("C00", "C76"),
    "9": ("C00", "C76"),
    "2": ("D00", "D09"),
    "0": ("D10", "D36"),
    "1": ("D37", "D48"),
    "6": ("C77", "C79"),
}
_UNKNOWN_PRIMARY = "C80"
# « autres sièges précisés » of the parts where a site without a code of its own belongs there
_OTHER_SITE = {"2": "D09.7", "6": "C79.8"}
_MORPHOLOGY = re.compile(r"(?:M-?)?(\d{4})/?(\d)")


class OwnCategory(NamedTuple):
    """Morphologies `first`–`last` of a `behaviour`, at sites that begin by `site`, have the CIM-10 code or category
    `target` for their own."""

    first: int
    last: int
    behaviour: str
    site: str
    target: str


def own_category(row: dict[str, str], place: str) -> OwnCategory:
    """A row of `by_morphology.csv`. Raises ConfigurationError naming its `place`."""
    try:
        return OwnCategory(int(row["first"]), int(row["last"]), row["behaviour"], row["site"], row["target"])
    except ValueError as error:
        raise ConfigurationError(f"{place}: not a morphology: {error}.", "Write four digits, as 8140.") from error


class TumourCodes:
    """Finds the CIM-10 code of a tumour of ICD-O-3 among the CIM-10 `concepts`, which carry their `topography`.

    `group_of` gives the group of a topography (`C18.7` → `C15-C26`), or None.
    """

    def __init__(
        self,
        concepts: Iterable[Concept],
        own: Iterable[tuple[Any, ...]],
        group_of: Callable[[str], str | None],
    ) -> None:
        self._own = [OwnCategory(*row) for row in own]
        self._group_of = group_of
        # `*** SU11 ***` in a label: the code was annulled that year
        listed = [c for c in concepts if "withdrawn" not in c.attributes and not c.label.startswith("***")]
        divided = {parent for concept in listed for parent in concept.parents}
        self._codes = {concept.code for concept in listed}
        self._by_site: dict[str, list[str]] = {}
        self._by_group: dict[str, list[tuple[str, str]]] = {}
        for concept in listed:
            site = concept.attributes.get("topography")
            if site and (len(concept.code) > 3 or concept.code not in divided):
                self._by_site.setdefault(site, []).append(concept.code)
                if group := group_of(site):
                    self._by_group.setdefault(group, []).append((site, concept.code))
        for site, codes in self._by_site.items():
            codes.sort(key=lambda code: (code != site, code[:3] != site[:3], len(code) > 5, code[-1] != site[-1], code))

    def of(self, topography: str | None, morphology: str) -> str | None:
        """The CIM-10 code of a topography (None: unknown) with a morphology (`8500/3`); None where there is none."""
        found = _MORPHOLOGY.fullmatch(morphology.strip())
        if not found:
            return None
        histology, behaviour = int(found[1]), found[2]
        site = topography or f"{_UNKNOWN_PRIMARY}.9"
        for first, last, stated, begins, target in self._own:
            if first <= histology <= last and behaviour == stated and site.startswith(begins):
                return self._in_category(target, site)
        if behaviour not in _PARTS:
            return None
        if behaviour in "39" and site.startswith(_UNKNOWN_PRIMARY):
            return self._known(f"{_UNKNOWN_PRIMARY}.9") or self._known(_UNKNOWN_PRIMARY)
        first_category, last_category = _PARTS[behaviour]

        def may_be(code: str) -> bool:
            return first_category <= code[:3] <= last_category and not self._has_own_morphologies(code)

        for asked in (site, f"{site[:3]}.9"):
            for code in self._by_site.get(asked, ()):
                if may_be(code):
                    return code
        if behaviour in "39":
            return None
        return self._of_group(site, may_be, behaviour) or self._known(_OTHER_SITE.get(behaviour, ""))

    def _of_group(self, site: str, may_be: Callable[[str], bool], behaviour: str) -> str | None:
        """The code of a site's group: of its other and ill-defined organs (`C15-C26`: `C26`), or its only one.

        Only in situ and uncertain tumours have codes for a whole group (`D00.0`: lip, oral cavity and pharynx).
        """
        group = self._group_of(site)
        near = [(of, code) for of, code in self._by_group.get(group or "", ()) if may_be(code)]
        if len(near) == 1 and behaviour in "12":
            return near[0][1]
        return next((code for of, code in sorted(near) if of[:3] == (group or "")[-3:]), None)

    def _has_own_morphologies(self, code: str) -> bool:
        """Whether only the morphologies of a row of `by_morphology.csv` may have this code."""
        return any(code.startswith(row.target) for row in self._own)

    def _in_category(self, target: str, site: str) -> str | None:
        """`target` itself when it is a whole code, else its code for this site, else its code without precision."""
        for code in self._by_site.get(site, ()):
            if code.startswith(target):
                return code
        return self._known(target if "." in target else f"{target}.9") or self._known(target)

    def _known(self, code: str) -> str | None:
        return code if code in self._codes else None


class DrugNames:
    """Finds a drug by any of its names: INN, brand, abbreviation, usual misspelling; case and accents do not count."""

    def __init__(self, drugs: Iterable[Concept]) -> None:
        self._codes: dict[str, str] = {}
        listed = [drug for drug in drugs if "withdrawn" not in drug.attributes]
        for drug in listed:
            self._codes.setdefault(_plain(drug.label), drug.code)
        for drug in listed:
            for name in drug.synonyms:
                self._codes.setdefault(_plain(name), drug.code)

    def code(self, name: str) -> str | None:
        """The ATC code of a name, or None."""
        return self._codes.get(_plain(name))


def _plain(name: str) -> str:
    return " ".join(fold(name).split())
