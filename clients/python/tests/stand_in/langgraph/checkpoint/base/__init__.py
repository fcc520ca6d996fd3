"""BaseCheckpointSaver as langgraph-checkpoint publishes it."""
import copy
from typing import Any, Generic, NamedTuple, TypeVar

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

V = TypeVar("V", int, float, str)
WRITES_IDX_MAP = {"__error__": -1, "__scheduled__": -2, "__interrupt__": -3, "__resume__": -4}
EXCLUDED_METADATA_KEYS = {"thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map", "langgraph_step", "langgraph_node",
                          "langgraph_triggers", "langgraph_path", "langgraph_checkpoint_ns"}


class CheckpointTuple(NamedTuple):
    config: dict
    checkpoint: dict
    metadata: dict
    parent_config: dict | None = None
    pending_writes: list | None = None


def get_checkpoint_metadata(config, metadata):
    metadata = dict(metadata)
    for obj in (config.get("metadata"), config.get("configurable")):
        for key, v in (obj or {}).items():
            if key not in metadata and key not in EXCLUDED_METADATA_KEYS and not key.startswith("__") \
                    and isinstance(v, (str, int, bool, float)):
                metadata[key] = v
    return metadata


class BaseCheckpointSaver(Generic[V]):
    serde = JsonPlusSerializer()

    def __init__(self, *, serde=None):
        self.serde = serde or self.serde

    @property
    def config_specs(self):
        return []

    def get(self, config):
        if value := self.get_tuple(config):
            return value.checkpoint

    async def aget(self, config):
        if value := await self.aget_tuple(config):
            return value.checkpoint

    def get_tuple(self, config):
        raise NotImplementedError

    def list(self, config, *, filter=None, before=None, limit=None):
        raise NotImplementedError

    def put(self, config, checkpoint, metadata, new_versions):
        raise NotImplementedError

    def put_writes(self, config, writes, task_id, task_path=""):
        raise NotImplementedError

    def delete_thread(self, thread_id):
        raise NotImplementedError

    def get_next_version(self, current: Any, channel: Any) -> Any:
        return 1 if current is None else current + 1

    def with_allowlist(self, extra):
        return copy.copy(self)

    # The published default: it walks the parents by get_tuple.
    def get_delta_channel_history(self, *, config, channels):
        target = self.get_tuple(config)
        if target is None:
            return {ch: {"writes": []} for ch in channels}
        out, remaining = {ch: {"writes": []} for ch in channels}, set(channels)
        cursor = target.parent_config
        while cursor is not None and remaining:
            tup = self.get_tuple(cursor)
            if tup is None:
                break
            for ch in list(remaining):
                out[ch]["writes"][:0] = [w for w in tup.pending_writes or [] if w[1] == ch]
                if ch in tup.checkpoint["channel_values"]:
                    out[ch]["seed"] = tup.checkpoint["channel_values"][ch]
                    remaining.discard(ch)
            cursor = tup.parent_config
        return out
