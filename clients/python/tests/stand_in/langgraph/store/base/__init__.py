from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple


class GetOp(NamedTuple):
    namespace: tuple
    key: str
    refresh_ttl: bool = True


class SearchOp(NamedTuple):
    namespace_prefix: tuple
    filter: dict | None = None
    limit: int = 10
    offset: int = 0
    query: str | None = None
    refresh_ttl: bool = True


class MatchCondition(NamedTuple):
    match_type: str
    path: tuple


class ListNamespacesOp(NamedTuple):
    match_conditions: tuple | None = None
    max_depth: int | None = None
    limit: int = 100
    offset: int = 0


class PutOp(NamedTuple):
    namespace: tuple
    key: str
    value: dict | None
    index: Any = None
    ttl: float | None = None


@dataclass
class Item:
    value: dict
    key: str
    namespace: tuple
    created_at: datetime
    updated_at: datetime


@dataclass
class SearchItem(Item):
    score: float | None = None


class BaseStore:
    supports_ttl = False

    def batch(self, ops):
        raise NotImplementedError

    async def abatch(self, ops):
        raise NotImplementedError

    def get(self, namespace, key):
        return self.batch([GetOp(tuple(namespace), key)])[0]

    def put(self, namespace, key, value, index=None, *, ttl=None):
        self.batch([PutOp(tuple(namespace), key, value, index, ttl)])

    async def aget(self, namespace, key):
        return (await self.abatch([GetOp(tuple(namespace), key)]))[0]

    async def aput(self, namespace, key, value, index=None, *, ttl=None):
        await self.abatch([PutOp(tuple(namespace), key, value, index, ttl)])

    async def asearch(self, prefix, *, query=None, filter=None, limit=10, offset=0):
        return (await self.abatch([SearchOp(tuple(prefix), filter, limit, offset, query)]))[0]
