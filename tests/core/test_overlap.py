"""Prompts in training text: against a double loop over words, and the cases that a hash could get wrong."""

from __future__ import annotations

import random
import re

import pytest

from harness.text.overlap import LONGEST, SHORTEST, seen_texts, words_of
from harness.types import Seen

LONG = "why does the old lighthouse on the northern coast blink twice every night although no ship has passed it"
SHORT = "which animal barks"


def by_hand(texts: list[str], prompt: str) -> Seen | None:
    """The same by comparing every run of words with every other."""

    def split(text: str) -> list[str]:
        return re.sub(r"[^a-z0-9]+", " ", text.lower()).split()

    words, rows = split(prompt), [split(t) for t in texts]

    def stands(run: list[str]) -> bool:
        return any(run == row[i : i + len(run)] for row in rows for i in range(len(row)))

    if len(words) < SHORTEST:
        lines = [split(line) for t in texts for line in (t, *t.splitlines())]
        return Seen(True, 1.0) if words in lines else None
    n = min(LONGEST, len(words))
    runs = [words[i : i + n] for i in range(len(words) - n + 1)]
    share = sum(map(stands, runs)) / len(runs)
    return Seen(stands(words), share) if share else None


def test_random_corpora_equal_a_double_loop() -> None:
    rng = random.Random(11)
    vocabulary = ["sun", "rain", "old", "Tower", "blue", "no."]
    prompts = [" ".join(rng.choices(vocabulary, k=rng.randint(1, 30))) for _ in range(150)]
    texts = [" ".join(rng.choices(vocabulary, k=rng.randint(0, 40))) for _ in range(80)]
    for prompt in prompts[:60]:  # whole prompts and pieces of them, among other words
        words = prompt.split()
        start = rng.randrange(len(words))
        piece = (
            prompt if rng.random() < 0.5 else " ".join(words[start : start + rng.randint(1, 20)])
        )
        texts.append(
            rng.choice(["{}", "sky, {} sky", "first line\n{}\nlast line", "{}!"]).format(
                piece.upper()
            )
        )
    rng.shuffle(texts)
    found = seen_texts(texts, prompts)
    assert found == [by_hand(texts, p) for p in prompts]
    assert {None if s is None else s.exact for s in found} == {None, True, False}


def test_a_share_counts_the_runs_of_thirteen_words() -> None:
    # 19 words have 7 runs of 13; the first 15 words hold 3 of them.
    (found,) = seen_texts([" ".join(LONG.split()[:15])], [LONG])
    assert found == Seen(False, 3 / 7)


def test_case_and_marks_make_no_difference() -> None:
    changed = "Q: " + LONG.upper().replace(" ", ",  ") + "?!\nA: because."
    assert seen_texts([changed], [LONG]) == [Seen(True, 1.0)]


def test_a_run_does_not_go_on_into_the_next_text() -> None:
    words = LONG.split()
    assert seen_texts([" ".join(words[:10]), " ".join(words[10:])], [LONG]) == [None]


@pytest.mark.parametrize(("text", "found"), [
    ("Which animal barks?", True),
    ("Question 1\nWhich animal barks?\nThe dog", True),
    ("Tell me which animal barks at night", False),
])  # fmt: skip
def test_few_words_are_found_as_a_whole_text_or_line_only(text: str, found: bool) -> None:
    assert seen_texts([text], [SHORT]) == [Seen(True, 1.0) if found else None]


def test_other_scripts() -> None:
    chinese = "请解释一下为什么这座古老的灯塔每天晚上都会闪烁两次"
    assert len(words_of(chinese)) == len(chinese)
    assert seen_texts([f"用户:{chinese}?"], [chinese]) == [Seen(True, 1.0)]
    assert seen_texts([chinese[:20]], [chinese]) == [Seen(False, 8 / (len(chinese) - 12))]
    arabic = "لماذا تومض المنارة القديمة مرتين كل ليلة على الساحل الشمالي"
    assert seen_texts([f"سؤال: {arabic}؟"], [arabic]) == [Seen(True, 1.0)]


def test_prompts_without_words_and_empty_texts_are_not_found() -> None:
    assert seen_texts(["", "\n", "?!", "🙂🙂"], ["", "?!", "🙂", LONG]) == [None] * 4
    assert seen_texts([], [LONG, SHORT]) == [None, None]
