"""transformers' cache of keys and values, as it is handed to a model: to be read, or to be written to step by step.

transformers' own copies everything at each step, to put one token behind it: on a CPU that took longer than all else.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_ROOM = 128  # tokens for which there is room when a layer has to be copied

Layers = list[tuple["torch.Tensor", "torch.Tensor"]]  # keys and values (rows, heads, tokens, size)


def appended_in_a_copy(layers: Layers) -> Any:
    """A cache with these keys and values, which stay as they are."""
    from transformers.cache_utils import DynamicLayer

    return _filled(DynamicLayer, layers)


def written_in_place(layers: Layers) -> Any:
    """A cache that begins with a copy of these keys and values; the model appends to it, step by step."""
    return _filled(_roomy(), layers)


def _filled(kind: type[Any], layers: Layers) -> Any:
    from transformers.cache_utils import DynamicCache

    made: Any = DynamicCache()
    made.layer_class_to_replicate = kind
    for keys, values in layers:
        layer = kind()
        layer.lazy_initialization(keys, values)
        layer.keys, layer.values = keys, values
        made.layers.append(layer)
    return made


@cache
def _roomy() -> type[Any]:
    from transformers.cache_utils import DynamicLayer

    class RoomyLayer(DynamicLayer):  # type: ignore[misc]
        """Keys and values that are the beginning of larger tensors."""

        keys: torch.Tensor
        values: torch.Tensor
        room: Sequence[torch.Tensor] = ()  # `keys` and `values` with room behind them

        def update(
            self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
        ) -> tuple[torch.Tensor, torch.Tensor]:
            new = (key_states, value_states)
            if not self.is_initialized:
                self.lazy_initialization(*new)
            n = self.get_seq_length()
            end = n + key_states.shape[-2]
            if not self.room or end > self.room[0].shape[-2]:
                old = (self.keys, self.values)
                self.room = [
                    _with_room(*pair, n, end + _ROOM) for pair in zip(old, new, strict=True)
                ]
            for part, states in zip(self.room, new, strict=True):
                part[:, :, n:end] = states
            self.keys, self.values = (part[:, :, :end] for part in self.room)
            return self.keys, self.values

        def batch_select_indices(self, indices: torch.Tensor) -> None:
            if not self.room:
                super().batch_select_indices(indices)
                return
            n = self.get_seq_length()
            self.room = [part[indices] for part in self.room]
            self.keys, self.values = (part[:, :, :n] for part in self.room)

    return RoomyLayer


def _with_room(old: torch.Tensor, new: torch.Tensor, n: int, length: int) -> torch.Tensor:
    """(rows, heads, length, size): the `n` tokens of `old`, and room for those of `new` and others."""
    made = new.new_empty((*new.shape[:2], length, new.shape[-1]))
    if n:
        made[:, :, :n] = old
    return made
