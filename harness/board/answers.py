"""The sample browser: which prompts it shows, with answers side by side, packed within a budget. Pure."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from typing import Any

import numpy as np

from harness.board.record import CollectionRecord, RunRecord, named
from harness.files.phrasings import read_phrasings
from harness.panel.choices import choice_table
from harness.panel.side import Side
from harness.panel.texts import replies
from harness.text.cut import Ending
from harness.text.refusals import Refusals
from harness.types import Pair, Prompt

BUDGET_BYTES = 1_300_000  # of packed blocks in one page
_MOST_PROMPTS = 300  # per task: more would make the list itself unreadable
_PAIRS_LOOKED_AT = 16  # for prompts with a large difference
_IN_BLOCK = 16  # prompts that are packed together: words that they share are stored once
_LONGEST = 12_000  # characters of one answer in the page; samples.parquet has all of it
_UNREAD = "no answer could be read"
_WORD = re.compile(r"\w+", re.UNICODE)
_NO_WORDS = {i: " " for i in range(128) if not _WORD.match(chr(i))}
# letters of what a prompt can be looked for by, besides what both have in common
TEACHER, BASE, CUT, REFUSED = "t", "b", "c", "r"
_SENTENCE_END = re.compile(r"[.!?。！？]+")


Read = Callable[[CollectionRecord], Side | None]  # stored answers; None where there are none


@dataclass(frozen=True)
class Answer:
    """What one model answered to one prompt, as a reader sees it."""

    text: str  # the reply that measures see
    stop: str  # why it ended; "" where that does not apply
    option: int | None  # the option taken, multiple choice only
    right: bool | None  # the task's own 0/1 verdict; None where there is none
    stored: str | None = None  # the answer as it came, where that differs from `text`
    ending: Ending = "complete"  # "cut" with another stop than "length": inside of a thought


@dataclass(frozen=True)
class TaskAnswers:
    """All models' answers to one task."""

    task: str
    prompts: Mapping[str, Prompt]  # by id
    answers: Mapping[str, Mapping[str, Answer]]  # model -> prompt id -> its first answer
    n_samples: int = (
        1  # most answers that one model gave to a prompt, of which `answers` has the first
    )


@dataclass(frozen=True)
class Likeness:
    """What one student's answer has to do with its teacher's."""

    same_error: bool  # both wrong, with the same option or the same text
    wrong_beside: str = ""  # TEACHER and BASE, each where it is right and the student wrong


def task_answers(record: RunRecord, read: Read) -> Iterator[TaskAnswers]:
    """Answers of the first sample, task by task; tasks without readable answers are left out.

    In a sweep a model whose answers differ between settings appears once per setting.
    """
    for task in record.tasks:
        sides: dict[str, Side] = {}
        for model, collections in _first_samples(record, task).items():
            for c in collections:
                side = read(c)
                if side is not None:
                    sides |= dict.fromkeys([named(model, v) for v in c.variants or ((),)], side)
        answers = {name: own for name, side in sides.items() if (own := _answers(side))}
        if answers:
            prompts = {p.id: p for side in sides.values() for p in side.requests.prompts}
            repeats = max(r.repeat for side in sides.values() for r in side.requests.requests) + 1
            yield TaskAnswers(task, prompts, answers, repeats * _n_samples(record, task))


def _n_samples(record: RunRecord, task: str) -> int:
    """Most samples of the task that one model has answered."""
    samples: dict[str, set[int]] = {}
    for c in record.collections:
        if c.task == task and not c.missing:
            samples.setdefault(c.model, set()).add(c.sample)
    return max(map(len, samples.values()))


def _first_samples(record: RunRecord, task: str) -> dict[str, list[CollectionRecord]]:
    """Collections of a task by model, in the order of the models."""
    models: dict[str, list[CollectionRecord]] = {model: [] for model in record.models}
    for c in record.collections:
        if c.task == task and c.sample == 0:
            models[c.model].append(c)
    return models


def _answers(side: Side) -> dict[str, Answer]:
    """Prompt id -> answer: the text, or the option that was chosen."""
    right = right_or_wrong(side)
    texts: dict[str, Answer] = {}
    for i, reply in replies(side).items():
        stored = None if reply.stored == reply.text else reply.stored
        texts[i] = Answer(reply.text, reply.stop, None, right.get(i), stored, reply.ending)
    return _chosen(side, right) | texts


def _chosen(side: Side, graded: Mapping[str, bool]) -> dict[str, Answer]:
    """Prompt id -> chosen option of multiple-choice prompts, in the option's own words where they are known."""
    table = choice_table(side)
    prompts = side.requests.prompts
    words = {
        (prompts[r.prompt].id, r.slot): r.continuation.strip()
        for r in side.requests.requests
        if r.kind == "score"
    }
    answers = {}
    for prompt, option in zip(table.prompts, table.chosen.tolist(), strict=True):
        right = graded.get(prompt.id, None if prompt.gold is None else option == prompt.gold)
        text = words.get((prompt.id, option)) or f"Option {option + 1}"
        taken = Answer(text, "", option, right) if option >= 0 else Answer(_UNREAD, "", None, right)
        answers[prompt.id] = taken
    return answers


def right_or_wrong(side: Side) -> dict[str, bool]:
    """Prompt id -> right or wrong, from the first grade that is 0 or 1 everywhere."""
    for column in side.grades.columns if side.grades else ():
        if len(column.value) and bool(np.isin(column.value, (0.0, 1.0)).all()):
            ids = [side.requests.prompts[int(i)].id for i in column.prompt]
            return dict(zip(ids, (column.value == 1.0).tolist(), strict=True))
    return {}


@lru_cache(maxsize=4096)  # a teacher's answers are compared with those of all its students
def surface(text: str) -> tuple[float, ...]:
    """Surface features of style: words, lines, lists, headings, sentence length, punctuation."""
    words, lines = len(_WORD.findall(text)), text.splitlines()
    sentences = max(1, len(_SENTENCE_END.findall(text)))
    starts = [line.lstrip() for line in lines]
    lists = sum(s.startswith(("- ", "* ", "• ")) or bool(re.match(r"\d+[.)] ", s)) for s in starts)
    headings = sum(s.startswith("#") for s in starts)
    marks = [text.count(x) for x in ("**", "`", "!", "?", ":", ",", '"')]
    return (*map(float, (words, len(lines), lists, headings, words / sentences, *marks)),)


def style_likeness(a: str, b: str) -> float:
    """Mean over surface features of smaller over larger (both plus one), and whether the first word is the same."""
    shares = [
        (min(x, y) + 1) / (max(x, y) + 1) for x, y in zip(surface(a), surface(b), strict=True)
    ]
    first = [m.group().lower() if (m := _WORD.search(t)) else "" for t in (a, b)]
    return (sum(shares) + (first[0] == first[1])) / (len(shares) + 1)


@lru_cache(maxsize=4096)
def _word_set(text: str) -> frozenset[str]:
    if text.isascii():  # the same words, in a third of the time
        return frozenset(text.lower().translate(_NO_WORDS).split())
    return frozenset(w.lower() for w in _WORD.findall(text))


def word_difference(a: str, b: str) -> float:
    """1 minus the Dice overlap of the two answers' sets of words; 0 for two empty answers."""
    first, second = _word_set(a), _word_set(b)
    size = len(first) + len(second)
    return 1 - 2 * len(first & second) / size if size else 0.0


def likeness(student: Answer, teacher: Answer, base: Answer | None = None) -> Likeness:
    """Whether a student's answer shares its teacher's mistake, and who is right where it is wrong."""
    same_error = student.right is False and teacher.right is False and _is_same(student, teacher)
    beside = ((TEACHER, teacher), (BASE, base))
    wrong = student.right is False
    lost = "".join(word for word, other in beside if wrong and other is not None and other.right)
    return Likeness(same_error, lost)


def _is_same(student: Answer, teacher: Answer) -> bool:
    """Whether two answers take the same option, or say the same words."""
    if student.option is not None:
        return student.option == teacher.option
    said = student.text.split() if student.text != _UNREAD else []
    return bool(said) and said == teacher.text.split()


def browse(answers: TaskAnswers, pairs: Sequence[Pair], budget_bytes: int) -> dict[str, Any]:
    """One task of the sample browser: prompts with their likeness scores, and packed blocks of several.

    Every student and teacher in `pairs` has answers here. In turn: one prompt where student and teacher are
    wrong the same way, one where the student is wrong and teacher or base right, one with a large difference, one by
    chance.
    """
    told = {pair: _likenesses(answers, pair) for pair in pairs}
    ids = sorted({i for rows in told.values() for i in rows})
    named_in = (m for p in pairs for m in (p.teacher, p.student, p.base or ""))
    models = [m for m in dict.fromkeys(named_in) if m in answers.answers]
    order = _order(answers, ids, told)[:_MOST_PROMPTS]
    blocks: list[str] = []
    prompts: list[dict[str, Any]] = []
    left, size = budget_bytes, _IN_BLOCK
    while size and len(prompts) < len(order):
        some = order[len(prompts) : len(prompts) + size]
        block = _packed(answers, some, models)
        if len(block) > left:
            size //= 2
            continue
        left -= len(block)
        prompts += [
            {**_listed(answers, i, told), "block": [len(blocks), place]}
            for place, i in enumerate(some)
        ]
        blocks.append(block)
    return {
        "task": answers.task,
        "total": len(ids),
        "samples": answers.n_samples,
        "pairs": [[p.student, p.teacher, p.base or ""] for p in pairs],
        "prompts": prompts,
        "blocks": blocks,
    }


def _likenesses(answers: TaskAnswers, pair: Pair) -> dict[str, Likeness]:
    teacher, base = answers.answers[pair.teacher], answers.answers.get(pair.base or "", {})
    return {
        i: likeness(a, teacher[i], base.get(i))
        for i, a in answers.answers[pair.student].items()
        if i in teacher
    }


def _order(
    answers: TaskAnswers, ids: Sequence[str], told: Mapping[Pair, Mapping[str, Likeness]]
) -> list[str]:
    """Prompt ids: shared mistakes, losses, large differences and a sample by digest, in turn, each once.

    Differences of the first pairs count: those of all are seldom larger, and take seconds with a hundred models.
    """
    likenesses = {i: [rows[i] for rows in told.values() if i in rows] for i in ids}
    by_chance = sorted(ids, key=lambda i: hashlib.sha256(i.encode()).digest())
    mistakes = [i for i in by_chance if any(x.same_error for x in likenesses[i])]
    mistakes.sort(key=lambda i: -sum(x.same_error for x in likenesses[i]))
    lost = [i for i in by_chance if any(x.wrong_beside for x in likenesses[i])]
    some = list(told)[:_PAIRS_LOOKED_AT]
    apart = {
        i: max((_apart(answers, p, i) for p in some if i in told[p]), default=0.0) for i in ids
    }
    different = sorted(by_chance, key=lambda i: -apart[i])
    turns = zip_longest(mistakes, lost, different, by_chance)
    return list(dict.fromkeys(i for turn in turns for i in turn if i is not None))


def _apart(answers: TaskAnswers, pair: Pair, prompt_id: str) -> float:
    """0 to 1: the share of words that a student's and its teacher's answer do not have in common."""
    texts = (answers.answers[m][prompt_id].text for m in (pair.student, pair.teacher))
    return word_difference(*texts)


def _listed(
    answers: TaskAnswers, prompt_id: str, told: Mapping[Pair, Mapping[str, Likeness]]
) -> dict[str, Any]:
    """A prompt of the list, with what is told of each pair: same mistake, style, difference, letters."""
    prompt, rows = answers.prompts[prompt_id], list[list[Any] | None]()
    for pair, likenesses in told.items():
        if (x := likenesses.get(prompt_id)) is None:
            rows.append(None)
            continue
        student = answers.answers[pair.student][prompt_id]
        style = style_likeness(student.text, answers.answers[pair.teacher][prompt_id].text)
        apart = _apart(answers, pair, prompt_id)
        numbers = (int(x.same_error), round(style, 3), round(apart, 3))
        rows.append([*numbers, x.wrong_beside + _letters(student)])
    return {
        "id": prompt.id,
        "text": " ".join(prompt.text.split())[:140],
        "category": prompt.category,
        "told": rows,
    }


@lru_cache(maxsize=1)
def _phrasings() -> Refusals:
    return Refusals(read_phrasings("refusals.yaml"))


@lru_cache(maxsize=4096)  # a student has several teachers
def _letters(answer: Answer) -> str:
    """CUT and REFUSED, each where it is true of an answer in words."""
    refused = answer.option is None and _phrasings().declined(answer.text)
    cut = answer.ending in ("cut", "looks cut")
    return CUT * cut + REFUSED * refused


def _packed(answers: TaskAnswers, ids: Sequence[str], models: Sequence[str]) -> str:
    """Prompts and their answers as base64 of gzip of JSON; the same input gives the same text."""
    every = [
        {
            "prompt": answers.prompts[i].text[:_LONGEST],
            "answers": {
                m: _block(answers.answers[m][i]) for m in models if i in answers.answers[m]
            },
        }
        for i in ids
    ]
    text = json.dumps(every, ensure_ascii=False, sort_keys=True)
    return base64.b64encode(gzip.compress(text.encode("utf-8", "replace"), 9, mtime=0)).decode(
        "ascii"
    )


def _block(answer: Answer) -> dict[str, Any]:
    """An answer in the page; `cut` = characters left out, `stored` = as it came, where that differs."""
    cut = max(0, len(answer.text) - _LONGEST)
    block = {"text": answer.text[:_LONGEST], "cut": cut, "stop": answer.stop, "right": answer.right}
    if answer.ending != "complete":
        block["ending"] = answer.ending
    return block if answer.stored is None else {**block, "stored": answer.stored[:_LONGEST]}
