import asyncio
import json
import os
import unittest
import uuid

from cohort_worker.saver import RemoteSaver, pack, unpack
from cohort_worker.wire import LostLease, Refused, TaskWire, Wire
from langchain_core.messages import Message
from langgraph.types import Interrupt, Send

from .desk import Desk

REAL = os.environ.get("COHORT_TEST_URL")  # a server with --test-hooks, in place of the stand-in
T = str(uuid.uuid4())


def U(name):
    """The id of a checkpoint: in the order of the names."""
    return "00000000-0000-6000-8000-" + name.encode().hex().zfill(12)


def config(id=None, ns="", thread=None, **more):
    c = {"thread_id": thread or T, "checkpoint_ns": ns, **more}
    return {"configurable": {**c, **({"checkpoint_id": U(id)} if id else {})}}


def checkpoint(id, values=None, versions=None, v=4):
    return {"v": v, "id": U(id), "ts": "2026-01-02T03:04:05+00:00", "channel_values": values or {}, "channel_versions": versions or {},
            "versions_seen": {"n": {"a": "1"}}}


class Savers(unittest.TestCase):
    """Every case through the methods without and with async: `self.do(saver.put, ..)`."""

    def setUp(self):
        global T
        T = str(uuid.uuid4())
        self.desk = None if REAL else Desk()
        if self.desk:
            self.addCleanup(self.desk.close)
        self.wire = Wire(REAL or self.desk.url)
        self.addCleanup(self.wire.close)
        self.put_events, self.sent = [], []
        self.saver = self.make()
        if REAL:
            self.addCleanup(lambda: self.do("delete_thread", T))

    def make(self, thread="own", **how):
        if REAL:
            task, thread = TaskWire(self.wire, "test", "test"), None
        else:
            thread = T if thread == "own" else thread
            id = self.desk.give(kind="run", name="a", thread_id=thread)
            self.desk.queue.clear()
            task = TaskWire(self.wire, id, self.desk.tokens[id][0])
        call = task.call
        task.call = lambda verb, body, *more: (self.sent.append(body), call(verb, body, *more))[1]
        return RemoteSaver(task, thread, on_put=lambda ns, e: self.put_events.append((ns, e)), **how)

    def do(self, method, *args, **kwargs):
        return getattr(self.saver, method)(*args, **kwargs)

    def listed(self, *args, **kwargs):
        return list(self.saver.list(*args, **kwargs))

    def put(self, id, values, parent=None, ns="", metadata=None, new=None, versions=None):
        versions = versions if versions is not None else {k: f"v-{id}-{k}" for k in values}
        return self.do("put", config(parent, ns), checkpoint(id, values, versions), metadata or {"source": "loop", "step": 1},
                       new if new is not None else versions)

    def last(self, op):
        return next(b for b in reversed(self.sent) if b["op"] == op)

    def test_what_was_put_comes_back(self):
        values = {"messages": [Message("human", "hi", "m1")], "n": None, "raw": b"\xff\x00", "send": [Send("x", {"y": 1})]}
        self.put("a1", values, metadata={"source": "input", "step": -1, "parents": {}})
        t = self.do("get_tuple", config())
        got = t.checkpoint["channel_values"]
        self.assertEqual([m.model_dump() for m in got.pop("messages")], [values.pop("messages")[0].model_dump()])
        self.assertEqual(got, values)
        self.assertEqual((t.config, t.parent_config, t.pending_writes), (config("a1"), None, []))
        self.assertEqual(t.metadata, {"source": "input", "step": -1, "parents": {}})
        self.assertEqual(t.checkpoint["versions_seen"], {"n": {"a": "1"}})

    def test_nothing_there(self):
        self.assertIsNone(self.do("get_tuple", config()))
        self.assertIsNone(self.do("get_tuple", config("nope")))
        self.assertEqual(self.listed(config()), [])

    def test_only_new_versions_are_sent_and_the_rest_is_joined(self):
        self.put("a1", {"a": 1, "b": 2}, versions={"a": "1", "b": "1"})
        self.put("a2", {"a": 5, "b": 2}, "a1", versions={"a": "2", "b": "1"}, new={"a": "2"})
        self.assertEqual([b["channel"] for b in self.last("put")["blobs"]], ["a"])
        self.assertEqual(self.do("get_tuple", config()).checkpoint["channel_values"], {"a": 5, "b": 2})
        self.assertEqual(self.do("get_tuple", config("a1")).checkpoint["channel_values"], {"a": 1, "b": 2})
        self.assertEqual(self.do("get_tuple", config("a2")).parent_config, config("a1"))

    def test_a_channel_that_was_emptied(self):
        self.put("a1", {"a": 1})
        self.do("put", config("a1"), checkpoint("a2", {}, {"a": "2"}), {"source": "loop", "step": 2}, {"a": "2"})
        self.assertEqual(self.last("put")["view"]["gone"], ["a"])
        self.assertEqual(self.do("get_tuple", config()).checkpoint["channel_values"], {})

    def test_recorded_put(self):
        """The body of a put, member by member."""
        self.saver.get_next_version(None, None)
        self.do("put", {**config("a0", "child:1"), "metadata": {"run_id": "r1"}},
                checkpoint("a1", {"log": ["x"], "__start__": 1, "branch:to:b": None}, {"log": "2", "__start__": "2", "branch:to:b": "2"}),
                {"source": "loop", "step": 3, "parents": {"": "p0"}}, {"log": "2", "__start__": "2", "branch:to:b": "2"})
        b = self.last("put")
        self.assertEqual({k: b[k] for k in ("op", "ns", "id", "parent_id", "versions", "view")}, {
            "op": "put", "ns": "child:1", "id": U("a1"), "parent_id": U("a0"), "versions": {"log": "2", "__start__": "2", "branch:to:b": "2"},
            "view": {"values": {"log": ["x"]}, "gone": [], "source": "loop", "step": 3, "created_at": "2026-01-02T03:04:05+00:00",
                     "parents": {"": "p0"}}})
        self.assertEqual(json.loads(b["metadata"]["text"]), {"source": "loop", "step": 3, "parents": {"": "p0"}, "run_id": "r1"})
        self.assertEqual(sorted((x["channel"], x["version"], x["type"]) for x in b["blobs"]),
                         [("__start__", "2", "msgpack"), ("branch:to:b", "2", "null"), ("log", "2", "msgpack")])
        self.assertTrue(all(("b64" in x) != ("text" in x) for x in b["blobs"]))
        self.assertEqual(sorted(set(b) - {"thread_id"}), ["blobs", "checkpoint", "id", "metadata", "ns", "op", "parent_id", "versions", "view"])
        self.assertEqual(self.put_events, [("child:1", {"id": U("a1"), "parent_id": U("a0"), "step": 3, "source": "loop"})])

    def test_recorded_writes(self):
        self.put("a1", {"a": 1})
        self.do("put_writes", config("a1"), [("a", 2), ("__interrupt__", [Interrupt({"q": 1}, "f" * 32)]), ("b", None)], "t1", "~x, 1")
        self.assertEqual(
            {**self.last("writes")["groups"][0], "writes": [(w["idx"], w["channel"], w["type"]) for w in self.last("writes")["groups"][0]["writes"]]},
            {"ns": "", "id": U("a1"), "task_id": "t1", "task_path": "~x, 1",
             "writes": [(0, "a", "msgpack"), (-3, "__interrupt__", "msgpack"), (2, "b", "null")],
             "interrupts": [{"value": {"q": 1}, "id": "f" * 32}]})

    def test_the_first_write_stays_and_special_ones_are_replaced(self):
        self.put("a1", {"a": 1})
        for n in (1, 2):
            self.do("put_writes", config("a1"), [("a", n)], "t1")
            self.do("put_writes", config("a1"), [("__error__", f"e{n}")], "t2")
        self.assertEqual(self.do("get_tuple", config()).pending_writes, [("t1", "a", 1), ("t2", "__error__", "e2")])

    def test_writes_come_by_path(self):
        self.put("a1", {"a": 1})
        for task, path in (("t1", "~b"), ("t3", ""), ("t2", "~a"), ("t0", "~\U0001f600"), ("t9", "~\uffff")):
            self.do("put_writes", config("a1"), [("a", task)], task, path)
        self.assertEqual([w[0] for w in self.do("get_tuple", config()).pending_writes], ["t3", "t2", "t1", "t9", "t0"])

    def test_list(self):
        for i in range(5):
            self.put(f"a{i}", {"a": i}, f"a{i - 1}" if i else None, metadata={"source": "loop", "step": i, "odd": bool(i % 2)})
        self.put("a9", {"a": 9}, ns="child:1", metadata={"source": "loop", "step": 9, "odd": True})
        def ids(*args, **kwargs):
            return [bytes.fromhex(t.config["configurable"]["checkpoint_id"][-4:]).decode() for t in self.listed(*args, **kwargs)]
        self.assertEqual(ids(config()), ["a4", "a3", "a2", "a1", "a0"])
        self.assertEqual(ids({"configurable": {"thread_id": T}}), ["a9", "a4", "a3", "a2", "a1", "a0"], "every namespace")
        self.assertEqual(ids(config(), filter={"odd": True}), ["a3", "a1"])
        self.assertEqual(ids(config(), before=config("a2")), ["a1", "a0"])
        self.assertEqual(ids(config(), limit=2), ["a4", "a3"])
        self.assertEqual(ids(config(), limit=0), [])
        self.assertEqual(ids(config("a3")), ["a3"], "a config that names one")
        self.assertEqual(ids(config("a3"), filter={"odd": False}), [])
        self.assertEqual(self.listed(config("a3"))[0].parent_config, config("a2"))

    def test_list_goes_on_over_pages(self):
        # The server answers 100 at a time, and 4 MB.
        for i in range(250):
            self.put(f"{i:03}", {"a": i})
        self.assertEqual([t.checkpoint["channel_values"]["a"] for t in self.listed(config())], list(range(249, -1, -1)))
        self.assertEqual([t.checkpoint["channel_values"]["a"] for t in self.listed(config(), limit=150)], list(range(249, 99, -1)))
        self.assertEqual(len(self.listed(config(), before=config("101"), filter={"step": 1})), 101)
        for i in range(6):
            self.put(f"3{i}", {"a": b"x" * 1_000_000}, ns="big:1")
        self.assertEqual(len(self.listed(config(ns="big:1"))), 6)
        self.assertEqual(len([b for b in self.sent if b["op"] == "list"]), 3 + 2 + 2 + (2 if REAL else 1))

    def test_sends_of_an_old_checkpoint(self):
        """Before format 4 Sends were writes of the parent; since then they are a channel."""
        self.put("a1", {"a": 1})
        self.do("put_writes", config("a1"), [("__pregel_tasks", Send("n", 1)), ("a", 2)], "t1", "~1")
        self.do("put_writes", config("a1"), [("__pregel_tasks", Send("n", 2))], "t2", "~0")
        self.do("put", config("a1"), checkpoint("a2", {"a": 2}, {"a": "7"}, v=1), {"source": "loop", "step": 2}, {"a": "7"})
        got = self.do("get_tuple", config()).checkpoint
        self.assertEqual(got["channel_values"]["__pregel_tasks"], [Send("n", 2), Send("n", 1)])
        self.assertEqual(got["channel_versions"], {"a": "7", "__pregel_tasks": "7"})
        self.assertEqual(self.listed(config(), limit=1)[0].checkpoint["channel_values"]["__pregel_tasks"], [Send("n", 2), Send("n", 1)])
        self.put("a3", {"a": 3}, "a1")
        self.assertNotIn("__pregel_tasks", self.do("get_tuple", config()).checkpoint["channel_values"], "not of format 4")

    def test_a_copy_of_a_checkpoint_has_all_values(self):
        # update_state(.., as_node="__copy__") names no new version, and the parent of what it copies.
        self.put("a1", {"a": 1})
        self.put("a2", {"a": 2}, "a1")
        self.put("a3", {"a": 2}, "a1", metadata={"source": "fork", "step": 2}, versions={"a": "v-a2-a"}, new={})
        self.assertEqual([(b["channel"], b["version"]) for b in self.last("put")["blobs"]], [("a", "v-a2-a")])
        self.assertEqual(self.last("put")["view"]["values"], {"a": 2})

    def test_versions_of_forks_differ(self):
        a, b = (self.saver.get_next_version("00000000000000000000000000000003.0.5", None) for _ in range(2))
        self.assertEqual((a[:33], a != b), ("0" * 31 + "4.", True))
        self.assertLess(self.saver.get_next_version(9, None), self.saver.get_next_version(10, None))
        self.assertEqual(self.saver.get_next_version(None, None)[:33], "0" * 31 + "1.")

    def test_delta_channels(self):
        """A channel whose versions have no value: its writes are walked from the ancestors."""
        counters = {"counters_since_delta_snapshot": {"log": (1, 1)}}
        self.put("a1", {"log": ["seed"]})
        self.do("put_writes", config("a1"), [("log", "x"), ("other", 1)], "t1", "~a")
        self.do("put", config("a1"), checkpoint("a2", {}, {"log": "2"}), {"source": "loop", "step": 2, **counters}, {"log": "2"})
        self.assertEqual((self.last("put")["view"]["gone"], self.last("put")["view"]["values"], self.last("put")["blobs"]), ([], {}, []))
        self.do("put_writes", config("a2"), [("log", "y")], "t2", "~a")
        self.do("put", config("a2"), checkpoint("a3", {}, {"log": "3"}), {"source": "loop", "step": 3, **counters}, {"log": "3"})
        self.assertEqual(self.saver.get_delta_channel_history(config=config("a3"), channels=["log"]),
                         {"log": {"writes": [("t1", "log", "x"), ("t2", "log", "y")], "seed": ["seed"]}})

    @unittest.skipIf(REAL, "a test's token spans threads")
    def test_another_thread_is_refused_here(self):
        with self.assertRaisesRegex(ValueError, "own thread"):
            self.do("get_tuple", config(thread="other"))
        with self.assertRaises(ValueError):
            self.do("put", config(thread="other"), checkpoint("a1"), {}, {})
        self.assertEqual(self.sent, [])
        with self.assertRaises(Refused):
            self.do("delete_thread", T)

    def test_pickle_is_refused_here(self):
        with self.assertRaisesRegex(TypeError, "channel f: function can only be stored as pickle"):
            self.put("a1", {"f": lambda: 1})

    def test_what_cannot_be_stored_is_named(self):
        # A graph has many channels; the serializer's words do not say which one.
        with self.assertRaisesRegex(TypeError, "channel odd .object.: .*not msgpack serializable"):
            self.put("a1", {"fine": 1, "odd": object()})
        # What only a config holds is none of the state's, and stops nothing.
        self.do("put", {"configurable": {**config()["configurable"], "client": object()}}, checkpoint("a1", {"a": 1}, {"a": "1"}),
                {"source": "loop", "step": 1}, {"a": "1"})

    def test_which_channels_are_state(self):
        self.saver = self.make(channels=lambda ns: {"a"} if ns == "" else None)
        self.put("a1", {"a": 1, "private": 2})
        self.assertEqual(self.last("put")["view"]["values"], {"a": 1})
        self.put("a2", {"a": 1, "__x": 2, "branch:to:n": 3, "start:n": 1}, ns="unknown:1")
        self.assertEqual(self.last("put")["view"]["values"], {"a": 1})

    @unittest.skipIf(REAL, "a test's token has no lease")
    def test_a_lost_lease(self):
        self.desk.revoke(self.saver.wire.task_id)
        with self.assertRaises(LostLease):
            self.put("a1", {"a": 1})

    def test_a_test_token_spans_threads(self):
        self.saver = self.make(thread=None)
        a, b = str(uuid.uuid4()), "free text"
        for t in (a, b):
            self.do("put", config(thread=t), checkpoint("a1", {"a": t}, {"a": "1"}), {"source": "input", "step": -1}, {"a": "1"})
            self.do("put_writes", config("a1", thread=t), [("a", 1)], "t1")
        self.assertEqual(self.do("get_tuple", config(thread=b)).checkpoint["channel_values"], {"a": b})
        self.assertEqual({t.config["configurable"]["thread_id"] for t in self.listed(None)}, {a, b})
        self.do("delete_thread", a)
        self.assertEqual({t.config["configurable"]["thread_id"] for t in self.listed(None)}, {b})
        self.do("delete_thread", b)

    def test_pack(self):
        for v in (None, b"", b"\xff", bytearray(b"x"), "é", {"a": [1]}):
            self.assertEqual(unpack(self.saver.serde, json.loads(json.dumps(pack(self.saver.serde, v, "x")))), v)


class AsyncSavers(Savers):
    def do(self, method, *args, **kwargs):
        return asyncio.run(getattr(self.saver, "a" + method)(*args, **kwargs))

    def listed(self, *args, **kwargs):
        async def all():
            return [t async for t in self.saver.alist(*args, **kwargs)]
        return asyncio.run(all())

    def test_nodes_that_end_together_share_a_call(self):
        self.put("a1", {"a": 1})

        async def eight():
            await asyncio.gather(*(self.saver.aput_writes(config("a1"), [("a", i)], f"t{i}") for i in range(8)))
        asyncio.run(eight())
        groups = [len(b["groups"]) for b in self.sent if b["op"] == "writes"]
        self.assertEqual((sum(groups), len(groups) <= 2), (8, True), groups)
        self.assertEqual(len(self.do("get_tuple", config()).pending_writes), 8)

    def test_a_checkpoint_is_put_after_the_writes_it_is_made_of(self):
        self.put("a1", {"a": 1})

        async def step():
            # As langgraph's loop: the writes are not waited for, also with durability sync.
            writes = [asyncio.ensure_future(self.saver.aput_writes(config("a1"), [("a", i)], f"t{i}")) for i in range(3)]
            await asyncio.sleep(0)
            await self.saver.aput(config("a1"), checkpoint("a2", {"a": 2}, {"a": "2"}), {"source": "loop", "step": 2}, {"a": "2"})
            done = [w.done() for w in writes]
            await asyncio.gather(*writes)
            return done
        self.assertEqual(asyncio.run(step()), [True] * 3)
        self.assertEqual([b["op"] for b in self.sent if b["op"] != "get"][-1], "put")


if __name__ == "__main__":
    unittest.main()
