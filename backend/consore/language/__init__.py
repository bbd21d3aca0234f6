"""Reads reports: sentences with their context, and coded mentions.

`Reader` reads documents; `sentences` and `sentence_assertions` cut them for the index; `annotate_jsonl` is
`consore annotate`. Teaching and measuring lie in `training` and `evaluation`.
"""

from consore.language.annotating import annotate_jsonl
from consore.language.context import sentence_assertions
from consore.language.reader import Reader
from consore.language.sentences import sentences

__all__ = ["Reader", "annotate_jsonl", "sentence_assertions", "sentences"]
