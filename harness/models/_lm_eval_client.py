"""lm-eval's API clients, asked so that answers arrive one by one, with the server's name for the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Any, NamedTuple

from harness.keys import canonical

# stands for a response without a text, of which lm-eval makes an empty answer or a word of its own
NO_TEXT = "\x00 no text \x00"


class Arrival(NamedTuple):
    """An answer, and the index of the request that it answers."""

    request: int
    answer: Any


@dataclass(frozen=True)
class _Hook:
    """Takes the place of lm-eval's cache, so that it receives every answer on arrival."""

    hear: Callable[[tuple[str, Any]], None]

    def add_partial(self, attr: str, req: Iterable[Any] | None, res: Any) -> None:
        """Passes an answer on; parts of an answer have no request and are ignored."""
        if req is not None:
            self.hear((canonical(list(req)), res))


def arrivals(
    client: Any, asked: Sequence[Sequence[Any]], call: Callable[[], Sequence[Any]]
) -> Iterator[Arrival]:
    """Answers in the order in which they come, each once, while `call` still waits for others.

    Nothing further is asked until the caller comes back for the next answer, that is, until it has stored this one: a
    kill loses the requests that are under way and no others, however slow the disk is.
    `asked` has lm-eval's arguments of every request; `call` makes `client` answer all of them, in a thread of its own,
    and returns the answers, or as many as it has: answers that did not pass the hook are taken from there.
    """
    waiting: dict[str, list[int]] = {}
    for index, arguments in enumerate(asked):
        waiting.setdefault(canonical(list(arguments)), []).append(index)
    came: SimpleQueue[tuple[str, Any] | None] = SimpleQueue()
    stored = Semaphore(0)
    returned: list[Any] = []

    def hand_over(item: tuple[str, Any]) -> None:
        """Passes an answer on, and waits until it is stored."""
        came.put(item)
        stored.acquire()

    def ask() -> None:
        """Calls lm-eval in a thread of its own; None in the queue says that the call ended."""
        try:
            returned.extend(call())
        finally:
            came.put(None)

    client.set_cache_hook(_Hook(hand_over))
    Thread(target=ask, name="lm-eval's client", daemon=True).start()
    try:
        while (item := came.get()) is not None:
            if indices := waiting.get(item[0]):
                yield Arrival(indices.pop(0), item[1])
            stored.release()
    finally:
        stored.release(len(asked) + 1)  # a caller that stopped listening holds nothing up
    for index in sorted(i for indices in waiting.values() for i in indices if i < len(returned)):
        yield Arrival(index, returned[index])


def hear_names(client: Any, hear: Callable[[str], None]) -> None:
    """Tells `hear` the name by which the server calls the model in each of its responses."""
    for method in ("parse_generations", "parse_logprobs"):
        setattr(client, method, _listening(getattr(client, method), hear))


def _listening(parse: Callable[..., Any], hear: Callable[[str], None]) -> Callable[..., Any]:
    def parse_and_hear(*, outputs: Any, **options: Any) -> Any:
        """What lm-eval's own method returns, after telling the name that each response gives its model."""
        for response in outputs if isinstance(outputs, list) else [outputs]:
            if isinstance(response, dict) and isinstance(response.get("model"), str):
                hear(response["model"])
        parsed = parse(outputs=outputs, **options)
        silent = isinstance(outputs, dict) and not _has_text(outputs)
        return [
            NO_TEXT if answer is None or (silent and answer == "") else answer for answer in parsed
        ]

    return parse_and_hear


def _has_text(response: Mapping[str, Any]) -> bool:
    """Whether a response has a text somewhere, were it an empty one."""
    choices = response.get("choices", response.get("content")) or ()
    messages = (c.get("message") or c for c in choices if isinstance(c, dict))
    return any("text" in m or m.get("content") is not None for m in messages)
