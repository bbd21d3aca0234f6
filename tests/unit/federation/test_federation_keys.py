"""The node's key: made once, kept to itself."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from consore.errors import ConfigurationError, InputError
from consore.federation import fingerprint, key_fingerprint, node_key, public_key_pem, read_public_key
from consore.federation.keys import key_file


def test_the_key_is_made_once_and_only_its_owner_may_read_it(settings):
    first = public_key_pem(settings)
    assert public_key_pem(settings) == first
    assert key_file(settings).stat().st_mode & 0o777 == 0o600
    assert [file.name for file in key_file(settings).parent.iterdir()] == ["federation.pem"]


def test_starting_several_times_at_once_makes_one_key(settings):
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: public_key_pem(settings), range(16)))
    assert len(keys) == 1


def test_the_fingerprint_is_that_of_the_public_key(settings):
    assert key_fingerprint(settings) == fingerprint(read_public_key(public_key_pem(settings)))
    assert key_fingerprint(settings).startswith("SHA256:")


def test_a_damaged_key_says_what_to_do(settings):
    node_key(settings)
    key_file(settings).write_text("garbage")
    with pytest.raises(ConfigurationError, match="damaged"):
        node_key(settings)


@pytest.mark.parametrize("pem", ["", "clé", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"])
def test_what_is_no_public_key_is_refused(pem):
    with pytest.raises(InputError):
        read_public_key(pem)


def test_a_private_key_given_as_public_is_refused_by_name(settings):
    node_key(settings)
    with pytest.raises(InputError, match="private"):
        read_public_key(key_file(settings).read_text())
