"""HTTP to a Cohort server: kept connections over TCP, TLS or a unix socket, with
retries.  Every operation of a worker may be sent twice (events are numbered, puts and
ends are the same the second time), so a call that was cut is simply sent again.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import socket
import ssl
import threading
import time
from typing import Any
from urllib.parse import urlsplit

CONNECT_S = 5.0       # to open a connection
ANSWER_S = 60.0       # for an answer; a long poll adds its own time
PAUSE_S = (0.05, 2.0)  # between tries: from, at most
SPARE = 32            # idle connections that are kept
STALE_S = 20.0        # an idle connection older than this is not used again
ANSWER_BYTES = 64 << 20


class WireError(RuntimeError):
    """The server could not be reached, or answered what this client does not know."""


class Refused(WireError):
    """The server understood and said no: `status`, `reason`, and its words."""

    def __init__(self, status: int, detail: str, reason: str = "", body: Any = None):
        super().__init__(detail)
        self.status, self.detail, self.reason, self.body = status, detail, reason, body


class LostLease(WireError):
    """The task is not this worker's any more: stop at once and write nothing more.

    A RuntimeError, so that no retry policy of a graph tries its node again."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _tls_of_environment() -> ssl.SSLContext:
    """COHORT_CA: certificates that the server's is checked with, in place of the system's;
    COHORT_CERT and COHORT_CERT_KEY: this worker's own (the key may stand in the same file)."""
    context = ssl.create_default_context(cafile=os.environ.get("COHORT_CA") or None)
    if cert := os.environ.get("COHORT_CERT"):
        context.load_cert_chain(cert, os.environ.get("COHORT_CERT_KEY") or None)
    return context


class Wire:
    """One server.  Thread safe; `url` is http://, https:// or unix:///path/of.sock"""

    def __init__(self, url: str, key: str | None = None):
        self.url = url.rstrip("/")
        self.key = key
        at = urlsplit(self.url)
        if at.scheme not in ("http", "https", "unix"):
            raise ValueError(f"{url}: a server's address begins with http://, https:// or unix://")
        if at.scheme == "unix" and not at.path:
            raise ValueError(f"{url}: a unix socket's address is unix:///path/of.sock")
        self._at = at
        self._idle: list[tuple[float, http.client.HTTPConnection]] = []
        self._busy: set[http.client.HTTPConnection] = set()
        self._closed = False
        self._lock = threading.Lock()
        self._tls = _tls_of_environment() if at.scheme == "https" else None

    def _open(self) -> http.client.HTTPConnection:
        at = self._at
        if at.scheme == "unix":
            return _UnixConnection(at.path, CONNECT_S)
        if at.scheme == "https":
            return http.client.HTTPSConnection(at.hostname, at.port or 443, timeout=CONNECT_S, context=self._tls)
        return http.client.HTTPConnection(at.hostname, at.port or 80, timeout=CONNECT_S)

    def _take(self) -> tuple[http.client.HTTPConnection, bool]:
        now = time.monotonic()
        with self._lock:
            while self._idle:
                since, c = self._idle.pop()
                if now - since < STALE_S:
                    return c, True
                c.close()
        return self._open(), False

    def _give(self, c: http.client.HTTPConnection) -> None:
        with self._lock:
            if len(self._idle) < SPARE:
                self._idle.append((time.monotonic(), c))
                return
        c.close()

    def close(self) -> None:
        """Ends what is under way too: a thread that waits for an answer stops waiting."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for _, c in idle:
            c.close()
        for c in busy:
            with contextlib.suppress(OSError, AttributeError):
                c.sock.shutdown(socket.SHUT_RDWR)

    def _exchange(self, c: http.client.HTTPConnection, method: str, path: str, body: bytes | None,
                  headers: dict[str, str], timeout: float) -> tuple[int, http.client.HTTPMessage, bytes]:
        if c.sock is None:
            c.timeout = CONNECT_S
            c.connect()
            if self._at.scheme != "unix":
                c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        c.sock.settimeout(timeout)
        with self._lock:
            if self._closed:
                raise WireError(f"{method} {path}: this client has been closed")
            self._busy.add(c)
        try:
            return self._ask(c, method, path, body, headers)
        finally:
            with self._lock:
                self._busy.discard(c)

    def _ask(self, c: http.client.HTTPConnection, method: str, path: str, body: bytes | None,
             headers: dict[str, str]) -> tuple[int, http.client.HTTPMessage, bytes]:
        c.request(method, self._prefix() + path, body, headers)
        r = c.getresponse()
        data = r.read(ANSWER_BYTES + 1)
        if len(data) > ANSWER_BYTES:
            raise WireError(f"{method} {path}: the answer is larger than {ANSWER_BYTES} bytes")
        return r.status, r.headers, data

    def _prefix(self) -> str:
        return "" if self._at.scheme == "unix" else self._at.path

    def once(self, method: str, path: str, body: bytes | None = None, token: str | None = None,
             timeout: float = ANSWER_S) -> tuple[int, http.client.HTTPMessage, bytes]:
        """One exchange; OSError or HTTPException when it was cut."""
        headers = {"accept": "application/json"}
        if body is not None:
            headers["content-type"] = "application/json"
        if self.key:
            headers["x-api-key"] = self.key
        if token:
            headers["x-task-token"] = token
        c, used = self._take()
        try:
            answer = self._exchange(c, method, path, body, headers, timeout)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            # The server closed an idle connection just as it was used: not a failure.
            c.close()
            if not used:
                raise
            c = self._open()
            try:
                answer = self._exchange(c, method, path, body, headers, timeout)
            except BaseException:
                c.close()
                raise
        except BaseException:
            c.close()
            raise
        if answer[1].get("connection", "").lower() == "close":
            c.close()
        else:
            self._give(c)
        return answer

    def call(self, method: str, path: str, body: Any = None, *, token: str | None = None,
             timeout: float = ANSWER_S, patience: float = 30.0) -> Any:
        """The answer's JSON.  A cut connection, 429, 502, 503 and 504 are tried again for
        `patience` seconds; LostLease, Refused or WireError says how it failed."""
        data = None if body is None else body if isinstance(body, bytes) else dumps(body)
        end = time.monotonic() + patience
        pause = PAUSE_S[0]
        while True:
            wait = pause * (0.5 + random.random())
            try:
                status, headers, text = self.once(method, path, data, token, timeout)
            except (OSError, http.client.HTTPException) as e:
                failure: WireError = WireError(f"{method} {self.url}{path}: {_words(e)}")
            else:
                if status not in (429, 502, 503, 504):
                    return _answer(method, path, status, text)
                failure = _refusal(method, path, status, text)
                with contextlib.suppress(ValueError):
                    wait = max(wait, float(headers.get("retry-after", "0")))
            if time.monotonic() + wait > end:
                raise failure
            time.sleep(wait)
            pause = min(pause * 2, PAUSE_S[1])


def dumps(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")


def _words(e: BaseException) -> str:
    if isinstance(e, TimeoutError):
        return "no answer in time"
    return str(e) or type(e).__name__


def _answer(method: str, path: str, status: int, text: bytes) -> Any:
    if 200 <= status < 300:
        if not text:
            return {}
        try:
            return json.loads(text)
        except ValueError as e:
            raise WireError(f"{method} {path}: the answer is not JSON: {e}") from e
    raise _refusal(method, path, status, text)


def _refusal(method: str, path: str, status: int, text: bytes) -> WireError:
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    detail = reason = ""
    if isinstance(body, dict):
        detail = body.get("detail") if isinstance(body.get("detail"), str) else json.dumps(body.get("detail", body))
        reason = body.get("reason") or ""
    said = f"{method} {path}: {status} {detail or text[:200].decode('utf-8', 'replace')}"
    if reason in ("lost_lease", "wrong_token"):
        return LostLease(said)
    return Refused(status, said, reason, body)


class TaskWire:
    """What one attempt of a task may call.  When its lease is lost every further call
    fails at once, here, without asking."""

    def __init__(self, wire: Wire, task_id: str, token: str, lease_s: float = 20.0):
        self.wire, self.task_id, self.token = wire, task_id, token
        self.lease_s = lease_s
        self.lost: str | None = None
        self.on_answer = None       # called with each answer, in the calling thread
        self.on_lost = None         # called once with the reason, in the thread that learns it
        self.last = time.monotonic()

    def call(self, verb: str, body: Any, patience: float | None = None) -> Any:
        if self.lost is not None:
            raise LostLease(self.lost)
        try:
            # Longer than a lease: a server that comes back knows whether it is still ours.
            a = self.wire.call("POST", f"/tasks/{self.task_id}/{verb}", body, token=self.token,
                               patience=self.lease_s * 2 if patience is None else patience)
        except LostLease as e:
            self.lose(str(e))
            raise
        except Refused as e:
            if e.status in (401, 403, 404):
                self.lose(str(e))
                raise LostLease(str(e)) from e
            raise
        self.last = time.monotonic()
        if self.on_answer is not None and isinstance(a, dict):
            self.on_answer(a)
        return a

    def lose(self, why: str) -> None:
        if self.lost is None:
            self.lost = why
            if self.on_lost is not None:
                self.on_lost(why)
