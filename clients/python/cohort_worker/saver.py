"""LangGraph's checkpointer, kept by a Cohort server: values travel as the serializer's
own (type, bytes) pairs, so what a graph stores comes back as it was.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from langgraph.checkpoint.base import WRITES_IDX_MAP, BaseCheckpointSaver, CheckpointTuple

from . import plain
from .wire import Refused, TaskWire

try:
    from langgraph.checkpoint.base import get_checkpoint_metadata
except ImportError:  # langgraph-checkpoint before 2.0.26
    def get_checkpoint_metadata(config: dict, metadata: dict) -> dict:
        return dict(metadata)

TASKS = "__pregel_tasks"        # the channel of Sends
INTERRUPT = "__interrupt__"
NO_VALUE = "empty"              # a serializer's word for: this channel has no value
DELTA_COUNTERS = "counters_since_delta_snapshot"


def pack(serde: Any, value: Any, what: str) -> dict:
    """A value as the wire has it: {type, text} where it is UTF-8, else {type, b64}."""
    try:
        kind, data = serde.dumps_typed(value)
    except TypeError as e:
        raise TypeError(f"{what} ({type(value).__name__}): {e}") from e
    if kind == "pickle":
        raise TypeError(f"{what}: {type(value).__name__} can only be stored as pickle, which Cohort refuses "
                        "(reading it would run code): give it a form that JSON or msgpack has")
    data = bytes(data)
    if kind == "json" or not data:
        return {"type": kind, "text": data.decode("utf-8", "replace")}
    return {"type": kind, "b64": base64.b64encode(data).decode()}


def unpack(serde: Any, v: dict) -> Any:
    data = v["text"].encode() if "text" in v else base64.b64decode(v["b64"])
    return serde.loads_typed((v["type"], data))


def shown(channel: str) -> bool:
    """Is this a channel of the state, and not of the machinery?"""
    return not channel.startswith(("__", "branch:", "join:", "start:")) or channel == "__end__"


class RemoteSaver(BaseCheckpointSaver[str]):
    """The saver of one attempt of one task.  It opens the task's thread and no other.

    `channels(ns)` may name the channels of a namespace that its state shows; without it
    every channel that is not LangGraph's own is shown.  `on_put(ns, event)` is called with
    each checkpoint before it is sent."""

    def __init__(self, wire: TaskWire, thread_id: str | None, *, serde: Any = None,
                 channels: Callable[[str], Any] | None = None,
                 on_put: Callable[[str, dict], None] | None = None, submit: Callable[..., Any] | None = None):
        super().__init__(serde=serde)
        self.wire, self.thread_id = wire, thread_id
        self.deltas = False  # has a channel whose values are not in its checkpoints
        self._channels, self._on_put = channels, on_put
        self._submit = submit or asyncio.to_thread
        self._queue: list[tuple[str, dict, asyncio.Future]] = []
        self._flushing: asyncio.Task | None = None

    # What goes out.

    def _at(self, config: dict) -> tuple[str, str | None]:
        c = config.get("configurable") or {}
        thread = c.get("thread_id")
        if self.thread_id is not None and thread is not None and str(thread) != self.thread_id:
            raise ValueError(f"thread_id {thread}: this task may use its own thread {self.thread_id} only. A graph that is "
                             "called with another thread needs a checkpointer of its own")
        return c.get("checkpoint_ns") or "", c.get("checkpoint_id") or None

    def _scope(self, body: dict, config: dict | None) -> dict:
        # A test's token spans threads and says which; a task's own never does.
        if self.thread_id is None and config is not None:
            body["thread_id"] = str(config["configurable"]["thread_id"])
        return body

    def _state_of(self, ns: str, names: Any) -> list[str]:
        known = self._channels(ns) if self._channels else None
        return [n for n in names if (n in known if known is not None else shown(n))]

    def _put_body(self, config: dict, checkpoint: dict, metadata: dict, new_versions: dict) -> dict:
        ns, parent = self._at(config)
        c = dict(checkpoint)
        values = c.pop("channel_values", {})
        meta = get_checkpoint_metadata(config, metadata)
        delta = meta.get(DELTA_COUNTERS) or {}
        self.deltas |= bool(delta)
        if not new_versions and meta.get("source") == "fork":
            # A copy of a checkpoint beside it: its parent has other versions to join.
            new_versions = {k: v for k, v in checkpoint["channel_versions"].items() if k in values}
        changed = self._state_of(ns, new_versions)
        view = {
            "values": {n: plain.plain(_bare(values[n])) for n in changed if n in values},
            "gone": [n for n in changed if n not in values and n not in delta],
            "source": meta.get("source"), "step": meta.get("step"), "created_at": checkpoint.get("ts"),
        }
        if meta.get("parents"):
            view["parents"] = meta["parents"]
        body = {
            "op": "put", "ns": ns, "id": checkpoint["id"],
            "checkpoint": pack(self.serde, c, "checkpoint"),
            # JSON and no bytes: the server compares metadata by its members.
            "metadata": {"type": "json", "text": plain.dumps(meta)},
            "versions": {k: str(v) for k, v in checkpoint["channel_versions"].items()},
            "blobs": [{"channel": k, "version": str(v), **pack(self.serde, values[k], f"channel {k}")}
                      for k, v in new_versions.items() if k in values],
            "view": view,
        }
        if parent:
            body["parent_id"] = parent
        if self._on_put is not None:
            event = {"id": checkpoint["id"], "step": meta.get("step"), "source": meta.get("source")}
            if parent:
                event["parent_id"] = parent
            self._on_put(ns, event)
        return self._scope(body, config)

    def _put_answer(self, config: dict, checkpoint: dict) -> dict:
        c = config["configurable"]
        return {"configurable": {"thread_id": c["thread_id"], "checkpoint_ns": c.get("checkpoint_ns") or "",
                                 "checkpoint_id": checkpoint["id"]}}

    def _group(self, config: dict, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str) -> dict:
        ns, at = self._at(config)
        out, asked = [], []
        for i, (channel, value) in enumerate(writes):
            out.append({"idx": WRITES_IDX_MAP.get(channel, i), "channel": channel,
                        **pack(self.serde, value, f"write to {channel}")})
            if channel == INTERRUPT:
                asked += value if isinstance(value, (list, tuple)) else [value]
        group = {"ns": ns, "id": at, "task_id": task_id, "task_path": task_path, "writes": out}
        if asked:
            group["interrupts"] = [plain.plain(x) for x in asked]
        return group

    def _get_body(self, config: dict) -> dict:
        ns, at = self._at(config)
        body = {"op": "get", "ns": ns}
        if at:
            body["id"] = at
        return self._scope(body, config)

    # What comes in.

    def _load(self, found: dict, thread: str, sends: list[dict]) -> CheckpointTuple:
        def config(at: str) -> dict:
            return {"configurable": {"thread_id": thread, "checkpoint_ns": found["ns"], "checkpoint_id": at}}

        checkpoint = unpack(self.serde, found["checkpoint"])
        values = {b["channel"]: unpack(self.serde, b) for b in found.get("blobs") or [] if b["type"] != NO_VALUE}
        if sends:
            # Before format 4 Sends were writes of the parent; now they are a channel.
            values[TASKS] = [unpack(self.serde, w) for w in sends]
            versions = checkpoint["channel_versions"]
            versions[TASKS] = max(versions.values(), key=str) if versions else self.get_next_version(None, None)
        metadata = found["metadata"]
        metadata = json.loads(metadata["text"]) if metadata["type"] == "json" and "text" in metadata \
            else unpack(self.serde, metadata)
        parent = found.get("parent_id")
        return CheckpointTuple(
            config=config(found["id"]), checkpoint={**checkpoint, "channel_values": values}, metadata=metadata,
            parent_config=config(parent) if parent else None,
            pending_writes=[(w["task_id"], w["channel"], unpack(self.serde, w)) for w in found.get("writes") or []])

    def _thread(self, config: dict | None, found: dict) -> str:
        return found.get("thread_id") or (config["configurable"]["thread_id"] if config else self.thread_id or "")

    def _parent_of_old(self, found: dict, config: dict | None) -> dict | None:
        """The `get` of the parent whose Sends a checkpoint of an old format needs."""
        if not found.get("parent_id") or unpack(self.serde, found["checkpoint"]).get("v", 1) >= 4:
            return None
        body = {"op": "get", "ns": found["ns"], "id": found["parent_id"]}
        if self.thread_id is None:
            body["thread_id"] = self._thread(config, found)
        return body

    @staticmethod
    def _sends(answer: dict | None) -> list[dict]:
        parent = answer and answer.get("found")
        return [w for w in parent["writes"] if w["channel"] == TASKS] if parent else []

    # The base class's methods, without and with async.

    def get_tuple(self, config: dict) -> CheckpointTuple | None:
        found = self.wire.call("saver", self._get_body(config)).get("found")
        if not found:
            return None
        old = self._parent_of_old(found, config)
        return self._load(found, self._thread(config, found), self._sends(old and self.wire.call("saver", old)))

    async def aget_tuple(self, config: dict) -> CheckpointTuple | None:
        found = (await self._call(self._get_body(config))).get("found")
        if not found:
            return None
        old = self._parent_of_old(found, config)
        return self._load(found, self._thread(config, found), self._sends(old and await self._call(old)))

    def _pages(self, config: dict | None, filter: dict | None, before: dict | None, limit: int | None):
        """Yields bodies of `list`, is sent their answers, and yields checkpoints between."""
        c = (config or {}).get("configurable") or {}
        if config is not None and c.get("checkpoint_id"):
            answer = yield self._get_body(config)
            found = answer.get("found")
            meta = json.loads(found["metadata"]["text"]) if found and "text" in found["metadata"] else {}
            if found and all(meta.get(k) == v for k, v in (filter or {}).items()) and limit != 0:
                yield found
            return
        body: dict = {"op": "list"}
        if config is not None:
            ns, _ = self._at(config)
            if c.get("checkpoint_ns") is not None:
                body["ns"] = ns
            self._scope(body, config if c.get("thread_id") else None)
        if filter:
            body["filter"] = plain.plain(filter)
        at = before and ((before.get("configurable") or {}).get("checkpoint_id"))
        left = limit
        while left is None or left > 0:
            if left is not None:
                body["limit"] = left
            if at:
                body["before"] = at
            answer = yield dict(body)
            for found in answer["items"]:
                yield found
            at = answer.get("next")
            left = None if left is None else left - len(answer["items"])
            if not at:
                return

    def list(self, config: dict | None, *, filter: dict | None = None, before: dict | None = None,
             limit: int | None = None) -> Iterator[CheckpointTuple]:
        pages = self._pages(config, filter, before, limit)
        step = next(pages, None)
        while step is not None:
            if "op" in step:
                step = _send(pages, self.wire.call("saver", step))
                continue
            old = self._parent_of_old(step, config)
            yield self._load(step, self._thread(config, step), self._sends(old and self.wire.call("saver", old)))
            step = next(pages, None)

    async def alist(self, config: dict | None, *, filter: dict | None = None, before: dict | None = None,
                    limit: int | None = None) -> AsyncIterator[CheckpointTuple]:
        pages = self._pages(config, filter, before, limit)
        step = next(pages, None)
        while step is not None:
            if "op" in step:
                step = _send(pages, await self._call(step))
                continue
            old = self._parent_of_old(step, config)
            yield self._load(step, self._thread(config, step), self._sends(old and await self._call(old)))
            step = next(pages, None)

    def put(self, config: dict, checkpoint: dict, metadata: dict, new_versions: dict) -> dict:
        self.wire.call("saver", self._put_body(config, checkpoint, metadata, new_versions))
        return self._put_answer(config, checkpoint)

    async def aput(self, config: dict, checkpoint: dict, metadata: dict, new_versions: dict) -> dict:
        body = self._put_body(config, checkpoint, metadata, new_versions)
        # A checkpoint is not on disk before the writes it is made of: else a crash between
        # the two could have a finished node run again.
        while self._flushing is not None:
            await asyncio.shield(self._flushing)
        await self._call(body)
        return self._put_answer(config, checkpoint)

    def put_writes(self, config: dict, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = "") -> None:
        self.wire.call("saver", self._scope({"op": "writes", "groups": [self._group(config, writes, task_id, task_path)]}, config))

    async def aput_writes(self, config: dict, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = "") -> None:
        group = self._group(config, writes, task_id, task_path)
        # Nodes that end while a call is under way share the next one.
        done = asyncio.get_running_loop().create_future()
        done.add_done_callback(lambda f: f.cancelled() or f.exception())
        scope = json.dumps(self._scope({"op": "writes"}, config))
        self._queue.append((scope, group, done))
        if self._flushing is None:
            self._flushing = asyncio.ensure_future(self._flush())
        await done

    async def _flush(self) -> None:
        try:
            while self._queue:
                scope = self._queue[0][0]
                batch = [q for q in self._queue if q[0] == scope]
                self._queue = [q for q in self._queue if q[0] != scope]
                try:
                    await self._call({**json.loads(scope), "groups": [g for _, g, _ in batch]})
                except BaseException as e:
                    for _, _, done in batch:
                        if not done.done():
                            done.set_exception(e if isinstance(e, Exception) else RuntimeError(str(e)))
                    if not isinstance(e, Exception):
                        raise
                else:
                    for _, _, done in batch:
                        if not done.done():
                            done.set_result(None)
        finally:
            self._flushing = None

    async def _call(self, body: dict) -> dict:
        return await self._submit(self.wire.call, "saver", body)

    def delete_thread(self, thread_id: str) -> None:
        if self.thread_id is not None:
            raise Refused(403, "a task may not delete its thread: DELETE /threads/{thread_id} is for clients", "no_route")
        self.wire.call("saver", {"op": "delete_thread", "thread_id": str(thread_id)})

    async def adelete_thread(self, thread_id: str) -> None:
        await self._submit(self.delete_thread, thread_id)

    def get_next_version(self, current: str | int | None, channel: Any = None) -> str:
        """The random part keeps the versions of two forks of one checkpoint apart."""
        n = 0 if current is None else current if isinstance(current, int) else int(str(current).split(".")[0])
        return f"{n + 1:032}.{random.random():016}"


def _bare(value: Any) -> Any:
    # A delta channel's snapshot is a wrapper around the value.
    return value.value if type(value).__name__ == "_DeltaSnapshot" else value


def _send(pages: Any, answer: dict) -> dict | None:
    try:
        return pages.send(answer)
    except StopIteration:
        return None
