"""The centres that this one knows: admitted by an administrator, each with its address, public key and referent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from sqlalchemy import func
from sqlmodel import Session, col, select

from consore.errors import InputError
from consore.federation.keys import public_key_pem, read_public_key
from consore.model import IngestionRun, Peer, RunState
from consore.settings import Settings
from consore.store import Store

_CODE = re.compile(r"[A-Za-z0-9_.-]{1,40}")


def upsert_peer(
    session: Session,
    *,
    code: str,
    name: str,
    url: str,
    public_key: str,
    referent_name: str = "",
    referent_email: str = "",
    referent_phone: str = "",
    enabled: bool = True,
) -> Peer:
    """Admit another centre, or change what is known of it.

    Raises InputError where its code, address or public key cannot be used.
    """
    if not _CODE.fullmatch(code):
        raise InputError("The centre's code cannot be used.", "Letters, digits, points and dashes, at most 40.")
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise InputError("The centre's address is not one.", "Write it as https://consore.centre.example.")
    read_public_key(public_key)
    peer = session.get(Peer, code) or Peer(code=code)
    peer.name, peer.url, peer.public_key, peer.enabled = (
        name or code,
        url.rstrip("/"),
        public_key.strip() + "\n",
        enabled,
    )
    peer.referent_name, peer.referent_email, peer.referent_phone = referent_name, referent_email, referent_phone
    session.add(peer)
    session.flush()
    return peer


def introduce(centres: Sequence[Settings]) -> None:
    """Make centres of one machine know each other: each gets the others' addresses and public keys."""
    for settings in centres:
        store = Store.of(settings)
        try:
            with store.session() as session:
                for other in centres:
                    if other.centre_code != settings.centre_code:
                        upsert_peer(
                            session,
                            code=other.centre_code,
                            name=other.centre_name,
                            url=other.address,
                            public_key=public_key_pem(other),
                            referent_name=other.referent_name,
                            referent_email=other.referent_email,
                            referent_phone=other.referent_phone,
                        )
        finally:
            store.close()


def enabled_peers(session: Session) -> list[Peer]:
    """The centres that are asked, by code."""
    return list(session.exec(select(Peer).where(col(Peer.enabled).is_(True)).order_by(col(Peer.code))))


def freshness(session: Session) -> str | None:
    """When the last finished reading of a source ended, ISO 8601 in UTC; None before the first one."""
    last = session.exec(select(func.max(IngestionRun.ended_at)).where(IngestionRun.state == RunState.DONE.value)).one()
    return last.isoformat() if last else None
