"""Which publication a table is, and where its columns lie: from its header and its cells, never from its name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from consore.errors import InputError
from consore.referentials.importing.kinds import Kind, Member, Shape, kinds
from consore.referentials.importing.opening import Line, Table
from consore.text import fold, normalise

_SAMPLE = 2000  # lines
_HEADER_WITHIN = 25  # lines: some workbooks open with a title
_ENOUGH = 50  # codes, from which on `some` and `only` are asked for
_LEAST_SHARE = 0.5  # of the cells of the column of codes are codes
_SURE_SHARE = 0.8  # the same without a header
_LEAST_LETTERS = 8  # a cell, on average, of a column of labels that its header does not name
_LEAST_DISTINCT = 0.3  # different codes a line, without a header: a column of codes seldom says the same twice


# Sheets beside the table itself that list what changed: their codes may be those that were taken away.
_OF_CHANGES = re.compile(r"\[[^]]*(supprim|suppression|modif|ancien|histori|changement|evolution|nouveau|archive)")


@dataclass(frozen=True)
class Found:
    """A table that is of a kind: the line of its header (-1: none), and the place of each column that is known.

    `share`: of the cells of its column of codes that are codes; `codes`: how many different ones, in a sample.
    """

    table: Table
    kind: Kind
    shape: Shape
    header: int
    places: dict[str, int]
    share: float
    codes: int


@dataclass(frozen=True)
class FoundMember:
    """One table of a publication that comes as several."""

    table: Table
    member: Member
    header: int
    places: dict[str, int]


def recognise(table: Table, kind: Kind, sample: list[Line]) -> Found | None:
    """The table as one of `kind`, or None."""
    tried = [found for shape in kind.shapes if (found := _as_shape(table, kind, shape, sample))]
    return max(tried, key=lambda found: (round(found.share, 2), len(found.places)), default=None)


def members_of(tables: Iterable[Table], kind: Kind) -> dict[str, FoundMember]:
    """The tables of a publication that comes as several, by role; the first of each is taken."""
    result: dict[str, FoundMember] = {}
    for table in tables:
        sample = table.sample(200)
        for member in kind.members:
            if member.role not in result and (found := _as_member(table, member, sample)):
                result[member.role] = found
                break
    return result


def detect(tables: list[Table]) -> tuple[Kind | None, list[str]]:
    """The kind that the tables are of, with the kinds that may be it where more than one does (then None)."""
    scores: dict[str, int] = {}
    for kind in kinds().values():
        if kind.members:
            if len(members_of(tables, kind)) >= 2:
                return kind, [kind.key]
            continue
        codes = [found.codes for table in tables if (found := recognise(table, kind, table.sample(_SAMPLE)))]
        if codes:
            scores[kind.key] = sum(codes)
    best = [key for key, score in scores.items() if score >= 0.8 * max(scores.values())]
    if "osiris" in best and len(best) > 1:
        best.remove("osiris")  # its value sets repeat codes of the others
    return (kinds()[best[0]] if len(best) == 1 else None), best


def find(tables: list[Table], kind: Kind) -> list[Found]:
    """The tables that are of `kind`. Raises InputError saying what was expected, and what the tables look like."""
    found = [one for table in tables if (one := recognise(table, kind, table.sample(_SAMPLE)))]
    if not found:
        raise wrong_file(tables, kind)
    return [one for one in found if not _OF_CHANGES.search(normalise(one.table.name))] or found


def wrong_file(tables: list[Table], kind: Kind, lacks: str = "") -> InputError:
    """What to say of tables that are not of `kind`."""
    detected, candidates = detect(tables)
    shown = "; ".join(f"{table.name}: {_shown(table)}" for table in tables[:4])
    likely = detected.key if detected else " or ".join(key for key in candidates if key != kind.key)
    if likely and likely != kind.key:
        looks = f"This looks like a table of {likely}, not of {kind.key}."
        return InputError(f"{looks} Expected: {kind.expected}. Found: {shown}.", f"Use KIND {likely}.")
    missing = lacks or _missing(tables, kind)
    return InputError(
        f"This is not a table of {kind.key}: {missing}. Expected: {kind.expected}. Found: {shown}.",
        "Give the publisher's own file, or name its columns as expected.",
    )


def _missing(tables: list[Table], kind: Kind) -> str:
    """What keeps the most promising table from being of `kind`."""
    best = "no column of codes was recognised"
    for table in tables:
        sample = table.sample(_SAMPLE)
        for shape in kind.shapes:
            for number, cells in sample[:_HEADER_WITHIN]:
                places = _places(cells, shape.columns)
                lacking = [" or ".join(need) for need in shape.needs if not any(role in places for role in need)]
                if places and lacking:
                    known = ", ".join(dict.fromkeys(name for need in lacking for name in _names(shape, need)))
                    best = f"line {number} lacks the column {', '.join(lacking)} (known as: {known[:200]})"
                elif places:
                    best = "the cells of its column of codes are not codes of this kind"
    return best


def _names(shape: Shape, need: str) -> list[str]:
    return [name for role in need.split(" or ") for name in shape.columns.get(role, [])[:6]]


def _shown(table: Table) -> str:
    cells = next((cells for _, cells in table.sample(5) if any(cells)), [])
    return " | ".join(cell[:30] for cell in cells[:12]) or "nothing"


def _as_shape(table: Table, kind: Kind, shape: Shape, sample: list[Line]) -> Found | None:
    partly = False
    for index, (number, cells) in enumerate(sample[:_HEADER_WITHIN]):
        places = _places(cells, shape.columns)
        partly = partly or bool(places)
        below = [row for _, row in sample[index + 1 :]]
        if shape.headerless and places:
            places = _completed(kind, shape, places, below)
        if not all(any(role in places for role in need) for need in shape.needs):
            continue
        share, codes = _share(kind, shape, below, places["code"])
        return Found(table, kind, shape, number, places, share, codes) if share >= _LEAST_SHARE else None
    if not shape.headerless or partly:
        return None
    return _without_header(table, kind, shape, sample)


def _completed(kind: Kind, shape: Shape, places: dict[str, int], rows: list[list[str]]) -> dict[str, int]:
    """The places that a header gives, with those of a column that it calls otherwise but whose cells leave no doubt."""
    width = max(map(len, rows), default=0)
    named = "label" in places or "short" in places
    if "code" not in places and named:
        sure = [place for place in range(width) if _is_of_codes(kind, shape, rows, place)]
        return places | {"code": sure[0]} if len(sure) == 1 else places
    if "code" in places and not named:
        others = [place for place in range(width) if place not in places.values()]
        wordy = [place for place in others if _wordiness(rows, place) >= _LEAST_LETTERS]
        return places | {"label": wordy[0]} if len(wordy) == 1 else places
    return places


def _is_of_codes(kind: Kind, shape: Shape, rows: list[list[str]], place: int) -> bool:
    share, codes = _share(kind, shape, rows, place)
    return share >= _SURE_SHARE and codes >= _LEAST_DISTINCT * len(rows)


def _without_header(table: Table, kind: Kind, shape: Shape, sample: list[Line]) -> Found | None:
    """The column of codes is the one whose cells are codes; that of labels, the one with the most words."""
    rows = [cells for _, cells in sample]
    width = Counter(map(len, rows)).most_common(1)[0][0] if rows else 0
    shares = [_share(kind, shape, rows, place) for place in range(width)]
    code = max(range(width), key=lambda place: shares[place], default=0)
    if width < 2 or shares[code][0] < _SURE_SHARE or shares[code][1] < _LEAST_DISTINCT * len(rows):
        return None
    texts = {place: _wordiness(rows, place) for place in range(width) if place != code}
    label = max(texts, key=lambda place: (texts[place], place))
    if texts[label] < 2:
        return None
    others = [place for place in texts if place != label and texts[place] > 0.6 * texts[label]]
    places = {"code": code, "label": label} | ({"short": others[0]} if others else {})
    return Found(table, kind, shape, -1, places, *shares[code])


def _wordiness(rows: list[list[str]], place: int) -> float:
    """Letters in the cells of a column, on average."""
    cells = [row[place] for row in rows if len(row) > place]
    return sum(sum(map(str.isalpha, cell)) for cell in cells) / max(1, len(rows))


def _share(kind: Kind, shape: Shape, rows: list[list[str]], place: int) -> tuple[float, int]:
    """The share of the cells of a column that are codes of `kind`, and how many different ones.

    Nothing where the codes, taken together, are another kind's.
    """
    cells = [row[place] for row in rows if len(row) > place and row[place]]
    raw = [cell for cell in cells if shape.codes is None or shape.codes.fullmatch(cell)]
    codes = [code for cell in raw if (code := kind.code_of(cell))]
    distinct = set(codes)
    if len(distinct) >= _ENOUGH:
        if kind.some and not any(kind.some.fullmatch(code) for code in distinct):
            return 0.0, 0
        if kind.only and sum(bool(kind.only.fullmatch(kind.written(cell))) for cell in raw) < 0.95 * len(raw):
            return 0.0, 0
    return (len(codes) / len(cells) if cells else 0.0), len(distinct)


def _places(cells: list[str], columns: dict[str, list[str]]) -> dict[str, int]:
    """The place of each column that a line names: by its very name first, else by a pattern, no column twice."""
    named = [_plain(cell) for cell in cells]
    result: dict[str, int] = {}
    for role, names in columns.items():
        place = next((named.index(name) for name in names if name in named), None)
        if place is not None:
            result[role] = place
    for role, names in columns.items():
        if role not in result:
            patterns = [name for name in names if "*" in name]
            for place, cell in enumerate(named):
                if place not in result.values() and any(fnmatchcase(cell, pattern) for pattern in patterns):
                    result[role] = place
                    break
    return result


def _plain(name: str) -> str:
    """A column's name without case, accents, punctuation and what is in brackets (`Libellé_long (1)`)."""
    return " ".join(fold(re.sub(r"\(.*?\)", " ", name)).split())


def _as_member(table: Table, member: Member, sample: list[Line]) -> FoundMember | None:
    for number, cells in sample[:3]:
        places = _places(cells, member.names)
        if len(places) == len(member.names):
            return FoundMember(table, member, number, places)
    rows = [cells for _, cells in sample]
    for place, pattern in member.cells.items():
        right = sum(len(row) > place and bool(pattern.fullmatch(row[place])) for row in rows)
        if not rows or right < _SURE_SHARE * len(rows):
            return None
    return FoundMember(table, member, -1, member.places)
