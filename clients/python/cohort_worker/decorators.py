"""Functions that a chart's states, models and clients may use:

    @node                               a chart's state says  worker: enrich
    async def enrich(state, ctx):
        await ctx.emit("custom", {"pct": 50})
        return {"customer": await look_up(state["id"])}

    @tool(timeout=30, idempotent=True)  an agent's file says  tools: [charge]
    def charge(cents: int, ctx) -> str:
        "Takes money from the customer's card."

    @agent                              an assistant of its own, of any framework
    async def helper(state, ctx):
        async for token in my_framework(state["messages"]):
            yield token

    run()                               COHORT_URL, COHORT_KEY
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from . import schema as schemas


@dataclass
class Offered:
    name: str
    fn: Callable
    facts: dict = field(default_factory=dict)  # as POST /workers has them


class Registry:
    def __init__(self) -> None:
        self.nodes: dict[str, Offered] = {}
        self.tools: dict[str, Offered] = {}
        self.agents: dict[str, Offered] = {}

    def add(self, kind: str, of: Offered) -> None:
        table: dict[str, Offered] = getattr(self, kind)
        other = table.get(of.name)
        if other is not None and _place(other.fn) != _place(of.fn):
            raise ValueError(f"two {kind} are named {of.name}: {_place(other.fn)} and {_place(of.fn)}")
        if kind != "tools" and of.name in (self.agents if kind == "nodes" else self.nodes):
            raise ValueError(f"a node and an agent are both named {of.name}: they share one space of names")
        table[of.name] = of


def _place(fn: Callable) -> str:
    return f"{fn.__module__}.{fn.__qualname__}"


REGISTRY = Registry()
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _facts(fn: Callable, name: str | None, description: str | None, timeout: float | None, idempotent: bool) -> dict:
    facts: dict[str, Any] = {"name": name or fn.__name__}
    if said := description or schemas.words(fn):
        facts["description"] = said
    if timeout is not None:
        if not timeout > 0:
            raise ValueError(f"{fn.__qualname__}: timeout is {timeout}, and has to be seconds above 0")
        facts["timeout_s"] = timeout
    if idempotent:
        facts["idempotent"] = True
    return facts


def _decorator(fn: Callable | None, offer: Callable[[Callable], None]) -> Any:
    def keep(f: Callable) -> Callable:
        if not callable(f):
            raise TypeError(f"{f!r} is not a function")
        offer(f)
        return f

    return keep if fn is None else keep(fn)


def node(fn: Callable | None = None, *, name: str | None = None, description: str | None = None,
         timeout: float | None = None, idempotent: bool = False, input_schema: dict | None = None) -> Any:
    """Offers `fn(state, ctx)`, sync or async, to charts: it returns the update."""

    def offer(f: Callable) -> None:
        facts = _facts(f, name, description, timeout, idempotent)
        if input_schema is not None:
            facts["input_schema"] = input_schema
        REGISTRY.add("nodes", Offered(facts["name"], f, facts))

    return _decorator(fn, offer)


def tool(fn: Callable | None = None, *, name: str | None = None, description: str | None = None,
         timeout: float | None = None, idempotent: bool = False, schema: dict | None = None) -> Any:
    """Offers `fn` to models and charts; its schema comes from its annotations.  A tool of
    LangChain is taken in place of a function: tool(a_langchain_tool)."""
    if fn is not None and not callable(fn) or hasattr(fn, "ainvoke"):
        made = _of_langchain(fn)
        tool(made.call, name=name or fn.name, description=description or fn.description, timeout=timeout,
             idempotent=idempotent, schema=schema or made.schema)
        return fn

    def offer(f: Callable) -> None:
        facts = _facts(f, name, description, timeout, idempotent)
        if not _TOOL_NAME.fullmatch(facts["name"]) or "__" in facts["name"]:
            raise ValueError(f"{facts['name']}: a tool's name has 1 to 64 letters, digits, _ and -, and no __")
        facts.setdefault("description", "")
        facts["schema"] = schema if schema is not None else schemas.of_function(f)
        REGISTRY.add("tools", Offered(facts["name"], f, facts))

    return _decorator(fn, offer)


def _of_langchain(t: Any) -> Any:
    if not all(hasattr(t, a) for a in ("ainvoke", "name", "description", "args")):
        raise TypeError(f"{t!r} is not a function, and not a tool of LangChain")

    async def call(**args: Any) -> Any:
        return await t.ainvoke(args)

    call.__qualname__, call.__module__ = f"tool {t.name}", type(t).__module__
    given = getattr(t, "tool_call_schema", None) or getattr(t, "args_schema", None)
    json_schema = given if isinstance(given, dict) else given.model_json_schema() if hasattr(given, "model_json_schema") \
        else {"type": "object", "properties": t.args}
    return SimpleNamespace(call=call, schema=json_schema)


def agent(fn: Callable | None = None, *, name: str | None = None, description: str | None = None,
          state: dict | None = None) -> Any:
    """Offers `fn(state, ctx)` as an assistant: it returns an update, or the answer's text,
    or is a generator of the answer's pieces.  `state` is the JSON schema of what the
    thread keeps beside `messages`."""

    def offer(f: Callable) -> None:
        facts = _facts(f, name, description, None, False)
        facts["id"] = facts.pop("name")
        if state is not None:
            facts["schemas"] = {"state": state}
        REGISTRY.add("agents", Offered(facts["id"], f, facts))

    return _decorator(fn, offer)


def run(**options: Any) -> None:
    """Serves everything that was decorated, until SIGTERM; options as serve's."""
    from .serve import serve

    serve(None, **options)
