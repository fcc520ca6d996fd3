"""Plain JSON of Python values, in the form LangGraph's own server gives them: messages
as flat objects, models by their fields, dates as ISO text, sets as arrays.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import enum
import ipaddress
import json
import math
import pathlib
import re
import uuid
from collections import deque
from collections.abc import Mapping
from typing import Any

DEPTH = 200  # deeper values are cut with an error: a server refuses them too

_SURROGATES = re.compile("[\ud800-\udfff]")
_AS_TEXT = (uuid.UUID, pathlib.PurePath, ipaddress.IPv4Address, ipaddress.IPv4Interface, ipaddress.IPv4Network,
            ipaddress.IPv6Address, ipaddress.IPv6Interface, ipaddress.IPv6Network)
_BIG = 1 << 64


def text(s: str) -> str:
    """A text that UTF-8 can carry: half of a surrogate pair becomes a question mark."""
    return s if s.isascii() or not _SURROGATES.search(s) else _SURROGATES.sub("?", s)


def plain(x: Any, depth: int = 0) -> Any:
    """`x` as dicts, lists, texts, numbers, booleans and None."""
    t = type(x)
    if t is str:
        return text(x)
    if x is None or t is bool:
        return x
    if t is int:
        return x if -_BIG < x < _BIG else str(x)
    if t is float:
        return x if math.isfinite(x) else None
    if depth > DEPTH:
        raise ValueError(f"a value is nested deeper than {DEPTH} levels")
    if t is dict:
        return {_name(k): plain(v, depth + 1) for k, v in x.items()}
    if t is list or t is tuple:
        return [plain(v, depth + 1) for v in x]
    return _other(x, depth)


def _name(k: Any) -> str:
    if isinstance(k, enum.Enum):
        k = k.value
    if isinstance(k, str):
        return text(k)
    if k is None or isinstance(k, bool):
        return {None: "null", True: "true", False: "false"}[k]
    if isinstance(k, (datetime.datetime, datetime.date, datetime.time)):
        return k.isoformat()
    return text(str(k))


def _other(x: Any, depth: int) -> Any:
    if isinstance(x, enum.Enum):
        return plain(x.value, depth + 1)
    if isinstance(x, type):
        return None
    if _of_langgraph(x, "Interrupt"):
        return plain({"value": x.value, "id": getattr(x, "id", None) or getattr(x, "interrupt_id", None)}, depth)
    if _of_langgraph(x, "Send"):
        return plain({"node": x.node, "arg": x.arg}, depth)
    if dataclasses.is_dataclass(x):
        return {f.name: plain(getattr(x, f.name), depth + 1) for f in dataclasses.fields(x) if not f.name.startswith("_")}
    for method in ("model_dump", "dict", "_asdict"):
        f = getattr(x, method, None)
        if callable(f):
            return plain(f(), depth + 1)
    return _leaf(x, depth)


def _of_langgraph(x: Any, name: str) -> bool:
    t = type(x)
    return t.__name__ == name and t.__module__.startswith("langgraph.")


def _leaf(x: Any, depth: int) -> Any:
    if isinstance(x, str):
        return text(str.__str__(x))
    if isinstance(x, int):
        return plain(int(x), depth)
    if isinstance(x, float):
        return plain(float(x), depth)
    if isinstance(x, (datetime.datetime, datetime.date, datetime.time)):
        return x.isoformat()
    if isinstance(x, datetime.timedelta):
        return x.total_seconds()
    if isinstance(x, datetime.tzinfo):
        return x.tzname(None)
    if isinstance(x, decimal.Decimal):
        whole = x.is_finite() and x.as_tuple().exponent >= 0
        return plain(int(x) if whole else float(x), depth)
    if isinstance(x, _AS_TEXT):
        return text(str(x))
    if isinstance(x, re.Pattern):
        return x.pattern if isinstance(x.pattern, str) else plain(x.pattern, depth)
    if isinstance(x, (bytes, bytearray, memoryview)):
        return base64.b64encode(bytes(x)).decode()
    if isinstance(x, BaseException):
        return {"error": type(x).__name__, "message": text(str(x))}
    if isinstance(x, Mapping):
        return {_name(k): plain(v, depth + 1) for k, v in x.items()}
    if isinstance(x, (list, tuple, set, frozenset, deque)):
        return [plain(v, depth + 1) for v in x]
    if hasattr(x, "tolist") and callable(x.tolist):  # numpy's arrays and numbers
        return plain(x.tolist(), depth + 1)
    if hasattr(x, "__dict__"):
        return {_name(k): plain(v, depth + 1) for k, v in vars(x).items() if not k.startswith("_")}
    return None


def dumps(x: Any) -> str:
    """Plain JSON text of `x`."""
    return json.dumps(plain(x), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
