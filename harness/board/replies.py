"""Warnings about prompts and replies that were cut, and about what a program may have left in replies. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.board.record import CollectionRecord, RunRecord
from harness.text.cut import Endings
from harness.text.marks import Counted, Marks, unshared
from harness.types import Pair

_FEW = 3  # replies: fewer of a kind are nobody's program
_FEWEST = 10  # replies from which a shared beginning or end means something
_NEARLY_ALL = 0.9
_QUOTED = 60  # characters
# Graded questions have few answers, and many replies are rightly the same; a text of so many words is not an answer.
_LONG_ANSWER = 10
_ORDINARY_ENDS = " .!?\n"
_CUT = 0.05  # share of a model's replies, and difference of two, above which it is said


@dataclass(frozen=True)
class Replies:
    """One model's replies to one task."""

    model: str
    task: str
    marks: Marks

    def some(self, counted: Counted, share: float) -> bool:
        """Whether so many replies are counted that chance is not the reason."""
        return counted.n >= _FEW and counted.n > share * self.marks.n_said

    def of_all(self, n: int) -> str:
        """The number, of all replies of the model to the task."""
        return f"{n} of {self.marks.n} replies of {self.model} to {self.task}"


def of_answers(record: RunRecord) -> Iterator[str]:
    """Warnings for the page and for the running program."""
    first = [c for c in record.collections if c.sample == 0]
    replies = [Replies(c.model, c.task, c.marks) for c in first if c.marks is not None]
    yield from _cut_prompts(first)
    yield from _cut_replies(first)
    yield from _cut_apart(first, record.pairs)
    yield from _without_stops(first)
    yield from _gathered(
        "empty replies count as 0 words, and as wrong where graded",
        ((r, Counted(r.marks.n_empty)) for r in replies),
    )
    yield from _gathered(
        "what was thought aloud before replies is left out",
        ((r, Counted(r.marks.n_thought)) for r in replies),
    )
    yield from _gathered("end tokens behind replies are cut", ((r, r.marks.ends) for r in replies))
    for of_model in replies:
        yield from _inside(of_model)
        yields = str(record.tasks.get(of_model.task, {}).get("yields", "")).split()
        others = [r for r in replies if r.task == of_model.task and r.model != of_model.model]
        yield from _around(of_model, others) if "style" in yields else ()
        yield from _repeated(of_model, yields)


def _cut_prompts(collections: Sequence[CollectionRecord]) -> Iterator[str]:
    for task in dict.fromkeys(c.task for c in collections):
        cut = [c for c in collections if c.task == task and c.n_cut_prompts]
        if models := dict.fromkeys(f"{c.model} {c.n_cut_prompts} of {c.n_prompts}" for c in cut):
            yield f"{task}: prompts did not fit and were shortened: {', '.join(models)}."


def _cut_replies(collections: Sequence[CollectionRecord]) -> Iterator[str]:
    """Warnings about models many of whose replies end before they are complete, a line per task."""
    tasks: dict[str, dict[str, None]] = {}
    for c in collections:
        if c.endings is not None and c.endings.share > _CUT:
            tasks.setdefault(c.task, {})[_told_cut(c.model, c.endings)] = None
    for task, models in tasks.items():
        yield (
            f"{task}: replies are cut before their end: {', '.join(models)}; lengths and endings are told from the "
            "others (raise max_new_tokens where that cut them)."
        )


def _told_cut(model: str, endings: Endings) -> str:
    """How many of a model's replies are cut, which of them by a guess, and how many wrong answers are among them."""
    guessed = endings.n_looks_cut
    guess = (
        f"{'all' if not endings.n_cut else guessed} guessed from how they end" if guessed else ""
    )
    wrong = f"{endings.n_wrong_cut} of {endings.n_wrong} wrong ones" if endings.n_wrong else ""
    besides = "; ".join(filter(None, [guess, wrong]))
    return f"{model} {endings.n_short} of {endings.n}{f' ({besides})' if besides else ''}"


def _cut_apart(collections: Sequence[CollectionRecord], pairs: Sequence[Pair]) -> Iterator[str]:
    """Warnings about students whose replies are cut in another share than their teacher's or base's."""
    shares = {(c.task, c.model): c.endings.share for c in collections if c.endings is not None}
    for task in dict.fromkeys(c.task for c in collections):
        apart: dict[str, dict[str, None]] = {}
        for pair in pairs:
            own = shares.get((task, pair.student))
            for other in filter(None, (pair.teacher, pair.base)):
                theirs = shares.get((task, other))
                if own is not None and theirs is not None and abs(own - theirs) > _CUT:
                    told = f"{100 * own:.0f} %, {other} {100 * theirs:.0f} %"
                    apart.setdefault(told, {})[pair.student] = None
        if told_of := [f"{', '.join(students)} {told}" for told, students in apart.items()]:
            yield f"{task}: compared models are cut in unlike shares: {'; '.join(told_of)}."


def _without_stops(collections: Sequence[CollectionRecord]) -> Iterator[str]:
    """Warnings about models that end replies without a full stop, a line per task."""
    tasks: dict[str, dict[str, None]] = {}
    for c in collections:
        if c.endings is not None and c.endings.n_no_stop:
            tasks.setdefault(c.task, {})[f"{c.model} {c.endings.n_no_stop} of {c.endings.n}"] = None
    for task, models in tasks.items():
        yield (
            f"{task}: replies end without a full stop: {', '.join(models)}. Next to none of these models' replies "
            "breaks off behind a comma or an English word like 'the', so this is taken for how they write: a guess, as "
            "the files do not say how the answers ended. If a limit of tokens cut them, their lengths and endings are "
            "those of the limit."
        )


def _gathered(what: str, counts: Iterable[tuple[Replies, Counted]]) -> Iterator[str]:
    """One line per task in which something is to be said of a model: what, of whom, and of how many."""
    tasks: dict[str, dict[str, None]] = {}
    for one, counted in counts:
        if counted.n:
            quoted = f" ({counted.text})" if counted.text else ""
            told = f"{one.model} {counted.n} of {one.marks.n}{quoted}"
            tasks.setdefault(one.task, {})[told] = None
    for task, models in tasks.items():
        yield f"{task}: {what}: {', '.join(models)}."


def _inside(replies: Replies) -> Iterator[str]:
    """Warnings about what a program may have left in replies."""
    marks, cure = replies.marks, "if a program left them there, take them out of the answers"
    if replies.some(marks.special, 0.02):
        yield f"{replies.of_all(marks.special.n)} have special tokens in them ({marks.special.text}): {cure}."
    if replies.some(marks.roles, 0.02):
        yield f"{replies.of_all(marks.roles.n)} have turns of a conversation in them ({marks.roles.text}): {cure}."
    if replies.some(marks.echoed, 0.02):
        prompt = _quote(marks.echoed.text)
        yield f"{replies.of_all(marks.echoed.n)} begin with their own prompt ({prompt}): {cure}."
    if replies.some(marks.entities, 0.02):
        yield f"{replies.of_all(marks.entities.n)} have HTML entities in them ({marks.entities.text}): {cure}."
    if replies.some(marks.quoted, 0.05):
        yield (
            f"{replies.of_all(marks.quoted.n)} are spelt as JSON, with quotes or line ends of its own: "
            f"{_quote(marks.quoted.text)}; give the texts themselves."
        )


def _around(replies: Replies, others: Sequence[Replies]) -> Iterator[str]:
    """Warnings about what nearly all replies of one model begin or end with, and no other model's."""
    others = [r for r in others if r.marks.n_said >= _FEWEST]
    if replies.marks.n_said < _FEWEST or not others or replies.some(replies.marks.quoted, 0.05):
        return
    for at_end, word in ((False, "begin"), (True, "end")):
        mark = _longest(replies.marks, at_end)
        theirs = [c for r in others for c in _edges(r.marks, at_end)]
        if unshared(mark.text, theirs, at_end=at_end).strip(_ORDINARY_ENDS):
            yield (
                f"{replies.of_all(mark.n)} {word} with {_quote(mark.text)}, and no other model's: it counts as style; "
                "if a program put it there, take it out of the answers."
            )


def _longest(marks: Marks, at_end: bool) -> Counted:
    """The longest text that nearly all replies begin, or end, with."""
    least = _NEARLY_ALL * marks.n_said
    shared = [c for c in _edges(marks, at_end) if c.n >= least]
    return max(shared, key=lambda c: len(c.text), default=Counted())


def _edges(marks: Marks, at_end: bool) -> tuple[Counted, ...]:
    return marks.endings if at_end else marks.beginnings


def _repeated(replies: Replies, yields: Sequence[str]) -> Iterator[str]:
    """A warning about one text that was given to many prompts, where it cannot be the answer to all of them."""
    repeated = replies.marks.repeated
    open_ended = "style" in yields
    graded = "grades" in yields and len(repeated.text.split()) >= _LONG_ANSWER
    if (open_ended or graded) and replies.some(repeated, 0.03):
        yield (
            f"{replies.of_all(repeated.n)} are the same text, to different prompts: {_quote(repeated.text)}; "
            "if calls failed, take these answers out."
        )


def _quote(text: str) -> str:
    """The beginning of a text on one line, in quotes."""
    short = text if len(text) <= _QUOTED else f"{text[: _QUOTED - 1]}…"
    return json.dumps(short, ensure_ascii=False)
