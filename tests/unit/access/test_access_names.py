"""Names are found in a question, so that they can be kept out of it."""

import pytest

from consore.access import PatientNames
from consore.model import Patient
from consore.store import Store


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('names') / 'names.db'}")
    store.upgrade()
    with store.session() as session:
        session.add(Patient(ipp="00812345", family_name="LEFÈVRE-MARTEL", given_name="Rose", birth_name="de Kermadec"))
    yield PatientNames(store)
    store.close()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cancer du sein Lefevre", ["Lefevre"]),
        ("MARTEL sein", ["MARTEL"]),
        ("dossier de kermadec", ["kermadec"]),
        ("patient 00812345, sein", ["00812345"]),
        ("rose de lima", []),
        ("", []),
        ("🙂 !!", []),
    ],
)
def test_a_family_name_or_an_ipp_is_found_where_it_stands(names, text, found):
    assert [text[start:end] for start, end in names.spans(text)] == found
