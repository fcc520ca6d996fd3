"""LangGraph's store, kept by a Cohort server under the owner of the run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from langgraph.store.base import BaseStore, GetOp, Item, ListNamespacesOp, PutOp, SearchItem, SearchOp

from . import plain
from .wire import TaskWire

BATCH = 100  # operations a call


def _out(op: Any) -> dict:
    if isinstance(op, GetOp):
        return {"op": "get", "namespace": list(op.namespace), "key": str(op.key)}
    if isinstance(op, PutOp):
        body: dict = {"op": "put", "namespace": list(op.namespace), "key": str(op.key),
                      "value": None if op.value is None else plain.plain(op.value)}
        if op.index is not None:
            body["index"] = op.index if op.index is False else list(op.index)
        if getattr(op, "ttl", None) is not None:
            body["ttl"] = op.ttl
        return body
    if isinstance(op, SearchOp):
        body = {"op": "search", "namespace": list(op.namespace_prefix), "limit": op.limit, "offset": op.offset}
        if op.filter:
            body["filter"] = plain.plain(op.filter)
        if getattr(op, "query", None):
            body["query"] = op.query
        return body
    if isinstance(op, ListNamespacesOp):
        body = {"op": "namespaces", "limit": op.limit, "offset": op.offset}
        for m in op.match_conditions or ():
            body[m.match_type] = list(m.path)
        if op.max_depth is not None:
            body["max_depth"] = op.max_depth
        return body
    raise TypeError(f"{type(op).__name__}: the store knows GetOp, PutOp, SearchOp and ListNamespacesOp")


def _time(s: str | None) -> datetime | None:
    return datetime.fromisoformat(s.replace("Z", "+00:00")) if s else None


def _item(x: dict, kind: Any) -> Any:
    fields: dict = dict(namespace=tuple(x["namespace"]), key=x["key"], value=x["value"],
                        created_at=_time(x.get("created_at")), updated_at=_time(x.get("updated_at")))
    if kind is SearchItem:
        fields["score"] = x.get("score")
    return kind(**fields)


def _in(op: Any, result: Any) -> Any:
    if isinstance(op, GetOp):
        return None if result is None else _item(result, Item)
    if isinstance(op, SearchOp):
        return [_item(x, SearchItem) for x in result]
    if isinstance(op, ListNamespacesOp):
        return [tuple(ns) for ns in result]
    return None


class RemoteStore(BaseStore):
    """The store of one attempt of one task."""

    supports_ttl = True

    def __init__(self, wire: TaskWire, submit: Callable[..., Any] | None = None):
        super().__init__()
        self.wire = wire
        self._submit = submit or asyncio.to_thread

    def batch(self, ops: Iterable[Any]) -> list[Any]:
        ops = list(ops)
        results: list[Any] = []
        for i in range(0, len(ops), BATCH):
            part = ops[i:i + BATCH]
            answer = self.wire.call("store", {"ops": [_out(op) for op in part]})
            results += [_in(op, r) for op, r in zip(part, answer["results"])]
        return results

    async def abatch(self, ops: Iterable[Any]) -> list[Any]:
        return await self._submit(self.batch, list(ops))
