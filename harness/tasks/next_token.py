"""Greedy next tokens after short random contexts.

Source: after Nikolic et al. 2025, who compare two models by the tokens they put after short random prompts; contexts,
words and the comparison with controls are ours.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from harness.files.find import content_digest, file_faults, find_file
from harness.keys import digest, place
from harness.tasks import AbstractTask, Setting
from harness.types import DistillbenchError, Message, Prompt, Request, RequestSet

_MARKS = (",", ".", ";", ":", "?", "!", " -")
_MARKED, _NUMBER = 0.2, 0.1  # share of words followed by a mark, and of numbers in place of a word
_PATIENCE = 20  # draws per context before an inventory counts as too small


@final
@dataclass(frozen=True)
class NextTokenTask(AbstractTask):
    """Contexts without meaning, so that the next token shows habits rather than knowledge."""

    # words between white space; relative to a folder of tasks, or to paths.data
    file: str = place("next_token/words.txt")
    contexts: int = 400  # how many
    shortest: int = 2  # words of a context; differences between models fade as contexts grow
    longest: int = 8  # the same of the longest

    def __post_init__(self) -> None:
        if self.contexts < 1:
            raise DistillbenchError(f"key contexts: expected 1 or more, got {self.contexts}")
        if not 1 <= self.shortest <= self.longest:
            raise DistillbenchError(
                f"keys shortest and longest: expected 1 <= shortest <= longest, got {self.shortest} and {self.longest}"
            )

    def contents(self, setting: Setting) -> Mapping[str, str]:
        """The words."""
        return {"file": content_digest(self.file, setting.paths)}

    def faults(self, setting: Setting) -> list[str]:
        """A file that is not there."""
        return [f"task {self.name}: {fault}" for fault in file_faults(self.file, setting.paths)]

    def requests(self, setting: Setting) -> RequestSet:
        """One greedy token per context."""
        path = find_file(self.file, setting.paths)
        words = list(dict.fromkeys(path.read_text(encoding="utf-8").split()))
        if len(words) < 2:
            raise DistillbenchError(
                f"task {self.name}: expected two or more different words in {path}, got {words}"
            )
        drawn = self._distinct(words, random.Random(f"next tokens {setting.seed}"))
        contexts = drawn[: setting.limit]
        ids = [digest(self.name, text) for text in contexts]
        return RequestSet(
            task=self.name,
            prompts=tuple(Prompt(i, text, i, "") for i, text in zip(ids, contexts, strict=True)),
            requests=tuple(
                Request(
                    n,
                    "generate",
                    (Message("user", text),) if setting.chat else text,
                    max_new_tokens=1,
                    temperature=0.0,
                )
                for n, text in enumerate(contexts)
            ),
            chat=setting.chat,
            version=content_digest(self.file, setting.paths)[:12],
            yields=("next_token",),
        )

    def _distinct(self, words: Sequence[str], rng: random.Random) -> list[str]:
        """As many different contexts as are asked for."""
        contexts: dict[str, None] = {}
        for _ in range(self.contexts * _PATIENCE):
            contexts.setdefault(
                " ".join(_pieces(words, rng.randint(self.shortest, self.longest), rng))
            )
            if len(contexts) == self.contexts:
                return list(contexts)
        raise DistillbenchError(
            f"task {self.name}: expected {self.contexts} different contexts, got {len(contexts)} from {len(words)} "
            "words; give more words, longer contexts, or fewer of them"
        )


def _pieces(words: Sequence[str], length: int, rng: random.Random) -> Iterator[str]:
    """Words and numbers, some with a mark behind them."""
    for _ in range(length):
        word = str(rng.randrange(1000)) if rng.random() < _NUMBER else rng.choice(words)
        yield word + (rng.choice(_MARKS) if rng.random() < _MARKED else "")
