"""JsonPlusSerializer: the published pair of methods, with bytes that are no UTF-8."""
import json
import zlib

from langchain_core.messages import Message
from langgraph.types import Interrupt, Send


def _out(x):
    if isinstance(x, Message):
        return {"__message": x.model_dump()}
    if isinstance(x, Interrupt):
        return {"__interrupt": [x.value, x.id]}
    if isinstance(x, Send):
        return {"__send": [x.node, x.arg]}
    raise TypeError(f"Type is not msgpack serializable: {type(x).__name__}")


def _in(d):
    if "__message" in d:
        return Message(**d["__message"])
    if "__interrupt" in d:
        return Interrupt(*d["__interrupt"])
    if "__send" in d:
        return Send(*d["__send"])
    return d


class JsonPlusSerializer:
    def dumps_typed(self, obj):
        if obj is None:
            return "null", b""
        if isinstance(obj, (bytes, bytearray)):
            return type(obj).__name__, bytes(obj)
        if callable(obj):
            return "pickle", b"\x80"
        return "msgpack", zlib.compress(json.dumps(obj, default=_out).encode())

    def loads_typed(self, data):
        kind, body = data
        if kind == "null":
            return None
        if kind == "bytes":
            return body
        if kind == "bytearray":
            return bytearray(body)
        if kind == "json":
            return json.loads(body)
        if kind == "msgpack":
            return json.loads(zlib.decompress(body), object_hook=_in)
        raise NotImplementedError(f"Unknown serialization type: {kind}")
