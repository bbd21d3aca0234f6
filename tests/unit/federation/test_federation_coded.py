"""Codes cross between centres, words do not."""

import pytest

from consore.errors import CriteriaError
from consore.federation import require_coded
from consore.referentials import terminology
from consore.search import understand
from consore.search.criteria import parse_criteria


@pytest.mark.parametrize(
    "tree",
    [
        {"tumour": {"topography": ["C50"], "morphology": ["8500/3"], "stage": ["IIIA"], "t": ["T2"], "grade": ["2"]}},
        {"all": [{"event": {"type": ["metastatic_recurrence"], "site": ["C22.0"]}}, {"patient": {"sex": "female"}}]},
        {"treatment": {"drug": ["L01FF02", "L01"], "regimen": ["REG:FOLFOX"], "line": {"min": 1}}},
        {"biomarker": {"code": ["HER2"], "status": ["positive"], "value": {"min": 1, "unit": "%"}}},
        {"alteration": {"gene": ["BRAF"]}},
        {"any": [{"diagnosis": {"code": ["C50"]}}, {"act": {"code": ["QEFA020"]}}, {"sample": {"type": ["ADN"]}}]},
        {"none": [{"concept": {"system": "LOCAL", "code": ["REC:local"], "assertion": ["present"]}}]},
        {"patient": {"vitalStatus": "alive", "currentAge": {"max": 50}}},
        {
            "sequence": {
                "first": {"treatment": {"drug": ["L02BA01"]}},
                "then": {"event": {"type": ["local_recurrence"]}},
                "within": {"max": 6, "unit": "months"},
            }
        },
        {"count": {"of": {"treatment": {"type": ["surgery"]}}, "atLeast": 2}},
        {"alteration": {"gene": ["BRAF"], "variant": "p.V600E"}},
    ],
)
def test_coded_questions_may_leave(tree):
    require_coded(parse_criteria(tree))


@pytest.mark.parametrize(
    "tree",
    [
        {"document": {"text": "Madame Duval"}},
        {"all": [{"tumour": {"topography": ["C50"]}}, {"document": {"text": "Duval"}}]},
        {"alteration": {"gene": ["EGFR"], "variant": "délétion de l'exon 19, Mme Duval"}},
        {"alteration": {"gene": ["BRAF"], "variant": "p.V600Duval"}},
        {"sequence": {"first": {"document": {"text": "Duval"}}, "then": {"tumour": {}}}},
        {"sequence": {"first": {"tumour": {}}, "then": {"treatment": {"regimen": ["Duval"]}}}},
        {"count": {"of": {"document": {"text": "Duval"}}, "atLeast": 2}},
        {"none": [{"count": {"of": {"alteration": {"gene": ["BRAF"], "variant": "Duval"}}, "atLeast": 2}}]},
        {"tumour": {"stage": ["DUVAL"]}},
        {"tumour": {"topography": ["Duval"]}},
        {"concept": {"system": "DUVAL", "code": ["C50"]}},
        {"concept": {"system": "ICD-O-3-T", "code": ["née Duval le 3 mars"]}},
        {"treatment": {"regimen": ["Camille Duval"]}},
        {"diagnosis": {"code": ["0612345678"]}},
        {"biomarker": {"code": ["HER2"], "value": {"unit": "Camille Duval"}}},
    ],
)
def test_words_never_leave(tree):
    with pytest.raises(CriteriaError) as error:
        require_coded(parse_criteria(tree))
    assert error.value.hint


@pytest.mark.parametrize(
    "question",
    [
        "cancer colorectal stade III",
        "adénocarcinome bronchique sous pembrolizumab avant 70 ans",
        "cancer du sein triple négatif métastatique sous anti-PD1",
        "lymphome sous R-CHOP décédés",
        "mélanome BRAF V600E sans métastase cérébrale",
        "sarcome ou leucémie aiguë en deuxième ligne",
        "prostate gleason 8 T2N1 opérée depuis 2020",
        "Ki67 > 20 % HER2 low grade 3",
    ],
)
def test_whatever_the_search_bar_understands_may_be_asked_of_the_network(question: str) -> None:
    understood = understand(question, terminology())
    assert understood.criteria is not None
    require_coded(understood.criteria)
