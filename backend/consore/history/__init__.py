"""A patient's mentions and structured rows become their cancer history, each item with its evidence.

`structure` is the whole of it; `headline` says it in one line and `summary` in five; `measures_of` gives the biology
over time; `history_jsonl` does it for lines of JSON; `evaluate` measures it; `review_queue` says what a physician
should look at first. `README.md` says how.
"""

from consore.history.beliefs import is_reviewed, items_of, key_of, review_queue, review_value, same_item
from consore.history.biology import Loinc, Measure, analysis, measures_of
from consore.history.evaluation import HistoryScores, evaluate
from consore.history.events import event_label
from consore.history.exchange import dossier_of_line, history_jsonl
from consore.history.headline import completed_years, headline
from consore.history.results import facts_of_results
from consore.history.review import CHOICES, FIELDS, checked, shown
from consore.history.structure import structure
from consore.history.summary import summary
from consore.history.tumours import tumour_label

__all__ = [
    "CHOICES",
    "FIELDS",
    "HistoryScores",
    "Loinc",
    "Measure",
    "analysis",
    "checked",
    "completed_years",
    "dossier_of_line",
    "evaluate",
    "event_label",
    "facts_of_results",
    "headline",
    "history_jsonl",
    "is_reviewed",
    "items_of",
    "key_of",
    "measures_of",
    "review_queue",
    "review_value",
    "same_item",
    "shown",
    "structure",
    "summary",
    "tumour_label",
]
