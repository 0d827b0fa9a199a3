"""Warnings about prompts and replies that were cut, and about what a program may have left in replies. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
_EACH = 4  # models that have a line each for what is said of them; more share one
_PLACES = 6  # tasks that a line names
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

    def place(self, counted: Counted, *, quoted: str) -> str:
        """The task with the number of its replies that are counted, and one of them."""
        return f"{self.task} {counted.n} of {self.marks.n}{f' ({quoted})' if quoted else ''}"

    def of_all(self, n: int) -> str:
        """The number, of all replies of the model to the task."""
        return f"{n} of {self.marks.n} replies of {self.model} to {self.task}"


def of_answers(record: RunRecord) -> Iterator[str]:
    """Warnings for the page and for the running program: first of those that pairs compare, then of all others."""
    first = [c for c in record.collections if c.sample == 0]
    compared = {m for p in record.pairs for m in (p.student, p.teacher, p.base)}
    for group in (True, False):
        yield from _of_models([c for c in first if (c.model in compared) == group], record, first)


def _of_models(
    own: Sequence[CollectionRecord], record: RunRecord, first: Sequence[CollectionRecord]
) -> Iterator[str]:
    """Warnings about some models, beside the first samples of all."""
    shares = {(c.task, c.model): c.endings.share for c in first if c.endings is not None}
    yield from _cut_prompts(own)
    yield from _cut_replies(own, record.pairs, shares)
    yield from _cut_apart(own, record.pairs, shares)
    yield from _without_stops(own)
    every = [Replies(c.model, c.task, c.marks) for c in first if c.marks is not None]
    names = {c.model for c in own}
    replies = [r for r in every if r.model in names]
    yield from _gathered(
        "empty replies count as 0 words, and as wrong where graded",
        ((r, Counted(r.marks.n_empty)) for r in replies),
    )
    yield from _gathered(
        "what was thought aloud before replies is left out",
        ((r, Counted(r.marks.n_thought)) for r in replies),
    )
    yield from _gathered("end tokens behind replies are cut", ((r, r.marks.ends) for r in replies))
    yields = {t: str(facts.get("yields", "")).split() for t, facts in record.tasks.items()}
    yield from _inside(replies)
    for of_model in replies:
        others = [r for r in every if r.task == of_model.task and r.model != of_model.model]
        yield from _around(of_model, others) if "style" in yields.get(of_model.task, ()) else ()
    yield from _repeated(replies, yields)


def _lines(what: str, told: Mapping[str, str], cure: str = "") -> Iterator[str]:
    """What is to be said of models: a line each, or one line where there are many. told: model -> places."""
    if len(told) > _EACH:
        everyone = "; ".join(f"{model}{places}" for model, places in told.items())
        yield f"{what[0].upper()}{what[1:]}: {everyone}{cure}."
        return
    for model, places in told.items():
        yield f"{model}: {what}{places}{cure}."


def _by_model(what: str, places: Iterable[tuple[str, str]], cure: str = "") -> Iterator[str]:
    """The same from (model, place) for each task in which it is to be said."""
    models: dict[str, dict[str, None]] = {}
    for model, place in places:
        models.setdefault(model, {})[place] = None
    yield from _lines(what, {m: f": {_listed(own)}" for m, own in models.items()}, cure)


def _listed(places: Iterable[str]) -> str:
    """The first places; of more than that, how many."""
    every = list(places)
    rest = len(every) - _PLACES
    return ", ".join(every if rest <= 1 else [*every[:_PLACES], f"{rest} more"])


def _cut_prompts(collections: Sequence[CollectionRecord]) -> Iterator[str]:
    places = (
        (c.model, f"{c.task} {c.n_cut_prompts} of {c.n_prompts}")
        for c in collections
        if c.n_cut_prompts
    )
    yield from _by_model("prompts did not fit and were shortened", places)


def _cut_replies(
    collections: Sequence[CollectionRecord],
    pairs: Sequence[Pair],
    shares: Mapping[tuple[str, str], float],
) -> Iterator[str]:
    """Warnings about models many of whose replies end before they are complete. shares: (task, model) -> share cut."""
    told = dict[str, str]()
    for model in dict.fromkeys(c.model for c in collections):
        every = [(c.task, c.endings) for c in collections if c.model == model and c.endings]
        cut = [(task, endings) for task, endings in every if endings.share > _CUT]
        if not cut:
            continue
        tasks = list(dict.fromkeys(task for task, _ in cut))
        of = len({task for task, _ in every})
        facts = [f"{_span([e.share for _, e in cut])} of them"]
        beside = ", ".join(_others_cut(model, tasks, pairs, shares))
        facts += [beside] if beside else []
        facts += _guessed_or_wrong([endings for _, endings in cut])
        places = dict.fromkeys(f"{task} {e.n_short} of {e.n}" for task, e in cut)
        on = f"{len(tasks)} of {of} task{'s' * (of != 1)}"
        told[model] = f" on {on} ({'; '.join(facts)}): {_listed(places)}"
    cure = (
        "; lengths and endings are told from the others (raise max_new_tokens where that cut them)"
    )
    yield from _lines("replies are cut before their end", told, cure)


def _others_cut(
    student: str,
    tasks: Sequence[str],
    pairs: Sequence[Pair],
    shares: Mapping[tuple[str, str], float],
) -> Iterator[str]:
    """What shares of their replies are cut of a student's teachers and bases, where these are unlike its own."""
    own = [p for p in pairs if p.student == student]
    for other in dict.fromkeys(m for p in own for m in (p.teacher, p.base) if m):
        both = [(shares[t, student], shares[t, other]) for t in tasks if (t, other) in shares]
        if any(_unlike(mine, theirs) for mine, theirs in both):
            yield f"{other} {_span([theirs for _, theirs in both])}"


def _unlike(one: float, other: float) -> bool:
    return abs(one - other) > _CUT


def _span(shares: Sequence[float]) -> str:
    """The least and the largest of some shares, in per cent."""
    low, high = (f"{100 * x:.0f}" for x in (min(shares), max(shares)))
    return f"{low} %" if low == high else f"{low} to {high} %"


def _guessed_or_wrong(cut: Sequence[Endings]) -> Iterator[str]:
    """How many of the replies that are cut are so by a guess, and how many were graded wrong."""
    n, guessed = sum(e.n_short for e in cut), sum(e.n_looks_cut for e in cut)
    if guessed:
        yield f"{'all' if guessed == n else guessed} guessed from how they end"
    graded = [e for e in cut if e.n_wrong is not None]
    of, wrong = sum(e.n_short for e in graded), sum(e.n_wrong_cut or 0 for e in graded)
    if wrong:
        which = "cut ones" if len(graded) == len(cut) else f"{of} cut ones that are graded"
        yield f"{'all' if wrong == of else wrong} of the {which} wrong"


def _cut_apart(
    collections: Sequence[CollectionRecord],
    pairs: Sequence[Pair],
    shares: Mapping[tuple[str, str], float],
) -> Iterator[str]:
    """Warnings about students whose replies are whole where many of their teacher's or base's are cut."""
    places = [
        (pair.student, f"{task} {100 * own:.0f} %, {other} {100 * theirs:.0f} %")
        for task, model in dict.fromkeys((c.task, c.model) for c in collections)
        for pair in pairs
        if pair.student == model
        for other in filter(None, (pair.teacher, pair.base))
        if (own := shares.get((task, pair.student))) is not None and own <= _CUT
        if (theirs := shares.get((task, other))) is not None and _unlike(own, theirs)
    ]
    yield from _by_model("compared models are cut in unlike shares", places)


def _without_stops(collections: Sequence[CollectionRecord]) -> Iterator[str]:
    """Warnings about models that end replies without a full stop."""
    places = (
        (c.model, f"{c.task} {c.endings.n_no_stop} of {c.endings.n}")
        for c in collections
        if c.endings is not None and c.endings.n_no_stop
    )
    cure = (
        ". Next to none of the model's replies breaks off behind a comma or an English word like 'the', so this is "
        "taken for how it writes: a guess, as the files do not say how the answers ended. If a limit of tokens cut "
        "them, their lengths and endings are those of the limit"
    )
    yield from _by_model("replies end without a full stop", places, cure)


def _gathered(what: str, counts: Iterable[tuple[Replies, Counted]]) -> Iterator[str]:
    """What is to be said of any reply that is counted, of whom, and of how many."""
    places = (
        (r.model, r.place(counted, quoted=counted.text)) for r, counted in counts if counted.n
    )
    yield from _by_model(what, places)


def _inside(replies: Sequence[Replies]) -> Iterator[str]:
    """Warnings about what a program may have left in replies."""
    cure = "; if a program left them there, take them out of the answers"
    whole = "; give the texts themselves"
    kinds: tuple[tuple[str, Callable[[Marks], Counted], float, bool, str], ...] = (
        ("replies have special tokens in them", lambda m: m.special, 0.02, False, cure),
        ("replies have turns of a conversation in them", lambda m: m.roles, 0.02, False, cure),
        ("replies begin with their own prompt", lambda m: m.echoed, 0.02, True, cure),
        ("replies have HTML entities in them", lambda m: m.entities, 0.02, False, cure),
        ("replies are spelt as JSON, with quotes or line ends of its own", lambda m: m.quoted, 0.05, True, whole),
    )  # fmt: skip
    for what, counted, share, is_text, end in kinds:
        found = [(r, c) for r in replies if r.some(c := counted(r.marks), share)]
        places = [
            (r.model, r.place(c, quoted=_quote(c.text) if is_text else c.text)) for r, c in found
        ]
        yield from _by_model(what, places, end)


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


def _repeated(replies: Sequence[Replies], yields: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Warnings about one text that was given to many prompts, where it cannot be the answer to all of them."""
    places = []
    for one in replies:
        repeated, has = one.marks.repeated, yields.get(one.task, ())
        graded = "grades" in has and len(repeated.text.split()) >= _LONG_ANSWER
        if ("style" in has or graded) and one.some(repeated, 0.03):
            places.append((one.model, one.place(repeated, quoted=_quote(repeated.text))))
    cure = "; if calls failed, take these answers out"
    yield from _by_model("replies to different prompts are the same text", places, cure)


def _quote(text: str) -> str:
    """The beginning of a text on one line, in quotes."""
    short = text if len(text) <= _QUOTED else f"{text[: _QUOTED - 1]}…"
    return json.dumps(short, ensure_ascii=False)
