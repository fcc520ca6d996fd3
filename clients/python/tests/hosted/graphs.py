"""Graphs that tests/e2e/worker-python.mjs serves: the stand-in of LangGraph, with the real
checkpointer of the client and the real server behind it."""
import asyncio
import os
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
sys.path[:0] = [str(here.parent / "stand_in"), str(here.parent.parent)]

from langchain_core.messages import Message  # noqa: E402
from langgraph import stand_in  # noqa: E402

from cohort_worker import serve  # noqa: E402


def ran(*words):
    with open(os.environ["LOG"], "a") as f:
        f.write(" ".join(map(str, words)) + "\n")


async def plan(state):
    ran("plan")
    stand_in.write({"planning": len(state["log"])})
    for piece in ("Hel", "lo"):
        stand_in.token(Message("AIMessageChunk", piece, "m1"))
    return {"log": ["plan"], "messages": [Message("ai", "Hello", "m1")]}


async def ask(state):
    answer = stand_in.interrupt({"question": "ok?"})
    ran("ask", answer)
    return {"log": [f"asked {answer}"]}


async def work(state):
    await stand_in.store().aput(("notes",), "n", {"log": state["log"]})
    ran("work")
    return {"log": ["work"]}


def step(name):
    async def f(state):
        ran(name, "begins")
        await asyncio.sleep(float(os.environ.get("STEP_S", "0.05")))
        ran(name, "ends")
        return {"log": [name]}
    return f


async def forever(state):
    ran("forever begins")
    try:
        await asyncio.sleep(600)
    finally:
        ran("forever stops")


async def bad(state):
    raise LookupError("nothing there")


if __name__ == "__main__":
    serve({
        "asking": stand_in.Graph({"plan": plan, "ask": ask, "work": work}, ["log", "messages"]),
        "steps": stand_in.Graph({f"s{i}": step(f"s{i}") for i in range(6)}),
        "forever": stand_in.Graph({"forever": forever}),
        "bad": stand_in.Graph({"bad": bad}),
    }, descriptions={"asking": "Asks once."})
