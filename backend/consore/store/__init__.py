"""The store of record: one engine, one way to open a session, migrations."""

from consore.store.database import Store

__all__ = ["Store"]
