"""The base of adapters: loaded once, given to one model after another, and given back as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from harness.models._kept import give_back

# what a kind of adapter that cannot be taken out raises
_FIXED = (AttributeError, RuntimeError, ValueError, TypeError, KeyError, NotImplementedError)


@dataclass(frozen=True)
class Base:
    """A checkpoint in memory without an adapter, as it was loaded."""

    place: Hashable  # what it was loaded from
    model: Any
    state: tuple[Any, ...]  # tells whether it is as it was loaded

    @classmethod
    def of(cls, place: Hashable, model: Any) -> Base:
        """The base, on its device."""
        return cls(place, model, _state(model))

    def give_back(self, adapted: Any | None) -> None:
        """Keeps it for the next model, without the adapter (a PeftModel or None); not where a trace of it is left."""
        if adapted is not None:
            with contextlib.suppress(*_FIXED):
                adapted.unload()
        if _state(self.model) == self.state:
            give_back(self.place, self)


def _state(model: Any) -> tuple[Any, ...]:
    """Everything of a model that an adapter may change: its modules, hooks, settings, and which tensors it has.

    A tensor counts by its place in memory and by how often it was written to.
    """
    modules = [
        (name, type(m), len(m._forward_hooks), len(m._forward_pre_hooks))
        for name, m in model.named_modules()
    ]
    tensors = [
        (name, t.data_ptr(), tuple(t.shape), t.dtype, t.device, t._version)
        for name, t in (*model.named_parameters(), *model.named_buffers())
    ]
    beside = "peft_config" in vars(model)  # an adapter that finds it is put beside others
    return (
        modules,
        tensors,
        beside,
        model.config.to_json_string(),
        model.generation_config.to_json_string(),
    )
