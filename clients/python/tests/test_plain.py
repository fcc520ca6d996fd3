import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import re
import unittest
import uuid
from collections import OrderedDict, deque, namedtuple
from types import MappingProxyType

from cohort_worker import plain
from langchain_core.messages import Message
from langgraph.types import Interrupt, Send


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


@dataclasses.dataclass
class Point:
    x: int
    when: datetime.date
    _hidden: int = 0


class Old:
    """A model of pydantic 1."""

    def dict(self):
        return {"a": Point(1, datetime.date(2026, 1, 2))}


class Bare:
    def __init__(self):
        self.a, self._b = 1, 2


Pair = namedtuple("Pair", "left right")


class Plain(unittest.TestCase):
    def is_plain(self, value, expected):
        self.assertEqual(json.loads(plain.dumps(value)), expected)

    def test_json_stays(self):
        for x in (None, True, 0, -1.5, "é\n", [1, [2]], {"a": {"b": []}}):
            self.is_plain(x, x)

    def test_numbers_that_json_has_not(self):
        self.is_plain([float("nan"), float("inf"), 10 ** 30, decimal.Decimal("1.50"), decimal.Decimal("3"), decimal.Decimal("NaN")],
                      [None, None, "1" + "0" * 30, 1.5, 3, None])

    def test_times_and_ids(self):
        u = uuid.uuid4()
        self.is_plain([datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.timezone.utc), datetime.date(2026, 1, 2), datetime.time(3, 4),
                       datetime.timedelta(minutes=1), datetime.timezone.utc, u, pathlib.Path("/a/b"), re.compile("x+")],
                      ["2026-01-02T03:00:00+00:00", "2026-01-02", "03:04:00", 60.0, "UTC", str(u), "/a/b", "x+"])

    def test_containers(self):
        self.is_plain([(1, 2), frozenset([3]), deque([4]), OrderedDict(a=1), MappingProxyType({"m": 1}), Pair(1, 2)],
                      [[1, 2], [3], [4], {"a": 1}, {"m": 1}, {"left": 1, "right": 2}])

    def test_objects(self):
        self.is_plain([Color.RED, Level.LOW, Point(1, datetime.date(2026, 1, 2)), Old(), Bare(), Color, ValueError("no")],
                      ["red", 1, {"x": 1, "when": "2026-01-02"}, {"a": {"x": 1, "when": "2026-01-02"}}, {"a": 1}, None,
                       {"error": "ValueError", "message": "no"}])

    def test_names_that_are_no_texts(self):
        self.is_plain({7: "a", None: "b", True: "c", Color.RED: "d", 2.5: "e"}, {"7": "a", "null": "b", "true": "c", "red": "d", "2.5": "e"})

    def test_bytes(self):
        self.is_plain([b"\xff", bytearray(b"a")], ["/w==", "YQ=="])

    def test_langgraph(self):
        self.is_plain([Message("ai", "hi", "m1", tool_calls=[{"id": "c"}]), Interrupt({"q": 1}, "a" * 32), Send("n", {"x": {1}})],
                      [{"content": "hi", "additional_kwargs": {}, "response_metadata": {}, "type": "ai", "name": None, "id": "m1",
                        "tool_calls": [{"id": "c"}]}, {"value": {"q": 1}, "id": "a" * 32}, {"node": "n", "arg": {"x": [1]}}])

    def test_half_a_pair(self):
        # A model may stream half of an emoji; UTF-8 cannot carry it.
        text = plain.dumps(["a\ud83d", {"\ud83d": 1}, "\U0001f600"])
        self.assertEqual(json.loads(text.encode()), ["a?", {"?": 1}, "\U0001f600"])

    def test_a_circle_is_an_error_with_words(self):
        x = []
        x.append(x)
        with self.assertRaisesRegex(ValueError, "deeper than 200"):
            plain.dumps(x)


if __name__ == "__main__":
    unittest.main()
