"""A worker of Cohort: your graphs, nodes, tools and agents run in this process; the
server owns threads, runs, the queue, checkpoints, streams, crons, store and auth.

    from cohort_worker import serve
    from my_app import graph
    serve({"agent": graph})            # COHORT_URL, COHORT_KEY

Standard library only; langgraph is yours and is imported only when a graph is served.
"""

from .decorators import agent, node, run, tool
from .serve import aserve, serve
from .wire import LostLease, Refused, Wire, WireError

__all__ = ["LostLease", "Refused", "Wire", "WireError", "agent", "aserve", "node", "run", "serve", "tool"]
