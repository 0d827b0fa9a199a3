"""Replies that were cut are taken for cut, and complete ones are not: a table, and replies of real models."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from harness.text.cut import Ending, ending, looks_cut, settle

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
    "behind an Arabic comma": "مرحبا بك في هذا الموقع،",
    "behind a Chinese comma": "我们先看第一点，",
    "in Chinese prose with full stops": "今天下雨。\n\n我们先看第一点，再看第二点，最后总结一下所有的",
    "in a line of Chinese with full stops": "今天下雨。我们先看第一点",
    "in Hindi prose with full stops": "यह नदी है।\n\nयह पहाड़ों से निकलती है और धीरे धीरे समुद्र की ओर बहती है जहाँ की",
    "before a formula": "So we have\n\\[\nx = 4",
    "behind a sign of a formula": "So that we get x =",
    "a number that follows others": "1. Wash it.\n2. Dry it.\n\n3.",
    "the first number of a list": "Here are the steps:\n\n1.",
    "behind an article that opens a sentence": "It rains.\n\nThe",
    "in a long sentence behind a word that may end a short one": (
        "The river that rises in the hills and flows through the town is"
    ),
    "in prose with a semicolon": "The river rises in the hills;",
    "inside an address": "See https://example.org/boats-and-",
    "a block that opens behind one that is closed": "```\na\n```\n\n```python\nb",
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
    "a formula on lines of its own": "So it is\n\\[\n\\boxed{42}\n\\]",
    "a formula in a line": "So it is \\(\\boxed{42}\\)",
    "a formula between dollars": "So it is\n$$\nx = 4\n$$",
    "a call": "main()",
    "a call of nothing": "    print()",
    "a call in a sentence": "It is long. Call it with `main()`",
    "an empty list": "[]",
    "an empty object": "{}",
    "an empty list in a span of code": "`x = []`",
    "an option": "The answer is A",
    "an option behind a colon": "Answer: A",
    "an option in bold": "**Answer:** A",
    "an option behind prose": "We compare all of them.\n\nSo the right one must be option A",
    "an option alone behind prose": "We compare all of them.\n\nA",
    "a vitamin": "Vitamin A",
    "a state": "Portland, OR",
    "a number with a full stop": "42.",
    "a number with a full stop behind prose": "Let me add them.\n\n72.",
    "code between fences on one line": "```print('hi')```",
    "a fence behind the last line of code": "```python\nprint('hi')```",
    "C++": "I would learn C++",
    "an age": "Rated 18+",
    "a winking smiley": "Good luck! ;)",
    "a smiley glued to a word": "Have fun:)",
    "a sad smiley": "Sorry to hear that :(",
    "a smiley of letters": "It rains. I will see all of you there tomorrow :D",
    "an address behind prose": "It helps.\n\nFor more of this see https://example.org/3/asyncio-task.html",
    "an e-mail behind prose": "Write to us.\nFor all of your questions contact us at help@example.org",
    "a sum at the end of a sentence": "We add them. Then so that we get 5 + 7 = 12",
    "a total": "That gives 12.\n\nThe total number of apples that Tom has now is 12",
    "a count behind prose": "He eats 3 of them.\n\nThus he still has 12 apples",
    "a statement without a value": "std::cout << x;",
    "a quantity": "The speed of light in vacuum is about 3.00 × 10^8 m/s",
    "an answer in words": "We compare them.\n\nSo the answer is the blue car",
    "a short yes": "Yes, it is",
    "no": "The answer is no",
    "Thai": "การเรียนรู้ของเครื่องเป็นสาขาหนึ่งของปัญญาประดิษฐ์ ที่ช่วยให้คอมพิวเตอร์ เรียนรู้จาก ข้อมูล ได้ ดี ขึ้น มาก",
    "Thai behind a list": "1. หนึ่ง.\n2. สอง.\n\nหวังว่าคำตอบนี้จะเป็นประโยชน์ครับ",
    "Chinese without full stops": "我们先看第一点，再看第二点，最后总结",
    "a Chinese signature": "你好。\n\n谢谢你。\n\n此致\n敬礼",
    "Arabic without full stops": "هذا نص طويل باللغة العربية لا يحتوي على أي نقطة في نهايته أبدا",
    "an emoji of two characters": "Have fun ❤️",
    "a query": "SELECT name FROM boats WHERE length > 30;",
    "a statement": "int x = 5;",
    "base64": "SGVsbG8gd29ybGQ=",
    "a function": "def f(a, b):\n    return a if a > b else b",
}


@pytest.mark.parametrize("name", CUT)
def test_a_cut_reply_is_taken_for_cut(name: str) -> None:
    assert looks_cut(CUT[name])
    assert looks_cut(CUT[name] + " \n")


@pytest.mark.parametrize("name", COMPLETE)
def test_a_complete_reply_is_not(name: str) -> None:
    assert not looks_cut(COMPLETE[name])


MODELS = (
    *("gpt4_0613", "gpt-3.5-turbo-0301", "claude-2"),
    *("text_davinci_003", "alpaca-7b", "gemini-pro"),
)


def replies_of(model: str, shared_data: Path) -> list[str]:
    path = shared_data / "alpaca_eval" / "responses.parquet"
    table = pq.read_table(path, columns=["model", "response"])
    return [t for t in table.filter(pc.equal(table["model"], model))["response"].to_pylist() if t]


@pytest.mark.parametrize("model", MODELS)
def test_few_complete_replies_of_real_models_are_taken_for_cut(
    shared_data: Path, model: str
) -> None:
    replies = replies_of(model, shared_data)
    assert sum(map(looks_cut, replies)) / len(replies) <= 0.03


# replies of one sentence as three kinds of writer end them
WHOLE = "The river rises in the hills and then flows slowly towards the sea"
BROKEN_OFF = "The river rises in the hills and then flows slowly towards the"


def ends(*replies: str) -> list[Ending]:
    return settle([ending(text, "unknown") for text in replies])


def test_a_model_that_never_writes_a_full_stop_is_not_cut() -> None:
    assert ends(*[WHOLE] * 10) == ["no full stop"] * 10


@pytest.mark.parametrize(
    ("n_broken_off", "n_open", "n_stopped", "open_ones"),
    [
        (0, 2, 8, "looks cut"),  # one in five: too few for a habit
        (0, 3, 8, "no full stop"),
        (1, 9, 10, "looks cut"),  # one in ten breaks off: so do the others
        (1, 10, 10, "no full stop"),
    ],
)
def test_a_habit_is_told_from_a_limit(
    n_broken_off: int, n_open: int, n_stopped: int, open_ones: Ending
) -> None:
    texts = [BROKEN_OFF] * n_broken_off + [WHOLE] * n_open + [WHOLE + "."] * n_stopped
    assert ends(*texts) == [
        *["looks cut"] * n_broken_off,
        *[open_ones] * n_open,
        *["complete"] * n_stopped,
    ]


def test_a_stop_that_is_known_is_not_a_habit() -> None:
    known = [ending(WHOLE, stop) for stop in ("length", "content_filter", "eos", "stop")]
    assert settle(known * 5) == ["cut", "cut", "complete", "complete"] * 5


@pytest.mark.parametrize("model", MODELS)
def test_real_replies_without_their_last_stop_are_whole_and_those_cut_are_not(
    shared_data: Path, model: str
) -> None:
    replies = [text.rstrip() for text in replies_of(model, shared_data) if len(text.split()) > 40]
    unstopped = ends(*(t[:-1] for t in replies if t.endswith(".")))
    assert unstopped.count("looks cut") <= 0.05 * len(unstopped)
    cut = ends(*(" ".join(t.split(" ")[:40]) for t in replies))
    assert cut.count("looks cut") >= 0.75 * len(cut)
