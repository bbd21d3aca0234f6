"""What has a notation is read by rules: TNM, stages, grades, dates, doses, sizes, results of biomarkers, variants,
ADICAP codes.

Each rule takes the text and its `layout.plain` form (same length) and gives mentions; context is added later.
"""

from consore.language.rules.adicap import find_adicap
from consore.language.rules.dates import Calendar, dates_of, find_dates
from consore.language.rules.grading import find_gradings
from consore.language.rules.measures import find_measures
from consore.language.rules.results import find_results
from consore.language.rules.sides import find_sides
from consore.language.rules.tnm import find_tnm

__all__ = [
    "Calendar",
    "dates_of",
    "find_adicap",
    "find_dates",
    "find_gradings",
    "find_measures",
    "find_results",
    "find_sides",
    "find_tnm",
]
