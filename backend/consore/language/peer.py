"""EDS-NLP's pipeline, the public reader of French reports, as a program of its own: measured beside the reader.

Run as a file by a Python that has `edsnlp` (extra `compare`, or an environment apart): nothing of Consore is imported
here. Standard input: a JSON object a line, `{"id", "text", "spans": [[start, end], …]}`. Standard output: a line for
each, `{"id", "found": [[start, end, kind, code]], "assertions": [one for each span], "seconds"}` (processor time of
the whole pipeline), then one with `version` and `start_seconds` (of building it). What it finds is named as Consore
names it: `eds.tnm` → tnm, `eds.drugs` → drug, `eds.adicap` → morphology, `eds.solid_tumor` → morphology, and metastasis
where it says so. The assertions are those of its rules on the spans given, so that finding and judging are told apart.
"""

from __future__ import annotations

import json
import sys
from time import process_time
from typing import Any

# The full pipeline whose speed is measured; `solid_tumor` is added for what it finds, outside of the time.
_JUDGING = ("eds.negation", "eds.family", "eds.hypothesis", "eds.history")
_FINDING = ("eds.tnm", "eds.cim10", "eds.drugs", "eds.adicap")
_PIPES = ("eds.normalizer", "eds.sentences", "eds.dates", *_FINDING, *_JUDGING)


def main() -> None:
    """Read all lines, then answer them."""
    import edsnlp

    requests = [json.loads(line) for line in sys.stdin if line.strip()]
    started = process_time()
    pipeline, judging, tumours = _built(edsnlp)
    start_seconds = process_time() - started
    pipeline("Carcinome du sein, pT2N0.")
    for request in requests:
        started = process_time()
        document = pipeline(request["text"])
        seconds = process_time() - started
        found = [[*_place(span), kind, code] for span, kind, code in _findings(document, tumours(request["text"]))]
        answer = {
            "id": request["id"],
            "found": found,
            "assertions": _assertions(judging, request),
            "seconds": seconds,
        }
        print(json.dumps(answer, ensure_ascii=False))
    print(json.dumps({"version": edsnlp.__version__, "start_seconds": round(start_seconds, 1)}))


def _built(edsnlp: Any) -> tuple[Any, Any, Any]:
    """The whole pipeline, one that only judges the spans of the group `given`, one that finds tumours."""
    whole = edsnlp.blank("eds")
    for name in _PIPES:
        whole.add_pipe(name)
    judging = edsnlp.blank("eds")
    for name in _PIPES:
        if name not in _FINDING:
            judging.add_pipe(name, config={"span_getter": {"given": True}} if name in _JUDGING else {})
    tumours = edsnlp.blank("eds")
    for name in ("eds.normalizer", "eds.sentences", "eds.solid_tumor"):
        tumours.add_pipe(name)
    return whole, judging, tumours


def _findings(document: Any, tumours: Any) -> list[tuple[Any, str, str | None]]:
    found: list[tuple[Any, str, str | None]] = []
    for span in document.ents:
        if span.label_ == "tnm":
            found.append((span, "tnm", None))
        elif span.label_ in ("drug", "drugs"):
            found.append((span, "drug", str(span.kb_id_ or "") or None))
        elif span.label_ == "adicap":
            found.append((span, "morphology", None))
    for span in tumours.ents:
        found.append((span, "morphology", None))
        if getattr(span._, "detailed_status", None) == "METASTASIS" or getattr(span._, "status", 1) == 2:
            found.append((span, "metastasis", None))
    return found


def _place(span: Any) -> tuple[int, int]:
    return span.start_char, span.end_char


def _assertions(judging: Any, request: dict[str, Any]) -> list[str | None]:
    """What the rules say of the spans given; null where a span cannot be laid on words."""
    document = judging.make_doc(request["text"])
    spans = [
        document.char_span(start, end, label="given", alignment_mode="expand") if start < end else None
        for start, end in request["spans"]
    ]
    document.spans["given"] = [span for span in spans if span is not None]
    for _, pipe in judging.pipeline:
        document = pipe(document)
    return [None if span is None else _judged(span) for span in spans]


def _judged(span: Any) -> str:
    for name, assertion in (
        ("family", "family"),
        ("negation", "negated"),
        ("hypothesis", "hypothetical"),
        ("history", "history"),
    ):
        if getattr(span._, name, False):
            return assertion
    return "present"


if __name__ == "__main__":
    main()
