"""The plural and feminine forms of French medical words, made when the dictionary is built.

Reports write `métastases hépatiques` where a dictionary says `métastase hépatique`. Rules beat a lexicon here: medical
words are regular, and a form that nobody writes costs nothing.
"""

from __future__ import annotations

# After one of these the rest of a term is a complement and keeps its number: carcinome*s* à petites cellules.
_COMPLEMENT = frozenset(
    "a|à|au|aux|de|du|des|en|sur|sous|avec|sans|par|pour|dans|chez|non|sai|type|selon|et|ou".split("|")  # noqa: SIM905
)
_INVARIABLE = frozenset(
    "in|situ|sai|type|grade|bas|haut|bien|peu|mal|moyennement|modérément|faiblement|très".split("|")  # noqa: SIM905
)
_IRREGULAR_PLURALS = {"œil": "yeux", "oeil": "yeux", "os": "os", "col": "cols", "récidivant": "récidivants"}


def plural(term: str) -> str:
    """The plural of a noun phrase: every word before its complement.

    `carcinome canalaire infiltrant` → `carcinomes canalaires infiltrants`;
    `carcinome à petites cellules` → `carcinomes à petites cellules`.
    """
    words = term.split(" ")
    result: list[str] = []
    for index, word in enumerate(words):
        if word.lower() in _COMPLEMENT or word.lower().startswith(("d'", "l'", "d’", "l’")):
            return " ".join(result + words[index:])
        result.append(plural_word(word))
    return " ".join(result)


def plural_word(word: str) -> str:
    """The plural of one word; adverbs, and what ends in s, x, z, holds a digit or is in capitals, stay."""
    lowered = word.lower()
    if lowered in _IRREGULAR_PLURALS:
        return _IRREGULAR_PLURALS[lowered]
    if not word.replace("-", "").isalpha() or lowered in _INVARIABLE or lowered[-1] in "sxz" or word.isupper():
        return word
    if lowered.endswith("al"):
        return f"{word[:-2]}aux"
    if lowered.endswith(("eau", "eu")):
        return f"{word}x"
    return f"{word}s"


def feminine_word(word: str) -> str:
    """The feminine singular of an adjective given in the masculine singular."""
    lowered = word.lower()
    for ending, replacement in _FEMININE:
        if lowered.endswith(ending):
            return word[: len(word) - len(ending)] + replacement
    return word if lowered.endswith("e") else f"{word}e"


_FEMININE = (
    ("eux", "euse"),
    ("if", "ive"),
    ("el", "elle"),
    ("ien", "ienne"),
    ("éen", "éenne"),
    ("yen", "yenne"),
    ("er", "ère"),
    ("eur", "eure"),
    ("é", "ée"),
    ("grêle", "grêle"),
)


def four_forms(term: str) -> tuple[str, str, str, str]:
    """Masculine, feminine, masculine plural, feminine plural of an adjective given in the masculine singular."""
    words = term.split(" ")
    feminine = [feminine_word(word) for word in words]
    return (
        term,
        " ".join(feminine),
        " ".join(plural_word(word) for word in words),
        " ".join(plural_word(word) for word in feminine),
    )


def adjective_forms(term: str) -> tuple[str, ...]:
    """The distinct forms of an adjective: `osseux` → osseux, osseuse, osseuses."""
    return tuple(dict.fromkeys(four_forms(term)))


def noun_forms(term: str) -> tuple[str, ...]:
    """Singular and plural of a noun phrase given in the singular."""
    return tuple(dict.fromkeys((term, plural(term))))


def spellings(form: str) -> tuple[str, ...]:
    """The ways to write one form: `œ` or `oe`, `æ` or `ae`, and short hyphenated names with the hyphen left out."""
    forms = [form]
    for ligature, letters in (("œ", "oe"), ("æ", "ae"), ("Œ", "Oe")):
        if ligature in form:
            forms += [item.replace(ligature, letters) for item in list(forms)]
    if "oe" in form:
        forms.append(form.replace("oe", "œ"))
    if "-" in form and len(form) <= 14 and " " not in form:
        forms.append(form.replace("-", ""))
    return tuple(dict.fromkeys(forms))
