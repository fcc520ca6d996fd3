"""JSON schema of a function's parameters, and arguments made of what a schema let in."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin

_SIMPLE = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
_UNION = (Union, types.UnionType)


def of_type(t: Any) -> dict:
    if t is Any or t is inspect.Parameter.empty:
        return {}
    if t in _SIMPLE:
        return {"type": _SIMPLE[t]}
    if hasattr(t, "model_json_schema"):
        return t.model_json_schema()
    origin, args = get_origin(t), get_args(t)
    if origin is typing.Annotated:
        said = next((a for a in args[1:] if isinstance(a, str)), None)
        return {**of_type(args[0]), **({"description": said} if said else {})}
    if origin in _UNION:
        return _union(args)
    if origin is Literal:
        return {"enum": list(args)}
    if isinstance(t, type) and issubclass(t, enum.Enum):
        return {"enum": [m.value for m in t]}
    return _container(t, origin, args)


def _union(args: tuple) -> dict:
    parts = [of_type(a) for a in args]
    simple = [p["type"] for p in parts if list(p) == ["type"]]
    return {"type": simple} if len(simple) == len(parts) else {"anyOf": parts}


def _container(t: Any, origin: Any, args: tuple) -> dict:
    base = origin or t
    if dataclasses.is_dataclass(t):
        names = typing.get_type_hints(t, include_extras=True)
        need = [f.name for f in dataclasses.fields(t)
                if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING]
        return _object({f.name: of_type(names[f.name]) for f in dataclasses.fields(t)}, need)
    if typing.is_typeddict(t):
        return _object({k: of_type(v) for k, v in typing.get_type_hints(t).items()}, sorted(t.__required_keys__))
    if isinstance(base, type) and issubclass(base, Mapping):
        return {"type": "object", **({"additionalProperties": of_type(args[1])} if len(args) == 2 and args[1] is not Any else {})}
    if isinstance(base, type) and issubclass(base, (Sequence, set, frozenset)) and not issubclass(base, (str, bytes)):
        inner = args[0] if args and args[0] is not Any else None
        return {"type": "array", **({"items": of_type(inner)} if inner is not None else {})}
    raise TypeError(f"{t!r} has no JSON schema: give the decorator a `schema`, or use types that JSON has")


def _object(properties: dict, required: list[str]) -> dict:
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def hints(fn: Callable) -> dict[str, Any]:
    try:
        return typing.get_type_hints(fn, include_extras=True)
    except NameError as e:
        raise TypeError(f"{fn.__qualname__}: an annotation cannot be read: {e}") from e


def takes(fn: Callable) -> list[inspect.Parameter]:
    """The parameters that are arguments: all but `ctx` and *rest."""
    rest = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p for p in inspect.signature(fn).parameters.values() if p.name != "ctx" and p.kind not in rest]


def wants_ctx(fn: Callable) -> bool:
    return "ctx" in inspect.signature(fn).parameters


def of_function(fn: Callable) -> dict:
    types_of, said = hints(fn), argument_words(fn)
    properties, required = {}, []
    for p in takes(fn):
        try:
            s = of_type(types_of.get(p.name, p.annotation))
        except TypeError as e:
            raise TypeError(f"{fn.__qualname__}({p.name}): {e}") from e
        if p.name in said and "description" not in s:
            s["description"] = said[p.name]
        if p.default is inspect.Parameter.empty:
            required.append(p.name)
        elif isinstance(p.default, (str, int, float, bool)):
            s["default"] = p.default
        properties[p.name] = s
    return {**_object(properties, required), "properties": properties}


def words(fn: Callable) -> str:
    """The docstring up to its list of arguments."""
    return re.split(r"\n\s*(?:Args|Arguments|Parameters|Returns|Raises):", inspect.getdoc(fn) or "")[0].strip()


def argument_words(fn: Callable) -> dict[str, str]:
    m = re.search(r"\n\s*(?:Args|Arguments):\n(.*?)(?:\n\s*\n|\Z)", inspect.getdoc(fn) or "", re.S)
    return dict(re.findall(r"^\s+(\w+)(?:\s*\([^)]*\))?:\s*(.+)$", m.group(1), re.M)) if m else {}


def make(t: Any, value: Any) -> Any:
    """`value` as the annotation wants it: models, dataclasses and enums are built."""
    if get_origin(t) is typing.Annotated:
        return make(get_args(t)[0], value)
    if value is None:
        return None
    if get_origin(t) in _UNION:
        kinds = [a for a in get_args(t) if a is not type(None)]
        return make(kinds[0], value) if len(kinds) == 1 else value
    if get_origin(t) is list and isinstance(value, list) and get_args(t):
        return [make(get_args(t)[0], v) for v in value]
    if hasattr(t, "model_validate"):
        return t.model_validate(value)
    if isinstance(t, type) and issubclass(t, enum.Enum):
        return t(value)
    if dataclasses.is_dataclass(t) and isinstance(value, dict):
        of = typing.get_type_hints(t, include_extras=True)
        return t(**{k: make(of.get(k, Any), v) for k, v in value.items()})
    if t is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def arguments(fn: Callable, args: Mapping[str, Any]) -> dict[str, Any]:
    of = hints(fn)
    if any(p.kind is p.VAR_KEYWORD for p in inspect.signature(fn).parameters.values()):
        return {k: make(of.get(k, Any), v) for k, v in args.items()}
    return {p.name: make(of.get(p.name, Any), args[p.name]) for p in takes(fn) if p.name in args}
