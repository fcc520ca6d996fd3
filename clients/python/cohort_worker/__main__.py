"""python -m cohort_worker langgraph.json: serves a project's graphs.
python -m cohort_worker worker.py: serves what a file decorates with node, tool, agent."""

from __future__ import annotations

import argparse
import json
import logging
import os
import runpy
import sys
from pathlib import Path

from .decorators import REGISTRY
from .load import ProjectError, load
from .serve import build_of, serve


def arguments(argv: list[str] | None) -> argparse.Namespace:
    p = argparse.ArgumentParser("python -m cohort_worker", description=__doc__)
    p.add_argument("file", nargs="?", default="langgraph.json", help="langgraph.json, aegra.json, or a .py file")
    p.add_argument("--url", help="the server ($COHORT_URL, http://127.0.0.1:2024)")
    p.add_argument("--key", help="a key with the scope worker ($COHORT_KEY; better there than here)")
    p.add_argument("--name", help="this worker's name ($COHORT_WORKER)")
    p.add_argument("--build", help="the name of this code ($COHORT_BUILD; a hash of it)")
    p.add_argument("--runs", type=int, metavar="N", help="runs at once (8)")
    p.add_argument("--nodes", type=int, metavar="N", help="nodes and tools at once (32)")
    p.add_argument("--check", action="store_true", help="import everything, say what would be served, and end")
    return p.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    a = arguments(argv)
    logging.basicConfig(level=os.environ.get("COHORT_LOG", "INFO").upper(), stream=sys.stderr,
                        format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    sys.path.insert(0, os.getcwd())
    try:
        graphs, descriptions, build = _sources(a.file)
    except ProjectError as e:
        raise SystemExit(f"cohort_worker: {e}") from e
    if a.check:
        print(json.dumps({"graphs": sorted(graphs), "runs": sorted(REGISTRY.agents), "nodes": sorted(REGISTRY.nodes),
                          "tools": sorted(REGISTRY.tools), "build": build}))
        return
    slots = {k: n for k, n in (("run", a.runs), ("node", a.nodes)) if n is not None}
    serve(graphs, url=a.url, key=a.key, name=a.name, slots=slots, descriptions=descriptions,
          build=a.build or os.environ.get("COHORT_BUILD") or build)


def _sources(file: str) -> tuple[dict, dict, str]:
    if file.endswith(".py"):
        if not Path(file).is_file():
            raise ProjectError(f"{file}: is not there")
        sys.path.insert(0, str(Path(file).resolve().parent))
        runpy.run_path(file, run_name="cohort_worker_file")
        return {}, {}, build_of([Path(file)])
    project = load(file)
    if not project.graphs and not (REGISTRY.nodes or REGISTRY.tools or REGISTRY.agents):
        raise ProjectError(f"{file}: graphs: none is Python")
    return project.graphs, project.descriptions, project.build


if __name__ == "__main__":
    main()
