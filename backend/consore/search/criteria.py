"""The criteria tree: one language for search, cohorts, saved queries, trials and the network.

A node has exactly one key. `all`, `any` and `none` take nodes; the others are leaves. JSON keys are camelCase:
`{"all": [{"tumour": {"topography": ["C50"]}}, {"none": [{"event": {"type": "metastatic_recurrence"}}]}]}`.
Codes mean themselves and their descendants. Lists mean "one of". The attributes of a leaf hold for the *same* row.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from consore.errors import CriteriaError
from consore.model import Assertion, BiomarkerStatus, DocumentKind, EventType, Laterality, Sex, TreatmentType
from consore.text import tokens_for_index

MAX_DEPTH = 12
_CHANGE = re.compile(r"p\.[A-Z]\d{1,4}[A-Z*]")  # of one amino acid (HGVS): a code; other variants are words
MAX_LEAVES = 60
MAX_CODES = 2000  # of all leaves together
LONGEST_TEXT = 1000  # characters to find in documents
QUOTED = re.compile(r'"([^"]{0,300})"|«([^»]{0,300})»|“([^”]{0,300})”')


# What the databases compare as it stands: no control character, nothing that is no character.
Code = Annotated[str, StringConstraints(max_length=100, pattern=r"^\P{C}*$")]
Codes = Annotated[list[Code], Field(max_length=500)]


class _Node(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True, frozen=True)


class DateRange(_Node):
    """Days, both included; an open end is null."""

    from_: dt.date | None = Field(default=None, alias="from")
    to: dt.date | None = None


class NumberRange(_Node):
    """Numbers, both included; an open end is null."""

    min: float | None = None
    max: float | None = None


class ValueRange(NumberRange):
    """A measured value with its unit."""

    unit: Code | None = None


class PatientLeaf(_Node):
    """The patient. Ages are completed years; `ageAtDiagnosis` is of any of their tumours."""

    sex: Sex | None = None
    age_at_diagnosis: NumberRange | None = None
    current_age: NumberRange | None = None
    vital_status: Literal["alive", "dead"] | None = None


class TumourLeaf(_Node):
    """One primary tumour: every attribute holds for the same one."""

    topography: Codes | None = None
    morphology: Codes | None = None
    laterality: Laterality | None = None
    stage: Codes | None = None
    t: Codes | None = None
    n: Codes | None = None
    m: Codes | None = None
    grade: Codes | None = None
    diagnosed: DateRange | None = None
    rank: NumberRange | None = None


class EventLeaf(_Node):
    """One event; `site` is an ICD-O-3 topography of it."""

    type: list[EventType] | None = None
    site: Codes | None = None
    between: DateRange | None = None


class TreatmentLeaf(_Node):
    """One treatment; `drug` is an ATC code (classes mean all their drugs), `act` a CCAM code."""

    type: list[TreatmentType] | None = None
    drug: Codes | None = None
    regimen: Codes | None = None
    act: Codes | None = None
    line: NumberRange | None = None
    between: DateRange | None = None
    response: Codes | None = None


class BiomarkerLeaf(_Node):
    """One biomarker result."""

    code: Codes
    status: list[BiomarkerStatus] | None = None
    value: ValueRange | None = None


class AlterationLeaf(_Node):
    """One gene alteration (HGNC symbol)."""

    gene: Codes
    variant: Code | None = None
    status: list[BiomarkerStatus] | None = None


class SampleLeaf(_Node):
    """One sample of the biobank."""

    type: Codes | None = None
    status: Code | None = None


class CodeLeaf(_Node):
    """A CIM-10 diagnosis or a CCAM act of a stay."""

    code: Codes


class ConceptLeaf(_Node):
    """A coded fact of any kind, as reports or rows state it."""

    system: Code
    code: Codes
    assertion: list[Assertion] | None = None


class DocumentLeaf(_Node):
    """One document; all of the words of `text` are in it, those between quotes one after another.

    Local only: text never crosses the network.
    """

    text: str | None = Field(default=None, max_length=LONGEST_TEXT)
    kind: list[DocumentKind] | None = None
    service: Codes | None = None
    between: DateRange | None = None

    @model_validator(mode="after")
    def _worded(self) -> DocumentLeaf:
        if self.text and self.text.strip() and not self.phrases:
            raise ValueError("the text to find has no word")
        return self

    @property
    def phrases(self) -> list[str]:
        """The words and phrases of `text` as `tokens_for_index` gives them. A lone quote is a blank."""
        text = self.text or ""
        quoted = [next(filter(None, found.groups()), "") for found in QUOTED.finditer(text)]
        words = tokens_for_index(QUOTED.sub(" ", text)).split()
        return list(dict.fromkeys(filter(None, [*map(tokens_for_index, quoted), *words])))


class Delay(_Node):
    """A delay between two dated rows, both ends included; an open end is null, and zero is the same day."""

    min: int | None = Field(default=None, ge=0)
    max: int | None = Field(default=None, ge=0)
    unit: Literal["days", "weeks", "months", "years"] = "days"

    def holds(self, first: dt.date, then: dt.date) -> bool:
        """Whether so much time lies between two days; months and years as `cohort` counts them."""
        if self.unit in ("days", "weeks"):
            lapse, unit = (then - first).days, 7 if self.unit == "weeks" else 1
        else:
            months = (then.year - first.year) * 12 + then.month - first.month
            lapse, unit = months * 32 + then.day - first.day, 32 * (12 if self.unit == "years" else 1)
        return (self.min is None or lapse >= self.min * unit) and (self.max is None or lapse <= self.max * unit)


class SequenceLeaf(_Node):
    """Two dated rows of one patient, in this order: `then` is on the day of `first` or later (`within`, if given).

    Dates: of diagnosis for a tumour, the start for a treatment, else that of the row. Undated rows are in no sequence.
    """

    first: Criteria
    then: Criteria
    within: Delay | None = None

    @model_validator(mode="after")
    def _dated(self) -> SequenceLeaf:
        for node in (self.first, self.then):
            if node.key not in DATED:
                raise ValueError(f"a sequence is made of {', '.join(DATED)}, not of {node.key}")
        return self


class CountLeaf(_Node):
    """At least so many rows of one kind, such as two surgeries or three tumours."""

    of: Criteria
    at_least: int = Field(ge=1, le=100)

    @model_validator(mode="after")
    def _rows(self) -> CountLeaf:
        if self.of.key not in DATED:
            raise ValueError(f"what is counted is one of {', '.join(DATED)}, not {self.of.key}")
        return self


DATED = (
    "tumour",
    "event",
    "treatment",
    "biomarker",
    "alteration",
    "sample",
    "diagnosis",
    "act",
    "concept",
    "document",
)


class Criteria(_Node):
    """A node: exactly one key."""

    all: list[Criteria] | None = None
    any: list[Criteria] | None = None
    none: list[Criteria] | None = None
    patient: PatientLeaf | None = None
    tumour: TumourLeaf | None = None
    event: EventLeaf | None = None
    treatment: TreatmentLeaf | None = None
    biomarker: BiomarkerLeaf | None = None
    alteration: AlterationLeaf | None = None
    sample: SampleLeaf | None = None
    diagnosis: CodeLeaf | None = None
    act: CodeLeaf | None = None
    concept: ConceptLeaf | None = None
    document: DocumentLeaf | None = None
    sequence: SequenceLeaf | None = None
    count: CountLeaf | None = None

    @model_validator(mode="after")
    def _one_key(self) -> Criteria:
        if len(self.model_fields_set) != 1 or self.key is None:
            raise ValueError("a node has exactly one key, such as {'tumour': {...}} or {'all': [...]}")
        return self

    @property
    def key(self) -> str:
        """The name of the one key that is set."""
        return next((name for name in type(self).model_fields if getattr(self, name) is not None), "")

    @property
    def children(self) -> list[Criteria]:
        """The nodes under `all`, `any` or `none`, or those of a sequence or a count; of another leaf, none."""
        if self.sequence:
            return [self.sequence.first, self.sequence.then]
        return [self.count.of] if self.count else self.all or self.any or self.none or []

    def as_json(self) -> dict[str, Any]:
        """The tree with its JSON keys, without what is null."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def canonical(self) -> str:
        """The tree as one line of JSON with sorted keys: equal trees give equal lines."""
        return json.dumps(self.as_json(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    def is_coded(self) -> bool:
        """Whether no leaf carries free text, so that the tree may leave the centre."""
        variant = self.alteration.variant if self.alteration else None
        return self.key != "document" and (not variant or bool(_CHANGE.fullmatch(variant))) and all_coded(self)


def all_coded(node: Criteria) -> bool:
    """Whether every child of `node` is coded."""
    return not any_uncoded(node.children)


def any_uncoded(nodes: list[Criteria]) -> bool:
    """Whether one of `nodes` carries free text."""
    return any(not node.is_coded() for node in nodes)


def steps(criteria: Criteria) -> list[Criteria]:
    """The criteria that all have to be met, in the order in which they are written; each exclusion by itself."""
    if criteria.all:
        return [step for child in criteria.all for step in steps(child)]
    if criteria.none:
        return [Criteria(none=[child]) for child in criteria.none]
    return [criteria]


def parse_criteria(value: str | dict[str, Any]) -> Criteria:
    """A criteria tree from its JSON.

    Raises CriteriaError saying where the tree is wrong, or that it is too deep (12 levels), too wide (60 leaves) or too
    long (2,000 codes).
    """
    try:
        tree = json.loads(value) if isinstance(value, str) else value
    except (json.JSONDecodeError, RecursionError) as error:
        raise CriteriaError(f"The criteria are not JSON: {error}.", "Mend the file and try again.") from error
    depth, leaves, codes = _measure(tree)
    if depth > MAX_DEPTH or leaves > MAX_LEAVES or codes > MAX_CODES:
        raise CriteriaError(
            f"The criteria have {depth} levels, {leaves} leaves and {codes} codes; "
            f"at most {MAX_DEPTH}, {MAX_LEAVES} and {MAX_CODES} are read.",
            "Split the question in two, or name a code above the others.",
        )
    if not isinstance(tree, dict):
        raise CriteriaError("The criteria are not an object.", 'Write for example {"tumour": {"topography": ["C50"]}}.')
    tree = {key: item for key, item in tree.items() if key != "version"}
    try:
        return Criteria.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the top"
        raise CriteriaError(f"The criteria are wrong at {where}: {first['msg']}.", "Mend it and try again.") from error


def _measure(tree: Any) -> tuple[int, int, int]:
    """Depth of nested nodes, numbers of leaves and of their values, without recursion: the tree is not trusted yet."""
    depth = leaves = codes = 0
    stack = [(tree, 1)]
    while stack:
        node, level = stack.pop()
        depth = max(depth, level)
        if not isinstance(node, dict):
            continue
        groups = [node[key] for key in ("all", "any", "none") if isinstance(node.get(key), list)]
        groups += [
            [leaf[key] for key in keys if key in leaf]
            for name, keys in (("sequence", ("first", "then")), ("count", ("of",)))
            if isinstance(leaf := node.get(name), dict)
        ]
        if not groups:
            leaves += 1
            attributes = (value for leaf in node.values() if isinstance(leaf, dict) for value in leaf.values())
            codes += sum(len(value) for value in attributes if isinstance(value, list))
        stack.extend((child, level + 1) for group in groups for child in group)
    return depth, leaves, codes
