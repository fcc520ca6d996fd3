"""A graph of a few nodes one after the other, which uses its checkpointer, store and
stream in the order that langgraph's AsyncPregelLoop does."""
import asyncio
import contextvars
import copy
import hashlib
import uuid
from datetime import datetime, timezone

from langgraph.types import Command, Interrupt, PregelTask, StateSnapshot

_here = contextvars.ContextVar("here")


class GraphInterrupt(Exception):
    pass


def interrupt(value):
    task = _here.get()
    if task["resume"] is not None:
        return task["resume"]
    raise GraphInterrupt(Interrupt(value, hashlib.md5(task["id"].encode()).hexdigest()))


def write(data):
    """get_stream_writer()."""
    _here.get()["emit"]("custom", data)


def token(message, **metadata):
    """What a model's callback does."""
    task = _here.get()
    task["emit"]("messages", (message, {"langgraph_node": task["name"], "langgraph_checkpoint_ns": f"{task['name']}:{task['id']}", **metadata}))


def store():
    return _here.get()["store"]


def _clock(step):
    # Greater with each step, as uuid6 is.
    t = int(datetime.now(timezone.utc).timestamp() * 1e7) + step
    return str(uuid.UUID(int=(t >> 12) << 80 | 6 << 76 | (t & 0xfff) << 64 | 0x8 << 60 | uuid.uuid4().int & 0xffffffff))


class _Drawable:
    def __init__(self, nodes):
        self._nodes = nodes

    def to_json(self):
        names = ["__start__", *self._nodes, "__end__"]
        return {"nodes": [{"id": n, "type": "runnable", "data": {"id": ["x"], "name": n}} for n in names],
                "edges": [{"source": a, "target": b} for a, b in zip(names, names[1:])]}


class Graph:
    """nodes: {name: async function(state) -> update}; lists are added to, others replaced."""

    def __init__(self, nodes, channels=("log",), checkpointer=None, store=None, name="Stand-in"):
        self.nodes, self.names = nodes, list(nodes)
        self.checkpointer, self.store, self.name = checkpointer, store, name
        self.stream_channels_list = list(channels)
        self.channels = {c: None for c in channels}

    def copy(self, update=None):
        g = copy.copy(self)
        for k, v in (update or {}).items():
            setattr(g, k, v)
        return g

    def get_name(self, suffix=None):
        return suffix

    def get_input_jsonschema(self):
        return {"title": "In", "type": "object"}

    get_output_jsonschema = get_context_jsonschema = get_input_jsonschema

    def get_config_jsonschema(self):
        return {"properties": {"configurable": {"$ref": "#/$defs/C"}},
                "$defs": {"C": {"properties": {"thread_id": {}, "tone": {"type": "string"}}}}}

    def get_graph(self, xray=False):
        return _Drawable(self.names)

    def get_subgraphs(self, namespace=None, recurse=False):
        return iter(())

    # The loop.

    async def astream(self, input, config=None, *, context=None, stream_mode=None, interrupt_before=None, interrupt_after=None,
                      durability=None, subgraphs=False):
        loop = _Loop(self, config, durability or "async", context)
        task = None
        await loop.enter(input)
        try:
            while loop.next:
                if interrupt_before and loop.next in interrupt_before and not loop.resuming:
                    loop.emit("updates", {"__interrupt__": ()})
                    break
                loop.resuming = False
                task = asyncio.ensure_future(loop.run_node(loop.next))
                while not task.done() or loop.queue:
                    while loop.queue:
                        yield loop.queue.pop(0)
                    if not task.done():
                        await asyncio.wait([task], timeout=0.005)
                if await task is False:
                    break
                loop.after_tick()
                if durability == "sync":
                    await loop.puts
                loop.tick()
            if loop.puts is not None:
                await loop.puts
            await asyncio.gather(*loop.writes)
            while loop.queue:
                yield loop.queue.pop(0)
        finally:
            if task is not None and not task.done():
                task.cancel()

    async def aget_state(self, config, *, subgraphs=False):
        tup = await self.checkpointer.aget_tuple(config)
        if tup is None:
            return StateSnapshot({}, (), config, None, None, None, ())
        n = tup.checkpoint["channel_values"].get("__next__")
        values = {k: v for k, v in tup.checkpoint["channel_values"].items() if k in self.stream_channels_list}
        tasks = ()
        if n:
            id = _task_id(tup.checkpoint["id"], n)
            asked = [i for t, c, v in tup.pending_writes if t == id and c == "__interrupt__" for i in v]
            tasks = (PregelTask(id, n, ("__pregel_pull", n), None, tuple(asked)),)
        return StateSnapshot(values, (n,) if n else (), tup.config, tup.metadata, tup.checkpoint["ts"], tup.parent_config, tasks)

    async def abulk_update_state(self, config, supersteps):
        for step in supersteps:
            loop = _Loop(self, config, "sync", None)
            await loop.load()
            for u in step:
                loop.apply(u.values or {})
                if u.as_node in self.names:
                    loop.next = loop.after(u.as_node)
            loop.put("update")
            config = await loop.puts
        return config


def _task_id(checkpoint, name):
    return str(uuid.uuid5(uuid.UUID(checkpoint), name))


class _Loop:
    def __init__(self, graph, config, durability, context):
        self.graph, self.saver, self.durability, self.context = graph, graph.checkpointer, durability, context
        self.config = {"metadata": (config or {}).get("metadata", {}), "configurable": dict((config or {}).get("configurable", {}))}
        self.queue, self.writes, self.puts = [], [], None
        self.values, self.versions, self.step, self.next = {}, {}, -1, None
        self.resuming, self.resume, self.pending, self.id = False, None, [], None

    def emit(self, mode, data):
        self.queue.append(((), mode, data))

    async def load(self):
        tup = await self.saver.aget_tuple(self.config)
        if tup is not None:
            self.values = dict(tup.checkpoint["channel_values"])
            self.versions = dict(tup.checkpoint["channel_versions"])
            self.next, self.step = self.values.pop("__next__", None), tup.metadata["step"] + 1
            self.pending, self.id = tup.pending_writes, tup.checkpoint["id"]
            self.config["configurable"]["checkpoint_id"] = self.id
        return tup

    async def enter(self, input):
        tup = await self.load()
        if isinstance(input, Command):
            self.resume, self.resuming = input.resume, True
        elif input is None:
            if tup is None:
                raise ValueError("Received no input for __start__")
            self.resuming = True
        else:
            self.apply(input)
            self.next, self.pending = self.graph.names[0], []
            self.put("input")
        if self.resuming:
            self.emit("values", self.shown())
        self.tick()

    def shown(self):
        return {k: v for k, v in self.values.items() if k in self.graph.stream_channels_list}

    def after(self, name):
        i = self.graph.names.index(name) + 1
        return self.graph.names[i] if i < len(self.graph.names) else None

    def apply(self, update):
        for k, v in update.items():
            self.values[k] = self.values.get(k, []) + v if isinstance(v, list) else v
            self.changed = {**getattr(self, "changed", {}), k: True}

    def put(self, source):
        changed, self.changed = {**getattr(self, "changed", {}), "__next__": True}, {}
        new = {k: self.saver.get_next_version(self.versions.get(k), None) for k in changed}
        self.versions.update(new)
        self.id = _clock(self.step)
        values = {**self.values, **({"__next__": self.next} if self.next else {})}
        checkpoint = {"v": 4, "id": self.id, "ts": datetime.now(timezone.utc).isoformat(), "channel_values": values,
                      "channel_versions": dict(self.versions), "versions_seen": {}}
        self.metadata = {"source": source, "step": self.step, "parents": {}}
        config = {**self.config, "configurable": dict(self.config["configurable"])}
        self.puts = asyncio.ensure_future(self._put(self.puts, config, checkpoint, dict(self.metadata), new))
        self.parent = config["configurable"].get("checkpoint_id")
        self.config["configurable"]["checkpoint_id"] = self.id
        self.step += 1

    async def _put(self, previous, *args):
        if previous is not None:
            await previous
        return await self.saver.aput(*args)

    def tick(self):
        # LangGraph names the checkpoint here, after the values.
        self.emit("checkpoints", {"config": {"configurable": {"checkpoint_id": self.id}},
                                  "parent_config": {"configurable": {"checkpoint_id": getattr(self, "parent", None)}},
                                  "metadata": getattr(self, "metadata", {"step": self.step - 1, "source": "loop"}), "values": {}})
        if self.next:
            self.emit("tasks", {"id": _task_id(self.id, self.next), "name": self.next, "input": self.shown(), "triggers": [],
                                "interrupts": []})

    def put_writes(self, id, writes):
        config = {"configurable": {**self.config["configurable"], "checkpoint_id": self.id}}
        self.writes.append(asyncio.ensure_future(self.saver.aput_writes(config, writes, id, f"~__pregel_pull, {self.next}")))

    async def run_node(self, name):
        id = _task_id(self.id, name)
        done = [(c, v) for t, c, v in self.pending if t == id and not c.startswith("__")]
        self.pending = [w for w in self.pending if w[0] == id and w[1].startswith("__")] if done else self.pending
        if done:
            update = dict(done)
        else:
            resume = self.resume if self.resume is not None else next((v for t, c, v in self.pending if t == id and c == "__resume__"), None)
            if self.resume is not None:
                self.put_writes(id, [("__resume__", self.resume)])
            self.resume = None
            _here.set({"id": id, "name": name, "resume": resume, "emit": self.emit, "store": self.graph.store})
            try:
                update = await self.graph.nodes[name](self.shown()) or {}
            except GraphInterrupt as e:
                self.put_writes(id, [("__interrupt__", [e.args[0]])])
                self.emit("updates", {"__interrupt__": (e.args[0],)})
                self.emit("tasks", {"id": id, "name": name, "error": None, "interrupts": [vars(e.args[0])], "result": {}})
                return False
            self.put_writes(id, list(update.items()) or [("__no_writes__", None)])
        self.emit("updates", {name: update})
        self.emit("tasks", {"id": id, "name": name, "error": None, "interrupts": [], "result": list(update.items())})
        self.apply(update)
        return True

    def after_tick(self):
        self.next = self.after(self.next)
        self.emit("values", self.shown())
        self.pending = []
        self.put("loop")
