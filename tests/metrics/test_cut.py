"""Replies that were cut are taken for cut, and complete ones are not: a table, and replies of real models."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from harness.text.cut import looks_cut

CUT = {
    "inside a sentence": "The river rises in the hills and then flows slowly towards the",
    "inside a word": "The river rises in the hills and then flows slow",
    "behind a comma": "Pack a coat, a lamp,",
    "behind an article": "Sure! Here is the\nfirst thing that you need, a",
    "behind a conjunction": "It is cheap, it is light, and",
    "behind a colon": "Here are the three steps that you need:",
    "inside a bracket": "Use the small one (",
    "an open block of code": "Try this:\n\n```python\nprint(1)\n",
    "an open block with text": "~~~\nselect 1",
    "an empty item": "1. Wash the jar.\n2. Dry the jar.\n3.",
    "an empty bullet": "- Wash the jar.\n- Dry the jar.\n-",
    "inside an item of sentences": "1. Wash the jar with water.\n2. Dry the jar with a cloth.\n3. Put the jar",
    "first words of an item of sentences": "- Wash the jar.\n- Dry the jar.\n- Put",
    "behind a dash": "There are two reasons –",
    "behind a hyphen": "It is a well-",
    "behind a plus": "The sum is 3 +",
    "in a paragraph behind others": "It rained.\n\nThen the sun came out and all of the children went down to the",
    "a number inside a sentence": "The bridge was built between the years 1901 and 1905 at a cost of 30",
    "inside an emphasis": "You should **never touch the hot part of the lamp while",
    "inside a closing": "That is all that you need to know about it.\n\nI hope that this helps you with the",
}
COMPLETE = {
    "a sentence": "It rains.",
    "a question": "Would you like more?",
    "a quotation": 'She said "no."',
    "an emphasis": "**Take care!**",
    "an emoji": "Have fun 🎉",
    "one word": "Paris",
    "few words": "Blue and green",
    "a list of words": "- apples\n- pears\n- plums",
    "a numbered list of names": "1. Ann\n2. Bob\n3. Cleo",
    "a signature": "Dear Ann, thank you for the boat.\n\nBest regards,\nBob",
    "a name to fill in": "Thank you for your time.\n\nSincerely,\n[Your Name]",
    "a block of code": "```python\nprint(1)\n```",
    "code without a block": "x = f(1)",
    "a table": "| a | b |\n| - | - |\n| 1 | 2 |",
    "tags": "Out now, all over town! #boats #rivers",
    "an address": "See https://example.org/boats/",
    "a form": "Name:\nDate:\nNotes:",
    "an abbreviation": "N/A",
    "Chinese": "今天下雨。",
    "nothing": "  ",
}


@pytest.mark.parametrize("name", CUT)
def test_a_cut_reply_is_taken_for_cut(name: str) -> None:
    assert looks_cut(CUT[name])
    assert looks_cut(CUT[name] + " \n")


@pytest.mark.parametrize("name", COMPLETE)
def test_a_complete_reply_is_not(name: str) -> None:
    assert not looks_cut(COMPLETE[name])


@pytest.mark.parametrize(
    "model",
    ["gpt4_0613", "gpt-3.5-turbo-0301", "claude-2", "text_davinci_003", "alpaca-7b", "gemini-pro"],
)
def test_few_complete_replies_of_real_models_are_taken_for_cut(
    shared_data: Path, model: str
) -> None:
    path = shared_data / "alpaca_eval" / "responses.parquet"
    table = pq.read_table(path, columns=["model", "response"])
    replies = table.filter(pc.equal(table["model"], model))["response"].to_pylist()
    assert sum(map(looks_cut, replies)) / len(replies) <= 0.03
