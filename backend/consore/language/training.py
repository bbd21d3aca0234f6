"""Teaching the tagger: a Flair SequenceTagger (hashed words, clues → BiLSTM → tags, no CRF) from annotated documents.

Why this model: it reads what no dictionary holds, it trains on one core in a quarter of an hour where the hospital's
own text lies, and its export runs without torch. Real text teaches more than any architecture. Where a teacher is at
hand (the profile `accurate`), it also learns from what the teacher sees in texts that nobody annotated.
Imports torch and flair inside the functions.
"""

from __future__ import annotations

import csv
import json
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from consore.errors import ComponentError, InputError
from consore.language.clues import NO_CLUE
from consore.language.corpora import AnnotatedDocument, is_for_choices, is_kept_out, json_lines, read_corpus
from consore.language.examples import BETWEEN_LAYERS, NOTHING, Example, examples, tag_of
from consore.language.exported import DESCRIPTION_FILE, GRAPH_FILE, TABLE_FILE
from consore.language.linking import CODES_FILE, learned_form
from consore.language.tokens import FEATURES_VERSION
from consore.model import MentionKind
from consore.referentials import Terminology, terminology
from consore.settings import Settings

if TYPE_CHECKING:
    import torch
    from flair.models import SequenceTagger


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a tagger is taught. The sizes hold for a new model; one that is taught further keeps its own."""

    epochs: int = 8
    seed: int = 1
    threads: int = 1
    learning_rate: float = 4e-3
    windows_at_once: int = 20
    hidden_size: int = 96
    buckets: int = 49_152
    dim: int = 80
    clue_dim: int = 16


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What a training did: sizes, seconds, and where the two models lie."""

    documents: int
    windows: int
    words: int
    spans: dict[str, int]
    epochs: int
    seconds: float
    flair_model: Path
    exported: Path
    unannotated: int = 0


def train(
    out: Path,
    corpora: Iterable[Path] = (),
    *,
    recipe: Recipe = Recipe(),
    unannotated: Iterable[str] = (),
    teacher: Path | None = None,
    most_generated: int = 1_500,
    chosen: bool = False,
    terms: Terminology | None = None,
    progress: Callable[[str], None] = print,
) -> TrainingReport:
    """Train anew on annotated corpora; write `out`/tagger.pt (Flair), its export for the reader, and the codes learned.

    `corpora`: FRACCO files, whose kept-out fifth is never read here, and whose part for choices is read only once all
    is `chosen`; and truth files of generated centres, of which at most `most_generated` documents are taken each: real
    text must outweigh them. `unannotated`: texts that the profile `accurate` of the folder `teacher` annotates. CPU;
    about a minute an epoch for FRACCO.
    Raises InputError when there is nothing to learn from, ComponentError without the `language` extra.
    """
    documents = _documents(corpora, recipe.seed, most_generated, chosen)
    terms = terms or terminology()
    taught: list[Example] = []
    tags = None
    if teacher is not None:
        from consore.language.accurate import Accurate

        accurate = Accurate(teacher)
        taught, tags = accurate.examples(unannotated, terms), accurate.tags
    return train_on(out, documents, recipe=recipe, taught=taught, tags=tags, terms=terms, progress=progress)


def _documents(
    corpora: Iterable[Path], seed: int, most_generated: int, chosen: bool = False
) -> list[AnnotatedDocument]:
    """What may be learned from: nothing that is kept out, and not too much that is generated."""
    documents: list[AnnotatedDocument] = []
    for corpus in corpora:
        read = [d for d in read_corpus(corpus) if not is_kept_out(d.id) and (chosen or not is_for_choices(d.id))]
        if read and read[0].origin == "generated":
            random.Random(seed).shuffle(read)
            read = read[:most_generated]
        documents += read
    return documents


def train_on(
    out: Path,
    documents: Sequence[AnnotatedDocument],
    *,
    recipe: Recipe = Recipe(),
    taught: Sequence[Example] = (),
    tags: Sequence[str] | None = None,
    further: Path | None = None,
    terms: Terminology | None = None,
    progress: Callable[[str], None] = print,
) -> TrainingReport:
    """`train` on documents already read, and on examples `taught` by a teacher, whose `tags` they are about. With
    `further`, the exported weights of that folder are taught further instead of new ones: tags that they do not know
    are left out."""
    if not documents:
        raise InputError("There is nothing to learn from.", "Give a FRACCO file or a generated centre's truth.")
    try:
        import flair
        import torch
    except ImportError as error:
        raise ComponentError("Training needs flair and torch.", "Install consore[language].") from error
    from time import perf_counter

    from consore.language.export import export, imported

    started = perf_counter()
    torch.set_num_threads(recipe.threads)
    flair.set_seed(recipe.seed)
    flair.device = torch.device("cpu")

    chance = random.Random(recipe.seed)
    annotated = [
        example
        for example in examples(documents, terms or terminology())
        if any(tag not in (None, NOTHING) for tag in example.tags) or chance.random() < _SHARE_OF_EMPTY
    ]
    spans = Counter(
        place[2:]
        for example in annotated
        for tag in example.tags
        for place in (tag or "").split(BETWEEN_LAYERS)
        if place[:1] in ("B", "S")
    )
    progress(f"{len(documents)} documents, {len(annotated)} windows, {dict(spans)}")
    model = imported(further) if further else _new_model(tags or _known_tags(annotated), recipe)
    _teach(model, [*annotated, *taught], recipe, progress)

    out.mkdir(parents=True, exist_ok=True)
    flair_model = out / "tagger.pt"
    model.save(flair_model)
    exported = export(model, out)
    write_codes(out / CODES_FILE, documents)
    report = TrainingReport(
        len(documents),
        len(annotated),
        sum(len(example.words) for example in annotated),
        dict(spans),
        recipe.epochs,
        round(perf_counter() - started, 1),
        flair_model,
        exported,
        len(taught),
    )
    (out / "training.json").write_text(
        json.dumps(
            {**asdict(report), "features_version": FEATURES_VERSION, "recipe": asdict(recipe)}, default=str, indent=1
        ),
        encoding="utf-8",
    )
    return report


# Windows that hold nothing teach little and cost the same.
_SHARE_OF_EMPTY = 0.5

# A pair of tags seen less often is not learned: its words teach nothing.
_FEWEST_USES = 8


def _known_tags(lessons: Iterable[Example]) -> list[str]:
    counts = Counter(tag for lesson in lessons for tag in lesson.tags if tag not in (None, NOTHING))
    fewest = min(_FEWEST_USES, max(counts.values(), default=0))
    return [NOTHING, *sorted(tag for tag, uses in counts.items() if tag and uses >= fewest)]


def _new_model(known: Sequence[str], recipe: Recipe) -> SequenceTagger:
    from flair.data import Dictionary
    from flair.models import SequenceTagger

    from consore.language.embedding import HashedWordEmbeddings

    tags = Dictionary(add_unk=False)
    for tag in known:
        tags.add_item(tag)
    return SequenceTagger(
        embeddings=HashedWordEmbeddings(recipe.buckets, recipe.dim, recipe.clue_dim),
        tag_dictionary=tags,
        tag_type="mention",
        use_crf=False,
        hidden_size=recipe.hidden_size,
        reproject_embeddings=False,
        word_dropout=0.02,
        locked_dropout=0.25,
    )


_WARM_UP = 0.05
_STEPS_BETWEEN_AVERAGES = 10
_AVERAGE_REACH = 50  # of the last 500 steps
_SHARE_IN_CAPITALS, _SHARE_WITHOUT_CLUES, _SHARE_OF_TYPOS = 0.05, 0.1, 0.01


def _teach(model: SequenceTagger, lessons: list[Example], recipe: Recipe, progress: Callable[[str], None]) -> None:
    """AdamW with a linear decay; the model is left with the average of its weights over the last steps.

    A corpus is clean and the dictionary is complete for it; hospital text is neither. So some windows are read in
    capitals, some without clues, and a word in a hundred with a slip of the keyboard.
    """
    import torch

    chance = random.Random(recipe.seed)
    numbers = {tag: number for number, tag in enumerate(model.label_dictionary.get_items())}
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, fused=True)
    averaged = {name: value.clone() for name, value in model.state_dict().items()}
    per_epoch = -(-len(lessons) // recipe.windows_at_once)
    total, step, running = per_epoch * recipe.epochs, 0, 0.0
    model.train()
    for epoch in range(recipe.epochs):
        for batch in _batches(lessons, recipe.windows_at_once, chance):
            step += 1
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate * min(step / (_WARM_UP * total), 1 - step / (total + 1))
            loss = _loss(model, batch, numbers, chance)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            optimizer.zero_grad()
            running += (loss.item() - running) / min(step, 100)
            if step % _STEPS_BETWEEN_AVERAGES == 0 or step == total:
                share = 1 / min(_AVERAGE_REACH, 1 + step / 20)
                with torch.no_grad():
                    for name, value in model.state_dict().items():
                        averaged[name].lerp_(value, share)
        progress(f"epoch {epoch + 1} of {recipe.epochs}: loss {running:.4f}")
    model.load_state_dict(averaged)
    model.eval()


def _batches(lessons: list[Example], size: int, chance: random.Random) -> Iterator[list[Example]]:
    """All lessons once, in batches of about the same length each."""
    order = lessons[:]
    chance.shuffle(order)
    near = 40 * size
    alike: list[Example] = []
    for first in range(0, len(order), near):
        alike += sorted(order[first : first + near], key=lambda example: -len(example.words))
    batches = [alike[first : first + size] for first in range(0, len(alike), size)]
    chance.shuffle(batches)
    return iter(batches)


def _loss(model: SequenceTagger, batch: list[Example], numbers: dict[str, int], chance: random.Random) -> torch.Tensor:
    """Mean over the words that a person, or the teacher, has an opinion of."""
    import torch
    from torch.nn.functional import cross_entropy

    words = [_disturbed(example.words, chance) for example in batch]
    clues = [
        [NO_CLUE] * len(example.clues) if chance.random() < _SHARE_WITHOUT_CLUES else example.clues for example in batch
    ]
    scores = _scores(model, words, clues)
    target = torch.full(scores.shape[:2], _UNTOLD)
    for row, example in enumerate(batch):
        told = [_UNTOLD if tag is None else numbers.get(tag, _UNTOLD) for tag in example.tags]
        target[row, : len(told)] = torch.tensor(told)
    total = cross_entropy(scores.flatten(0, 1), target.flatten(), ignore_index=_UNTOLD, reduction="sum")
    count = int((target != _UNTOLD).sum())
    for row, example in enumerate(batch):
        if example.opinion is not None:
            opinion = torch.from_numpy(example.opinion).float()
            total = total + cross_entropy(scores[row, : len(opinion)], opinion, reduction="sum")
            count += len(opinion)
    return total / max(1, count)


_UNTOLD = -100


def _scores(model: SequenceTagger, words: list[list[str]], clues: list[list[int]]) -> torch.Tensor:
    """Scores [windows, longest, tags] as `model.forward` gives them. Each way of the BiLSTM runs on its own over padded
    windows, the way back over turned windows: torch learns from packed sequences four times slower."""
    import torch

    vectors = model.locked_dropout(model.word_dropout(model.embeddings.windows(words, clues)))
    lengths = torch.tensor([len(window) for window in words])
    forward, back = _ways(model)
    places = torch.arange(vectors.shape[1])[None, :]
    turned = torch.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)[..., None]
    behind, _ = forward(vectors)
    ahead, _ = back(vectors.gather(1, turned.expand_as(vectors)))
    read = torch.cat([behind, ahead.gather(1, turned.expand_as(ahead))], dim=2)
    return model.linear(model.locked_dropout(read))


def _ways(model: SequenceTagger) -> list[torch.nn.LSTM]:
    """The two ways of the BiLSTM as LSTMs of their own, with the same parameters."""
    import torch

    ways = []
    for suffix in ("_l0", "_l0_reverse"):
        way = torch.nn.LSTM(model.rnn.input_size, model.rnn.hidden_size, batch_first=True)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            setattr(way, f"{name}_l0", getattr(model.rnn, name + suffix))
        ways.append(way)
    return ways


def _disturbed(words: list[str], chance: random.Random) -> list[str]:
    if chance.random() < _SHARE_IN_CAPITALS:
        words = [word.upper() for word in words]
    return [_with_a_slip(word, chance) if chance.random() < _SHARE_OF_TYPOS else word for word in words]


def _with_a_slip(word: str, chance: random.Random) -> str:
    """A letter left out, doubled or exchanged with the next, inside a word of five letters or more."""
    if len(word) < 5:
        return word
    at = chance.randrange(1, len(word) - 1)
    left_out, doubled = word[:at] + word[at + 1 :], word[: at + 1] + word[at:]
    exchanged = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return chance.choice((left_out, doubled, exchanged))


_PUBLISHED = ("fracco", "generated")
_CODED = (MentionKind.TOPOGRAPHY, MentionKind.MORPHOLOGY)


def write_codes(path: Path, documents: list[AnnotatedDocument]) -> int:
    """Write the words that the corpus codes in several documents, with their usual code (tag;words;code); give their
    number.

    In three documents, so that nothing that is said of one patient only can be in the file; in two of a published one.
    """
    uses: dict[tuple[str, str], Counter[str]] = {}
    where: dict[tuple[str, str], set[str]] = {}
    for document in documents:
        for span in document.spans:
            words_, tag = learned_form(document.text[span.start : span.end]), tag_of(document.text, span)
            if span.code and tag and span.kind in _CODED and words_:
                key = (tag, words_)
                uses.setdefault(key, Counter())[span.code] += 1
                where.setdefault(key, set()).add(document.id)
    published = all(document.origin in _PUBLISHED for document in documents)
    fewest = 2 if published else 3
    kept = sorted(key for key in uses if len(where[key]) >= fewest)
    _write_codes(path, {key: uses[key].most_common(1)[0][0] for key in kept})
    return len(kept)


def _write_codes(path: Path, codes: dict[tuple[str, str], str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";", lineterminator="\n")
        writer.writerow(["tag", "words", "code"])
        writer.writerows([*key, code] for key, code in sorted(codes.items()))


def texts_of(path: Path) -> Iterator[str]:
    """The texts of a file of JSON lines, plain or .gz, that nobody annotated."""
    for item in json_lines(path):
        if not isinstance(item.get("text"), str):
            raise InputError(f'A line of {path} has no "text".', "Give one JSON object a line.")
        yield item["text"]


def train_accurate(
    out: Path,
    corpora: Iterable[Path],
    *,
    epochs: int = 2,
    seed: int = 1,
    most_generated: int = 500,
    progress: Callable[[str], None] = print,
) -> Path:
    """Teach the profile `accurate` (`accurate.teach`) on the same corpora; give the path of its file."""
    from consore.language.accurate import teach

    documents = _documents(corpora, seed, most_generated)
    if not documents:
        raise InputError("There is nothing to learn from.", "Give a FRACCO file or a generated centre's truth.")
    lessons = list(examples(documents, terminology()))
    return teach(out, lessons, _known_tags(lessons), epochs=epochs, seed=seed, progress=progress)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The weights in use and those taught further, on the kept-out part of the site's own documents. By kind: true
    spans, exact F1 before and after."""

    learned_from: int
    measured_on: int
    scores: dict[str, tuple[int, float, float]]

    def text(self) -> str:
        """The table as people read it."""
        lines = [
            f"{self.learned_from} documents taught, {self.measured_on} kept to measure",
            f"{'exact F1':22}{'true':>7}{'in use':>9}{'new':>9}",
        ]
        lines += [f"{kind:22}{true:7}{before:9.3f}{after:9.3f}" for kind, (true, before, after) in self.scores.items()]
        if self.measured_on < _FEWEST_TO_MEASURE:
            lines.append(
                f"Only {self.measured_on} documents were kept: too few to judge. Annotate some more before adopting."
            )
        return "\n".join(lines)


_FEWEST_TO_MEASURE = 10
# A site's documents are few: small steps, so that what the tagger knows already is not lost.
_FURTHER_RATE, _FURTHER_AT_ONCE = 1e-3, 8


def fine_tune(
    out: Path,
    corpora: Iterable[Path],
    settings: Settings,
    *,
    recipe: Recipe = Recipe(epochs=10),
    progress: Callable[[str], None] = print,
) -> Comparison:
    """Teach the weights in use on this node further on the site's own annotations, into `out`; compare both on the
    fifth of the site's documents that is kept out (`corpora.is_kept_out`). Nothing is adopted (`adopt`).

    Raises InputError when too little is given, ComponentError without the `language` extra.
    """
    from consore.language.evaluation import exact_f1
    from consore.language.reader import Reader, weights_in_use

    documents = [document for corpus in corpora for document in read_corpus(corpus)]
    taught = [document for document in documents if not is_kept_out(document.id)]
    kept = [document for document in documents if is_kept_out(document.id)]
    if not taught or not kept:
        raise InputError(
            f"{len(documents)} annotated documents are too few to teach and to measure.",
            "Give at least some twenty documents, with --corpus.",
        )
    terms = terminology(settings.referentials, settings.cache, settings.site_referentials)
    used = weights_in_use(settings)
    careful = replace(
        recipe,
        learning_rate=min(recipe.learning_rate, _FURTHER_RATE),
        windows_at_once=min(recipe.windows_at_once, _FURTHER_AT_ONCE),
    )
    train_on(out, taught, recipe=careful, further=used, terms=terms, progress=progress)
    _keep_codes(used / CODES_FILE, out / CODES_FILE)
    before, after = (exact_f1(Reader(terms, weights), kept) for weights in (used, out))
    scores = {kind: (true, f1, after[kind][1]) for kind, (true, f1) in before.items()}
    return Comparison(len(taught), len(kept), scores)


def adopt(folder: Path, settings: Settings) -> Path:
    """Make the node read with the weights of `folder`; those used before are kept beside (`tagger.before`)."""
    from consore.language.reader import SITE_WEIGHTS
    from consore.language.tagger import Tagger

    Tagger(folder)  # refuses what cannot be used
    here = settings.home / SITE_WEIGHTS
    new, before = here.with_suffix(".new"), here.with_suffix(".before")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    for name in (TABLE_FILE, GRAPH_FILE, DESCRIPTION_FILE, CODES_FILE):
        shutil.copy(folder / name, new / name)
    if here.exists():
        shutil.rmtree(before, ignore_errors=True)
        here.rename(before)
    new.rename(here)
    return here


def _keep_codes(before: Path, after: Path) -> None:
    """Add the codes known before to those that the site taught; the site's own go first."""
    known: dict[tuple[str, str], str] = {}
    for path in (before, after):
        with path.open(encoding="utf-8", newline="") as file:
            known |= {(row["tag"], row["words"]): row["code"] for row in csv.DictReader(file, delimiter=";")}
    _write_codes(after, known)
