"""What a user gets from the reader: right offsets whatever the text, coded mentions, the context of each."""

from __future__ import annotations

import datetime as dt
import time
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consore.errors import ComponentError, ConfigurationError
from consore.language import Reader, sentence_assertions, sentences
from consore.model import Assertion, Mention, MentionKind
from consore.referentials import terminology


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader.load()


def of_kind(mentions: list[Mention], kind: MentionKind) -> list[Mention]:
    return [mention for mention in mentions if mention.kind is kind]


def one(reader: Reader, text: str, kind: MentionKind, **options: dt.date) -> Mention:
    found = of_kind(reader.read(text, **options), kind)
    assert len(found) == 1, found
    return found[0]


PIECES = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "carcinome canalaire du sein gauche, pT2N1M0 ",
            "adéno-\ncarcinome du co\u0302lon ",
            "adénocarcimone me\u0301tastatqiue ",
            "RE 90 %, RP-, HER2 3+ ",
            "pas de métastase hépatique\n\n",
            "le 12/03/2021 ",
            "🩺 tumeur 👩🏽‍⚕️ ",
            "\x00\ud800\ufeff",
            "e\u0301pithe\u0301lioma\u00ad ",
        ]
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES, max_size=8).map("".join))
def test_every_mention_is_the_text_between_its_offsets(reader: Reader, text: str) -> None:
    for mention in reader.read(text, date=dt.date(2024, 5, 2)):
        assert mention.text == text[mention.start : mention.end]
        assert mention.text.strip()


@settings(max_examples=60, deadline=None)
@given(st.lists(PIECES, max_size=8).map("".join))
def test_every_character_that_is_not_blank_is_in_one_sentence(text: str) -> None:
    spans = sentences(text)
    assert "".join("".join(text[s:e].split()) for s, e in spans) == "".join(text.split())
    assert all(a[1] <= b[0] for a, b in pairwise(spans))


@pytest.mark.parametrize("text", ["", " \n\t ", "\x00\x01\x02", "🩺" * 50, "\ud83d", "%PDF-1.7 \x80\x81 obj<<"])
def test_text_that_says_nothing_gives_no_mention(reader: Reader, text: str) -> None:
    assert reader.read(text) == []


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "1/",
        "d'",
        "(",
        "EGFR ",
        "pas de métastase ",
        "12/03/2021 ",
        "a: \n",
        "récidive gauche foie ",
        "Carcinome du sein. Pas de métastase hépatique. ",
    ],
)
def test_a_very_long_line_is_read_in_linear_time(reader: Reader, piece: str) -> None:
    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        started = time.process_time()
        reader.read(text)
        return time.process_time() - started

    seconds(2_000)
    short, long = (min(seconds(length) for _ in range(3)) for length in (8_000, 32_000))
    assert long < 12 * short + 0.3


def test_words_cut_at_the_end_of_a_line_and_decomposed_accents_are_read(reader: Reader) -> None:
    text = "Compte rendu : adéno-\ncarcinome du co\u0302lon."
    mentions = reader.read(text)
    morphology = of_kind(mentions, MentionKind.MORPHOLOGY)[0]
    assert (morphology.code, morphology.text) == ("8140/3", "adéno-\ncarcinome")
    assert of_kind(mentions, MentionKind.TOPOGRAPHY)[0].code == "C18.9"


def test_a_tumour_is_coded_with_its_site_and_side(reader: Reader) -> None:
    mentions = reader.read("Carcinome canalaire infiltrant du sein gauche.")
    assert of_kind(mentions, MentionKind.MORPHOLOGY)[0].code == "8500/3"
    assert of_kind(mentions, MentionKind.TOPOGRAPHY)[0].code == "C50.9"
    assert of_kind(mentions, MentionKind.LATERALITY)[0].value == "left"


def test_metastases_take_every_site_of_the_enumeration(reader: Reader) -> None:
    mentions = reader.read("Apparition de métastases hépatiques et osseuses.")
    assert {m.code for m in of_kind(mentions, MentionKind.METASTASIS)} == {"C22.0", "C41.9"}


def test_a_drug_is_coded_in_atc(reader: Reader) -> None:
    assert one(reader, "Traitement par pembrolizumab.", MentionKind.DRUG).code == "L01FF02"


def test_a_document_reads_the_same_alone_and_among_others(reader: Reader) -> None:
    texts = ["Adénocarcinome du rectum.", "", "Récidive locale en 2020.", "Adénocarcinome du rectum."]
    assert reader.read_many([(text, None, None) for text in texts]) == [reader.read(text) for text in texts]


def test_a_fact_takes_the_nearest_date_of_its_sentence(reader: Reader) -> None:
    text = "Métastases hépatiques en mars 2021, récidive locale le 12/06/2022."
    mentions = reader.read(text)
    assert of_kind(mentions, MentionKind.METASTASIS)[0].date == dt.date(2021, 3, 1)
    assert of_kind(mentions, MentionKind.RECURRENCE)[0].date == dt.date(2022, 6, 12)


def test_a_date_of_birth_dates_nothing(reader: Reader) -> None:
    mentions = reader.read("Patiente née le 12/03/1950, suivie pour un carcinome du sein.")
    assert all(mention.date is None for mention in mentions)


def test_an_unknown_profile_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ConfigurationError, match="fast"):
        Reader.load(profile="magic")


def test_weights_that_are_missing_are_named(tmp_path, reader: Reader) -> None:
    from consore.language.tagger import Tagger

    with pytest.raises(ComponentError, match="weights"):
        Tagger(tmp_path)


def test_the_version_tells_which_weights_read(reader: Reader) -> None:
    assert reader.version == Reader.load().version
    assert reader.version.startswith("0.")


def test_one_more_word_of_the_site_is_another_version_so_that_documents_are_read_again(tmp_path) -> None:
    plain = Reader(terminology(site=tmp_path))
    folder = tmp_path / "drugs"
    folder.mkdir()
    (folder / "local_terms.csv").write_text("code,term,form,value,type\nL01XA01,platine du lundi,exact,,synonym\n")
    assert Reader(terminology(site=tmp_path)).version != plain.version


def test_sentences_are_told_apart_by_what_they_assert(reader: Reader) -> None:
    text = "Métastases hépatiques. Pas de métastase osseuse. Consultation de contrôle."
    assertions = [assertion for _, _, assertion in sentence_assertions(text, reader.read(text))]
    assert assertions == [Assertion.PRESENT, Assertion.NEGATED, Assertion.PRESENT]


def test_a_disease_of_bone_named_after_paget_is_no_tumour(reader: Reader) -> None:
    said = "La fenêtre osseuse ne montre qu'une maladie de Paget de l'hémibassin."
    assert not of_kind(reader.read(said), MentionKind.MORPHOLOGY)
    assert one(reader, "Maladie de Paget du mamelon gauche.", MentionKind.MORPHOLOGY).code == "8540/3"


def test_a_score_of_pain_is_no_change_of_chromosomes(reader: Reader) -> None:
    assert not of_kind(reader.read("Énergie cotée 7/10, douleur à 7/10."), MentionKind.BIOMARKER)
    assert "CHR710" in {m.code for m in of_kind(reader.read("Gliome avec +7/-10."), MentionKind.BIOMARKER)}
