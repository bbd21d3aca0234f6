"""From the rows of a publication to the concepts and words of an edition, before anything is written.

What cannot be taken is rejected with its line and a reason, and the rest goes on. What is kept in memory is the code
system itself, whose size is bounded, never the rows.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from consore.errors import InputError
from consore.referentials.importing.kinds import KINDS, Kind
from consore.referentials.importing.opening import Table
from consore.referentials.importing.recognition import Found
from consore.settings import shipped_referentials
from consore.text import fold

MOST_CODES = 500_000
MOST_KEPT_REJECTIONS = 20_000  # with their line; beyond, they are only counted
_LONGEST_LABEL = 1000
_EVERY = 20_000  # rows between two words of progress

Progress = Callable[[str, int], None]
Word = tuple[str, str, str]  # term, form, type


@dataclass(frozen=True)
class Rejection:
    """A row that was not taken. `reason` is a stable word, `value` what stood there."""

    file: str
    line: int
    reason: str
    value: str


@dataclass(slots=True)
class Entry:
    """One concept on its way. `extra` holds the cells that only a derivation reads."""

    label: str
    kind: str = ""
    parents: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)
    words: list[Word] = field(default_factory=list)
    extra: dict[str, str] = field(default_factory=dict)


@dataclass
class Draft:
    """All that an edition will hold, with the counts of how it came to be."""

    kind: Kind
    entries: dict[str, Entry] = field(default_factory=dict)
    read: int = 0
    merged: int = 0  # rows that say again, or add to, what another row says
    withdrawn: int = 0  # rows that the publisher itself marks as withdrawn
    set_aside: Counter[str] = field(default_factory=Counter)  # rows that are no concern of ours, by reason
    reasons: Counter[str] = field(default_factory=Counter)
    rejections: list[Rejection] = field(default_factory=list)
    columns: dict[str, list[str]] = field(default_factory=dict)
    foreign: bool = False  # whether its labels are not French

    def digest(self) -> str:
        """What tells two publications of different content apart, whatever their form and the order of their rows.

        Taken before anything is derived; it changes with the rules by which things are derived.
        """
        found = hashlib.sha256(_rules())
        for code, entry in sorted(self.entries.items()):
            said = (code, entry.label, entry.parents, sorted(entry.extra.items()), sorted(entry.words))
            found.update(repr(said).encode())
        return found.hexdigest()[:16]

    @cached_property
    def aliases(self) -> Counter[str]:
        """How many concepts each alias names."""
        return Counter(alias for entry in self.entries.values() for alias in aliases_of(entry))

    def reject(self, file: str, line: int, reason: str, value: str) -> None:
        """Count a row that is not taken, and keep where it stands."""
        self.reasons[reason] += 1
        if len(self.rejections) < MOST_KEPT_REJECTIONS:
            self.rejections.append(Rejection(file, line, reason, value[:200]))

    def add(self, code: str, entry: Entry) -> None:
        """Take a new code. Raises InputError where there are more than any code system has."""
        self.entries[code] = entry
        if len(self.entries) > MOST_CODES:
            raise InputError(
                f"The file holds more than {MOST_CODES} codes.", "No code system has so many: check that it is one."
            )


@lru_cache(maxsize=1)
def _rules() -> bytes:
    here = Path(__file__).parent
    of_acts = shipped_referentials() / "ccam" / "rules.csv"
    return b"".join(path.read_bytes() for path in (KINDS, *sorted((here / "rules").glob("*.csv")), of_acts))


def aliases_of(entry: Entry) -> list[str]:
    """The other names of a concept, former ones included."""
    said = "|".join(filter(None, (entry.extra.get("alias", ""), entry.extra.get("former", ""))))
    return list(dict.fromkeys(filter(None, (one.strip(' "') for one in re.split(r"[|,;]", said)))))


def draft_of(kind: Kind, found: Iterable[Found], progress: Progress) -> Draft:
    """The rows of every table that is of `kind`, joined by code; the first label of a code is its label."""
    draft = Draft(kind)
    for one in found:
        _take(draft, one, progress)
    if not draft.entries:
        why = ", ".join(f"{count} {reason}" for reason, count in draft.reasons.items()) or "no rows"
        raise InputError(f"No row could be taken: {why}.", f"Expected: {kind.expected}.")
    return draft


_JOINED = ("alias", "former", "domain")


def _take(draft: Draft, found: Found, progress: Progress) -> None:
    kind, places, name = draft.kind, found.places, found.table.name
    label_role = "label" if "label" in places else "short" if "short" in places else "code"
    draft.columns[name] = [f"{role} = column {place + 1}" for role, place in places.items()]
    own: dict[str, str] = {}  # labels that this table gave
    read = 0
    for line, cells in found.table.lines():
        if line <= found.header or _is_comment(cells):
            continue
        read += 1
        if read % _EVERY == 0:
            progress(name, read)
        row = {role: cells[place] if len(cells) > place else "" for role, place in places.items()}
        raw = row["code"]
        if any(not pattern.fullmatch(row.get(role, "")) for role, pattern in found.shape.rows.items()):
            draft.set_aside["not_of_this_referential"] += 1
            continue
        if not raw:
            draft.reject(name, line, "code_missing", " ".join(cells))
            continue
        code = kind.code_of(raw)
        if code is None and row.get("class") in ("chapter", "block"):
            code = raw.strip()
        label = _clean(row[label_role]) or _clean(row.get("short", ""))
        if label_role == "code" or (not label and label_role == "label" and "id" in places):
            label = raw.strip()
        if code is None:
            draft.reject(name, line, "code_unreadable", raw)
        elif not label:
            draft.reject(name, line, "label_missing", raw)
        elif "withdrawn" in row and kind.pattern("withdrawn").fullmatch(fold(row["withdrawn"]).strip()):
            draft.withdrawn += 1
        else:
            _join(draft, found, code, label, row, own, line)
    draft.read += read
    progress(name, read)


def _is_comment(cells: list[str]) -> bool:
    """A line that is no row: nothing, or a remark (`# …`, `// …`, `-- …`) that some exports leave behind."""
    first = cells[0] if cells else ""
    return first.startswith(("#", "//", "--", "/*")) or not any(cells)


def _clean(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("\u00a0", " ")).strip(' "\u200b\ufeff')[:_LONGEST_LABEL]


def _join(
    draft: Draft, found: Found, code: str, label: str, row: dict[str, str], own: dict[str, str], line: int
) -> None:
    """A row that can be taken: a new code, the same said again, more of a known one, or a contradiction."""
    kind = draft.kind
    several = any(role in found.places for role in _JOINED)
    before = own.get(code)
    if before is not None and before != fold(label) and not several:
        draft.reject(found.table.name, line, "duplicate_code", f"{code}: {label}")
        return
    own.setdefault(code, fold(label))
    entry = draft.entries.get(code)
    if entry is None:
        entry = Entry(label)
        entry.extra["quality"] = "full" if "label" in found.places else "short"
        draft.add(code, entry)
    else:
        draft.merged += 1
        if entry.extra.get("quality") == "short" and "label" in found.places:
            entry.label, entry.extra["quality"] = label, "full"
    if found.shape.cancer:
        entry.extra["cancer"] = "yes"
    for role, value in row.items():
        if role in ("code", "label", "short") or not value:
            continue
        if role in _JOINED:
            known = entry.extra.get(role)
            entry.extra[role] = f"{known}|{value}" if known else value
        elif role == "parents":
            above = tuple(filter(None, (kind.code_of(one) or one.strip() for one in re.split(r"[|,;]", value))))
            entry.parents = tuple(dict.fromkeys((*entry.parents, *(one for one in above if one != code))))
        else:
            entry.extra.setdefault(role, value)


# A publication of several tables: the base de données publique des médicaments


def draft_of_drugs(
    kind: Kind, members: dict[str, tuple[Table, int, dict[str, int]]], known: dict[str, str], progress: Progress
) -> Draft:
    """Brand names of the drugs of cancer, by the ATC code of their presentation or, failing one, of their substance.

    `members`: table, header line and places of `cis`, `compo`, `mitm`. `known`: labels of the ATC codes that Consore
    ships, which are of interest whatever their class. A drug outside CIS_MITM takes the code of those that hold the
    same substances, where they agree. Source: the publisher's *Contenu et format des fichiers téléchargeables*.
    """
    draft = Draft(kind)

    def rows(role: str) -> Iterable[tuple[str, int, dict[str, str]]]:
        table, header, places = members[role]
        draft.columns[table.name] = [f"{name} = column {place + 1}" for name, place in places.items()]
        read = 0
        for line, cells in table.lines():
            if line <= header:
                continue
            read += 1
            if len(cells) <= max(places.values()):
                draft.reject(table.name, line, "too_few_cells", " ".join(cells))
                continue
            yield table.name, line, {name: cells[place] for name, place in places.items()}
        draft.read += read
        progress(table.name, read)

    atc: dict[str, str] = {}
    for name, line, row in rows("mitm"):
        code = kind.code_of(row["code"])
        if code is None:
            whole = re.fullmatch(r"[A-Z](\d\d([A-Z]{1,2})?)?", row["code"].strip().upper())
            if whole:
                draft.set_aside["class_without_substance"] += 1
            else:
                draft.reject(name, line, "code_unreadable", row["code"])
        else:
            atc.setdefault(row["cis"], code)
    substances: dict[str, set[str]] = {}
    bases: dict[str, set[str]] = {}
    for _, _, row in rows("compo"):
        substance = _clean(row["substance"])
        substances.setdefault(row["cis"], set()).add(substance)
        if row["nature"].strip().upper() in ("FT", "ST"):
            bases.setdefault(row["cis"], set()).add(substance)
    by_substance = _codes_of_substances(atc, substances)
    oncology = kind.pattern("oncology")
    for name, line, row in rows("cis"):
        code = atc.get(row["cis"]) or by_substance.get(frozenset(substances.get(row["cis"], ())))
        if not re.fullmatch(r"\d{8}", row["cis"]) or not row["name"]:
            draft.reject(name, line, "code_unreadable", row["cis"])
        elif code is None:
            draft.set_aside["no_atc_code"] += 1
        elif not oncology.fullmatch(code) and code not in known:
            draft.set_aside["not_oncology"] += 1
        else:
            held = substances.get(row["cis"], set())
            _take_drug(draft, code, row["name"], held, bases.get(row["cis"], set()), known)
    for entry in draft.entries.values():
        _leave_common_names(entry)
    _share_brands(draft, known)
    return draft


def _leave_common_names(entry: Entry) -> None:
    """Names that open alike and end otherwise are a common name and its makers (`Vitamine B12 Gerda`), not brands."""
    firsts = Counter(fold(brand).split()[0] for brand, _, _ in entry.words if " " in brand)
    entry.words = [word for word in entry.words if " " not in word[0] or firsts[fold(word[0]).split()[0]] < 2]


def _share_brands(draft: Draft, known: dict[str, str]) -> None:
    """A brand of several codes (an antineoplastic that is also an immunosuppressant) is that of the first of cancer."""
    holders: dict[str, list[str]] = {}
    for code, entry in draft.entries.items():
        for brand, _, _ in entry.words:
            holders.setdefault(fold(brand), []).append(code)
    for brand, codes in holders.items():
        first = min(codes, key=lambda code: (code not in known, not code.startswith("L01"), code))
        for code in codes:
            if code != first:
                entry = draft.entries[code]
                entry.words = [word for word in entry.words if fold(word[0]) != brand]


def _codes_of_substances(atc: dict[str, str], substances: dict[str, set[str]]) -> dict[frozenset[str], str]:
    codes: dict[frozenset[str], set[str]] = {}
    for cis, code in atc.items():
        if held := substances.get(cis):
            codes.setdefault(frozenset(held), set()).add(code)
    return {held: next(iter(found)) for held, found in codes.items() if len(found) == 1}


def _take_drug(draft: Draft, code: str, name: str, held: set[str], bases: set[str], known: dict[str, str]) -> None:
    """One presentation: its substance names the code, and its name is a brand unless it says the substance."""
    entry = draft.entries.get(code)
    if entry is None:
        label = known.get(code) or " / ".join(sorted(one.lower() for one in bases or held)) or code
        entry = Entry(label, parents=(code[:5],))
        draft.add(code, entry)
    else:
        draft.merged += 1
    brand = brand_of(name)
    stems = {word[:6] for one in (*held, entry.label) for word in fold(one).split() if len(word) > 4}
    words = fold(brand).split()
    if len("".join(words)) < 4 or any(word[:6] in stems for word in words if len(word) > 4):
        return
    if all(fold(brand) != fold(term) for term, _, _ in entry.words):
        entry.words.append((brand, "exact", "brand"))


_STRENGTH = re.compile(r"[,(/]|\s\d|\bsans conservateur\b|\bsolution\b", re.IGNORECASE)
_FORMS = (
    r"\b(?:l\.? ?p\.?|s\.?r\.?|adultes?|enfants?|nourrissons?|faible|fort|forte|mois|semaines?|en kit|intraveineuse|"
    r"intraveineux|sous-cutanee?|iv|sc|i\.v\.?)(?=\s|$)\.?"
)
_NOT_OF_A_BRAND = re.compile(_FORMS, re.IGNORECASE)


def brand_of(name: str) -> str:
    """The brand in the name of a presentation (`ENANTONE LP 11,25 mg, poudre…` → `Enantone`); empty: there is none."""
    short = _STRENGTH.split(name.strip(), maxsplit=1)[0]
    short = " ".join(_NOT_OF_A_BRAND.sub(" ", short).split()).strip(" -,./")
    return short.title() if short.isupper() else short
