"""What a verb does to the finding or the treatment beside it, whatever its tense, voice and polarity.

« N'a pas été retrouvée », « ne retrouve pas », « a permis d'éliminer », « ne peut être formellement exclue », « sera
débuté », « n'avons pas modifié » : a hundred verbs in ten classes (referential `context`: `verbs`, and what each class
does in each form in `verb_classes`) say more than any list of phrases. A verb's form is read from the words before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

PARTICIPLE, FINITE, EITHER, INFINITIVE, FUTURE = "participle", "finite", "either", "infinitive", "future"

_FINITE_ENDINGS = {
    True: ("e", "es", "ons", "ent", "ait", "aient", "ions", "ais", "ant", "a", "ai", "erent", "ez", "iez"),
    False: (
        "",
        "t",
        "s",
        "d",
        "ds",
        "ons",
        "ent",
        "ait",
        "aient",
        "ais",
        "ant",
        "e",
        "es",
        "it",
        "irent",
        "ut",
        "urent",
        "ez",
        "iez",
    ),
}
_FUTURE_ENDINGS = ("a", "ai", "as", "ons", "ez", "ont", "ait", "ais", "aient", "ions")
_WORDS = re.compile(r"[a-z]+'|[\w-]+|[.,;:()?!]")
_LOOK_BACK = 60
_NEGATIVE = frozenset({"pas", "plus", "jamais", "guere", "aucunement", "nullement", "point"})
_TO_BE = frozenset(
    [
        "est",
        "sont",
        "etait",
        "etaient",
        "fut",
        "furent",
        "soit",
        "etant",
        "etre",
        "ete",
        "parait",
        "semble",
        "paraissait",
        "semblait",
        "demeure",
        "reste",
    ]
)
_TO_HAVE = frozenset(
    [
        "a",
        "ai",
        "ont",
        "avons",
        "avait",
        "avaient",
        "avions",
        "ayant",
        "avoir",
        "eu",
        "aura",
        "auront",
    ]
)
_HAD = frozenset(
    [
        "avait",
        "avaient",
        "avions",
        "avais",
    ]
)
_WE_HAVE = frozenset({"avons", "ai", "avions"})
_OPENS_ANOTHER = frozenset({"un", "une", "des", "le", "la", "les", "ce", "cet", "cette", *".,;:()?!"})
_AUXILIARY_REACH = 6
_WILL_BE = frozenset(
    [
        "sera",
        "seront",
        "serait",
        "seraient",
    ]
)
_WILL_BE_ABLE = frozenset({"pourra", "pourront", "pourrons", "pourrait", "pourraient", "pourrions"})
_WOULD_HAVE = frozenset(
    [
        "aurait",
        "auraient",
    ]
)
_CAN = frozenset(
    [
        "saurait",
        "sait",
        "pouvoir",
        "puisse",
        "pouvant",
        "peut",
        "peuvent",
        "peut-on",
        "pouvait",
        "pouvaient",
        "pouvons",
        "pouvions",
        "puissent",
        "puissions",
    ]
)
_MUST = frozenset(
    [
        "doit",
        "doivent",
        "devons",
        "devra",
        "devront",
        "devrons",
        "devrait",
        "devraient",
        "devrions",
    ]
)
_COULD = frozenset(
    [
        "vient",
        "viennent",
        "venait",
        "venant",
        "permis",
        "permet",
        "permettent",
        "permettant",
        "permit",
        "pu",
        "permettait",
        "possible",
        "mesure",
    ]
)
_LIGHT = frozenset(
    [
        "de",
        "d'",
        "a",
        "pour",
        "l'",
        "le",
        "la",
        "les",
        "lui",
        "leur",
        "y",
        "en",
        "nous",
        "vous",
        "se",
        "s'",
        "m'",
        "me",
        "je",
        "on",
        "il",
        "elle",
        "ils",
        "elles",
        "i-l",
        "t-il",
        "t-elle",
        "encore",
        "toujours",
        "bien",
        "que",
        "qu'",
        "fait",
        "font",
        "faisait",
        "ferait",
        "feraient",
        "faire",
        "laisse",
        "laissait",
        "deja",
        "donc",
        "toutefois",
        "cependant",
        "pourtant",
        "ainsi",
        "aussi",
        "neanmoins",
        "alors",
        "finalement",
        "maintenant",
        "non",
        "tout",
        "tous",
        "toutes",
    ]
)


@dataclass(frozen=True, slots=True)
class VerbForm:
    """A written form of a verb: of which class, and what form it may be."""

    verb_class: str
    kind: str
    agreed: bool = False  # a participle in the feminine or the plural


def verb_forms(rows: list[Mapping[str, str]]) -> Iterator[tuple[str, VerbForm]]:
    """Every written form (lower case, no accents) of the verbs of the table `verbs`."""
    for row in rows:
        stems, tail = [stem for stem in row["stem"].split("|") if stem], f" {row['tail']}" if row["tail"] else ""
        regular = not row["participle"]
        written: dict[str, str] = {}
        agreed: set[str] = set()
        for stem, ending in product(stems, _FINITE_ENDINGS[regular]):
            written[stem + ending] = FINITE
        participle = row["participle"] or f"{stems[0]}e"
        if participle != "-":
            for ending in ("", "e", "s", "es"):
                form = participle + ending
                # « exclu(e) » is none of the endings of its stem; « (il) produit » is.
                ambiguous = form in written and not (participle in stems and ending != "s")
                written[form] = EITHER if ambiguous else PARTICIPLE
                if ending:
                    agreed.add(form)
        future = row["future"] or f"{stems[-1]}er"
        written[row["infinitive"].removesuffix(tail).split(" ")[0]] = INFINITIVE
        for ending in _FUTURE_ENDINGS:
            written.setdefault(future + ending, FUTURE)
        for form, kind in written.items():
            yield form + tail, VerbForm(row["class"], kind, form in agreed)
            if tail and kind in (FINITE, EITHER):
                for denial in ("pas", "plus", "jamais"):  # « ne met pas en évidence »
                    yield f"{form} {denial}{tail}", VerbForm(row["class"], FINITE)


def read_form(form: VerbForm, plain: str, start: int, end: int, accented: bool | None) -> tuple[str, int, int]:
    """The row of `verb_classes` that a verb at `start`–`end` of `plain` asks for, and where its words begin and end.

    `accented` tells a participle (« confirmé ») from a present (« confirme »); None where the text has no accents.
    """
    words = list(_WORDS.finditer(plain, max(0, start - _LOOK_BACK), start))
    had = no_longer = negative = only = yet = ne = without = False
    to_be = to_have = to_come = will_be = can = could = must = False
    begins, follows = start, ""
    for word in reversed(words[-9:]):
        written = word.group()
        if written in ("ne", "n'"):
            ne = not only or negative  # « ne peut que constater »
        elif written in _NEGATIVE:
            negative = True
            no_longer = no_longer or written == "plus"
        elif written == "non" and word.end() >= start - 1:
            negative = ne = True
        elif written == "sans":
            without = True
            begins = word.start()
            break
        elif written in _WILL_BE:
            to_be = will_be = True
        elif written in _TO_BE:
            to_be = True
        elif written in _WOULD_HAVE:
            to_have = will_be = True
        elif written in _TO_HAVE:
            to_have = to_have or written != "a" or (form.kind != INFINITIVE and follows != "etre")
            had = had or written in _HAD
        elif written in _CAN:
            can = True
        elif written in _MUST or written in _WILL_BE_ABLE:
            must = True
        elif written in _COULD:
            could = True
        elif written not in _LIGHT and not (written.endswith("ment") and len(written) > 6):
            break
        only = only or written in ("que", "qu'")
        yet = yet or written == "encore"
        to_come = to_come or written == "etre"
        begins, follows = word.start(), written
        if written in ("ne", "n'"):
            break
    if form.kind in (PARTICIPLE, EITHER) and not (to_be or to_have):
        for word in reversed(words[-_AUXILIARY_REACH:]):
            written = word.group()
            if written in _WE_HAVE:  # « nous avons sans peine écarté une récidive »
                to_have, had, begins = True, had or written in _HAD, word.start()
                ne = ne or plain.endswith("n'", 0, begins)
                break
            if written in _OPENS_ANOTHER:
                break
    kind = form.kind
    if kind == EITHER:
        is_participle = to_be or to_have or (accented and not ne)
        kind = PARTICIPLE if is_participle else FINITE
    denied = ne or (negative and kind != INFINITIVE and begins < start)
    denied = denied or (without and (kind == INFINITIVE or to_have or to_be))
    if ne and not negative:
        denied = denied and not _ONLY.match(plain, end)
        if after := _NOT_AFTER.match(plain, end):
            end = after.end()
            no_longer = after.group().startswith(" plus")
    # « la récidive que la biopsie n'a pas confirmée »: what agrees stands before.
    passive = kind == PARTICIPLE and (to_be or not to_have or form.agreed)
    # « …, la RCP ne l'a pas retenu »: so does what a pronoun stands for.
    passive = passive or bool(_OF_A_PRONOUN.match(plain, begins) and kind in (PARTICIPLE, FINITE))
    if denied and can and form.verb_class == "confirm":
        row = "unable"
    elif denied and yet and form.verb_class in _MAY_COME:
        row = "not_yet"
    elif denied:
        row = "no_longer" if no_longer else "not_passive" if passive else "not"
    elif must or (to_come and passive and not (can or could)):  # « doit être », « à être », « avant d'être »
        row = "future"
    elif (can or could) and form.verb_class == "exclude":
        row = "able"
    elif kind == FUTURE or will_be:
        row = "future"
    elif kind == INFINITIVE or can:
        row = "finite" if could else "infinitive"
    elif passive:
        row = "past" if had else "passive" if to_be else "attributive"
    else:
        row = "had" if had else "finite"
    return row, begins, end


_MAY_COME = frozenset({"confirm", "give"})

# Where a class says nothing of a form, it is as this other form.
SAME_AS = {"no_longer": "not", "attributive": "passive", "past": "passive", "had": "finite"}

_OF_A_PRONOUN = re.compile(
    r"(?:ne |n')?(?:l'(?:ai?|ont|avait|avaient|avons)|les (?:ai?|ont|avait|avaient|avons)) |ne (?:le|la|les) |n'en "
)
_ONLY = re.compile(r" (?:que|qu')")
_NOT_AFTER = re.compile(r" (?:pas|plus|jamais|guere|aucunement|nullement|point)(?!\w)(?: (?:de|d'))?")
