"""The process that pulls tasks: it registers, polls, runs, beats, and leaves.

Graphs run on this process's event loop.  The wire has threads of its own, so that code
that blocks the loop loses no lease and misses no cancel."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from . import plain
from .events import Events
from .wire import LostLease, Refused, TaskWire, Wire, WireError

log = logging.getLogger("cohort_worker")

DRAIN_S = 30.0        # what SIGTERM leaves to tasks under way
POLLS = 4             # under way at once: all but the newest are about to end
POLL_MORE_S = 15.0    # an answer to a poll may come this much later than it says
ASK_AGAIN_S = (0.2, 5.0)
WIRE_THREADS = 64
SYNC_THREADS = 64     # for functions without async, and for LangGraph's own
ERROR_BYTES = 8000

Handler = Callable[["Job"], Awaitable[dict]]


class Job:
    """One attempt of one task."""

    def __init__(self, worker: Worker, task: dict):
        self.worker, self.task = worker, task
        self.id: str = task["task_id"]
        self.wire = TaskWire(worker.wire, self.id, task["token"], worker.lease_s)
        self.wire.on_answer = self._answer
        # Whichever call learns it: an event's, a store's, a beat's.
        self.wire.on_lost = lambda why: worker.loop.call_soon_threadsafe(self.cancel, why)
        self.submit = worker.submit
        self.events: Events | None = None
        self.running: asyncio.Task | None = None
        self.on_cancel: list[Callable[[], None]] = []
        self.cancelled: str | None = None

    def _answer(self, a: dict) -> None:
        if self.events is not None:
            self.events.slow(a)
        if c := a.get("cancel"):
            self.worker.loop.call_soon_threadsafe(self.cancel, c.get("reason") or c.get("action") or "cancelled")

    def cancel(self, why: str) -> None:
        if self.cancelled is None:
            self.cancelled = why
            for f in self.on_cancel:
                f()
            if self.running is not None:
                self.running.cancel()


class Worker:
    def __init__(self, wire: Wire, registration: dict, handlers: dict[tuple[str, str], Handler], slots: dict[str, int]):
        self.wire, self.registration, self.handlers = wire, registration, handlers
        self.slots = slots
        self.lease_s, self.beat_s, self.poll_s = 20.0, 5.0, 25.0
        self.id: str | None = None
        self.jobs: dict[str, Job] = {}
        self.draining: str | None = None
        self._busy = {"run": 0, "node": 0}
        self._changed = threading.Condition()
        self._again = False
        self._polls_n = 0
        self._under_way: set[int] = set()  # polls
        self._hungry = 0      # of these, polls that may bring tasks
        self._registering = threading.Lock()
        self._stopped = threading.Event()
        self.failed: Refused | None = None
        self.stuck = False
        self._pool = ThreadPoolExecutor(WIRE_THREADS, "cohort-wire")

    async def submit(self, f: Callable, *args: Any) -> Any:
        return await self.loop.run_in_executor(self._pool, f, *args)

    # Registration.

    def _register(self) -> None:
        pause, said = ASK_AGAIN_S[0], False
        while not self._stopped.is_set():
            try:
                a = self.wire.call("POST", "/workers", self.registration, patience=0)
            except Refused as e:
                if e.status not in (429, 502, 503, 504):
                    raise
                failure: WireError = e
            except WireError as e:
                failure = e
            else:
                self.id = a["worker_id"]
                self.lease_s, self.beat_s, self.poll_s = a["lease_s"], a["beat_s"], a["poll_s"]
                log.info("registered at %s as %s (build %s): %s", self.wire.url, self.id,
                         self.registration["build"], self._names())
                return
            if not said:
                log.warning("%s; trying on", failure)
                said = True
            self._stopped.wait(pause)
            pause = min(pause * 2, ASK_AGAIN_S[1])

    def _names(self) -> str:
        out = []
        for kind in ("graphs", "runs", "nodes", "tools"):
            if names := [x.get("id") or x["name"] for x in self.registration.get(kind, [])]:
                out.append(f"{kind} {', '.join(names)}")
        return "; ".join(out)

    # The poll, in threads.

    def _free(self) -> dict[str, int]:
        if self.draining:
            return {k: 0 for k in self.slots}
        return {k: max(0, n - self._busy[k]) for k, n in self.slots.items()}

    def _polls(self) -> None:
        """One poll is always under way; when what is free changes from none, or a drain
        begins, another one takes its place and the server ends the first."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped.is_set() or not self._under_way
                                       or (self._again and len(self._under_way) < POLLS))
                if self._stopped.is_set():
                    return
                self._again = False
                self._polls_n += 1
                self._under_way.add(self._polls_n)
                free = self._free()
                self._hungry += any(free.values())
            self._pool.submit(self._poll, self.id, self._polls_n, free)

    def _poll(self, id: str, n: int, free: dict[str, int]) -> None:
        try:
            a = self.wire.call("POST", f"/workers/{id}/poll", {"free": free}, timeout=self.poll_s + POLL_MORE_S, patience=0)
            self._polled(a)
        except Refused as e:
            if e.status == 404:
                self._register_again(id)
            else:
                log.warning("%s", e)
                self._stopped.wait(1.0)
        except WireError as e:
            if not self._stopped.is_set():
                log.warning("%s", e)
            self._stopped.wait(0.5)
        finally:
            with self._changed:
                self._under_way.discard(n)
                self._hungry -= any(free.values())
                # An older one that came to the server later has ended this one: what it says
                # of free slots is not so any more.
                self._again |= any(m < n for m in self._under_way)
                self._changed.notify_all()
            if self.draining:
                self.loop.call_soon_threadsafe(self._idle)

    def _register_again(self, id: str) -> None:
        with self._registering:
            if self.id != id or self._stopped.is_set():
                return
            log.warning("the server does not know this worker any more; registering again")
            try:
                self._register()
            except Refused as e:
                self.failed = e
                self.loop.call_soon_threadsafe(self._finish)

    def _polled(self, a: dict) -> None:
        for t in a.get("tasks") or []:
            with self._changed:
                self._busy[slot_of(t)] += 1
            self.loop.call_soon_threadsafe(self._start, t)
        for c in a.get("cancel") or []:
            if (job := self.jobs.get(c["task_id"])) is not None:
                self.loop.call_soon_threadsafe(job.cancel, c.get("reason") or "cancelled")
        if a.get("quiet") and not self.draining:
            self.loop.call_soon_threadsafe(self.drain, "the server asked it to leave", None)

    def _poll_anew(self) -> None:
        with self._changed:
            self._again = True
            self._changed.notify_all()

    # Beats, in a thread.

    def _beats(self) -> None:
        while not self._stopped.wait(self.beat_s / 4):
            now = time.monotonic()
            for job in list(self.jobs.values()):
                if job.wire.lost is None and now - job.wire.last >= self.beat_s * 0.75:
                    job.wire.last = now - self.beat_s * 0.4  # and again soon when it fails
                    self._pool.submit(self._beat, job)

    def _beat(self, job: Job) -> None:
        try:
            job.wire.call("events", {"events": []}, patience=0)
        except LostLease:
            pass  # the job knows
        except WireError as e:
            log.debug("beat of %s: %s", job.id, e)

    # A task.

    def _start(self, task: dict) -> None:
        job = Job(self, task)
        self.jobs[job.id] = job
        job.running = self.loop.create_task(self._run(job))
        # Not in _run: one that is cancelled before its first step does not run at all.
        job.running.add_done_callback(lambda _: self._over_with(job))

    def _over_with(self, job: Job) -> None:
        if job.events is not None:
            job.events.stop()
        self.jobs.pop(job.id, None)
        with self._changed:
            kind = slot_of(job.task)
            self._busy[kind] -= 1
            was_full = self._busy[kind] + 1 >= self.slots[kind]
        if was_full:
            self._poll_anew()
        self._idle()

    async def _run(self, job: Job) -> None:
        job.events = Events(job.wire, self.submit)
        end = await self._outcome(job)
        if end is not None:
            # The task itself is over: a cancel that comes now changes nothing.
            job.running = None
            await self._end(job, end)

    async def _outcome(self, job: Job) -> dict | None:
        task = job.task
        try:
            handler = self.handlers.get((task["kind"], task["name"]))
            if handler is None:
                raise LookupError(f"this worker has no {task['kind']} named {task['name']}")
            end = await handler(job)
            await job.events.close()
            return end
        except LostLease as e:
            log.warning("task %s (%s): %s", job.id, task["name"], e)
            return None
        except asyncio.CancelledError:
            if job.wire.lost is not None or job.cancelled is None:
                return None
            with contextlib.suppress(Exception):
                await job.events.close()
            return {"status": "interrupted"}
        except Exception as e:
            if job.wire.lost is not None:
                return None
            log.error("task %s (%s %s) failed: %s", job.id, task["kind"], task["name"], "".join(traceback.format_exception(e)))
            with contextlib.suppress(Exception):
                await job.events.close()
            return {"status": "error", "error": error_of(e)}

    async def _end(self, job: Job, end: dict) -> None:
        try:
            await self.submit(job.wire.call, "end", plain.dumps(end).encode())
        except LostLease as e:
            log.warning("task %s (%s): %s", job.id, job.task["name"], e)
        except Refused as e:
            log.error("task %s (%s): its end was refused: %s", job.id, job.task["name"], e)
            if end["status"] != "error":
                await self._end(job, {"status": "error", "error": error_of(e)})
        except (WireError, ValueError) as e:
            log.error("task %s (%s): its end was not told: %s", job.id, job.task["name"], e)

    # The process.

    def drain(self, why: str, limit: float | None = DRAIN_S) -> None:
        """No more tasks; those under way have `limit` seconds (None: as long as they take)."""
        if self.draining:
            self._finish()
            return
        self.draining = why
        log.info("leaving: %s; %d tasks under way", why, len(self.jobs))
        self._poll_anew()
        if limit is not None:
            self.loop.call_later(limit, self._finish)
        self._idle()

    def _idle(self) -> None:
        if self.draining and not self._hungry and not self.jobs and not any(self._busy.values()):
            self._finish()

    def _finish(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    async def serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        # Python's own pool has as many threads as the machine has cores, and four.
        self.loop.set_default_executor(ThreadPoolExecutor(SYNC_THREADS, "cohort-sync"))
        self._over: asyncio.Future = self.loop.create_future()
        try:
            await self.submit(self._register)
            threads = [threading.Thread(target=f, name=f"cohort-{f.__name__}", daemon=True) for f in (self._polls, self._beats)]
            for t in threads:
                t.start()
            await self._over
        finally:
            self._stopped.set()
            with self._changed:
                self._changed.notify_all()
            await self._leave()
        if self.failed is not None:
            raise self.failed

    async def _leave(self) -> None:
        self.stuck = bool(self.jobs)
        for job in list(self.jobs.values()):
            job.wire.lose("the worker leaves")
        if self.id is not None:
            with contextlib.suppress(WireError):
                await self.submit(lambda: self.wire.call("POST", f"/workers/{self.id}/leave", {}, timeout=5, patience=0))
        self._pool.shutdown(wait=False, cancel_futures=True)
        self.wire.close()


def slot_of(task: dict) -> str:
    return "run" if task["kind"] == "run" else "node"


def error_of(e: BaseException) -> dict:
    return {"type": type(e).__name__, "message": plain.text(str(e))[:ERROR_BYTES], "retryable": bool(getattr(e, "retryable", False))}
