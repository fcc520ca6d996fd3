"""Runs compiled LangGraph graphs: their schemas and drawings for the registration, and
the tasks `run` and `state_update`.  langgraph 0.6 or newer, the user's own.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from types import SimpleNamespace
from typing import Any

from . import plain
from .events import Events
from .wire import TaskWire

log = logging.getLogger("cohort_worker")

MODES = ("values", "updates", "messages", "custom", "tasks", "checkpoints", "tools")
ALWAYS = MODES[:5]
RUN, UPDATE, SCHEMAS = "runs.create", "threads.update_state", "assistants.get_schemas"
# Of a config's schema, what is LangGraph's own.
MACHINERY = ("__pregel_checkpointer", "__pregel_store", "checkpoint_id", "checkpoint_ns", "thread_id")


class User(Mapping):
    """The caller of a run, as graphs know it from langgraph_auth_user."""

    def __init__(self, fields: dict):
        self._fields = {"permissions": [], **fields, "is_authenticated": True}
        self._fields.setdefault("display_name", self._fields.get("identity", ""))

    def __getitem__(self, key: str) -> Any:
        return self._fields[key]

    def __iter__(self):
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._fields[name]
        except KeyError as e:
            raise AttributeError(name) from e

    def dict(self) -> dict:
        return dict(self._fields)


class Graph:
    """One served graph: compiled, not compiled yet, or a function that makes one."""

    def __init__(self, id: str, source: Any, description: str | None = None):
        self.id, self.description = id, description
        self._made: Any = None
        self._factory: Callable | None = None
        if is_compiled(source):
            self._made = source
        elif callable(getattr(source, "compile", None)):
            self._made = source.compile()
        elif callable(source):
            self._factory = source
            self._wants = factory_parameters(source)
        else:
            raise TypeError(f"graph {id}: {type(source).__name__} is not a compiled graph, a StateGraph, "
                            "or a function that returns one")

    @contextlib.asynccontextmanager
    async def open(self, access: str, config: dict, user: User | None = None, store: Any = None,
                   context: Any = None) -> AsyncIterator[Any]:
        if self._made is not None:
            yield self._made
            return
        given = self._factory(**self._arguments(access, config, user, store, context))
        if inspect.isawaitable(given):
            given = await given
        if hasattr(given, "__aenter__"):
            async with given as g:
                yield self._check(g)
        elif hasattr(given, "__enter__"):
            with given as g:
                yield self._check(g)
        else:
            g = self._check(given)
            if not self._wants:
                self._made = g  # takes nothing: it is the same each time
            yield g

    def _check(self, g: Any) -> Any:
        if not is_compiled(g) and callable(getattr(g, "compile", None)):
            g = g.compile()
        if not is_compiled(g):
            raise TypeError(f"graph {self.id}: its function returned {type(g).__name__} and no graph")
        return g

    def _arguments(self, access: str, config: dict, user: User | None, store: Any, context: Any) -> dict:
        out = {}
        for name, what in self._wants.items():
            out[name] = config if what == "config" else server_runtime(access, user, store, context)
        return out


def is_compiled(x: Any) -> bool:
    return not isinstance(x, type) and all(callable(getattr(x, m, None)) for m in ("astream", "copy", "aget_state"))


def factory_parameters(fn: Callable) -> dict[str, str]:
    """{parameter: "config" or "runtime"} of a function that makes a graph."""
    out: dict[str, str] = {}
    for p in inspect.signature(fn).parameters.values():
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) or (p.default is not p.empty and p.name not in ("config", "runtime")):
            continue
        runtime = p.name == "runtime" or "ServerRuntime" in str(p.annotation)
        out[p.name] = "runtime" if runtime else "config"
    if len(out) > 2:
        raise TypeError(f"{fn.__name__}({', '.join(out)}): a graph's function takes nothing, config, runtime, or both")
    return out


def server_runtime(access: str, user: User | None, store: Any, context: Any) -> Any:
    try:
        from langgraph_sdk import runtime as sdk
        kind = sdk._ExecutionRuntime if access == RUN else sdk._ReadRuntime
        fields = {"context": context} if access == RUN else {}
        return kind(access_context=access, user=user, store=store, **fields)
    except (ImportError, AttributeError, TypeError):
        pass  # no such SDK: the same members

    def ensure_user() -> User:
        if user is None:
            raise PermissionError(f"no authenticated user in access_context {access!r}")
        return user

    r = SimpleNamespace(access_context=access, user=user, store=store, permissions=list((user or {}).get("permissions", [])),
                        context=context, ensure_user=ensure_user, execution_runtime=None)
    if access == RUN:
        r.execution_runtime = r
    return r


# What the registration says of a graph.

def _try(what: str, id: str, f: Callable[[], Any]) -> Any:
    try:
        return f()
    except Exception as e:  # a graph's own types: no schema is no reason not to serve it
        log.warning("graph %s: no %s: %s", id, what, e)
        return None


def _state_schema(g: Any) -> dict | None:
    from langchain_core.runnables.utils import create_model
    fields: dict = {}
    for k in g.stream_channels_list:
        t = getattr(g.channels[k], "UpdateType", Any)
        try:
            create_model(k, __root__=(t, None)).model_json_schema()
            fields[k] = (t, None)
        except Exception:  # a type that pydantic does not know
            fields[k] = (Any, None)
    return create_model(g.get_name("State"), **fields).model_json_schema()


def _config_schema(g: Any) -> dict | None:
    schema = g.get_config_jsonschema() if hasattr(g, "get_config_jsonschema") else g.config_schema().model_json_schema()
    inner = (schema.get("properties") or {}).get("configurable") or {}
    if "$ref" in inner:
        inner = (schema.get("$defs") or {}).get(inner["$ref"].rsplit("/", 1)[-1], {})
    if inner.get("properties"):
        inner = {**inner, "properties": {k: v for k, v in inner["properties"].items() if k not in MACHINERY}}
    return inner


def schemas(id: str, g: Any) -> dict:
    out = {
        "input": _try("input schema", id, g.get_input_jsonschema),
        "output": _try("output schema", id, g.get_output_jsonschema),
        "state": _try("state schema", id, lambda: _state_schema(g)),
        "config": _try("config schema", id, lambda: _config_schema(g)),
        "context": _try("context schema", id, g.get_context_jsonschema) if hasattr(g, "get_context_jsonschema") else None,
    }
    return {k: plain.plain(v) for k, v in out.items() if v is not None}


def drawing(id: str, g: Any, xray: bool = False) -> dict | None:
    def draw() -> dict:
        d = plain.plain(g.get_graph(xray=xray).to_json())
        for n in d.get("nodes", []):
            if isinstance(n.get("data"), dict):
                n["data"].pop("id", None)
        return {"nodes": d.get("nodes", []), "edges": d.get("edges", [])}

    return _try("drawing", id, draw)


async def describe(entry: Graph) -> dict:
    """What POST /workers wants of a graph."""
    async with entry.open(SCHEMAS, {"configurable": {}}) as g:
        out: dict = {"id": entry.id, "schemas": schemas(entry.id, g)}
        if entry.description:
            out["description"] = entry.description
        if (d := drawing(entry.id, g)) is not None:
            out["drawing"] = d
        below = _try("subgraphs", entry.id, lambda: dict(g.get_subgraphs(recurse=True))) or {}
        if below:
            if (d := drawing(entry.id, g, True)) is not None:
                out["xray"] = d
            out["subgraphs"] = {ns: {f"{k}_schema": v for k, v in schemas(f"{entry.id} {ns}", sub).items()}
                                for ns, sub in below.items()}
        return out


# A run.

class Order:
    """Puts a graph's chunks in the order the wire has: the checkpoint before the values.

    LangGraph for Python tells a step's values first and names its checkpoint when the
    next step begins, so values wait for that."""

    def __init__(self, events: Events):
        self._events = events
        self._held: dict[tuple, str] = {}
        self._put: dict[tuple, dict] = {}      # what the saver has put and nobody has told
        self._told: dict[tuple, str] = {}
        self._metadata: dict[str, str] = {}
        self.interrupted = False

    def put(self, ns: str, event: dict) -> None:
        """The saver's on_put."""
        self._put[tuple(ns.split("|")) if ns else ()] = event

    def _checkpoint(self, ns: tuple, event: dict) -> None:
        if event.get("id") and self._told.get(ns) != event["id"]:
            self._told[ns] = event["id"]
            self._events.add(ns, "checkpoints", event)

    def _release(self, ns: tuple) -> None:
        held = self._held.pop(ns, None)
        if held is None:
            return
        if ns in self._put:
            self._checkpoint(ns, self._put[ns])
        self._events.add_text(ns, "values", held)

    def feed(self, ns: tuple, mode: str, data: Any) -> None:
        ns = tuple(ns)
        if mode == "checkpoints":
            self._checkpoint(ns, _checkpoint_event(data))
            self._put.pop(ns, None)
            self._release(ns)
            return
        self._release(ns)
        if mode == "values":
            self.interrupted |= isinstance(data, dict) and "__interrupt__" in data
            self._held[ns] = plain.dumps(data)
        elif mode == "messages":
            self._message(ns, data)
        elif mode == "tasks":
            self._events.add(ns, mode, _task(data))
        else:
            self.interrupted |= mode == "updates" and isinstance(data, dict) and "__interrupt__" in data
            self._events.add(ns, mode, data)

    def _message(self, ns: tuple, data: Any) -> None:
        message, metadata = data
        message = plain.plain(message)
        said = plain.dumps(metadata)
        id = message.get("id") if isinstance(message, dict) else None
        if id is not None and self._metadata.get(id) == said:
            self._events.add(ns, "messages", [message])
            return
        if id is not None:
            self._metadata[id] = said
        self._events.add_text(ns, "messages", f"[{plain.dumps(message)},{said}]")

    def close(self) -> None:
        for ns in list(self._held):
            self._release(ns)


def _checkpoint_event(data: dict) -> dict:
    def at(config: Any) -> str | None:
        return ((config or {}).get("configurable") or {}).get("checkpoint_id")

    metadata = data.get("metadata") or {}
    out = {"id": at(data.get("config")), "step": metadata.get("step"), "source": metadata.get("source")}
    if parent := at(data.get("parent_config")):
        out["parent_id"] = parent
    return out


def _task(data: dict) -> dict:
    """LangGraph before 1.0 gives a result as pairs, and since then as an object."""
    out = dict(data)
    if isinstance(out.get("result"), (list, tuple)):
        out["result"] = {k: v for k, v in out["result"]}
    if isinstance(out.get("error"), BaseException):
        out["error"] = repr(out["error"])
    return out


def command_of(c: dict) -> Any:
    from langgraph.types import Command, Send
    goto = c.get("goto")
    goto = [] if goto is None else goto if isinstance(goto, list) else [goto]
    update = c.get("update")
    if isinstance(update, list) and all(isinstance(t, list) and len(t) == 2 and isinstance(t[0], str) for t in update):
        update = [tuple(t) for t in update]
    fields: dict = {"update": update, "resume": c.get("resume")}
    if goto:
        fields["goto"] = [g if isinstance(g, str) else Send(g["node"], g.get("input", g.get("arg"))) for g in goto]
    return Command(**fields)


def config_of(task: dict, user: User | None) -> dict:
    config = dict(task.get("config") or {})
    conf = config["configurable"] = dict(config.get("configurable") or {})
    conf.setdefault("thread_id", task.get("thread_id"))
    conf.setdefault("checkpoint_ns", "")
    chosen = task.get("checkpoint") or {}
    if task.get("again"):
        conf.pop("checkpoint_id", None)
    elif chosen.get("checkpoint_id"):
        conf.setdefault("checkpoint_id", chosen["checkpoint_id"])
        conf["checkpoint_ns"] = chosen.get("checkpoint_ns") or ""
    if user is not None:
        conf.update(langgraph_auth_user=user, langgraph_auth_user_id=user.get("identity"),
                    langgraph_auth_permissions=list(user["permissions"]))
    with contextlib.suppress(ValueError, TypeError):
        config.setdefault("run_id", uuid.UUID(str(task.get("run_id"))))
    return config


def channels_of(g: Any) -> Callable[[str], Any]:
    """Which channels of a namespace are state: the graph's own list, or its subgraph's."""
    known: dict[str, Any] = {"": set(g.stream_channels_list)} if hasattr(g, "stream_channels_list") else {}
    listed = False

    def of(ns: str) -> Any:
        nonlocal listed
        if ns and not listed:
            listed = True
            with contextlib.suppress(Exception):  # a graph whose subgraphs cannot be listed
                known.update({at: set(sub.stream_channels_list) for at, sub in g.get_subgraphs(recurse=True)})
        # "child:uuid|grandchild:uuid" is the place of "child|grandchild".
        return known.get("|".join(part.split(":", 1)[0] for part in ns.split("|"))) if ns else known.get("")

    return of


def serde_of(g: Any) -> Any:
    """The serializer that the graph was compiled with, if any: an encrypting one stays."""
    own = getattr(g, "checkpointer", None)
    return None if own is None or isinstance(own, bool) else getattr(own, "serde", None)


def view_of(state: Any) -> dict:
    conf = (state.config or {}).get("configurable") or {}
    return {
        "checkpoint": {"checkpoint_ns": conf.get("checkpoint_ns") or "", "checkpoint_id": conf.get("checkpoint_id")},
        "values": plain.plain(state.values), "next": list(state.next),
        "tasks": [_task_view(t) for t in state.tasks],
    }


def _task_view(t: Any) -> dict:
    out = {"id": t.id, "name": t.name, "path": plain.plain(t.path), "interrupts": plain.plain(list(t.interrupts))}
    below = getattr(t, "state", None)
    if below is not None and hasattr(below, "values") and not isinstance(below, dict) \
            and ((below.config or {}).get("configurable") or {}).get("checkpoint_id"):
        out["state"] = view_of(below)
    return out


def _modes() -> list[str]:
    from typing import get_args

    from langgraph.types import StreamMode
    there = get_args(StreamMode)
    return [m for m in MODES if m in there or m in ALWAYS]


def opened(g: Any, wire: TaskWire, task: dict, order: Order | None, submit: Any, store: Any) -> tuple[Any, Any]:
    """A graph with the saver and the store of one attempt of a task; the user's own is not
    changed."""
    from .saver import RemoteSaver
    saver = RemoteSaver(wire, task.get("thread_id"), serde=serde_of(g), channels=channels_of(g),
                        on_put=order.put if order else None, submit=submit)
    return g.copy(update={"checkpointer": saver, "store": store}), saver


def _stream_arguments(g: Any, task: dict) -> dict:
    parameters = inspect.signature(g.astream).parameters
    any_name = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    takes = {"durability", "context"} | set(parameters) if any_name else set(parameters)
    out: dict = {"stream_mode": _modes(), "subgraphs": True}
    for name in ("interrupt_before", "interrupt_after"):
        if task.get(name):
            out[name] = task[name]
    if task.get("durability"):
        if "durability" in takes:
            out["durability"] = task["durability"]
        elif "checkpoint_during" in takes:
            out["checkpoint_during"] = task["durability"] != "exit"
    if task.get("context") is not None and "context" in takes:
        out["context"] = task["context"]
    return out


async def run(entry: Graph, task: dict, wire: TaskWire, events: Events, submit: Any) -> dict:
    """A task `run`; the body of its end."""
    from .store import RemoteStore
    user = User(task["auth_user"]) if task.get("auth_user") else None
    config, store, order = config_of(task, user), RemoteStore(wire, submit), Order(events)
    async with entry.open(RUN, config, user, store, task.get("context")) as made:
        g, saver = opened(made, wire, task, order, submit, store)
        if task.get("again"):
            given = None  # it has begun: it goes on from what is stored
        else:
            given = command_of(task["command"]) if task.get("command") else task.get("input")
        async for ns, mode, data in g.astream(given, config, **_stream_arguments(g, task)):
            order.feed(ns, mode, data)
            await events.room()
        order.close()
        if not order.interrupted and not saver.deltas:
            return {"status": "success"}
        state = await g.aget_state(_head(config), subgraphs=order.interrupted)
        if order.interrupted and (state.next or any(t.interrupts for t in state.tasks)):
            return {"status": "interrupted", "view": view_of(state)}
        # The values of delta channels are in no checkpoint, so the head's are told here.
        return {"status": "success", **({"view": view_of(state)} if saver.deltas else {})}


def _head(config: dict) -> dict:
    conf = {k: v for k, v in config["configurable"].items() if k not in ("checkpoint_id", "checkpoint_map")}
    return {**config, "configurable": {**conf, "checkpoint_ns": ""}}


async def state_update(entry: Graph, task: dict, wire: TaskWire, events: Events, submit: Any) -> dict:
    """A task `state_update`: supersteps of updates as if nodes had made them."""
    from .store import RemoteStore
    user = User(task["auth_user"]) if task.get("auth_user") else None
    config, store = config_of(task, user), RemoteStore(wire, submit)
    async with entry.open(UPDATE, config, user, store) as made:
        g, _ = opened(made, wire, task, None, submit, store)
        at = await _update(g, config, task["updates"])
        state = await g.aget_state({**config, "configurable": {**config["configurable"], **at["configurable"]}})
        view = view_of(state)
        return {"status": "success", "checkpoint": view["checkpoint"], "view": view}


async def _update(g: Any, config: dict, supersteps: list) -> dict:
    if not hasattr(g, "abulk_update_state"):
        for step in supersteps:
            if len(step) != 1:
                raise TypeError("several updates in one superstep need langgraph 0.4 or newer")
            config = await g.aupdate_state(config, step[0].get("values"), step[0].get("as_node"))
        return config
    from langgraph.types import StateUpdate
    fields = getattr(StateUpdate, "_fields", ("values", "as_node"))
    return await g.abulk_update_state(
        config, [[StateUpdate(**{f: u.get(f) for f in fields}) for u in step] for step in supersteps])
