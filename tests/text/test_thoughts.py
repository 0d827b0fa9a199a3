"""Thoughts that a model wrote, beside replies that speak of tags; and what many of them cost."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from harness.text import thoughts
from harness.text.clean import TRACES, clean
from harness.text.thoughts import without_thoughts

EXAMPLES = {
    "a format": "Use this format:\n\n{o}\nyour reasoning\n{c}\nyour answer\n\nThat is all.",
    "a format that ends the reply": "Ask for this:\n\n{o}\nreasons\n{c}\n\nanswer",
    "a format in one line": "Write this:\n{o}why{c}\nThen the answer.",
    "an opening tag behind words": "Begin with {o}\nand your reasons\n{c}\n\nand then the answer.",
    "a sentence that begins with the tag": "Two tags matter.\n{o} begins a thought.\n{c} ends it.",
    "the opening tag alone": "Some models write a tag first.\n{o} is what they write.",
    "the opening tag on a line": "The first line has to be\n{o}\nand nothing else.",
    "a format behind sentences": "First comes why, each of the reasons in a line, then what else.\n{o}\na\n{c}\n\nb",
    "a format behind a paragraph": "Ask for reasons.\n\nShow the model how:\n{o}\nwhy\n{c}\nAnswer",
    "in backticks": "Models write `{o}` before and `{c}` behind what they think.",
    "a line that begins with backticks": "`{o}`\nbegins it,\n`{c}`\nends it.",
    "a list": "Tags:\n- {o}: begins\n- {c}: ends",
    "the closing tag in a sentence": "It all ends with {c} and a blank.",
    "the closing tag at the end of one": "What ends it (in most models): {c}.",
    "the closing tag before a comma": "The tag is this: {c}, as in HTML.",
    "indented code": "Like so\n\n    {o}\n    a\n    {c}\n\nwith your own words.",
    "both at its beginning": "{o} and {c} are tags that models write.",
    "both with dots": "{o}...{c} is what models write.",
    "a quotation": "> {o}\n> a\n> {c}\n\nis a thought.",
}


@pytest.mark.parametrize(("opening", "closing"), TRACES)
@pytest.mark.parametrize("how", EXAMPLES)
def test_a_reply_may_show_how_tags_are_used(how: str, opening: str, closing: str) -> None:
    text = EXAMPLES[how].format(o=opening, c=closing)
    assert clean(text) == (text, "", (), False)


# these are thoughts there: one that was cut, and one between the parts of a reply
NOT_BEHIND = {"the opening tag on a line", "a format behind sentences"}


@pytest.mark.parametrize("how", sorted(EXAMPLES.keys() - NOT_BEHIND))
@pytest.mark.parametrize("before", ["<think>\nHe asks.\n</think>\n\n", "He asks.\n</think>\n\n"])
def test_so_may_a_reply_behind_a_thought(how: str, before: str) -> None:
    text = EXAMPLES[how].format(o="<think>", c="</think>")
    assert clean(before + text) == (text, "He asks.", (), False)


@pytest.mark.parametrize("blank", ["", " ", "\n", "\n\n", " \n\t"])
@pytest.mark.parametrize(("opening", "closing"), TRACES)
def test_many_thoughts_one_behind_the_other(opening: str, closing: str, blank: str) -> None:
    one = f"{opening}{blank}{{}}{blank}{closing}{blank}"
    stored = blank + "".join(one.format(i) for i in range(50)) + "Yes."
    assert clean(stored) == ("Yes.", "\n".join(map(str, range(50))), (), False)


@pytest.mark.parametrize("between", ["\n", "\n\n", " \n"])
def test_a_thought_in_every_turn(between: str) -> None:
    turns = [f"<think>\na{i}\n</think>\n\nReply {i}." for i in range(50)]
    cleaned = clean(between.join(turns))
    assert cleaned.text == "\n\n".join(f"Reply {i}." for i in range(50))
    assert cleaned.trace == "\n".join(f"a{i}" for i in range(50))


@pytest.mark.parametrize("before", ["Sure.", "Okay, let me think!", "好的。"])
def test_a_thought_may_follow_one_short_sentence(before: str) -> None:
    assert clean(f"{before}\n<think>\na\n</think>\n\nYes.")[:2] == (f"{before}\n\nYes.", "a")
    assert clean(f"{before}\n<think>\na") == (before, "a", (), True)


@pytest.mark.parametrize("header", ["<s>", "assistant\n", "<|im_start|>assistant\n", "model\n\n"])
def test_what_a_template_left_before_a_thought_goes_with_it(header: str) -> None:
    assert clean(f"{header}<think>\na\n</think>\n\nYes.")[:2] == ("Yes.", "a")
    assert clean(f"{header}<think>\na") == ("", "a", (), True)


@pytest.mark.parametrize(
    ("stored", "text", "trace"),
    [
        ("<think>\na\n</think>\nOne.\n\n<think>\nb", "One.", "a\nb"),
        ("<think>a</think><think>b", "", "a\nb"),
        ("a\n</think>\n\n<think>b", "", "a\nb"),
    ],
)
def test_a_later_thought_may_be_cut(stored: str, text: str, trace: str) -> None:
    assert clean(stored) == (text, trace, (), True)


def test_code_in_a_thought_opens_no_code_behind_it() -> None:
    stored = "<think>\n```\na\n</think>\nOne.\n\n<think>\nb\n</think>\n\nTwo."
    assert clean(stored)[:2] == ("One.\n\nTwo.", "```\na\nb")
    code = "<think>a</think>```\n<think>\nb\n</think>\n```"
    assert clean(code)[:2] == ("```\n<think>\nb\n</think>\n```", "a")


class Watched(str):
    """A text that counts the characters that are copied out of it."""

    n_copied = 0

    def __getitem__(self, key: Any) -> str:
        made = super().__getitem__(key)
        Watched.n_copied += len(made)
        return made


def steps(text: str) -> int:
    """Lines that run and characters that are copied until a text is without thoughts."""
    n_lines, Watched.n_copied = 0, 0

    def count(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal n_lines
        n_lines += event == "line"
        return count if frame.f_code.co_filename == thoughts.__file__ else None

    before = sys.gettrace()
    sys.settrace(count)
    try:
        without_thoughts(Watched(text), TRACES)
    finally:
        sys.settrace(before)
    return n_lines + Watched.n_copied


SHAPES = {
    "thoughts": ("", "<think>a</think>"),
    "turns": ("", "<think>\na\n</think>\n\nOne.\n\n"),
    "mentions": ("", "Write <think> or </think> here. "),
    "lines that begin with the tag": ("<think>a</think>", "b\n<think> is one\n"),
    "closing tags": ("", "Yes.</think>"),
    "closing tags in sentences": ("", "it ends in </think> here "),
    "blanks": ("<think>a</think>b", "\n \t<think> \t</thought> \t"),
    "code": ("<think>a</think>", "```\n<think>\na\n</think>\n```\n"),
    "an open thought of many": ("<think>", "<think>\n"),
    "thoughts of another kind inside": ("", "<think>" + "<thought>b</thought>" * 3 + "</think>"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_twice_as_many_tags_take_twice_the_steps(shape: str) -> None:
    before, part = SHAPES[shape]
    few, many = (steps(before + part * n) for n in (100, 200))
    assert many < 2.1 * few
