import asyncio
import datetime
import unittest

from cohort_worker.store import RemoteStore, _out
from cohort_worker.wire import TaskWire, Wire
from langgraph.store.base import GetOp, ListNamespacesOp, MatchCondition, PutOp, SearchOp

from .desk import Desk


class Stores(unittest.TestCase):
    def setUp(self):
        self.desk = Desk()
        self.addCleanup(self.desk.close)
        wire = Wire(self.desk.url)
        self.addCleanup(wire.close)
        id = self.desk.give(kind="run", name="a")
        self.store = RemoteStore(TaskWire(wire, id, self.desk.tokens[id][0]))

    def test_items(self):
        s = self.store
        self.assertIsNone(s.get(("users", "1"), "k"))
        s.put(("users", "1"), "k", {"at": datetime.date(2026, 1, 2)}, index=["at"], ttl=5)
        item = s.get(("users", "1"), "k")
        self.assertEqual((item.namespace, item.key, item.value), (("users", "1"), "k", {"at": "2026-01-02"}))
        self.assertEqual(item.created_at, datetime.datetime(2026, 1, 2, 3, 4, 5, 678000, datetime.timezone.utc))
        put = [b["ops"][0] for p, b, _ in self.desk.calls if b["ops"][0]["op"] == "put"][0]
        self.assertEqual(put, {"op": "put", "namespace": ["users", "1"], "key": "k", "value": {"at": "2026-01-02"}, "index": ["at"], "ttl": 5})

    def test_async_and_many(self):
        async def go():
            await self.store.abatch([PutOp(("a",), f"k{i}", {"i": i}) for i in range(250)])
            found = await self.store.asearch(("a",), limit=300)
            return await self.store.abatch([GetOp(("a",), "k7"), PutOp(("a",), "k7", None), GetOp(("a",), "k7"), ListNamespacesOp()]), found
        (before, put, after, names), found = asyncio.run(go())
        self.assertEqual((before.value, put, after, names, len(found)), ({"i": 7}, None, None, [("a",)], 250))
        self.assertEqual([len(b["ops"]) for p, b, _ in self.desk.calls][:3], [100, 100, 50])

    def test_operations(self):
        self.assertEqual(_out(SearchOp(("a",), {"x": {"$gt": 1}}, 5, 2, "tea")),
                         {"op": "search", "namespace": ["a"], "limit": 5, "offset": 2, "filter": {"x": {"$gt": 1}}, "query": "tea"})
        self.assertEqual(_out(ListNamespacesOp((MatchCondition("prefix", ("a", "*")), MatchCondition("suffix", ("v1",))), 2, 10, 3)),
                         {"op": "namespaces", "limit": 10, "offset": 3, "prefix": ["a", "*"], "suffix": ["v1"], "max_depth": 2})
        self.assertEqual(_out(PutOp(("a",), "k", {}, False)), {"op": "put", "namespace": ["a"], "key": "k", "value": {}, "index": False})
        with self.assertRaises(TypeError):
            _out("get")


if __name__ == "__main__":
    unittest.main()
