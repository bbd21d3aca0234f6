"""A real SFTP server, and a real MLLP sender: what is fetched, what is kept before it is acknowledged."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from consore.errors import SourceError
from consore.model import SourceKind
from consore.settings import load_settings
from consore.sources import Mark, SourceRecord, check_source, read_source
from consore.sources.hl7 import Message
from consore.sources.mllp import END, START, Listener, Spool

MESSAGE = (
    "MSH|^~\\&|GAM|A|DPI|B|20240306111154||ADT^A28^ADT_A05|{key}|P|2.5\r"
    "PID|1||{key}^^^C^PI||ROCHE^Zoé^^^^^L||19790328|F\rPV1|1|N\r"
)


class _Login(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("consore", "sésame")


class _SftpServer:
    """An SSH server on loopback that shows one folder; `drop` cuts every connection."""

    def __init__(self, root: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._root = root
        key = asyncssh.generate_private_key("ssh-ed25519")
        self.host_key = key.export_public_key().decode().strip()
        self._connections: list[Any] = []
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._acceptor = self._run(self._listen(key))
        self.port = self._acceptor.get_port()

    async def _listen(self, key: Any) -> Any:
        def sftp(channel: Any) -> Any:
            self._connections.append(channel.get_connection())
            return asyncssh.SFTPServer(channel, chroot=str(self._root).encode())

        return await asyncssh.listen("127.0.0.1", 0, server_factory=_Login, server_host_keys=[key], sftp_factory=sftp)

    def drop(self) -> None:
        self._loop.call_soon_threadsafe(lambda: [one.abort() for one in self._connections])

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._acceptor.close)
        self._loop.call_soon_threadsafe(self._loop.stop)


@pytest.fixture
def sftp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_SftpServer]:
    monkeypatch.setenv("DROP_PASSWORD", "sésame")
    (tmp_path / "served" / "in").mkdir(parents=True)
    server = _SftpServer(tmp_path / "served")
    yield server
    server.close()


def options(server: _SftpServer, **more: Any) -> dict[str, Any]:
    return {"host_key": server.host_key, "password_env": "DROP_PASSWORD", **more}


def test_an_sftp_drop_is_read_once_until_a_file_changes_and_through_a_lost_connection(
    sftp: _SftpServer, tmp_path: Path
) -> None:
    folder = tmp_path / "served" / "in"
    for name in ("a", "b", "c"):
        (folder / f"{name}.hl7").write_text(MESSAGE.format(key=name), encoding="utf-8", newline="")
    (folder / "d.hl7.filepart").write_text("half")
    url = f"sftp://consore@127.0.0.1:{sftp.port}/in"
    marks: dict[str, str] = {}

    def once(cut: bool = False) -> list[str]:
        taken = []
        for item in read_source(SourceKind.ADMINISTRATIVE, url, options(sftp), mark=marks.get):
            if isinstance(item, Mark):
                marks[item.key] = item.value
            else:
                assert isinstance(item, SourceRecord)
                taken.append(item.ipp)
                if cut and item.ipp == "a":
                    sftp.drop()
        return taken

    assert once(cut=True) == ["a", "b", "c"]
    assert once() == []
    (folder / "b.hl7").write_text(MESSAGE.format(key="b2"), encoding="utf-8", newline="")
    assert once() == ["b2"]
    assert sorted(file.name for file in folder.iterdir()) == ["a.hl7", "b.hl7", "c.hl7", "d.hl7.filepart"]


def test_documents_and_their_index_may_lie_on_an_sftp_server(sftp: _SftpServer, tmp_path: Path) -> None:
    folder = tmp_path / "served" / "in"
    (folder / "2024").mkdir()
    (folder / "2024" / "a.txt").write_text("Carcinome.", encoding="utf-8")
    (folder / "index.csv").write_text(
        "id;ipp;type;fichier\nD1;7;Lettre;2024/a.txt\nD2;7;Lettre;b.txt\nD3;7;Lettre;../../secret\n", encoding="utf-8"
    )
    url = f"sftp://consore@127.0.0.1:{sftp.port}/in"
    document, missing, outside = read_source(SourceKind.DOCUMENTS, url, options(sftp))
    assert (document.values["text"], document.origin) == ("Carcinome.", "in/2024/a.txt")
    assert (missing.reason, outside.reason) == ("missing_file", "path_escape")
    held = {"D1": document.signature}.get
    (again, *_) = read_source(SourceKind.DOCUMENTS, url, options(sftp), known=held)
    assert again.known


def test_a_server_that_is_not_the_one_expected_is_given_no_password(sftp: _SftpServer) -> None:
    url = f"sftp://consore@127.0.0.1:{sftp.port}/in"
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    report = check_source(SourceKind.ADMINISTRATIVE, url, options(sftp, host_key=other))
    assert "is not the one expected" in report.problems[0]
    unknown = check_source(SourceKind.ADMINISTRATIVE, url, {"password_env": "DROP_PASSWORD"})
    assert "known_hosts" in unknown.problems[0]


def test_a_wrong_password_says_so(sftp: _SftpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DROP_PASSWORD", "wrong")
    with pytest.raises(SourceError, match="refuses the login consore"):
        list(read_source(SourceKind.ADMINISTRATIVE, f"sftp://consore@127.0.0.1:{sftp.port}/in", options(sftp)))


def test_known_hosts_of_the_node_are_enough(sftp: _SftpServer) -> None:
    secrets = load_settings().home / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "known_hosts").write_text(f"[127.0.0.1]:{sftp.port} {sftp.host_key}\n")
    (secrets / "known_hosts").chmod(0o600)
    url = f"sftp://consore@127.0.0.1:{sftp.port}/in"
    assert list(read_source(SourceKind.ADMINISTRATIVE, url, {"password_env": "DROP_PASSWORD", "format": "hl7"})) == []


# --- MLLP -----------------------------------------------------------------------------------------------------------


async def _exchange(listener: Listener, frames: list[bytes], chunk: int = 1 << 20) -> list[str]:
    """Send frames on one connection, in chunks; gives the code and the key of each acknowledgement."""
    port = await listener.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    data = b"".join(START + frame + END for frame in frames)
    for begin in range(0, len(data), chunk):
        writer.write(data[begin : begin + chunk])
        await writer.drain()
    answers = []
    for _ in frames:
        answer = await asyncio.wait_for(reader.readuntil(END), 10)
        told = Message(answer.strip(START + END)).first("MSA")
        assert told is not None
        answers.append(f"{told.get(1)} {told.get(2)}".strip())
    writer.close()
    await listener.stop()
    return answers


@pytest.mark.parametrize("chunk", [1 << 20, 7])
def test_messages_are_kept_before_they_are_acknowledged_and_are_then_a_source(tmp_path: Path, chunk: int) -> None:
    listener = Listener(Spool(tmp_path / "spool"))
    frames = [MESSAGE.format(key=key).encode() for key in ("1", "2", "3")]
    assert asyncio.run(_exchange(listener, frames, chunk)) == ["AA 1", "AA 2", "AA 3"]
    assert (listener.tally.accepted, listener.tally.failed) == (3, 0)
    records = [
        item
        for item in read_source(SourceKind.ADMINISTRATIVE, tmp_path / "spool", {"format": "hl7"})
        if isinstance(item, SourceRecord)
    ]
    assert [record.ipp for record in records] == ["1", "2", "3"]
    assert {record.values["given_name"] for record in records} == {"Zoé"}


def test_what_is_no_message_is_refused_but_kept_for_a_person_to_see(tmp_path: Path) -> None:
    listener = Listener(Spool(tmp_path / "spool"))
    frames = [b"not HL7", MESSAGE.format(key="1").encode()]
    assert asyncio.run(_exchange(listener, frames)) == ["AR", "AA 1"]
    items = list(read_source(SourceKind.ADMINISTRATIVE, tmp_path / "spool", {"format": "hl7"}))
    assert [getattr(item, "reason", getattr(item, "ipp", "mark")) for item in items] == ["not_hl7", "1", "mark"]


def test_a_message_that_cannot_be_written_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path / "spool")
    full = [True]
    real = __import__("os").fsync

    def fsync(handle: int) -> None:
        if full[0]:
            full[0] = False
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr("consore.sources.mllp.os.fsync", fsync)
    listener = Listener(spool)
    frame = MESSAGE.format(key="1").encode()

    async def twice() -> list[str]:
        port = await listener.start("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        codes = []
        for _ in range(2):
            writer.write(START + frame + END)
            answer = await asyncio.wait_for(reader.readuntil(END), 10)
            codes.append(Message(answer.strip(START + END)).all("MSA")[0].get(1))
        writer.close()
        await listener.stop()
        return codes

    assert asyncio.run(twice()) == ["AE", "AA"]
    items = list(read_source(SourceKind.ADMINISTRATIVE, tmp_path / "spool", {"format": "hl7"}))
    assert [item.ipp for item in items if isinstance(item, SourceRecord)] == ["1"]
