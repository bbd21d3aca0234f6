"""Counts across centres: how many such patients elsewhere, never who.

`ask` asks every centre at once; `routes` are the paths where this one answers, by the disclosure rule of
`rule`; `request_contact` and `answer_contact` let two referents talk; `upsert_peer` admits a centre,
`introduce` several of one machine.
"""

from consore.federation.answer import answer_count, describe_centre, routes
from consore.federation.ask import (
    FederatedCount,
    FederatedRow,
    FederatedState,
    answer_contact,
    ask,
    request_contact,
)
from consore.federation.coded import require_coded
from consore.federation.keys import fingerprint, key_fingerprint, node_key, public_key_pem, read_public_key
from consore.federation.network import introduce, upsert_peer
from consore.federation.rule import disclosed, is_differencing
from consore.federation.token import TokenRefused

__all__ = [
    "FederatedCount",
    "FederatedRow",
    "FederatedState",
    "TokenRefused",
    "answer_contact",
    "answer_count",
    "ask",
    "describe_centre",
    "disclosed",
    "fingerprint",
    "introduce",
    "is_differencing",
    "key_fingerprint",
    "node_key",
    "public_key_pem",
    "read_public_key",
    "request_contact",
    "require_coded",
    "routes",
    "upsert_peer",
]
