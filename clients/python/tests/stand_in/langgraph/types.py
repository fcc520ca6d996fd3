from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

StreamMode = Literal["values", "updates", "checkpoints", "tasks", "debug", "messages", "custom"]


@dataclass
class Interrupt:
    value: Any
    id: str


class Send:
    __slots__ = ("node", "arg")

    def __init__(self, node, arg):
        self.node, self.arg = node, arg

    def __eq__(self, other):
        return isinstance(other, Send) and (self.node, self.arg) == (other.node, other.arg)


@dataclass
class Command:
    graph: Any = None
    update: Any = None
    resume: Any = None
    goto: Any = ()


class StateUpdate(NamedTuple):
    values: dict | None
    as_node: str | None = None
    task_id: str | None = None


class PregelTask(NamedTuple):
    id: str
    name: str
    path: tuple
    error: Exception | None = None
    interrupts: tuple = ()
    state: Any = None
    result: Any = None


class StateSnapshot(NamedTuple):
    values: dict
    next: tuple
    config: dict
    metadata: dict | None
    created_at: str | None
    parent_config: dict | None
    tasks: tuple
    interrupts: tuple = ()
