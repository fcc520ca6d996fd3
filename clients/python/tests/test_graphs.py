import asyncio
import contextlib
import logging
import threading
import time
import unittest

from cohort_worker import graphs
from langchain_core.messages import Message
from langgraph import stand_in
from langgraph.types import Command, Send

from .desk import Desk, until
from .serving import Serving

logging.getLogger("cohort_worker").setLevel(logging.CRITICAL)
T = "11111111-1111-1111-1111-111111111111"


async def plan(state):
    stand_in.write({"planning": True})
    for piece in ("a", "b"):
        stand_in.token(Message("AIMessageChunk", piece, "m1"), step=1)
    return {"log": ["plan"], "private": 1}


async def ask(state):
    return {"log": ["asked " + stand_in.interrupt({"question": "ok?"})]}


async def work(state):
    await stand_in.store().aput(("notes",), "n", {"log": state["log"]})
    return {"log": ["work"]}


def graph(**more):
    return stand_in.Graph({"plan": plan, "ask": ask, "work": work}, **more)


class Graphs(unittest.TestCase):
    def serve(self, g=None, desk=None):
        self.desk = desk or Desk()
        self.addCleanup(self.desk.close)
        self.serving = Serving(self.desk, {"agent": g or graph()})
        self.addCleanup(self.serving.stop)

    def run_of(self, **task):
        return self.desk.give(kind="run", name="agent", thread_id=T, run_id="22222222-2222-2222-2222-222222222222",
                              **{"config": {"configurable": {"thread_id": T, "checkpoint_ns": ""}}, "durability": "async", "input": {"log": ["in"]}, **task})

    def test_registration(self):
        self.serve()
        told = next(iter(self.desk.workers.values()))
        self.assertEqual((told["lang"], told["protocol"], told["slots"]), ("python", 1, {"run": 8, "node": 32}))
        g = told["graphs"][0]
        self.assertEqual(sorted(g["schemas"]), ["config", "context", "input", "output", "state"])
        self.assertEqual(g["schemas"]["config"], {"properties": {"tone": {"type": "string"}}}, "without LangGraph's own")
        self.assertEqual(g["schemas"]["state"]["properties"], {"log": {}})
        self.assertEqual([n["id"] for n in g["drawing"]["nodes"]], ["__start__", "plan", "ask", "work", "__end__"])
        self.assertEqual(g["drawing"]["nodes"][0]["data"], {"name": "__start__"})

    def test_a_run_to_a_question_and_on(self):
        self.serve()
        a = self.run_of()
        end = self.desk.end(a)
        self.assertEqual(end["status"], "interrupted")
        view = end["view"]
        self.assertEqual((view["values"], view["next"], view["tasks"][0]["name"]), ({"log": ["in", "plan"]}, ["ask"], "ask"))
        self.assertEqual(view["tasks"][0]["interrupts"][0]["value"], {"question": "ok?"})
        self.assertEqual(view["checkpoint"]["checkpoint_id"], self.desk.saver.found(T, "", view["checkpoint"]["checkpoint_id"])["id"])
        b = self.run_of(command={"resume": "yes"}, input=None)
        self.assertEqual(self.desk.end(b), {"status": "success"})
        self.assertEqual(self.desk.said(b, "values")[-1], {"log": ["in", "plan", "asked yes", "work"]})
        self.assertEqual(self.desk.store[("notes",), "n"]["value"], {"log": ["in", "plan", "asked yes"]})

    def test_the_order_of_events(self):
        for durability in ("sync", "async"):
            self.serve()
            id = self.run_of(durability=durability)
            self.desk.end(id)
            # The values of a step come right after the checkpoint that has them.
            events = [(e["mode"], e["data"]) for e in self.desk.events[id]]
            for i, (mode, data) in enumerate(events):
                if mode == "values":
                    self.assertEqual(events[i - 1][0], "checkpoints", events)
                    row = self.desk.saver.rows[T, "", events[i - 1][1]["id"]]
                    self.assertEqual(row["view"]["values"].get("log", data["log"]), data["log"])
            self.assertEqual([m for m, _ in events], ["checkpoints", "tasks", "custom", "messages", "messages", "updates", "tasks",
                                                      "checkpoints", "values", "tasks", "updates", "tasks"])
            self.assertEqual([d["step"] for m, d in events if m == "checkpoints"], [-1, 0])

    def test_messages(self):
        self.serve()
        id = self.run_of()
        self.desk.end(id)
        first, second = self.desk.said(id, "messages")
        self.assertEqual((first[0]["content"], first[1]["langgraph_node"], first[1]["langgraph_checkpoint_ns"][:5], first[1]["step"]), ("a", "plan", "plan:", 1))
        self.assertEqual((len(second), second[0]["content"]), (1, "b"), "the same metadata is told once")

    def test_results_of_tasks_are_objects(self):
        self.serve()
        id = self.run_of()
        self.desk.end(id)
        self.assertEqual([t["result"] for t in self.desk.said(id, "tasks") if "result" in t][0], {"log": ["plan"], "private": 1})

    def test_only_state_is_shown(self):
        self.serve()
        self.desk.end(self.run_of())
        shown = set().union(*(set(r["view"]["values"]) for r in self.desk.saver.rows.values()))
        self.assertEqual(shown, {"log"})

    def test_again_goes_on_from_what_is_stored(self):
        ran = []

        async def one(state):
            ran.append("one")
            return {"log": ["one"]}

        async def two(state):
            ran.append("two")
            if ran.count("two") == 1:
                await asyncio.sleep(30)
            return {"log": ["two"]}
        self.serve(stand_in.Graph({"one": one, "two": two}))
        a = self.run_of()
        until("two to run", lambda: "two" in ran)
        until("its checkpoint", lambda: len(self.desk.saver.rows) == 2)
        self.desk.revoke(a)
        self.serving.loop.call_soon_threadsafe(self.serving.worker.jobs[a].wire.lose, "test")
        b = self.run_of(again=True, attempt=2, config={"configurable": {"thread_id": T, "checkpoint_id": "chosen before"}})
        self.assertEqual(self.desk.end(b), {"status": "success"})
        self.assertEqual(ran, ["one", "two", "two"])
        self.assertEqual(self.desk.said(b, "values")[-1], {"log": ["in", "one", "two"]})

    def test_an_acknowledged_write_is_not_made_twice(self):
        ran = []

        async def one(state):
            ran.append(1)
            return {"log": ["one"]}
        self.serve(stand_in.Graph({"one": one, "two": ask}))
        a = self.run_of()
        self.desk.end(a)
        # As after a kill between the node's writes and the next checkpoint.
        newest = max(k[2] for k in self.desk.saver.rows)
        del self.desk.saver.rows[T, "", newest]
        b = self.run_of(again=True, attempt=2)
        self.assertEqual((self.desk.end(b)["status"], len(ran)), ("interrupted", 1))

    def test_static_breakpoints(self):
        self.serve()
        a = self.run_of(interrupt_before=["work"])
        self.desk.end(a)
        b = self.run_of(command={"resume": "yes"}, input=None, interrupt_before=["work"])
        end = self.desk.end(b)
        self.assertEqual((end["status"], end["view"]["next"], end["view"]["tasks"][0]["interrupts"]), ("interrupted", ["work"], []))

    def test_cancel(self):
        async def long(state):
            await asyncio.sleep(30)
        self.serve(stand_in.Graph({"long": long}), Desk(beat_s=0.1))
        id = self.run_of()
        until("it to run", lambda: self.desk.saver.rows)
        self.desk.answer_more = {"cancel": {"action": "interrupt"}}
        self.assertEqual(self.desk.end(id), {"status": "interrupted"})

    def test_errors(self):
        class Odd(Exception):
            pass

        async def bad(state):
            raise Odd("no luck")
        self.serve(stand_in.Graph({"bad": bad}))
        id = self.run_of()
        self.assertEqual(self.desk.end(id), {"status": "error", "error": {"type": "Odd", "message": "no luck", "retryable": False}})

    def test_state_update(self):
        self.serve()
        self.desk.end(self.run_of())
        id = self.desk.give(kind="state_update", name="agent", thread_id=T, config={"configurable": {"thread_id": T, "checkpoint_ns": ""}},
                            updates=[[{"values": {"log": ["x"]}, "as_node": "ask"}], [{"values": {"log": ["y"]}}]])
        end = self.desk.end(id)
        self.assertEqual((end["status"], end["view"]["values"], end["view"]["next"]), ("success", {"log": ["in", "plan", "x", "y"]}, ["work"]))
        newest = max(k[2] for k in self.desk.saver.rows)
        self.assertEqual(end["checkpoint"], {"checkpoint_ns": "", "checkpoint_id": newest})

    def test_fork_from_a_chosen_checkpoint(self):
        self.serve()
        self.desk.end(self.run_of())
        first = min(k[2] for k in self.desk.saver.rows)
        id = self.desk.give(kind="state_update", name="agent", thread_id=T, checkpoint={"checkpoint_ns": "", "checkpoint_id": first},
                            updates=[[{"values": {"log": ["fork"]}, "as_node": "plan"}]])
        end = self.desk.end(id)
        self.assertEqual(end["view"]["values"], {"log": ["in", "fork"]})
        self.assertEqual(self.desk.saver.rows[T, "", end["checkpoint"]["checkpoint_id"]]["parent_id"], first)

    def test_user_context_and_config_reach_the_graph(self):
        seen = {}

        class Looks(stand_in.Graph):
            async def astream(self, input, config=None, *, context=None, **more):
                seen.update(config=config, context=context, more=more)
                async for x in super().astream(input, config, context=context, **more):
                    yield x
        self.serve(Looks({"one": plan}))
        self.desk.end(self.run_of(auth_user={"identity": "ann", "permissions": ["p"], "org": "x"}, context={"tone": "dry"},
                                  config={"configurable": {"thread_id": T, "x": 1}, "recursion_limit": 7, "tags": ["t"]}))
        c = seen["config"]["configurable"]
        u = c["langgraph_auth_user"]
        self.assertEqual((u.identity, u["org"], u.is_authenticated, u.display_name, c["langgraph_auth_user_id"], c["langgraph_auth_permissions"]),
                         ("ann", "x", True, "ann", "ann", ["p"]))
        self.assertEqual((seen["context"], seen["config"]["recursion_limit"], c["x"]), ({"tone": "dry"}, 7, 1))
        self.assertEqual((seen["more"]["subgraphs"], seen["more"]["durability"]), (True, "async"))
        self.assertEqual(seen["more"]["stream_mode"], ["values", "updates", "messages", "custom", "tasks", "checkpoints"])
        with self.assertRaises(AttributeError):
            u.nothing

    def test_factories(self):
        made = []

        def none():
            made.append("none")
            return graph()

        async def of_config(config):
            made.append(config["configurable"].get("x"))
            return stand_in.Graph({"plan": plan})

        @contextlib.asynccontextmanager
        async def manager(runtime):
            made.append((runtime.access_context, runtime.user and runtime.user.identity, runtime.execution_runtime is not None))
            yield stand_in.Graph({"plan": plan})
            made.append("closed")
        for factory, first, then in ((none, ["none"], []), (of_config, [None], [5]),
                                     (manager, [(graphs.SCHEMAS, None, False), "closed"], [(graphs.RUN, "ann", True), "closed"])):
            made.clear()
            self.serve(factory)
            self.assertEqual(made, first)
            made.clear()
            self.desk.end(self.run_of(auth_user={"identity": "ann"}, config={"configurable": {"thread_id": T, "x": 5}}))
            self.assertEqual(made, then, factory.__name__)

    def test_what_is_no_graph(self):
        with self.assertRaisesRegex(TypeError, "graph a: int is not a compiled graph"):
            graphs.Graph("a", 5)
        with self.assertRaisesRegex(TypeError, "returned str and no graph"):
            asyncio.run(graphs.describe(graphs.Graph("a", lambda: "x")))
        with self.assertRaisesRegex(TypeError, "takes nothing, config"):
            graphs.Graph("a", lambda a, b, c: None)

    def test_the_serializer_of_the_graph_stays(self):
        class Own:
            serde = object()
        self.assertIs(graphs.serde_of(graph(checkpointer=Own())), Own.serde)
        self.assertIsNone(graphs.serde_of(graph(checkpointer=True)))

    def test_channels_of_subgraphs(self):
        child, grand = stand_in.Graph({"x": plan}, ["c"]), stand_in.Graph({"x": plan}, ["g"])
        g = graph()
        g.get_subgraphs = lambda namespace=None, recurse=False: iter([("child", child), ("child|grand", grand)])
        of = graphs.channels_of(g)
        self.assertEqual([of(""), of("child:1"), of("child:1|grand:2"), of("other:1")], [{"log"}, {"c"}, {"g"}, None])

    def test_commands(self):
        self.assertEqual(graphs.command_of({"goto": "a", "update": {"x": 1}}), Command(update={"x": 1}, goto=["a"]))
        self.assertEqual(graphs.command_of({"goto": [{"node": "b", "input": 1}], "update": [["k", 1]]}), Command(update=[("k", 1)], goto=[Send("b", 1)]))
        self.assertEqual(graphs.command_of({"resume": {"id": 1}}), Command(resume={"id": 1}))

    def test_eight_runs_at_once(self):
        together = threading.Barrier(8, timeout=10)

        async def meet(state):
            await asyncio.to_thread(together.wait)
            return {"log": ["met"]}
        self.serve(stand_in.Graph({"meet": meet}))
        ids = [self.desk.give(kind="run", name="agent", thread_id=f"t{i}", input={"log": []}, durability="sync") for i in range(8)]
        for id in ids:
            self.assertEqual(self.desk.end(id), {"status": "success"})

    def test_a_flood_of_tokens(self):
        async def flood(state):
            for i in range(2000):
                stand_in.token(Message("AIMessageChunk", str(i), "m"))
                if i % 100 == 0:
                    await asyncio.sleep(0)
        self.serve(stand_in.Graph({"flood": flood}))
        id = self.run_of()
        began = time.monotonic()
        self.desk.end(id)
        self.assertEqual([m[0]["content"] for m in self.desk.said(id, "messages")], [str(i) for i in range(2000)])
        self.assertLess(time.monotonic() - began, 5)


if __name__ == "__main__":
    unittest.main()
