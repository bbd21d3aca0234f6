"""What users are told, in their language."""

import re
import tomllib

import pytest

from consore.api.context import language_of
from consore.api.problem import MESSAGES, words_of
from consore.errors import ConsoreError, CriteriaError, InputError

TABLE = tomllib.loads(MESSAGES.read_text(encoding="utf-8"))


@pytest.mark.parametrize("sentence", TABLE["sentence"], ids=lambda sentence: sentence["en"][:40])
def test_each_sentence_carries_over_only_what_the_english_one_holds(sentence):
    blanks = {language: set(re.findall(r"\{(\w+)\}", sentence[language])) for language in ("en", "fr")}
    assert blanks["fr"] <= blanks["en"]
    filled = re.sub(r"\{\w+\}", "7", sentence["en"])
    assert "{" not in words_of(InputError(filled), "fr")[0]


def test_each_kind_of_error_has_a_general_sentence():
    def codes(kind):
        yield kind.code
        for below in kind.__subclasses__():
            if below.__module__ == "consore.errors":
                yield from codes(below)

    assert set(codes(ConsoreError)) <= set(TABLE["general"])


def test_an_error_without_french_is_carried_by_a_general_sentence():
    error = CriteriaError("Something new went wrong with {braces}.", "Do this.")
    assert words_of(error, "fr") == (
        "Ces critères ne peuvent pas être lus : Something new went wrong with {braces}.",
        "Do this.",
    )
    assert words_of(error, "en") == (error.message, error.hint)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "fr"),
        ("en", "en"),
        ("fr-CH, fr;q=0.9, en;q=0.8, *;q=0.5", "fr"),
        ("en-US,en;q=0.5,fr;q=0.3", "en"),
        ("de, it", "fr"),
        ("en;q=abc", "fr"),
        (",;=," * 500, "fr"),
    ],
)
def test_the_language_is_the_one_that_the_client_prefers(header, language):
    assert language_of(header) == language
