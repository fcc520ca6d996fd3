"""serve: graphs, and everything that was decorated, as tasks of one worker."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import hashlib
import inspect
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import plain, schema
from .context import Context
from .decorators import REGISTRY, Offered
from .wire import Refused, Wire
from .worker import Handler, Job, Worker

URL = "http://127.0.0.1:2024"
SLOTS = {"run": 8, "node": 32}

log = logging.getLogger("cohort_worker")


def serve(graphs: Mapping[str, Any] | None = None, **options: Any) -> None:
    """Serves until SIGTERM.  `graphs` is {id: compiled graph, StateGraph, or a function that
    makes one}.  Options: url, key, name, build, slots={"run": 8, "node": 32},
    descriptions={graph id: text}.  COHORT_URL, COHORT_KEY and COHORT_BUILD say the same."""
    if not logging.getLogger().handlers:
        logging.basicConfig(level=os.environ.get("COHORT_LOG", "INFO").upper(), stream=sys.stderr,
                            format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(_serve_process(graphs, options))
    except (Refused, ValueError, TypeError, RuntimeError) as e:
        log.debug("refused", exc_info=True)
        raise SystemExit(f"cohort_worker: {e}") from e


async def _serve_process(graphs: Mapping[str, Any] | None, options: dict) -> None:
    if await aserve(graphs, signals=True, **options):
        # A function without async cannot be stopped, and Python would wait for its thread.
        log.warning("tasks were under way after the time to leave; their threads end with the process")
        logging.shutdown()
        os._exit(0)


async def aserve(graphs: Mapping[str, Any] | None = None, *, url: str | None = None, key: str | None = None,
                 name: str | None = None, build: str | None = None, slots: Mapping[str, int] | None = None,
                 descriptions: Mapping[str, str] | None = None, signals: bool = False) -> bool:
    """As serve, inside a loop that runs already; true when it left tasks behind."""
    loop = asyncio.get_running_loop()
    wire = Wire(url or os.environ.get("COHORT_URL") or URL, key or os.environ.get("COHORT_KEY") or None)
    handlers: dict[tuple[str, str], Handler] = {}
    told = await _tell(graphs or {}, descriptions or {}, handlers)
    if not handlers:
        raise ValueError("nothing to serve: give serve() graphs, or decorate functions with node, tool or agent")
    slots = {**SLOTS, **(slots or {})}
    registration = {
        "name": name or os.environ.get("COHORT_WORKER") or f"{socket.gethostname()}-{os.getpid()}",
        "build": build or os.environ.get("COHORT_BUILD") or build_of_main(), "lang": "python", "protocol": 1,
        "slots": slots, **told}
    worker = Worker(wire, registration, handlers, slots)
    if signals:
        for s in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(s, worker.drain, s.name)
    if os.environ.get("COHORT_DEV"):
        # The server of `cohort dev` holds the other end: when it is gone, so is the reason to serve.
        threading.Thread(target=_watch_stdin, args=(loop, worker), daemon=True).start()
    try:
        await worker.serve()
    finally:
        if signals:
            for s in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(s)
    return worker.stuck


def _watch_stdin(loop: asyncio.AbstractEventLoop, worker: Worker) -> None:
    with contextlib.suppress(OSError, ValueError):
        while os.read(0, 4096):
            pass
    with contextlib.suppress(RuntimeError):  # the loop has ended
        loop.call_soon_threadsafe(worker.drain, "the end of cohort dev")


async def _tell(sources: Mapping[str, Any], descriptions: Mapping[str, str], handlers: dict) -> dict:
    out: dict[str, list] = {}
    for id, source in sources.items():
        _need_langgraph()
        from . import graphs
        entry = source if isinstance(source, graphs.Graph) else graphs.Graph(id, source, descriptions.get(id))
        out.setdefault("graphs", []).append(await graphs.describe(entry))
        handlers["run", id] = _graph_handler(graphs.run, entry)
        handlers["state_update", id] = _graph_handler(graphs.state_update, entry)
    for kind, table, task, run in (("runs", REGISTRY.agents, "node", run_agent), ("nodes", REGISTRY.nodes, "node", run_node),
                                   ("tools", REGISTRY.tools, "tool", run_tool)):
        for of in table.values():
            out.setdefault(kind, []).append(plain.plain(of.facts))
            handlers[task, of.name] = _function_handler(run, of)
    return out


def _need_langgraph() -> None:
    try:
        import langgraph.checkpoint.base  # noqa: F401
    except ImportError as e:
        raise RuntimeError(f"graphs need langgraph, which is not installed in {sys.executable}: {e}") from e


def _graph_handler(run: Any, entry: Any) -> Handler:
    async def handle(job: Job) -> dict:
        return await run(entry, job.task, job.wire, job.events, job.submit)

    return handle


def _function_handler(run: Any, of: Offered) -> Handler:
    async def handle(job: Job) -> dict:
        ctx = Context(job.task, job.wire, job.events, job.submit)
        job.on_cancel.append(ctx.cancel)
        return {"status": "success", "output": await run(of.fn, ctx)}

    return handle


async def call(fn: Any, *args: Any, **kwargs: Any) -> Any:
    """`fn` here when it is async, and in a thread when it is not."""
    if inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(getattr(fn, "__call__", None)):
        return await fn(*args, **kwargs)
    here = contextvars.copy_context()
    result = await asyncio.get_running_loop().run_in_executor(None, lambda: here.run(fn, *args, **kwargs))
    return await result if inspect.isawaitable(result) else result


def _positional(fn: Any, given: Any, ctx: Context) -> tuple[tuple, dict]:
    """A node takes (state), (state, ctx), (ctx) or nothing."""
    names = list(inspect.signature(fn).parameters)
    kwargs = {"ctx": ctx} if "ctx" in names else {}
    rest = [n for n in names if n != "ctx"]
    return ((given,) if rest else ()), kwargs


async def run_node(fn: Any, ctx: Context) -> dict:
    args, kwargs = _positional(fn, ctx.state if ctx.input is None else ctx.input, ctx)
    return update_of(fn, await call(fn, *args, **kwargs))


def update_of(fn: Any, result: Any) -> dict:
    result = {} if result is None else plain.plain(result)
    if not isinstance(result, dict):
        raise TypeError(f"{fn.__name__} returned {type(result).__name__}: a node returns its update, a dict")
    return result


async def run_tool(fn: Any, ctx: Context) -> Any:
    kwargs = schema.arguments(fn, ctx.task.get("args") or {})
    missing = [p.name for p in schema.takes(fn) if p.default is p.empty and p.name not in kwargs]
    if missing:
        raise TypeError(f"{fn.__name__}: no value for {', '.join(missing)}")
    if schema.wants_ctx(fn):
        kwargs["ctx"] = ctx
    result = plain.plain(await call(fn, **kwargs))
    if isinstance(result, str) or (isinstance(result, list) and result and all(isinstance(x, dict) and "type" in x for x in result)):
        return result  # text, or content blocks
    return "" if result is None else plain.dumps(result)


async def run_agent(fn: Any, ctx: Context) -> dict:
    args, kwargs = _positional(fn, ctx.state, ctx)
    if inspect.isasyncgenfunction(fn):
        result = await _pieces(fn(*args, **kwargs), ctx)
    elif inspect.isgeneratorfunction(fn):
        result = await call(_pieces_sync, fn(*args, **kwargs), ctx)
    else:
        result = await call(fn, *args, **kwargs)
    if result is None and ctx.written:
        result = "".join(ctx.written)
    if isinstance(result, str):
        result = {"messages": [{"type": "ai", "id": ctx.message_id, "content": result}]}
    return update_of(fn, result)


async def _pieces(generator: Any, ctx: Context) -> dict | None:
    update: dict | None = None
    async for piece in generator:
        if isinstance(piece, str):
            await ctx.write(piece)
        else:
            update = piece
    return update


def _pieces_sync(generator: Any, ctx: Context) -> dict | None:
    update: dict | None = None
    for piece in generator:
        if ctx.cancelled:
            generator.close()
            return update
        if isinstance(piece, str):
            ctx.write(piece)
        else:
            update = piece
    return update


def build_of(files: list[Path]) -> str:
    """A name for this code: a run that has begun stays with the build it began on."""
    h = hashlib.sha256()
    for f in sorted(files):
        h.update(str(f).encode() + b"\0" + f.read_bytes() + b"\0")
    return h.hexdigest()[:12]


def build_of_main() -> str:
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    return build_of([Path(main)]) if main and Path(main).is_file() else "dev"
