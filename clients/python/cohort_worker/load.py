"""Reads langgraph.json, or aegra.json, of a Python project: its graphs, their imports,
its variables.  What the file says of a server is the server's to read.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

log = logging.getLogger("cohort_worker")

CODE = (".py",)
OF_JS = (".js", ".ts", ".mjs", ".mts", ".cjs", ".cts", ".tsx", ".jsx")
OF_SERVER = (".yaml", ".yml", ".json", ".scxml", ".chart")
SERVER_KEYS = ("auth", "http", "store", "checkpointer", "webhooks")
SKIPPED = {"node_modules", "__pycache__", "site-packages", "dist", "build"}
_NAME = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")


class ProjectError(RuntimeError):
    """The project cannot be served as it is; the words say why and what would do."""


@dataclass
class Project:
    file: Path
    graphs: dict[str, Any] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)
    build: str = "dev"


def read(file: str | Path) -> tuple[Path, dict]:
    path = Path(file).resolve()
    try:
        config = json.loads(path.read_text("utf-8"))
    except OSError as e:
        raise ProjectError(f"{file}: {e.strerror}") from e
    except ValueError as e:
        raise ProjectError(f"{file}: is not JSON: {e}") from e
    if not isinstance(config, dict) or not isinstance(config.get("graphs"), dict):
        raise ProjectError(f'{file}: graphs: is missing: {{"graphs": {{"agent": "./agent.py:graph"}}}}')
    return path, config


def load(file: str | Path) -> Project:
    """Imports every Python graph of the file."""
    path, config = read(file)
    project = Project(path)
    variables(path, config.get("env"))
    wanted = str(config.get("python_version") or "")
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if wanted and wanted != here:
        log.warning("%s: python_version is %s, and this is %s", path.name, wanted, here)
    roots = search_path(path, config.get("dependencies") or [])
    for id, said in config["graphs"].items():
        where, description = (said.get("path"), said.get("description")) if isinstance(said, dict) else (said, None)
        if not isinstance(where, str):
            raise ProjectError(f'{path.name}: graphs.{id}: is not "./file.py:name"')
        place, _, name = where.rpartition(":")
        suffix = Path(place or where).suffix
        if suffix in OF_SERVER or (not place and Path(where).suffix in OF_SERVER):
            continue  # an agent of the server's own
        if suffix in OF_JS:
            log.info("%s: graphs.%s is JavaScript: cohort-worker of npm serves it", path.name, id)
            continue
        if not place or not name:
            raise ProjectError(f'{path.name}: graphs.{id}: "{where}" is not "./file.py:name" or "package.module:name"')
        project.graphs[id] = _graph(path, id, place, name, roots)
        if description:
            project.descriptions[id] = description
    project.build = build_of_folder(path.parent)
    return project


def variables(path: Path, env: Any) -> None:
    """The file's variables; the environment wins over them."""
    if env is None:
        return
    if isinstance(env, str):
        file = path.parent / env
        try:
            env = parse_env(file.read_text("utf-8"))
        except OSError as e:
            if env == ".env":
                log.warning("%s: env: %s: %s", path.name, file, e.strerror)
                return
            raise ProjectError(f"{path.name}: env: {file}: {e.strerror}") from e
    if isinstance(env, list):
        missing = [n for n in env if n not in os.environ]
        if missing:
            raise ProjectError(f"{path.name}: env: {', '.join(missing)} must be set in the environment")
        return
    if not isinstance(env, dict):
        raise ProjectError(f"{path.name}: env: is an object of texts, or the path of a file")
    for k, v in env.items():
        os.environ.setdefault(str(k), str(v))


def parse_env(text: str) -> dict[str, str]:
    out = {}
    for line in text.splitlines():
        line = line.strip()
        m = None if line.startswith("#") else _NAME.fullmatch(line)
        if m is None:
            continue
        value = m.group(2)
        if value[:1] == "'" and "'" in value[1:]:
            value = value[1:value.index("'", 1)]
        elif value[:1] == '"' and (q := re.match(r'"((?:[^"\\]|\\.)*)"', value)):
            value = re.sub(r"\\(.)", lambda c: {"n": "\n", "t": "\t", "r": "\r"}.get(c.group(1), c.group(1)), q.group(1))
        else:
            value = re.split(r"\s#", value, maxsplit=1)[0].strip()
        out[m.group(1)] = value
    return out


def search_path(path: Path, dependencies: list) -> list[Path]:
    """Local dependencies come first in sys.path: their folder, or its src."""
    roots: list[Path] = []
    for d in [*dependencies, "."]:
        if not isinstance(d, str) or not (d == "." or d.startswith(("./", "../", "/"))):
            continue  # a package: it has to be installed
        folder = (path.parent / d).resolve()
        if not folder.is_dir():
            log.warning("%s: dependencies: %s is not there", path.name, d)
            continue
        for root in (folder / "src", folder):
            if root.is_dir() and root not in roots:
                roots.append(root)
    for root in reversed(roots):
        if str(root) not in sys.path:
            sys.path.insert(0, str(root))
    return roots


def _graph(path: Path, id: str, place: str, name: str, roots: list[Path]) -> Any:
    at = f"{path.name}: graphs.{id}"
    by_file = place.endswith(CODE) or "/" in place
    try:
        module = _file(path.parent / place, roots) if by_file else importlib.import_module(place)
    except FileNotFoundError as e:
        raise ProjectError(f"{at}: {place} is not there") from e
    except ModuleNotFoundError as e:
        raise ProjectError(_missing(at, place, e, path)) from e
    except ProjectError:
        raise
    except Exception as e:  # the project's own code
        raise ProjectError(f"{at}: {place} failed when it was imported: {type(e).__name__}: {e}") from e
    try:
        return getattr(module, name)
    except AttributeError as e:
        there = [n for n, v in vars(module).items() if not n.startswith("_") and not isinstance(v, type) and hasattr(v, "astream")]
        raise ProjectError(f"{at}: {place} has no {name}" + (f"; it has {', '.join(there)}" if there else "")) from e


def _file(file: Path, roots: list[Path]) -> ModuleType:
    """Imports a file under the name that its package gives it, so that `from .x import y`
    works and no module is there twice; a file outside of packages under a name of its own."""
    file = file.resolve()
    if not file.is_file():
        raise FileNotFoundError(file)
    if (file.parent / "__init__.py").exists():
        for root in sorted(roots, key=lambda r: len(r.parts), reverse=True):
            if root in file.parents:
                dotted = ".".join(file.relative_to(root).with_suffix("").parts)
                if dotted.isascii() and all(p.isidentifier() for p in dotted.split(".")):
                    return importlib.import_module(dotted.removesuffix(".__init__"))
    name = "cohort_graph_" + re.sub(r"\W", "_", str(file.with_suffix("")))
    if name in sys.modules:
        return sys.modules[name]
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _missing(at: str, place: str, e: ModuleNotFoundError, path: Path) -> str:
    how = "pip install -e ." if (path.parent / "pyproject.toml").exists() or (path.parent / "setup.py").exists() \
        else "pip install -r requirements.txt" if (path.parent / "requirements.txt").exists() else f"pip install {e.name}"
    return (f"{at}: {place} needs {e.name}, which is not installed in {sys.executable}: nothing is installed here; "
            f"`{how}` in the project's environment, and start the worker with that environment's python")


def build_of_folder(folder: Path) -> str:
    from .serve import build_of
    files = []
    for at, folders, names in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith(".") and f not in SKIPPED
                      and not (Path(at) / f / "pyvenv.cfg").exists()]
        files += [Path(at) / n for n in names if n.endswith(".py")]
    return build_of(files)
