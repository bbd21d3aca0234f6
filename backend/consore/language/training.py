"""Teaching the tagger: a Flair SequenceTagger (hashed words → BiLSTM → tags, no CRF) from annotated documents.

Why this model: it reads what no dictionary holds, it trains on one core in a quarter of an hour where the hospital's
own text lies, and its export runs without torch. Real text teaches more than any architecture. Imports torch and
flair inside the functions: nothing else of this room does.
"""

from __future__ import annotations

import csv
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from consore.errors import ComponentError, InputError
from consore.language.corpora import AnnotatedDocument, GoldSpan, is_kept_out, read_corpus
from consore.language.linking import CODES_FILE, learned_form
from consore.language.sentences import sentences
from consore.language.tokens import FEATURES_VERSION, words
from consore.model import MentionKind

if TYPE_CHECKING:
    from flair.data import Sentence

# Sentences that hold nothing teach little and cost the same.
_SHARE_OF_EMPTY_SENTENCES = 0.5


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What a training did: sizes, seconds, and where the two models lie."""

    documents: int
    sentences: int
    spans: dict[str, int]
    epochs: int
    seconds: float
    flair_model: Path
    exported: Path


def train(
    out: Path,
    corpora: Iterable[Path] = (),
    *,
    epochs: int = 5,
    seed: int = 1,
    threads: int = 1,
    most_generated: int = 1_500,
    progress: Callable[[str], None] = print,
) -> TrainingReport:
    """Train on annotated corpora; write `out`/tagger.pt (Flair), its export for the reader, and the codes learned.

    `corpora`: FRACCO files, whose kept-out fifth is never read here, and truth files of generated centres, of which at
    most `most_generated` documents are taken: real text must outweigh them. CPU, `threads` threads, about 75 s an epoch
    for FRACCO. Raises InputError when there is nothing to learn from, ComponentError without the `language` extra.
    """
    documents: list[AnnotatedDocument] = []
    for corpus in corpora:
        read = [document for document in read_corpus(corpus) if not is_kept_out(document.id)]
        if read and read[0].origin == "generated":
            random.Random(seed).shuffle(read)
            read = read[:most_generated]
        documents += read
    return train_on(out, documents, epochs=epochs, seed=seed, threads=threads, progress=progress)


def train_on(
    out: Path,
    documents: list[AnnotatedDocument],
    *,
    epochs: int,
    seed: int,
    hidden_size: int = 128,
    buckets: int = 49_152,
    dim: int = 80,
    learning_rate: float = 4e-3,
    threads: int = 1,
    progress: Callable[[str], None] = print,
) -> TrainingReport:
    """`train` on documents already read; `hidden_size`, `buckets`, `dim`: see `HashedWordEmbeddings` and Flair."""
    if not documents:
        raise InputError("There is nothing to learn from.", "Give a FRACCO file or a generated centre's truth.")
    try:
        import flair
        import torch
        from flair.data import Corpus, Dictionary
        from flair.datasets import FlairDatapointDataset
        from flair.models import SequenceTagger
        from flair.trainers import ModelTrainer
    except ImportError as error:
        raise ComponentError("Training needs flair and torch.", "Install consore[language].") from error
    from time import perf_counter

    from consore.language.embedding import HashedWordEmbeddings
    from consore.language.export import export

    started = perf_counter()
    torch.set_num_threads(threads)
    flair.set_seed(seed)
    flair.device = torch.device("cpu")

    examples, spans = _examples(documents, random.Random(seed))
    progress(f"{len(documents)} documents, {len(examples)} sentences, {dict(spans)}")
    tags = Dictionary(add_unk=False)
    tags.span_labels = True
    for label in sorted(spans):
        tags.add_item(label)
    model = SequenceTagger(
        embeddings=HashedWordEmbeddings(buckets, dim),
        tag_dictionary=tags,
        tag_type="mention",
        tag_format="BIOES",
        use_crf=False,
        hidden_size=hidden_size,
        reproject_embeddings=False,
        word_dropout=0.02,
        locked_dropout=0.25,
    )
    corpus = Corpus(
        train=FlairDatapointDataset(examples),
        dev=FlairDatapointDataset([]),
        test=FlairDatapointDataset([]),
        sample_missing_splits=False,
    )
    from flair.trainers.plugins import LinearSchedulerPlugin

    out.mkdir(parents=True, exist_ok=True)
    ModelTrainer(model, corpus).train(
        out / "flair",
        learning_rate=learning_rate,
        mini_batch_size=32,
        max_epochs=epochs,
        optimizer=torch.optim.AdamW,
        plugins=[LinearSchedulerPlugin(warmup_fraction=0.05)],
        attach_default_scheduler=False,
        embeddings_storage_mode="none",
        save_final_model=False,
        create_file_logs=False,
        create_loss_file=False,
    )
    model.eval()
    flair_model = out / "tagger.pt"
    model.save(flair_model)
    exported = export(model, out)
    write_codes(out / CODES_FILE, documents)
    report = TrainingReport(
        len(documents), len(examples), dict(spans), epochs, round(perf_counter() - started, 1), flair_model, exported
    )
    (out / "training.json").write_text(
        json.dumps({**asdict(report), "features_version": FEATURES_VERSION, "seed": seed}, default=str, indent=1),
        encoding="utf-8",
    )
    return report


_RECURRENCE = re.compile(r"r[ée]cidiv|rechut", re.IGNORECASE)
_PROGRESSION = re.compile(r"progress|[ée]volutivit", re.IGNORECASE)
_RESPONSE = re.compile(r"stabil|r[ée]mission|r[ée]ponse|r[ée]gress", re.IGNORECASE)
_RULES_READ_IT = re.compile(r"stade\b|[cpy]*m1", re.IGNORECASE)


def tag_of(text: str, span: GoldSpan) -> str | None:
    """The tag that teaches this span, or None where rules and dictionary read it.

    FRACCO calls *morphologie* all that speaks of a tumour. The tags tell apart what a history must tell apart:
    a named tumour (`morphology`), an unqualified finding (`lesion`: mass, nodule, node), `metastasis`, `recurrence`,
    `progression` and `response`.
    """
    written = text[span.start : span.end]
    if span.kind is MentionKind.TOPOGRAPHY:
        return "topography"
    if span.kind in (MentionKind.METASTASIS, MentionKind.RESPONSE):
        return span.kind.value
    if span.kind is MentionKind.RECURRENCE:
        return "progression" if span.code == "REC:progression" else "recurrence"
    if span.kind is not MentionKind.MORPHOLOGY or _RULES_READ_IT.match(written):
        return None
    if _RECURRENCE.search(written):
        return "recurrence"
    if _PROGRESSION.search(written):
        return "progression"
    if _RESPONSE.search(written):
        return "response"
    code = span.code or "8000/1"
    if code.endswith("/6"):
        return "metastasis"
    return "lesion" if code in ("8000/1", "8000/9", "8001/1", "8010/9") else "morphology"


def _examples(documents: list[AnnotatedDocument], chance: random.Random) -> tuple[list[Sentence], Counter[str]]:
    """The sentences as Flair wants them, each word a token, each span on whole words.

    Identical sentences count at most 4 times. Generated truth does not mark unqualified findings (« lésion »)
    nor organs without a tumour, which FRACCO marks: of it, only sentences that hold a span and no such word are taken.
    """
    from flair.data import Sentence

    examples: list[Sentence] = []
    counts: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for document in documents:
        tagged = _tagged_spans(document)
        for start, end in sentences(document.text):
            written = document.text[start:end]
            seen[written] += 1
            inside = [(s, e, tag) for s, e, tag in tagged if start <= s and e <= end]
            if seen[written] > 4 or (not inside and chance.random() > _SHARE_OF_EMPTY_SENTENCES):
                continue
            if document.origin == "generated" and (not inside or _UNMARKED.search(written)):
                continue
            cut = words(document.text, start, end)
            example = Sentence([document.text[s:e] for s, e in cut])
            for s, e, tag in inside:
                covered = [i for i, (ws, we) in enumerate(cut) if ws < e and we > s]
                example[covered[0] : covered[-1] + 1].add_label("mention", tag)
                counts[tag] += 1
            examples.append(example)
    return examples, counts


_UNMARKED = re.compile(
    r"l[ée]sion|masse|nodul|ad[ée]nopath|tumeur|ganglion|foyer|opacit|infiltra|[ée]paissis|formation|n[ée]opla|atteinte|"
    r"envahi|image|fixation|hypermétab|polype|kyst|ulc[ée]r",
    re.IGNORECASE,
)
_NAMED_WITH_ORGAN = re.compile(
    r"(?P<tumour>(?:k|cancers?|carcinomes?|tumeurs?|n[ée]oplasies?|n[ée]oplasmes?|ad[ée]nocarcinomes?)(?:\s+primitifs?)?)\s+"
    r"(?:d[eu]s?\s+(?:la\s+|l['’])?|d['’])?(?P<organ>\S.*)",
    re.IGNORECASE | re.DOTALL,
)


_SPREAD_TO_SITE = re.compile(
    r"(?P<spread>m[ée]tastases?|mets|m[ée]tas?|(?:localisations?|l[ée]sions?|nodules?)\s+(?:secondaires?|m[ée]tastatiques?))\s+"
    r"(?:au\s+niveau\s+)?(?:d[eu]s?\s+(?:la\s+|l['’])?|d['’]|aux?\s+|à\s+la\s+)?(?P<site>(?!à distance)\S.*)",
    re.IGNORECASE | re.DOTALL,
)


def _pieces(text: str, span: GoldSpan) -> list[tuple[int, int, str]]:
    """The tagged pieces of a span, as FRACCO cuts them: « cancer du sein » given as one organ teaches a tumour and its
    organ, « métastases hépatiques » given as one metastasis teaches a metastasis and its site."""
    tag = tag_of(text, span)
    named = _NAMED_WITH_ORGAN.fullmatch(text, span.start, span.end) if tag == "topography" else None
    if named:
        return [(*named.span("tumour"), "morphology"), (*named.span("organ"), "topography")]
    spread = _SPREAD_TO_SITE.fullmatch(text, span.start, span.end) if tag == "metastasis" else None
    if spread:
        return [(*spread.span("spread"), "metastasis"), (*spread.span("site"), "topography")]
    return [(span.start, span.end, tag)] if tag else []


_FEWEST_DOCUMENTS = 3


def write_codes(path: Path, documents: list[AnnotatedDocument]) -> int:
    """Write the words that the corpus codes the same way in at least three documents (kind;words;code); their number.

    Three documents, so that nothing that is said of one patient only can be in the file.
    """
    uses: dict[tuple[str, str], Counter[str]] = {}
    where: dict[tuple[str, str], set[str]] = {}
    for document in documents:
        for span in document.spans:
            words_ = learned_form(document.text[span.start : span.end])
            if span.code and tag_of(document.text, span) in ("topography", "morphology") and words_:
                key = (span.kind.value, words_)
                uses.setdefault(key, Counter())[span.code] += 1
                where.setdefault(key, set()).add(document.id)
    kept = sorted(key for key in uses if len(where[key]) >= _FEWEST_DOCUMENTS)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";", lineterminator="\n")
        writer.writerow(["kind", "words", "code"])
        writer.writerows([*key, uses[key].most_common(1)[0][0]] for key in kept)
    return len(kept)


def _tagged_spans(document: AnnotatedDocument) -> list[tuple[int, int, str]]:
    """Spans that do not overlap: the longer wins (« carcinome pulmonaire à petites cellules » over « pulmonaire »)."""
    spans = [piece for span in document.spans if span.end > span.start for piece in _pieces(document.text, span)]
    taken: list[tuple[int, int, str]] = []
    for start, end, tag in sorted(spans, key=lambda span: (span[0] - span[1], span[0])):
        if all(end <= s or start >= e for s, e, _ in taken):
            taken.append((start, end, tag))
    return sorted(taken)
