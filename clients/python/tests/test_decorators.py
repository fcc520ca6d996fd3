import asyncio
import dataclasses
import enum
import sys
import types
import typing
import unittest
from typing import Annotated, Any, Literal, Optional, TypedDict

from cohort_worker import schema
from cohort_worker import decorators


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Place:
    city: str
    floor: int = 0


class Row(TypedDict):
    a: int
    b: typing.NotRequired[str]


class Model:
    """As pydantic's."""

    def __init__(self, v):
        self.v = v

    @classmethod
    def model_json_schema(cls):
        return {"type": "object", "title": "Model"}

    @classmethod
    def model_validate(cls, v):
        return cls(v)


class Schemas(unittest.TestCase):
    def test_types(self):
        for t, expected in (
                (str, {"type": "string"}), (int, {"type": "integer"}), (float, {"type": "number"}), (bool, {"type": "boolean"}), (Any, {}),
                (list, {"type": "array"}), (list[int], {"type": "array", "items": {"type": "integer"}}), (tuple[str, ...], {"type": "array", "items": {"type": "string"}}),
                (dict, {"type": "object"}), (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
                (Optional[int], {"type": ["integer", "null"]}), (int | str, {"type": ["integer", "string"]}),
                (list[int] | None, {"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]}),
                (Literal["a", 1], {"enum": ["a", 1]}), (Color, {"enum": ["red", "blue"]}), (Annotated[int, "cents"], {"type": "integer", "description": "cents"}),
                (Place, {"type": "object", "properties": {"city": {"type": "string"}, "floor": {"type": "integer"}}, "required": ["city"]}),
                (Model, {"type": "object", "title": "Model"})):
            self.assertEqual(schema.of_type(t), expected, t)
        self.assertEqual(schema.of_type(Row)["required"], ["a"])
        with self.assertRaisesRegex(TypeError, "has no JSON schema"):
            schema.of_type(object())

    def test_functions(self):
        def charge(cents: int, to: Place, note: str = "", *, ctx) -> str:
            """Takes money.

            Twice a day at most.

            Args:
                cents: How much.
                note (str): For the bill.

            Returns:
                A receipt.
            """
        s = schema.of_function(charge)
        self.assertEqual(list(s["properties"]), ["cents", "to", "note"])
        self.assertEqual(s["properties"]["cents"], {"type": "integer", "description": "How much."})
        self.assertEqual(s["properties"]["note"], {"type": "string", "description": "For the bill.", "default": ""})
        self.assertEqual(s["required"], ["cents", "to"])
        self.assertEqual(schema.words(charge), "Takes money.\n\nTwice a day at most.")
        self.assertEqual(schema.of_function(lambda: None), {"type": "object", "properties": {}})

    def test_arguments(self):
        def f(color: Color, place: Place, many: list[Place], model: Model, maybe: Optional[Place] = None, x: float = 1, free=None):
            pass
        a = schema.arguments(f, {"color": "red", "place": {"city": "x"}, "many": [{"city": "y", "floor": 2}], "model": 5, "x": 3, "free": [1], "more": 1})
        self.assertEqual((a["color"], a["place"], a["many"], a["model"].v, a["x"], a["free"]),
                         (Color.RED, Place("x"), [Place("y", 2)], 5, 3.0, [1]))
        self.assertNotIn("more", a, "what the function does not take")
        self.assertEqual(type(a["x"]), float)


class Decorators(unittest.TestCase):
    def setUp(self):
        old, decorators.REGISTRY = decorators.REGISTRY, decorators.Registry()
        self.addCleanup(setattr, decorators, "REGISTRY", old)

    def test_facts(self):
        @decorators.node
        def enrich(state, ctx):
            "Looks a customer up."

        @decorators.tool(timeout=30, idempotent=True, name="pay")
        def charge(cents: int):
            pass

        @decorators.agent(description="Helps", state={"type": "object"})
        async def helper(state):
            pass
        r = decorators.REGISTRY
        self.assertEqual(r.nodes["enrich"].facts, {"name": "enrich", "description": "Looks a customer up."})
        self.assertEqual(r.tools["pay"].facts, {"name": "pay", "timeout_s": 30, "idempotent": True, "description": "",
                                                "schema": {"type": "object", "properties": {"cents": {"type": "integer"}}, "required": ["cents"]}})
        self.assertEqual(r.agents["helper"].facts, {"id": "helper", "description": "Helps", "schemas": {"state": {"type": "object"}}})
        self.assertIsNone(enrich(1, 2), "still a function")

    def test_a_tool_of_langchain(self):
        class Tool:
            """What BaseTool publishes of itself."""
            name, description, args = "search_web", "Searches.", {"q": {"type": "string"}}
            tool_call_schema = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}

            async def ainvoke(self, given):
                return f"found {given['q']}"
        t = Tool()
        self.assertIs(decorators.tool(t), t)
        of = decorators.REGISTRY.tools["search_web"]
        self.assertEqual(of.facts, {"name": "search_web", "description": "Searches.", "schema": Tool.tool_call_schema})
        ctx = types.SimpleNamespace(task={"args": {"q": "bees"}})
        self.assertEqual(asyncio.run(sys.modules["cohort_worker.serve"].run_tool(of.fn, ctx)), "found bees")

    def test_what_is_refused(self):
        with self.assertRaisesRegex(ValueError, "letters, digits"):
            decorators.tool(name="a b")(lambda: 1)
        with self.assertRaisesRegex(ValueError, "no __"):
            decorators.tool(name="a__b")(lambda: 1)
        with self.assertRaisesRegex(ValueError, "seconds above 0"):
            decorators.node(timeout=0)(lambda: 1)
        with self.assertRaisesRegex(TypeError, "not a function"):
            decorators.node(5)
        with self.assertRaisesRegex(TypeError, "not a tool of LangChain"):
            decorators.tool(5)
        with self.assertRaisesRegex(TypeError, r"bad\(x\): .* has no JSON schema"):
            def bad(x: object):
                pass
            decorators.tool(bad)

    def test_names_are_one_each(self):
        def a(s):
            pass

        def b(s):
            pass
        decorators.node(name="x")(a)
        decorators.node(name="x")(a)
        with self.assertRaisesRegex(ValueError, "two nodes are named x"):
            decorators.node(name="x")(b)
        with self.assertRaisesRegex(ValueError, "one space of names"):
            decorators.agent(name="x")(b)


if __name__ == "__main__":
    unittest.main()
