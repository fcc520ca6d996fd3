import asyncio
import logging
import threading
import time
import unittest

from cohort_worker.context import Context  # noqa: F401
from cohort_worker.decorators import Offered, Registry

from .desk import Desk, until
from .serving import Serving

logging.getLogger("cohort_worker").setLevel(logging.CRITICAL)


def registry(**kinds):
    r = Registry()
    for kind, fns in kinds.items():
        for name, fn in fns.items():
            facts = {"id": name} if kind == "agents" else {"name": name}
            r.add(kind, Offered(name, fn, {**facts, **({"description": "", "schema": {}} if kind == "tools" else {})}))
    return r


class Workers(unittest.TestCase):
    def serve(self, desk=None, slots=None, graphs=None, **kinds):
        self.desk = desk or Desk()
        self.addCleanup(self.desk.close)
        s = Serving(self.desk, graphs, registry(**kinds), slots)
        self.addCleanup(s.stop)
        self.serving = s
        return s

    def running(self, id):
        until(f"{id} to run", lambda: id in self.serving.worker.jobs)
        time.sleep(0.02)  # its function has begun

    def test_a_node(self):
        async def enrich(state, ctx):
            await ctx.emit("custom", {"pct": 50})
            return {"n": state["n"] + 1, "key": ctx.key, "attempt": ctx.attempt}
        self.serve(nodes={"enrich": enrich})
        id = self.desk.give(kind="node", name="enrich", state={"n": 1}, input=None, key="k1", attempt=2)
        self.assertEqual(self.desk.end(id), {"status": "success", "output": {"n": 2, "key": "k1", "attempt": 2}})
        self.assertEqual(self.desk.events[id], [{"n": 1, "ns": [], "mode": "custom", "data": {"pct": 50}}])

    def test_a_node_without_async(self):
        here = []

        def slow(state, ctx):
            here.append(threading.current_thread().name)
            ctx.emit("custom", 1)
            time.sleep(0.2)
        s = self.serve(nodes={"slow": slow})
        began = time.monotonic()
        ids = [self.desk.give(kind="node", name="slow", state={}) for _ in range(4)]
        self.assertEqual([self.desk.end(i)["output"] for i in ids], [{}] * 4)
        self.assertLess(time.monotonic() - began, 0.7, "side by side")
        self.assertNotIn(s.thread.name, here)

    def test_input_of_a_chart_wins_over_the_state(self):
        self.serve(nodes={"n": lambda given: {"got": given}, "none": lambda: {"got": "nothing"}})
        a = self.desk.give(kind="node", name="n", state={"a": 1}, input={"b": 2})
        b = self.desk.give(kind="node", name="none", state={"a": 1}, input=None)
        self.assertEqual([self.desk.end(x)["output"] for x in (a, b)], [{"got": {"b": 2}}, {"got": "nothing"}])

    def test_tools(self):
        async def look(place: str, days: int = 2):
            return {"place": place, "days": days}

        def blocks(ctx):
            return [{"type": "text", "text": ctx.key}]
        self.serve(tools={"look": look, "blocks": blocks, "nothing": lambda: None})
        ids = [self.desk.give(kind="tool", name=n, args=a, call_id="c", key="k") for n, a in
               (("look", {"place": "x"}), ("blocks", {}), ("nothing", {}), ("look", {}))]
        self.assertEqual([self.desk.end(i).get("output") for i in ids], ['{"place":"x","days":2}', [{"type": "text", "text": "k"}], "", None])
        self.assertEqual(self.desk.end(ids[3])["error"], {"type": "TypeError", "message": "look: no value for place", "retryable": False})

    def test_agents(self):
        async def tokens(state, ctx):
            for t in ("Hel", "lo"):
                yield t

        def sync(state):
            yield "a"
            yield {"messages": [{"type": "ai", "content": "whole"}], "n": 1}

        async def text(state):
            return "just " + state["messages"][-1]["content"]
        self.serve(agents={"tokens": tokens, "sync": sync, "text": text})
        ids = [self.desk.give(kind="node", name=n, state={"messages": [{"type": "human", "content": "hi"}]}) for n in ("tokens", "sync", "text")]
        ends = [self.desk.end(i)["output"] for i in ids]
        self.assertEqual([m["content"] for e in ends for m in e["messages"]], ["Hello", "whole", "just hi"])
        chunks = [c[0] for c in self.desk.said(ids[0], "messages")]
        self.assertEqual([(c["type"], c["content"]) for c in chunks], [("AIMessageChunk", "Hel"), ("AIMessageChunk", "lo")])
        self.assertEqual({c["id"] for c in chunks}, {ends[0]["messages"][0]["id"]}, "the whole message has the id of its pieces")
        self.assertEqual(self.desk.workers[next(iter(self.desk.workers))]["runs"], [{"id": "tokens"}, {"id": "sync"}, {"id": "text"}])

    def test_errors(self):
        class Shaky(RuntimeError):
            retryable = True

        def bad(state):
            raise Shaky("lone \ud800")
        self.serve(nodes={"bad": bad, "list": lambda s: [1]})
        ids = [self.desk.give(kind="node", name=n, state={}) for n in ("bad", "list", "absent")]
        self.assertEqual([self.desk.end(i)["error"]["type"] for i in ids], ["Shaky", "TypeError", "LookupError"])
        self.assertEqual(self.desk.end(ids[0])["error"], {"type": "Shaky", "message": "lone ?", "retryable": True})

    def test_slots(self):
        going, most = [], []

        async def busy(state):
            going.append(1)
            most.append(len(going))
            await asyncio.sleep(0.05)
            going.pop()
        self.serve(slots={"node": 2}, nodes={"busy": busy})
        ids = [self.desk.give(kind="node", name="busy", state={}) for _ in range(7)]
        for i in ids:
            self.desk.end(i)
        self.assertEqual(max(most), 2)

    def test_many_events_are_batched_in_order_and_the_first_is_at_once(self):
        async def talk(state, ctx):
            for i in range(1000):
                await ctx.emit("custom", i)
                if i == 0:
                    await asyncio.sleep(0.2)
        self.serve(nodes={"talk": talk})
        id = self.desk.give(kind="node", name="talk", state={})
        until("the first event", lambda: self.desk.events[id], 0.15)
        self.desk.end(id)
        self.assertEqual(self.desk.said(id, "custom"), list(range(1000)))
        self.assertEqual([e["n"] for e in self.desk.events[id]], list(range(1, 1001)))
        calls = [b for p, b, _ in self.desk.calls if p == f"/tasks/{id}/events" and b["events"]]
        self.assertLess(len(calls), 60)

    def test_an_answer_that_was_cut_is_sent_again_and_counted_once(self):
        async def talk(state, ctx):
            for i in range(3):
                await ctx.emit("custom", i)
                await asyncio.sleep(0.03)
        self.serve(nodes={"talk": talk})
        self.desk.cut = ["/events", "/events", "/end"]
        id = self.desk.give(kind="node", name="talk", state={})
        self.assertEqual((self.desk.end(id)["status"], self.desk.said(id, "custom")), ("success", [0, 1, 2]))

    def test_the_server_slows_a_task_down(self):
        async def talk(state, ctx):
            await ctx.emit("custom", 0)
            await asyncio.sleep(0.1)
            await ctx.emit("custom", 1)
        self.serve(nodes={"talk": talk})
        self.desk.answer_more = {"wait_ms": 400}
        began = time.monotonic()
        self.desk.end(self.desk.give(kind="node", name="talk", state={}))
        self.assertGreater(time.monotonic() - began, 0.35)

    def test_beats_while_a_function_blocks_the_loop(self):
        async def blocking(state):
            time.sleep(1.0)  # a mistake, and a common one
        self.serve(desk=Desk(lease_s=0.4, beat_s=0.1), nodes={"blocking": blocking})
        id = self.desk.give(kind="node", name="blocking", state={})
        self.assertEqual(self.desk.end(id)["status"], "success")
        beats = [b for p, b, _ in self.desk.calls if p == f"/tasks/{id}/events"]
        self.assertGreaterEqual(len(beats), 5)

    def test_cancel_by_an_answer(self):
        seen = []

        async def long(state, ctx):
            try:
                await asyncio.sleep(30)
            finally:
                seen.append(ctx.cancelled)
        self.serve(desk=Desk(beat_s=0.1), nodes={"long": long})
        id = self.desk.give(kind="node", name="long", state={})
        self.running(id)
        self.desk.answer_more = {"cancel": {"action": "interrupt", "reason": "user"}}
        self.assertEqual((self.desk.end(id), seen), ({"status": "interrupted"}, [True]))

    def test_a_task_that_is_cancelled_before_its_first_step_gives_its_slot_back(self):
        s = self.serve(slots={"node": 1}, nodes={"n": lambda: {"a": 1}})

        def both():  # in one turn of the loop
            s.worker._busy["node"] += 1
            s.worker._start({"task_id": "x", "token": "t", "kind": "node", "name": "n"})
            s.worker.jobs["x"].cancel("at once")
        s.loop.call_soon_threadsafe(both)
        until("the slot", lambda: s.worker._busy["node"] == 0 and not s.worker.jobs)
        self.assertEqual(self.desk.end(self.desk.give(kind="node", name="n", state={}))["output"], {"a": 1})

    def test_cancel_by_a_poll(self):
        def long(state, ctx):
            while not ctx.cancelled:
                time.sleep(0.01)
        self.serve(nodes={"long": long})
        id = self.desk.give(kind="node", name="long", state={})
        self.running(id)
        with self.desk.lock:
            self.desk.cancels = [{"task_id": id, "reason": "user"}]
            self.desk.lock.notify_all()
        self.assertEqual(self.desk.end(id), {"status": "interrupted"})

    def test_a_lost_lease_stops_a_task_which_says_nothing_more(self):
        stopped = threading.Event()

        async def long(state, ctx):
            try:
                while True:
                    await ctx.emit("custom", 1)
                    await asyncio.sleep(0.02)
            finally:
                stopped.set()
        self.serve(nodes={"long": long})
        id = self.desk.give(kind="node", name="long", state={})
        until("it to speak", lambda: self.desk.events[id])
        self.desk.revoke(id)
        self.assertTrue(stopped.wait(5))
        time.sleep(0.1)
        asked = len(self.desk.calls)
        time.sleep(0.1)
        self.assertEqual(len([c for c in self.desk.calls[asked:] if id in c[0]]), 0)
        self.assertNotIn(id, self.desk.ended)

    def test_a_lost_lease_is_found_by_a_beat(self):
        stopped = threading.Event()

        async def silent(state):
            try:
                await asyncio.sleep(30)
            finally:
                stopped.set()
        self.serve(desk=Desk(beat_s=0.1), nodes={"silent": silent})
        id = self.desk.give(kind="node", name="silent", state={})
        self.running(id)
        self.desk.revoke(id)
        self.assertTrue(stopped.wait(5))
        self.assertNotIn(id, self.desk.ended)

    def test_a_lost_lease_is_found_by_an_event_while_the_function_waits(self):
        stopped, revoked = threading.Event(), threading.Event()

        async def waits(state, ctx):
            while not revoked.is_set():
                await asyncio.sleep(0.01)
            await ctx.emit("custom", 1)  # sent behind it
            try:
                await asyncio.sleep(30)
            finally:
                stopped.set()
        self.serve(desk=Desk(beat_s=20), nodes={"waits": waits})
        id = self.desk.give(kind="node", name="waits", state={})
        self.running(id)
        self.desk.revoke(id)
        revoked.set()
        self.assertTrue(stopped.wait(5))
        self.assertNotIn(id, self.desk.ended)

    def test_a_server_that_forgot_the_worker(self):
        self.serve(nodes={"n": lambda: {"a": 1}})
        self.desk.workers.clear()
        with self.desk.lock:
            self.desk.lock.notify_all()
        until("it to register again", lambda: self.desk.workers)
        self.assertEqual(len(self.desk.workers), 1)
        self.assertEqual(self.desk.end(self.desk.give(kind="node", name="n", state={}))["output"], {"a": 1})

    def test_a_server_that_is_not_there_yet(self):
        d = Desk()
        d.fail = [("/workers", 503, [])] * 2
        self.serve(desk=d, nodes={"n": lambda: {"a": 1}})
        self.assertEqual(d.end(d.give(kind="node", name="n", state={}))["output"], {"a": 1})

    def test_a_registration_that_is_refused(self):
        d = Desk()
        d.fail = [("/workers", 409, [])]
        s = self.serve(desk=d, nodes={"n": lambda: {}})
        self.assertTrue(s.join())
        self.assertEqual(s.error.status, 409)

    def test_drain_ends_what_is_under_way_and_takes_nothing_new(self):
        go = threading.Event()

        def slow(state):
            go.wait(10)
            return {"done": True}
        s = self.serve(nodes={"slow": slow})
        a = self.desk.give(kind="node", name="slow", state={})
        self.running(a)
        polls = self.desk.polls
        s.drain()
        until("the poll of a worker that leaves", lambda: self.desk.polls > polls)
        b = self.desk.give(kind="node", name="slow", state={})
        time.sleep(0.1)
        self.assertEqual((len(self.desk.queue), s.thread.is_alive()), (1, True))
        go.set()
        self.assertEqual(self.desk.end(a)["output"], {"done": True})
        self.assertTrue(s.join())
        self.assertEqual((self.desk.workers, b in self.desk.ended), ({}, False), "it left")

    def test_drain_has_an_end(self):
        async def long(state):
            await asyncio.sleep(30)
        s = self.serve(nodes={"long": long})
        id = self.desk.give(kind="node", name="long", state={})
        self.running(id)
        s.drain(0.2)
        self.assertTrue(s.join())
        self.assertEqual((self.desk.workers, id in self.desk.ended, s.worker.stuck), ({}, False, True), "the task is another's now")

    def test_quiet(self):
        s = self.serve(nodes={"n": lambda: {}})
        with self.desk.lock:
            self.desk.quiet = True
            self.desk.lock.notify_all()
        self.assertTrue(s.join())
        self.assertEqual(self.desk.workers, {})

    def test_a_poll_that_was_overtaken_is_asked_again(self):
        # Two polls on two connections: the older one, without a free slot, comes last.
        s = self.serve(slots={"node": 1}, nodes={"n": lambda: {"a": 1}})
        polls = self.desk.polls
        with s.worker._changed:
            s.worker._under_way.add(0)  # sent before, and not there yet
            s.worker._again = True
            s.worker._changed.notify_all()
        until("a newer poll", lambda: self.desk.polls > polls)
        before = self.desk.polls
        with self.desk.lock:  # the old one arrives, and ends the newer one
            self.desk.polls += 1
            self.desk.lock.notify_all()
        until("a poll in its place", lambda: self.desk.polls > before + 1)
        with s.worker._changed:
            s.worker._under_way.discard(0)
        self.assertEqual(self.desk.end(self.desk.give(kind="node", name="n", state={}))["output"], {"a": 1})

    def test_an_idle_worker_asks_once(self):
        self.serve(nodes={"n": lambda: {}})
        time.sleep(0.5)
        self.assertEqual(self.desk.polls, 1)

    def test_an_end_that_is_refused_becomes_an_error(self):
        self.serve(nodes={"n": lambda: {"a": 1}})
        self.desk.fail = [("/end", 413, [])]
        id = self.desk.give(kind="node", name="n", state={})
        self.assertEqual(self.desk.end(id)["status"], "error")


if __name__ == "__main__":
    unittest.main()
