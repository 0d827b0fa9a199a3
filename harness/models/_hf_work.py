"""What a model in memory has done: tokens that went through it, and where its seconds went."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class Work:
    """Counts for one model; `tokens_in_s` and `tokens_out_s` include the head."""

    def __init__(self, model: Any) -> None:
        self._spent: defaultdict[str, float] = defaultdict(float)
        self._since = 0.0
        head = model.get_output_embeddings()
        self._hooks = [model.register_forward_pre_hook(self._count, with_kwargs=True)]
        if head is not None:
            self._hooks += [
                head.register_forward_pre_hook(self._begin_head),
                head.register_forward_hook(self._end_head),
            ]

    def spent(self) -> Mapping[str, float]:
        """forward_tokens, as they reach the model, padding included; and seconds by name. All since it was loaded."""
        return dict(self._spent)

    @contextmanager
    def timing(self, name: str) -> Iterator[None]:
        """Inside, seconds go to this name."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._spent[name] += time.perf_counter() - started

    def close(self) -> None:
        """Leaves the model as it was."""
        for hook in self._hooks:
            hook.remove()

    def _count(self, _: Any, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        ids = options["input_ids"] if "input_ids" in options else args[0]
        self._spent["forward_tokens"] += ids.numel()

    def _begin_head(self, *_: Any) -> None:
        self._since = time.perf_counter()

    def _end_head(self, *_: Any) -> None:
        self._spent["head_s"] += time.perf_counter() - self._since
