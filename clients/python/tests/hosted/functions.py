"""What tests/e2e/worker-python.mjs serves without LangGraph.  LOG is a file of what ran."""
import asyncio
import os
import time

from cohort_worker import agent, node, run, tool


def ran(*words):
    with open(os.environ["LOG"], "a") as f:
        f.write(" ".join(map(str, words)) + "\n")


async def once_stuck(name, ctx):
    """The first attempt hangs, so that the test can kill it between call and answer."""
    ran(name, ctx.attempt, ctx.key)
    if os.environ.get("STUCK"):
        await asyncio.sleep(600)


@node
async def enrich(state, ctx):
    "Looks a customer up."
    await ctx.emit("custom", {"pct": 50})
    return {"customer": f"c-{state['id']}"}


@node
async def remember(state, ctx):
    "Keeps what it saw in the owner's store."
    await ctx.store.aput(["seen"], "last", {"id": state["id"]})
    kept = await ctx.store.aget(["seen"], "last")
    return {"customer": [kept["value"], len(await ctx.store.asearch(["seen"]))]}


@node
async def careful(state, ctx):
    await once_stuck("careful", ctx)
    return {"customer": "careful"}


@node(idempotent=True)
def again(state, ctx):
    ran("again", ctx.attempt, ctx.key)
    while os.environ.get("STUCK") and not ctx.cancelled:
        time.sleep(0.01)
    return {"customer": "again"}


@tool
async def charge(cents: int, ctx) -> str:
    """Takes money.

    Args:
        cents: How much.
    """
    await once_stuck(f"charge {cents}", ctx)
    return f"charged {cents}"


@tool(idempotent=True, timeout=30)
async def look(place: str, ctx) -> str:
    "Looks a place up."
    await once_stuck(f"look {place}", ctx)
    return f"looked at {place}"


@agent(state={"type": "object", "properties": {"turns": {"type": "integer"}}})
async def helper(state, ctx):
    "Helps."
    for piece in ("You said ", state["messages"][-1]["content"]):
        yield piece


@agent
async def patient(state, ctx):
    "Works until it is stopped."
    await ctx.write("begun")
    ran("patient begun")
    try:
        await asyncio.sleep(600)
    finally:
        ran("patient stopped")


@agent
def broken(state):
    raise LookupError("nothing there")


if __name__ == "__main__":
    run()
