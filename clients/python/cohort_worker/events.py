"""What a task says while it runs: numbered events, sent in order, the first at once and
then in batches; a server that is behind slows the task down, nothing is dropped.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from . import plain
from .wire import TaskWire

BATCH_S = 0.020        # between two batches
BATCH_BYTES = 64 << 10  # a batch this large does not wait
CALL_BYTES = 1 << 20   # at most, a call
CALL_EVENTS = 500
HELD_BYTES = 4 << 20   # a task that is further ahead than this waits


class Events:
    """The events of one attempt.  `add` may be called from any thread."""

    def __init__(self, wire: TaskWire, submit: Any):
        self.wire, self._submit = wire, submit
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._texts: list[bytes] = []
        self._bytes = 0
        self._n = 0
        self._wake = asyncio.Event()
        self._room = threading.Condition(self._lock)
        self._waiting: list[asyncio.Future] = []
        self._sent = 0.0
        self._not_before = 0.0
        self._failed: BaseException | None = None
        self._closing = False
        self._sender = asyncio.ensure_future(self._send())

    def add(self, ns: Any, mode: str, data: Any) -> None:
        self.add_text(ns, mode, plain.dumps(data))

    def add_text(self, ns: Any, mode: str, data: str) -> None:
        """`data` is JSON already."""
        where = plain.dumps(list(ns))
        with self._lock:
            if self._failed is not None:
                raise self._failed
            self._n += 1
            one = f'{{"n":{self._n},"ns":{where},"mode":"{mode}","data":{data}}}'.encode()
            self._texts.append(one)
            self._bytes += len(one)
        self._loop.call_soon_threadsafe(self._wake.set)

    def slow(self, answer: dict) -> None:
        """The server asks for a pause."""
        if wait := answer.get("wait_ms"):
            self._not_before = time.monotonic() + wait / 1000

    async def room(self) -> None:
        """Waits while too much has not been sent yet."""
        while True:
            with self._lock:
                if self._failed is not None:
                    raise self._failed
                if self._bytes < HELD_BYTES:
                    return
                f = self._loop.create_future()
                self._waiting.append(f)
            await f

    def room_here(self) -> None:
        """The same, in a thread that is not the loop's."""
        with self._room:
            while self._bytes >= HELD_BYTES and self._failed is None:
                self._room.wait(1.0)
            if self._failed is not None:
                raise self._failed

    async def close(self) -> None:
        """All that was added is sent and answered."""
        self._closing = True
        self._wake.set()
        await asyncio.shield(self._sender)
        if self._failed is not None:
            raise self._failed

    def stop(self) -> None:
        self._sender.cancel()

    def _take(self) -> list[bytes]:
        with self._lock:
            size = n = 0
            while n < len(self._texts) and n < CALL_EVENTS and (n == 0 or size + len(self._texts[n]) <= CALL_BYTES):
                size += len(self._texts[n])
                n += 1
            out, self._texts = self._texts[:n], self._texts[n:]
            return out

    def _gone(self, out: list[bytes]) -> None:
        with self._room:
            self._bytes -= sum(map(len, out))
            self._room.notify_all()
            waiting, self._waiting = self._waiting, []
        for f in waiting:
            if not f.done():
                f.set_result(None)

    async def _pause(self) -> None:
        now = time.monotonic()
        if self._not_before > now:
            await asyncio.sleep(self._not_before - now)
        elif not self._closing and self._bytes < BATCH_BYTES and now - self._sent < BATCH_S:
            await asyncio.sleep(BATCH_S - (now - self._sent))

    async def _send(self) -> None:
        try:
            while True:
                if not self._texts:
                    if self._closing:
                        return
                    self._wake.clear()
                    if not self._texts and not self._closing:
                        await self._wake.wait()
                    continue
                await self._pause()
                out = self._take()
                await self._submit(self.wire.call, "events", b'{"events":[' + b",".join(out) + b"]}")
                self._sent = time.monotonic()
                self._gone(out)
        except BaseException as e:
            with self._lock:
                self._failed = e if isinstance(e, Exception) else RuntimeError("the task has ended")
            self._gone([])
            if not isinstance(e, Exception):
                raise
