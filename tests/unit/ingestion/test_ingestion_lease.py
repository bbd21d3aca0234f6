"""One process at a time does a thing, and a dead one does not keep it."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from sqlmodel import select

from consore.ingestion.lease import Lease, is_held, waiting_lease
from consore.model import Checkpoint
from consore.store import Store

HOLD = """
import sys
from consore.ingestion.lease import Lease
from consore.store import Store
assert Lease(Store(sys.argv[1]), "source:1").take()
print("held", flush=True)
sys.stdin.read()
"""


def test_only_one_of_many_gets_a_lease(store: Store) -> None:
    leases = [Lease(store, "source:1") for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        taken = list(pool.map(lambda lease: lease.take(), leases))
    assert taken.count(True) == 1
    leases[taken.index(True)].release()
    assert not is_held(store, "source:1")


def test_a_lease_given_back_can_be_taken_again(store: Store) -> None:
    for _ in range(2):
        lease = Lease(store, "source:1")
        assert lease.take()
        assert is_held(store, "source:1")
        lease.release()
    with store.session() as session:
        assert session.exec(select(Checkpoint)).all() == []


def test_what_a_killed_process_held_is_taken_over(store: Store) -> None:
    url = store.engine.url.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    assert not Lease(store, "source:1").take()
    process.kill()
    process.wait()
    lease = Lease(store, "source:1")
    assert lease.take()
    lease.release()


def test_who_waits_gets_it_when_it_is_given_back(store: Store) -> None:
    first = Lease(store, "derive")
    assert first.take()
    threading.Timer(0.3, first.release).start()
    with waiting_lease(store, "derive"):
        assert is_held(store, "derive")
    assert not is_held(store, "derive")
