"""A worker in a thread of the test's process, at a Desk."""

import asyncio
import sys
import threading

from cohort_worker import decorators
from cohort_worker.serve import _tell
from cohort_worker.wire import Wire
from cohort_worker.worker import Worker

from .desk import until


class Serving:
    def __init__(self, desk, graphs=None, registry=None, slots=None):
        self.desk, self.handlers = desk, {}
        self.error = None
        ready = threading.Event()

        async def main():
            serve = sys.modules["cohort_worker.serve"]
            old = serve.REGISTRY
            serve.REGISTRY = registry or decorators.Registry()
            told = await _tell(graphs or {}, {}, self.handlers)
            serve.REGISTRY = old
            s = {"run": 8, "node": 32, **(slots or {})}
            self.worker = Worker(Wire(desk.url), {"name": "w", "build": "b1", "lang": "python", "protocol": 1, "slots": s, **told}, self.handlers, s)
            self.loop = asyncio.get_running_loop()
            ready.set()
            await self.worker.serve()

        def run():
            try:
                asyncio.run(main())
            except BaseException as e:
                self.error = e
                ready.set()

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        ready.wait(10)
        if self.error is None:
            until("the first poll", lambda: desk.polls > 0 or self.error)

    def drain(self, limit=30.0):
        self.loop.call_soon_threadsafe(self.worker.drain, "test", limit)

    def join(self, seconds=10):
        self.thread.join(seconds)
        return not self.thread.is_alive()

    def stop(self):
        if self.thread.is_alive():
            self.drain(0)
            self.join()
