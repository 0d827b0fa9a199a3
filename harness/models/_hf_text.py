"""Text to token ids: what the tokenizer adds, and where a context ends.

Differs from lm-eval 0.4.13 (models/huggingface.py, api/model.py) where its ids are not those that a model is used
with: nothing is put behind a text (a tokenizer saved with `add_eos_token` ends every context there), a conversation
that a chat template has written gets no second beginning, as `apply_chat_template(tokenize=True)` does it, and a whole
text is read after one beginning (there a tokenizer that adds one has two, the second of which counts as text).
Options of lm-eval's tasks are scored as there: in chat the white space that a template ends with is moved to the
option. It is the same for all options of a question, so the likeliest stays the likeliest; `acc_norm` divides it by
each option's length. Texts that are read (`read_pair`) have no such bar, and are cut where the template ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.keys import digest
from harness.types import DistillbenchError

_PROBES = ("Name a colour.", "7", "an end\n")


@dataclass(frozen=True)
class Context:
    """What stands before the text that is wanted."""

    text: str
    rendered: bool  # written by a chat template, which puts every special token itself


@dataclass(frozen=True)
class Speller:
    """A tokenizer, with what it puts around a text and the number of tokens that the model knows."""

    name: str  # the configuration's name of the model, for messages
    tokenizer: Any
    before: tuple[int, ...]  # token ids that it puts before a text
    behind: tuple[int, ...]  # token ids that it would put behind one: left out
    prefix_id: int  # precedes texts that have no context
    n_rows: int  # rows of the model's embedding
    # token ids of the last context: the options of a question have the same
    last: dict[Context, list[int]] = field(default_factory=dict, compare=False, repr=False)

    def encode(self, context: Context) -> list[int]:
        """Token ids; what the tokenizer puts before a text precedes it unless it is there.

        Raises DistillbenchError for a token that the model has no row for.
        """
        ids = self._bare(context.text)
        opening = "".join(self.tokenizer.convert_ids_to_tokens(list(self.before)))
        begins = context.rendered or (opening and context.text.startswith(opening))
        return ids if begins else [*self.before, *ids]

    def encode_pair(self, context: Context, continuation: str) -> tuple[list[int], list[int]]:
        """Token ids of context and continuation, cut where the context's own tokens end.

        White space at the context's end goes to the continuation: most tokenizers join it to the word that follows.
        Where a token spans the boundary, it goes to the continuation as well. Something always stands before the
        continuation: the token that precedes texts without a context, if nothing else is left.
        """
        if not context.text.strip():
            ids = self._bare(context.text + continuation)
            return (ids[:1], ids[1:]) if ids[:1] == [self.prefix_id] else ([self.prefix_id], ids)
        whole = self.encode(Context(context.text + continuation, context.rendered))
        n = _n_common(self._start(context), whole)
        return whole[:n] or [self.prefix_id], whole[n:]

    def read_pair(self, context: Context, text: str, blank: str) -> tuple[list[int], list[int]]:
        """Token ids of a conversation that a chat template has closed, and of the reply behind it.

        The context's are those that the model is asked with. The reply's are those behind them when the template
        renders both, or its own where they would join a token of the context. `blank`: what the template puts before
        a reply that does not begin with one.
        """
        start = self.encode(context)
        lead = "" if text[:1].isspace() else blank
        whole = self.encode(Context(context.text + lead + text, rendered=True))
        n = len(start)
        return start, whole[n:] if whole[:n] == start else self._bare(text)

    def first_tokens(self, ids: Sequence[int]) -> int:
        """How many ids at the start of a context are its beginning rather than its text: they survive a cut."""
        if self.before and tuple(ids[: len(self.before)]) == self.before:
            return len(self.before)
        return int(bool(ids) and ids[0] in (self.tokenizer.bos_token_id, self.prefix_id))

    def vocabulary(self) -> str:
        """Digest of (token, id) pairs: two models' token ids mean the same where it is equal."""
        return digest(sorted(self.tokenizer.get_vocab().items()))

    def token(self, index: int) -> str:
        """The token as its tokenizer writes it."""
        return str(self.tokenizer.convert_ids_to_tokens([index])[0])

    def _start(self, context: Context) -> list[int]:
        """Token ids of a context without the white space at its end."""
        if context not in self.last:
            self.last.clear()
            self.last[context] = self.encode(Context(context.text.rstrip(), context.rendered))
        return self.last[context]

    def _bare(self, text: str) -> list[int]:
        ids = list(self.tokenizer.encode(text, add_special_tokens=False))
        if ids and max(ids) >= self.n_rows:
            raise DistillbenchError(
                f"model {self.name}: token {self.token(max(ids))} (id {max(ids)}) has no row in the embedding "
                f"({self.n_rows} rows); it was added to the tokenizer after training: save the tokenizer that the "
                "model was trained with, or resize the embedding and train it"
            )
        return ids


def make_speller(name: str, tokenizer: Any, n_rows: int) -> Speller:
    """The speller of a loaded tokenizer; what it adds is found on a few texts.

    Raises DistillbenchError where there is no token to begin with, or special tokens change those of the text.
    """
    prefix = tokenizer.bos_token_id
    prefix = tokenizer.eos_token_id if prefix is None else prefix
    if prefix is None:
        raise DistillbenchError(
            f"model {name}: expected a tokenizer with a beginning- or end-of-sequence token, got neither; "
            "set tokenizer.eos_token and save it"
        )
    around = {_around(tokenizer, text) for text in _PROBES}
    added = around.pop()
    if added is None or around:
        raise DistillbenchError(
            f"model {name}: expected a tokenizer whose special tokens stand before or behind a text, got one that "
            "changes the text's own tokens with them; save the tokenizer that the model was trained with"
        )
    return Speller(name, tokenizer, *added, prefix_id=int(prefix), n_rows=n_rows)


def _around(tokenizer: Any, text: str) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Token ids that the tokenizer puts before and behind a text; None where it changes the text's own."""
    whole = tuple(tokenizer.encode(text))
    bare = tuple(tokenizer.encode(text, add_special_tokens=False))
    for start in range(len(whole) - len(bare) + 1):
        if whole[start : start + len(bare)] == bare:
            return whole[:start], whole[start + len(bare) :]
    return None


def _n_common(first: Sequence[int], second: Sequence[int]) -> int:
    """Number of ids at the start that two sequences share."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(first), len(second)))
