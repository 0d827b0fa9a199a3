"""What models wrote: the first answer of every side to the prompts that all of them answered, cleaned."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from harness.panel import reasons
from harness.panel.panel import Panel
from harness.panel.prompts import Aligned, share
from harness.panel.side import Side, once
from harness.text.clean import clean
from harness.text.cut import MOST_CUT, Ending, ending, settle
from harness.text.segment import Reading, read
from harness.text.thoughts import Tags
from harness.text.tokens import Tokens, read_tokens
from harness.types import Ints, Outputs, RequestSet, Unavailable

WHOLE = "prompts on which no answer is cut off"
Brief = Annotated[
    NDArray[np.uint8], "n"
]  # of each reply its ending, and whether it stands as it came
_ENDINGS: tuple[Ending, ...] = get_args(Ending)
_STORED = "read replies, stored"
Part = Literal["answer", "trace"]  # what a model says, and what it thinks aloud before
PROMPTS_OF: Mapping[Part, str] = MappingProxyType(
    {"answer": "prompts", "trace": "prompts with a whole trace"}
)


class Reply(NamedTuple):
    """One answer."""

    text: str  # as `text/clean` makes it
    trace: str  # what the model thought aloud before it
    stored: str  # as it came
    stop: str  # "eos", "length", "stop", "unknown"
    ending: Ending = "complete"  # "looks cut" where that is a guess
    is_open: bool = False  # the trace has no end, so that nothing was said

    @property
    def is_cut(self) -> bool:
        """Whether it ends before it is complete, as far as can be told."""
        return self.ending in ("cut", "looks cut")


@once
def replies(side: Side) -> dict[str, Reply]:
    """Prompt.id -> answer, for prompts that the side answered (first request, first repeat)."""
    brief = side.memo.get((in_brief.__qualname__,))
    if brief is not None:
        return _replies_again(side.requests, side.outputs, brief)
    return replies_of(side.requests, side.outputs)


def replies_of(asked: RequestSet, outputs: Outputs) -> dict[str, Reply]:
    """The same of any sample of the requests."""
    stored = _stored(asked, outputs)
    given = {i: _reply(text, stop, asked.think) for i, (text, stop) in stored.items()}
    ended = settle([reply.ending for reply in given.values()])
    return {i: r._replace(ending=end) for (i, r), end in zip(given.items(), ended, strict=True)}


def in_brief(given: Mapping[str, Reply]) -> Brief:
    """What was found out of the replies (n,) of `replies_of`, in their order: enough to make them again in no time."""
    plain = (Reply(r.stored, "", r.stored, r.stop, r.ending) == r for r in given.values())
    codes = [
        _ENDINGS.index(r.ending) + (0 if as_it_came else len(_ENDINGS))
        for r, as_it_came in zip(given.values(), plain, strict=True)
    ]
    return np.array(codes, dtype=np.uint8)


def remember_brief(side: Side, brief: Brief) -> None:
    """Gives a side what was found out of its replies before."""
    side.memo[in_brief.__qualname__,] = brief


def _replies_again(asked: RequestSet, outputs: Outputs, brief: Brief) -> dict[str, Reply]:
    """The replies of `replies_of`, of which this is known in brief."""
    given: dict[str, Reply] = {}
    known = zip(_stored(asked, outputs).items(), brief.tolist(), strict=True)
    for (i, (text, stop)), code in known:
        end, as_it_came = _ENDINGS[code % len(_ENDINGS)], code < len(_ENDINGS)
        given[i] = (
            Reply(text, "", text, stop, end) if as_it_came else _reply(text, stop, asked.think, end)
        )
    return given


def _reply(text: str, stop: str, think: Tags, end: Ending | None = None) -> Reply:
    """What stands in a stored answer; end: how it ends, where that is known."""
    cleaned = clean(text, think)
    end = end or ending(cleaned.text, stop, is_open=cleaned.is_open)
    return Reply(cleaned.text, cleaned.trace, text, stop, end, cleaned.is_open)


def _stored(asked: RequestSet, outputs: Outputs) -> dict[str, tuple[str, str]]:
    """Prompt.id -> what came as the first answer, and its stop."""
    given = {}
    for index, text, stop in zip(outputs.request.tolist(), outputs.text, outputs.stop, strict=True):
        request = asked.requests[index]
        first = request.kind == "generate" and request.slot == 0 and request.repeat == 0
        if first and text is not None:
            given[asked.prompts[request.prompt].id] = (text, stop or "unknown")
    return given


@once
def traces(side: Side) -> dict[str, Reply]:
    """Prompt.id -> what the side thought aloud, for prompts on which it did and came to an end."""
    return {
        i: reply._replace(text=reply.trace, trace="", ending="complete")
        for i, reply in replies(side).items()
        if reply.trace and not reply.is_open
    }


def parts_of(side: Side, part: Part) -> dict[str, Reply]:
    """Prompt.id -> a part of what the side wrote."""
    return replies(side) if part == "answer" else traces(side)


@once
def reading(side: Side) -> Reading:
    """All answers of `replies` as words and counts, in the order of prompt ids."""
    given = replies(side)
    return read([given[i].text for i in sorted(given)])


class ReadReplies(NamedTuple):
    """All answers of `replies` as attribution reads them; stored, so that no text is cleaned again."""

    prompts: tuple[str, ...]  # ids, sorted
    tokens: Tokens  # of the texts, in this order
    n_written: int  # texts that are not empty


@once
def read_replies(side: Side) -> ReadReplies:
    """The answers of a side, read."""
    stored: Callable[[], ReadReplies] | None = side.memo.get((_STORED,))
    return stored() if stored else read_given(replies(side))


@once
def n_written(side: Side) -> int:
    """How many of a side's answers are not empty."""
    return read_replies(side).n_written


def read_given(given: Mapping[str, Reply]) -> ReadReplies:
    """The same of any sample."""
    ids = tuple(sorted(given))
    texts = [given[i].text for i in ids]
    return ReadReplies(ids, read_tokens(texts), sum(bool(t.strip()) for t in texts))


def remember_replies(side: Side, n: int, read_again: Callable[[], ReadReplies]) -> None:
    """Tells a side how many of its answers are not empty, and how to have what was read of them before."""
    side.memo[n_written.__qualname__,] = n
    side.memo[_STORED,] = read_again


def has_reading(side: Side) -> bool:
    """Whether the `reading` of a side's answers is there."""
    return (reading.__qualname__,) in side.memo


def remember_reading(side: Side, made: Reading) -> None:
    """Gives a side the `reading` that was made of its answers before."""
    side.memo[reading.__qualname__,] = made


@dataclass(frozen=True, eq=False)
class Texts:
    """One side's answers to P prompts: the same object whenever the same side and prompts are asked for."""

    ids: tuple[str, ...]  # (P,)
    replies: tuple[Reply, ...]  # (P,)
    side: Side | None = None  # who wrote them, perhaps among others
    part: Part = "answer"

    @cached_property
    def reading(self) -> Reading:
        """The texts as words and counts."""
        if self.side is None or self.part == "trace":
            return read(self.texts)
        every = sorted(replies(self.side))
        if len(every) == len(self.ids):
            return reading(self.side)
        row = {i: n for n, i in enumerate(every)}
        return reading(self.side).of(np.array([row[i] for i in self.ids], dtype=np.int64))

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The answers themselves (P,)."""
        return tuple(r.text for r in self.replies)

    @property
    def n_words(self) -> Ints:
        """Words of every answer (P,)."""
        return self.reading.n_words

    @cached_property
    def is_cut(self) -> NDArray[np.bool_]:
        """Whether an answer ends before it is complete (P,)."""
        return np.array([r.is_cut for r in self.replies], dtype=np.bool_)


@once
def some_texts(side: Side, ids: tuple[str, ...], part: Part = "answer") -> Texts:
    """A side's answers to these prompts, all of which it answered, or its traces."""
    given = parts_of(side, part)
    return Texts(ids, tuple(given[i] for i in ids), side, part)


@dataclass(frozen=True)
class AlignedTexts(Aligned[Texts]):
    """Answers of the sides of a panel to the same prompts."""

    @property
    def taught(self) -> tuple[Texts, ...]:
        """The teacher's one or two samples."""
        second = self.get("second")
        return (self["teacher"], second) if second else (self["teacher"],)


def align_texts(panel: Panel, part: Part = "answer") -> AlignedTexts:
    """Answers of everyone on the prompts that all of them answered; see `share` for what is raised."""
    shared = share(panel, lambda side: parts_of(side, part), PROMPTS_OF[part])
    return AlignedTexts(
        shared.prompts,
        *shared.each(lambda side: some_texts(side, shared.ids, part)),
        shared.lineages,
        shared.left_out,
    )


def cut_off(texts: Sequence[Texts]) -> str:
    """Why lengths and endings of a model's answers, one entry per task, mean nothing; "" where they do."""
    n, of = sum(int(t.is_cut.sum()) for t in texts), sum(len(t.ids) for t in texts)
    if n <= MOST_CUT * of:
        return ""
    side = texts[0].side
    n_guessed = sum(reply.ending == "looks cut" for t in texts for reply in t.replies)
    return reasons.cut_off(n, of, side.model if side else "", n_guessed)


def cut_off_any(texts: Iterable[Texts]) -> str:
    """The same of the first of several models for which it holds."""
    return next(filter(None, (cut_off([own]) for own in texts)), "")


def whole_rows(texts: Collection[Texts], minimum: int) -> Ints:
    """Rows (R,) of the prompts on which nobody's answer is cut: those that lengths and endings are told from.

    Raises Unavailable where they are fewer than `minimum`, or somebody is cut too often.
    """
    if why := cut_off_any(texts):
        raise Unavailable(why)
    cut = np.any([own.is_cut for own in texts], axis=0)
    rows = np.flatnonzero(~cut)
    reasons.require(len(rows), minimum, WHOLE, of=len(cut))
    return rows


def long_enough(everyone: AlignedTexts, shortest: int, minimum: int) -> Ints:
    """Rows (R,) of the prompts on which every sample of the teacher has at least `shortest` words.

    Raises Unavailable where they are fewer than `minimum`, or than two.
    """
    rows = np.flatnonzero(np.min([t.n_words for t in everyone.taught], axis=0) >= shortest)
    what = f"prompts on which the teacher's replies have {shortest} words or more"
    reasons.require(len(rows), max(minimum, 2), what, of=len(everyone.ids))
    return rows
