"""Code systems: what a code means, what lies above it, and where its words stand in a text.

`terminology()` gives them all as one; `normalise` and `tokens_for_index` are the one way in which text is compared.
"""

from consore.referentials.concept import Concept, Edition, Match, Suggestion
from consore.referentials.matcher import LAYERS, Refusal
from consore.referentials.slips import SHORTEST, Nearby, by_beginning, nearest, plain_words
from consore.referentials.spelling import Spelling
from consore.referentials.tables import table_files, tables
from consore.referentials.terminology import Terminology, terminology
from consore.referentials.values import ValueGrammar, grammar_of, value_grammars
from consore.text import fold, normalise, tokens_for_index

__all__ = [
    "LAYERS",
    "SHORTEST",
    "Concept",
    "Edition",
    "Match",
    "Nearby",
    "Refusal",
    "Spelling",
    "Suggestion",
    "Terminology",
    "ValueGrammar",
    "by_beginning",
    "fold",
    "grammar_of",
    "nearest",
    "normalise",
    "plain_words",
    "table_files",
    "tables",
    "terminology",
    "tokens_for_index",
    "value_grammars",
]
