"""Questions and their answers: plain French or criteria in, patients with reasons out; exact counts; likeness.

Ranked answers come from the index, exact ones from the store (`cohort`).
"""

from consore.search.chips import Alternative, Chip
from consore.search.cohort import count_patients, patient_ids
from consore.search.criteria import Criteria, parse_criteria
from consore.search.facets import Facet, FacetValue, facets
from consore.search.hits import Hit, SearchContext, SearchResult, search
from consore.search.notices import notices
from consore.search.reasons import describe
from consore.search.relaxations import Relaxation
from consore.search.similar import SimilarPatient, similar_patients
from consore.search.snippets import Snippet
from consore.search.suggestions import Suggestion, suggest
from consore.search.understanding import Understood, understand

__all__ = [
    "Alternative",
    "Chip",
    "Criteria",
    "Facet",
    "FacetValue",
    "Hit",
    "Relaxation",
    "SearchContext",
    "SearchResult",
    "SimilarPatient",
    "Snippet",
    "Suggestion",
    "Understood",
    "count_patients",
    "describe",
    "facets",
    "notices",
    "parse_criteria",
    "patient_ids",
    "search",
    "similar_patients",
    "suggest",
    "understand",
]
