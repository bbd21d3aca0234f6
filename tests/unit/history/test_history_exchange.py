"""Lines of patients in, lines of histories out."""

import json

import pytest

from consore.errors import RecordError
from consore.history import history_jsonl
from consore.history.exchange import sex_of
from consore.model import Sex
from consore.referentials import terminology

LINE = {
    "patient_id": "P7",
    "sex": "F",
    "birth_date": "1965-06-01",
    "documents": [{"id": "d1", "kind": "consultation", "date": "2019-03-04", "text": "RAS."}],
    "structured": [
        {"id": "f1", "kind": "tumour_sheet", "values": {"date_diagnostic": "2019-02-20", "topographie": "C50.4"}},
        {"kind": "act", "code": "QEFA020", "date": "2019-05-02"},
    ],
}


def nothing_read(items):
    return [[] for _ in items]


def test_a_line_with_rows_gives_a_history_with_the_fixed_keys():
    [found] = history_jsonl([json.dumps(LINE), "\n"], nothing_read, terminology())
    assert found["patient_id"] == "P7"
    assert found["tumours"][0]["topography"] == "C50.4"
    assert found["tumours"][0]["diagnosis_date"] == "2019-02-20"
    assert found["treatments"][0]["type"] == "surgery"
    assert found["treatments"][0]["evidence"][0]["row_id"] == "row-1"


@pytest.mark.parametrize("line", ["[1]", "{", '{"sex": "F"}', '{"patient_id": "P", "documents": [{"date": "hier"}]}'])
def test_a_line_that_is_no_patient_is_named(line):
    with pytest.raises(RecordError) as error:
        list(history_jsonl([json.dumps(LINE), line], nothing_read, terminology()))
    assert error.value.position == "line 2"
    assert error.value.hint


def test_sexes_are_read_in_all_the_ways_they_are_written():
    assert [sex_of(x) for x in ("F", "male", "Homme", "2", None)] == [
        Sex.FEMALE,
        Sex.MALE,
        Sex.MALE,
        Sex.FEMALE,
        Sex.UNKNOWN,
    ]
