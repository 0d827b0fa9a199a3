"""Marks are counted as they stand, and what has them rightly is not counted."""

from __future__ import annotations

import html
import json

import pytest

from harness.text.marks import Counted, Marks, read_marks, unshared

TEXTS = [
    f'Reply {i} is short & "plain", it\'s {i} < {i + 1}.\nAnd {"so" * i} on' for i in range(20)
]
ASKED = [f"prompt {i}" for i in range(20)]


def marks(texts: list[str]) -> Marks:
    return read_marks(texts, ASKED[: len(texts)])


def test_plain_replies_have_no_marks() -> None:
    none = Counted()
    plain = marks(TEXTS)
    assert (plain.n, plain.n_empty, plain.n_thought, plain.n_said) == (20, 0, 0, 20)
    assert {plain.ends, plain.special, plain.entities, plain.quoted} == {none}
    assert (plain.roles, plain.echoed) == (none, none)
    assert plain.repeated.n == 1


@pytest.mark.parametrize(
    "token",
    [
        "<|im_start|>",
        "<|eot_id|>",
        "[INST]",
        "<<SYS>>",
        "<start_of_turn>",
        "<unk>",
        "<0x0A>",
        "<｜User｜>",
    ],
)
def test_special_tokens_are_counted_wherever_they_stand(token: str) -> None:
    texts = [f"{t[:9]}{token}{t[9:]}{token} x" if i < 7 else t for i, t in enumerate(TEXTS)]
    assert marks(texts).special == Counted(7, token)


@pytest.mark.parametrize(
    "text", ["a <| b |> c", "f(x) <s>y", "[inst]", "List<unknown>", "Ġ", "a[PADDING]"]
)
def test_what_looks_like_a_special_token_is_not_counted(text: str) -> None:
    assert marks([text] * 3).special.n == 0


def test_a_beginning_token_and_letters_of_byte_level_vocabularies_are_counted() -> None:
    assert marks(["<s> Hello", "Hello", "HelloĠthereĠyou"]).special == Counted(2, "<s>")


def test_escaped_replies_are_told_from_replies_about_html() -> None:
    assert marks([html.escape(t) for t in TEXTS]).entities == Counted(20, "&#x27;")
    about = ["Write &amp; in HTML, as in <b>R&amp;D</b>", "R&D is &lt;", "AT&T"]
    assert marks(about).entities.n == 0


def test_replies_spelt_as_json_are_counted() -> None:
    assert marks([json.dumps(t) for t in TEXTS]).quoted.n == 20
    assert marks([json.dumps(t)[1:-1] for t in TEXTS]).quoted.n == 20, "without the quotes"
    code = 'print("a\\n")\nprint("b")'
    assert marks([code, '"One" and "two"', "C:\\news\nC:\\nets"]).quoted.n == 0


def test_turns_of_a_conversation_are_counted_where_a_line_begins_with_a_role() -> None:
    turns = [
        "Yes.\n\n### Human: And now?",
        "Assistant: No.",
        "USER: a\nASSISTANT: b",
        "Response: ok",
    ]
    assert marks(turns).roles.n == 4
    assert marks(["The User: a guide", "Users: many", "Human rights:", "# Input"]).roles.n == 0


def test_replies_that_begin_with_their_prompt_are_counted() -> None:
    assert marks([f"{p}\nSure." for p in ASKED[10:]]).echoed.n == 0, "another prompt"
    long = ["Who wrote this book?", "Say hello to me"]
    echoes = read_marks([f"{p} It was me." for p in long], long).echoed
    assert echoes == Counted(2, "Say hello to me")
    assert read_marks(["Oak is a tree.", "Say it?"], ["Oak", "Say it? Now"]).echoed.n == 0


def test_empty_replies_thoughts_and_end_tokens_are_counted() -> None:
    found = marks(["", " \n", "</s>", "<think>a</think>b</s>", "c<|im_end|>", "d</s>"])
    assert (found.n, found.n_empty, found.n_thought) == (6, 3, 1)
    assert found.ends == Counted(4, "</s>")


def test_a_repeated_reply_counts_once_per_prompt() -> None:
    assert read_marks(["x", " x", "x", "y"], ["p", "q", "q", "r"]).repeated == Counted(2, "x")
    assert read_marks(["", "", ""], ["p", "q", "r"]).repeated == Counted()


def test_shared_beginnings_and_endings_are_the_longest_of_their_number() -> None:
    texts = [f"Answer: {i}!{'  The end.' if i < 8 else ' Stop.'}\n" for i in range(10)]
    found = marks(texts)
    assert found.beginnings == (Counted(10, "Answer: "),)
    assert found.endings[:2] == (Counted(10, "."), Counted(8, "!  The end."))
    assert Counted(2, "! Stop.") in found.endings
    ends = {" end.": "", "no end.": "no", "x": "x", "a. ": "a. "}
    assert {m: unshared(m, found.endings, at_end=True) for m in ends} == ends
    starts = {"Ans": "", "Answers": "s", "nsw": "nsw"}
    assert {m: unshared(m, found.beginnings, at_end=False) for m in starts} == starts


def test_letters_of_byte_level_vocabularies_alone_are_counted() -> None:
    """No other sign of a special token stands in the text."""
    assert marks(["HelloĠthere"]).special == Counted(1, "Ġ")
    assert marks(["HelloĊthere"]).special == Counted(1, "Ċ")
