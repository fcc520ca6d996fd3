"""The work tracker's daemon: what agents share as a to-do list with dependencies.

    from cohort_worker.work import connect
    with connect(actor="ann") as work:
        a = work.call("create", title="API")
        work.batch([("create", {"title": "Client", "dependencies": [{"$ref": 0}]})])
        for item in work.call("ready", limit=3): ...

The socket is .cohort/work.sock of the folder, or of one above it; a command of
`cohort work` starts the daemon, and so does connect where there is none yet.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

TIMEOUT_S = 30.0
START_S = 5.0
LINE_BYTES = 64 << 20


class WorkError(RuntimeError):
    """The tracker said no: `code` is its word (NOTFOUND, INVALID, ..)."""

    def __init__(self, message: str, code: str = "", data: Any = None):
        super().__init__(message)
        self.code, self.data = code, data


class WorkTimeout(WorkError, TimeoutError):
    """No answer in time.  The daemon gave the request up too: it has no half effect."""


def find(folder: str | Path | None = None) -> Path:
    """The tracker's folder: .cohort here or in a folder above."""
    at = Path(folder or os.getcwd()).resolve()
    for p in (at, *at.parents):
        if (p / ".cohort" / "work.db").exists() or (p / ".cohort" / "work.sock").exists():
            return p / ".cohort"
    raise WorkError(f"{at}: no tracker here or above: `cohort work init` makes one", "NOTFOUND")


def connect(path: str | Path | None = None, *, actor: str | None = None, timeout: float = TIMEOUT_S) -> Work:
    """To the daemon at `path` (a socket, or a workspace's folder; the one around here)."""
    given = Path(path) if path is not None else None
    sock = given if given is not None and (given.suffix == ".sock" or given.is_socket()) else find(given) / "work.sock"
    try:
        return Work(_open(sock), actor, timeout)
    except (FileNotFoundError, ConnectionRefusedError):
        _start(sock)
        return Work(_open(sock), actor, timeout)


def _open(sock: Path) -> socket.socket:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        s.connect(str(sock))
    except OSError:
        s.close()
        raise
    return s


def _start(sock: Path) -> None:
    program = os.environ.get("COHORT") or shutil.which("cohort")
    if program is None:
        raise WorkError(f"{sock}: no daemon answers, and there is no `cohort` in PATH to start one", "NODAEMON")
    subprocess.run([program, "work", "daemon"], cwd=sock.parent.parent, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=START_S, check=False)
    end = time.monotonic() + START_S
    while True:
        with contextlib.suppress(OSError):
            _open(sock).close()
            return
        if time.monotonic() > end:
            raise WorkError(f"{sock}: the daemon did not start; `cohort work daemon --status` says more", "NODAEMON")
        time.sleep(0.02)


class Work:
    """One connection.  Thread safe: one request after the other."""

    def __init__(self, sock: socket.socket, actor: str | None, timeout: float):
        self._sock = sock
        self._in = sock.makefile("rb")
        self._lock = threading.Lock()
        self._n = 0
        self.actor = actor or os.environ.get("BD_ACTOR") or getpass.getuser()
        self.set_timeout(timeout)

    def __enter__(self) -> Work:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._in.close()
            self._sock.close()

    def set_timeout(self, seconds: float) -> None:
        """How long a request may take: sending, working and answering."""
        if not seconds > 0:
            raise ValueError(f"a timeout of {seconds}: it is seconds, above 0")
        self._timeout = float(seconds)

    def call(self, operation: str, args: dict | None = None, /, *, once: str | None = None, **more: Any) -> Any:
        """The answer's data.  `once` makes a change safe to repeat under that key."""
        body: dict = {"operation": operation, "args": {**(args or {}), **more}, "actor": self.actor}
        if once is not None:
            body["once"] = once
        return self._ask(body)

    def batch(self, operations: Iterable[Any], *, partial: bool = False) -> list[dict]:
        """(operation, args) pairs or {operation, args}, as one transaction: all or nothing.
        With `partial` each is done or refused alone, and has its own {success, data, error}."""
        ops = [o if isinstance(o, dict) else {"operation": o[0], "args": o[1] if len(o) > 1 else {}} for o in operations]
        args: dict = {"operations": ops}
        if partial:
            args["partial"] = True
        return self.call("batch", args)["results"]

    def events(self, after: int | None = None) -> Iterator[dict]:
        """What happens in the tracker, as it happens; this connection is then for that only."""
        self.call("subscribe", {} if after is None else {"after": after})
        self._sock.settimeout(None)
        while line := self._in.readline(LINE_BYTES):
            answer = json.loads(line)
            if "event" in answer:
                yield answer["event"]

    def _ask(self, body: dict) -> Any:
        with self._lock:
            self._n += 1
            body.update(request_id=self._n, deadline_ms=max(1, int(self._timeout * 1000)))
            end = time.monotonic() + self._timeout
            try:
                self._sock.settimeout(self._timeout)
                self._sock.sendall(json.dumps(body, separators=(",", ":")).encode() + b"\n")
                return self._answer(body, end)
            except TimeoutError as e:
                # What is still to come would be taken for another answer.
                self.close()
                raise WorkTimeout(f"{body['operation']}: no answer in {self._timeout:g} s", "TIMEOUT") from e

    def _answer(self, body: dict, end: float) -> Any:
        while True:
            self._sock.settimeout(max(0.001, end - time.monotonic()) + 1.0)
            line = self._in.readline(LINE_BYTES)
            if not line:
                raise WorkError(f"{body['operation']}: the daemon closed the connection", "CLOSED")
            answer = json.loads(line)
            if answer.get("request_id") != body["request_id"] or "progress" in answer or "event" in answer:
                continue
            if answer.get("success"):
                return answer.get("data")
            kind = WorkTimeout if answer.get("code") in ("TIMEOUT", "DEADLINE") else WorkError
            raise kind(answer.get("error") or "refused", answer.get("code") or "", answer.get("data"))
