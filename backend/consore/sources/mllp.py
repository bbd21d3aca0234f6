"""An MLLP listener: HL7 v2 messages that an interface engine sends are on disk before they are acknowledged.

The spool is a folder of HL7 files, one after the other; it is then an ordinary source. Sources: HL7 v2.5, chapter 2
(acknowledgements, original mode), and the Minimal Lower Layer Protocol (HL7 v2, appendix C).
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from consore.errors import ConfigurationError
from consore.sources.hl7 import MAX_MESSAGE, Message

START, END = b"\x0b", b"\x1c\x0d"
FILE_BYTES = 8_000_000  # after which another file of the spool begins
FILE_SECONDS = 900
IDLE = 3_600.0  # seconds that a silent connection is kept
_READ = 1 << 16


@dataclass(slots=True)
class Tally:
    """What a listener has received: accepted, refused (no HL7), and failed (could not be written)."""

    accepted: int = 0
    refused: int = 0
    failed: int = 0
    connections: int = 0


@dataclass(slots=True)
class _Waiting:
    raw: bytes
    written: asyncio.Future[None]


class Spool:
    """Files of messages, each with its frame left out and its segments ended by CR; what is written is on the disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            probe = folder / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise ConfigurationError(
                f"Messages cannot be kept in {folder}: {error.strerror}.", "Give a folder that can be written."
            ) from error
        self._file: BinaryIO | None = None
        self._size = 0
        self._begun = dt.datetime.now(dt.UTC)

    def write(self, messages: list[bytes]) -> None:
        """Write messages; when it returns they outlive a power cut. Raises OSError where they could not be written."""
        now = dt.datetime.now(dt.UTC)
        if self._file is None or self._size > FILE_BYTES or (now - self._begun).total_seconds() > FILE_SECONDS:
            self._open(now)
        assert self._file is not None
        at = self._file.tell()
        try:
            for raw in messages:
                self._file.write(raw.strip(b"\r\n\x0b\x1c") + b"\r\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError:
            with suppress(OSError):  # half a message would look like one that was sent so
                self._file.truncate(at)
            self.close()
            raise
        self._size = self._file.tell()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    def _open(self, now: dt.datetime) -> None:
        self.close()
        day = self.folder / f"{now:%Y-%m-%d}"
        day.mkdir(exist_ok=True, mode=0o700)
        name = day / f"{now:%H%M%S}-{os.getpid()}-{now.microsecond:06d}.hl7"
        self._file = name.open("ab")
        for folder in (day, self.folder):  # the name of a new file must outlive a power cut too
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        self._size, self._begun = 0, now


class Listener:
    """The server. `log` is told what a person should know of."""

    def __init__(self, spool: Spool, name: str = "CONSORE", log: Callable[[str], None] = lambda _: None) -> None:
        self.tally = Tally()
        self._spool = spool
        self._name = name
        self._log = log
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(maxsize=1_000)
        self._server: asyncio.Server | None = None
        self._writer: asyncio.Task[None] | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen; gives the port. Raises ConfigurationError where the address cannot be taken."""
        try:
            self._server = await asyncio.start_server(self._serve, host, port, ssl=tls, limit=_READ)
        except OSError as error:
            raise ConfigurationError(
                f"{host}:{port} cannot be listened on: {error.strerror}.", "Give another port, or stop what holds it."
            ) from error
        self._writer = asyncio.create_task(self._write())
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Take no more messages; what was received is written and acknowledged first."""
        if self._server is not None:
            self._server.close()
        await self._queue.join()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
        self._spool.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.tally.connections += 1
        try:
            await self._answer_each(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError, asyncio.CancelledError, ssl.SSLError):
            pass  # what was acknowledged is kept; the sender sends the rest again
        finally:
            self._open.discard(task)
            writer.close()
            with suppress(Exception):
                await writer.wait_closed()

    async def _answer_each(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held = bytearray()
        searched = 0  # bytes that hold no end: a long message is not searched again from its start
        while True:
            begin = held.find(START)
            end = held.find(END, max(begin, searched))
            searched = max(len(held) - 1, 0)
            if begin >= 0 and end > begin:
                frame = bytes(held[begin + 1 : end])
                del held[: end + 2]
                searched = 0
                writer.write(START + await self._take(frame) + END)
                await writer.drain()
                continue
            if len(held) > MAX_MESSAGE:
                refusal = acknowledgement(bytes(held[begin + 1 : begin + 2000]), "AR", self._name, "too large")
                writer.write(START + refusal + END)
                await writer.drain()
                self.tally.refused += 1
                self._log(f"A message of more than {MAX_MESSAGE:,} bytes was refused, and its connection closed.")
                return
            came = await asyncio.wait_for(reader.read(_READ), IDLE)
            if not came:
                return
            held += came

    async def _take(self, frame: bytes) -> bytes:
        """Keep a message, then say what became of it."""
        fault = ""
        try:
            message = Message(frame.replace(b"\r\n", b"\r").replace(b"\n", b"\r").strip(b"\r"))
            if not message.header.get(9):
                fault = "MSH-9 is blank"
        except Exception as error:
            fault = str(error)
        waiting = _Waiting(frame, asyncio.get_running_loop().create_future())
        await self._queue.put(waiting)
        try:
            await waiting.written
        except OSError as error:
            self.tally.failed += 1
            self._log(f"A message could not be kept ({error.strerror}): its sender is told to send it again.")
            return acknowledgement(frame, "AE", self._name, f"not kept: {error.strerror}")
        if fault:  # it is kept all the same: the source puts it in quarantine, where a person sees it
            self.tally.refused += 1
            self._log(f"A message was refused: {fault}")
            return acknowledgement(frame, "AR", self._name, fault)
        self.tally.accepted += 1
        return acknowledgement(frame, "AA", self._name)

    async def _write(self) -> None:
        """One writer for all connections: what has come in the meantime is written and forced to disk together."""
        while True:
            batch = [await self._queue.get()]
            while not self._queue.empty():
                batch.append(self._queue.get_nowait())
            try:
                await asyncio.to_thread(self._spool.write, [one.raw for one in batch])
                fault: OSError | None = None
            except OSError as error:
                fault = error
            for one in batch:
                if not one.written.done():
                    one.written.set_exception(fault) if fault else one.written.set_result(None)
                self._queue.task_done()


def acknowledgement(frame: bytes, code: str, name: str = "CONSORE", why: str = "") -> bytes:
    """The ACK of a message: AA (kept), AE (send it again), AR (not HL7: do not)."""
    try:
        header = Message(frame.replace(b"\n", b"\r").strip(b"\r\x0b")).header
        sender, facility, receiver, ours = (header.get(place) for place in (3, 4, 5, 6))
        event, key, mode, version = header.get(9, 2), header.get(10), header.get(11) or "P", header.get(12) or "2.5"
    except Exception:
        sender = facility = receiver = ours = event = key = ""
        mode, version = "P", "2.5"
    now = dt.datetime.now().astimezone()
    kind = f"ACK^{event}^ACK" if event else "ACK"
    clean = why.translate(str.maketrans("|^~&\\\r\n", "       "))[:200]
    lines = [
        f"MSH|^~\\&|{receiver or name}|{ours}|{sender}|{facility}|{now:%Y%m%d%H%M%S%z}||{kind}|"
        f"{now:%Y%m%d%H%M%S%f}|{mode}|{version}|||||||UNICODE UTF-8",
        f"MSA|{code}|{key}" + (f"|{clean}" if clean else ""),
    ]
    if code != "AA":
        condition = "207^Application internal error" if code == "AE" else "100^Segment sequence error"
        lines.append(f"ERR|||{condition}^HL70357|E||||{clean}")
    return ("\r".join(lines) + "\r").encode("utf-8", "replace")
