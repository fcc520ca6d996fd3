"""What a node, a tool or an agent is given beside its input."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Generator
from typing import Any

from . import plain
from .events import Events
from .wire import TaskWire


class _Sent:
    """The answer of emit and write: may be awaited, so that a task that is ahead of the
    server waits; without that the event is sent all the same."""

    def __init__(self, events: Events):
        self._events = events

    def __await__(self) -> Generator[Any, None, None]:
        return self._events.room().__await__()


class Store:
    """The owner's store, without LangGraph: items are dicts {namespace, key, value, ..}."""

    def __init__(self, wire: TaskWire, submit: Any):
        self._wire, self._submit = wire, submit

    def call(self, op: str, **fields: Any) -> Any:
        body = {"op": op, **{k: plain.plain(v) for k, v in fields.items() if v is not None}}
        if op == "put" and "value" not in body:
            body["value"] = None
        return self._wire.call("store", {"ops": [body]})["results"][0]

    def get(self, namespace: Any, key: str) -> dict | None:
        return self.call("get", namespace=list(namespace), key=key)

    def put(self, namespace: Any, key: str, value: dict, *, index: Any = None, ttl: float | None = None) -> None:
        self.call("put", namespace=list(namespace), key=key, value=value, index=index, ttl=ttl)

    def delete(self, namespace: Any, key: str) -> None:
        self.call("put", namespace=list(namespace), key=key, value=None)

    def search(self, namespace: Any, *, filter: dict | None = None, query: str | None = None, limit: int = 10,
               offset: int = 0) -> list[dict]:
        return self.call("search", namespace=list(namespace), filter=filter, query=query, limit=limit, offset=offset)

    async def aget(self, namespace: Any, key: str) -> dict | None:
        return await self._submit(self.get, namespace, key)

    async def aput(self, namespace: Any, key: str, value: dict, **how: Any) -> None:
        await self._submit(lambda: self.put(namespace, key, value, **how))

    async def adelete(self, namespace: Any, key: str) -> None:
        await self._submit(self.delete, namespace, key)

    async def asearch(self, namespace: Any, **how: Any) -> list[dict]:
        return await self._submit(lambda: self.search(namespace, **how))


class Context:
    """
    key        the same over all attempts of this task: for calls that must happen once
    attempt    1, 2, ..
    input      what the chart's `input` chose, if it did
    state      the values of the thread
    config, context, thread_id, run_id, assistant_id, call_id, user, task
    store      the owner's store
    cancelled  true when the run was cancelled or the task given to another worker
    """

    def __init__(self, task: dict, wire: TaskWire, events: Events, submit: Any):
        self.task = task
        self.key: str = task.get("key") or task["task_id"]
        self.attempt: int = task.get("attempt", 1)
        self.input, self.state = task.get("input"), task.get("state")
        self.config: dict = task.get("config") or {}
        self.context = task.get("context")
        self.thread_id, self.run_id = task.get("thread_id"), task.get("run_id")
        self.assistant_id, self.call_id = task.get("assistant_id"), task.get("call_id")
        self.user: dict | None = task.get("auth_user")
        self.store = Store(wire, submit)
        self.message_id = f"run-{uuid.uuid4()}"
        self.written: list[str] = []
        self._wire, self._events = wire, events
        self._cancelled = threading.Event()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set() or self._wire.lost is not None

    def cancel(self) -> None:
        self._cancelled.set()

    def emit(self, mode: str, data: Any) -> _Sent:
        """Sends an event to the clients that stream the run: mode "custom" and any data, or
        "messages" and a piece of text or a message.  From sync and async functions; await it where you can."""
        if mode not in ("custom", "messages", "updates"):
            raise ValueError(f'emit({mode!r}): a node or an agent may say "custom", "messages" or "updates"')
        if mode == "messages" and isinstance(data, str):
            return self.write(data)
        self._events.add([], mode, [data] if mode == "messages" and not isinstance(data, (list, tuple)) else data)
        return self._sent()

    def write(self, text: str) -> _Sent:
        """A piece of the answer's text, as a model's token is told."""
        self.written.append(text)
        self._events.add([], "messages", [{"type": "AIMessageChunk", "id": self.message_id, "content": text}])
        return self._sent()

    def _sent(self) -> _Sent:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._events.room_here()
        return _Sent(self._events)
