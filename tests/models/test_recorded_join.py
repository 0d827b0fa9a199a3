"""Recorded answers are joined by content or by an id, as tightly as the file and the task tell them apart."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import pytest

from harness.files.answers import Answer
from harness.models import Ask
from harness.models._recorded_join import Wanted, check_consistent, join
from harness.models._recorded_words import leftovers, no_match
from harness.types import Decoding, DistillbenchError, Message, Request


def said(*pairs: tuple[str | None, str], **fields: object) -> list[Answer]:
    """Answers by their prompt."""
    return [
        Answer("generate", value, f"f, row {i}", context, **fields)  # type: ignore[arg-type]
        for i, (context, value) in enumerate(pairs, start=1)
    ]


def wanted(*contexts: str | tuple[Message, ...], names: Sequence[str] = ()) -> list[Wanted]:
    ids = names or [""] * len(contexts)
    return [
        Wanted(Request(i, "generate", context), (name,) if name else ())
        for i, (context, name) in enumerate(zip(contexts, ids, strict=True))
    ]


def values(answers: Sequence[Answer], asked: Sequence[Wanted]) -> list[object]:
    draws = join(answers, asked).draws
    return [draws[i][0].value if i in draws else None for i in range(len(asked))]


def chat(*texts: str, system: str = "") -> tuple[Message, ...]:
    roles = ("user", "assistant")
    turns = tuple(Message(roles[i % 2], text) for i, text in enumerate(texts))
    return (Message("system", system), *turns) if system else turns


COMPOSED, APART = (unicodedata.normalize(form, "Où est le café ?") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(("file", "task"), [(COMPOSED, APART), (APART, COMPOSED)])
def test_accents_have_one_spelling(file: str, task: str) -> None:
    assert file != task
    assert values(said((file, "ici")), wanted(task)) == ["ici"]


def test_two_prompts_that_differ_in_the_spelling_alone_are_two() -> None:
    assert values(said((COMPOSED, "one")), wanted(COMPOSED, APART)) == ["one", None]


def test_white_space_is_ignored_only_where_nothing_else_is_then_the_same() -> None:
    assert values(said(("a b", "x")), wanted("a  b\n", "c")) == ["x", None]
    assert values(said(("a b", "x")), wanted("a b", "a  b")) == ["x", None]
    assert values(said(("a\tb", "x")), wanted("a b", "a  b")) == [None, None]
    assert values(said(("a b", "x"), ("a  b", "y")), wanted("a\nb")) == [None]
    assert values(said(("a b", "x"), ("a  b", "x")), wanted("a\nb")) == ["x"]


def test_lines_of_windows_are_the_same_prompt() -> None:
    assert values(said(("a\r\nb", "x")), wanted("a\nb")) == ["x"]


def test_a_last_message_joins_only_where_it_is_the_only_one() -> None:
    first, second = chat("Tea?", "Yes.", "Why?"), chat("Rain?", "No.", "Why?")
    assert values(said(("Why?", "x")), wanted(first)) == ["x"]
    assert values(said(("Why?", "x")), wanted(first, second)) == [None, None]


def test_a_system_message_of_the_file_is_the_one_that_was_asked() -> None:
    pirate = said(("Hi", "Ahoy"), system="Be a pirate.")
    assert values(pirate, wanted(chat("Hi", system="Be a pirate."))) == ["Ahoy"]
    assert values(pirate, wanted("Be a pirate.\n\nHi")) == ["Ahoy"]
    assert values(pirate, wanted(chat("Hi"), "Hi")) == [None, None]


def test_ids_join_what_has_no_text() -> None:
    answers = [*said((None, "x"), name="7"), *said((None, "y"), name="8")]
    assert values(answers, wanted("b", "a", names=("8", "7"))) == ["y", "x"]
    assert values(answers, wanted("b", "a", names=("9", "7"))) == [None, "x"]


@pytest.mark.parametrize("spelled", ["7", "7.0", " 7 "])
def test_a_text_that_is_an_id_joins_where_no_text_does(spelled: str) -> None:
    assert values(said((spelled, "x")), wanted("What?", names=("7",))) == ["x"]


def test_a_text_is_no_id_where_texts_join() -> None:
    answers = said(("2", "to 2"))
    assert values(answers, wanted("2", "1", names=("1", "2"))) == ["to 2", None]


def test_an_id_is_not_another_prompt_s_text() -> None:
    answers = said((None, "x"), name="2")
    assert values(answers, wanted("2", "3", names=("1", "2"))) == [None, "x"]


def test_of_equal_texts_the_one_with_the_prompt_s_id_counts() -> None:
    answers = [*said(("same", "x"), name="1"), *said(("same", "y"), name="2")]
    check_consistent(answers)
    assert values(answers, wanted("same", "same", names=("2", "1"))) == ["y", "x"]
    with pytest.raises(DistillbenchError, match="stands twice with different answers"):
        join(answers, wanted("same"))


def logged(row: str, context: str, slot: int = 0, text: str = " a") -> Answer:
    return Answer("score", (-1.0 - slot, False), "f, row 1", context, row, text, slot=slot)


def questions(*rows: str) -> list[Wanted]:
    return [
        Wanted(Request(i, "score", chat(f"Q {row}?"), slot=slot, continuation=text), (row,))
        for i, row in enumerate(rows)
        for slot, text in enumerate((" a", " b"))
    ]


def test_what_a_template_made_of_a_row_is_joined_by_the_row() -> None:
    answers = [
        logged(row, f"<u>Q {row}?</u>\n<a>", slot, text)
        for row in ("two", "one")
        for slot, text in enumerate((" a", " b"))
    ]
    found = join(answers, questions("one", "two"))
    assert [found.draws[i][0].value for i in range(4)] == [(-1.0, False), (-2.0, False)] * 2
    (note,) = found.notes
    assert "'<u>'" in note
    assert r"'</u>\n<a>'" in note


def test_a_log_with_more_than_a_template_around_its_questions_is_refused() -> None:
    shots = ["Q 1? A. ", "Q 2? B. ", "Q 3? C. ", "Q 4? D. "]
    answers = [
        logged(f"r{i}", f"<u>{shot}Q r{i}?</u>", slot, text)
        for i, shot in enumerate(shots)
        for slot, text in enumerate((" a", " b"))
    ]
    with pytest.raises(DistillbenchError, match="in more than a chat template"):
        join(answers, questions("r0", "r1", "r2", "r3"))


def test_a_log_with_a_template_needs_a_chat() -> None:
    answers = [logged("one", "<u>Q one?</u>")]
    plain = [Wanted(Request(0, "score", "Q one?", continuation=" a"), ("one",))]
    with pytest.raises(DistillbenchError, match="set `chat: true`"):
        join(answers, plain)
    shots = [logged("one", "Q: 1? A: 2. Q one?")]
    with pytest.raises(DistillbenchError, match="few-shot"):
        join(shots, plain)


def test_a_log_of_other_rows_or_options_is_left_over() -> None:
    answers = [logged("one", "<u>Q one?</u>", 0, " other"), logged("three", "<u>Q three?</u>")]
    assert join(answers, questions("one")).draws == {}


def test_prompts_inside_one_template_are_joined_by_their_text() -> None:
    pairs = [("Name a tree.", "Oak"), ("Name a tree. Or two.", "Elm, Ash"), ("Sing.", "La")]
    answers = said(*((f"user\n{p}\nassistant\n", v) for p, v in pairs), rendered=True)
    asked = wanted("Sing.", "Name a tree.", "Name a tree. Or two.", "Dance.")
    assert values(answers, asked) == ["La", "Oak", "Elm, Ash", None]
    assert "'assistant'" in join(answers, asked).notes[0]


@pytest.mark.parametrize(
    ("form", "is_template"),
    [
        ("<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n", True),
        ("<s>[INST] {} [/INST]", True),
        ("### Instruction:\n{}\n\n### Response:", True),
        ("USER: {} ASSISTANT:", True),
        ("Think step by step. {}", False),
    ],
)
def test_a_template_is_told_by_its_marks_where_the_format_does_not_tell(
    form: str, is_template: bool
) -> None:
    texts = ["Name a tree.", "Sing.", "Dance."]
    answers = said(*((form.format(text), f"to {text}") for text in texts))
    expected = [f"to {text}" if is_template else None for text in texts]
    assert values(answers, wanted(*texts)) == expected
    assert bool(join(answers, wanted(*texts)).notes) == is_template


def ask(asked: Sequence[Wanted]) -> Ask:
    requests = tuple(w.request for w in asked)
    return Ask("k", requests, ("",) * len(requests), Decoding())


def test_what_fits_no_prompt_is_counted_with_the_nearest() -> None:
    asked = wanted("How would you clean a kettle?", "Sing.", "Dance.")
    answers = said(("Sing.", "La"), ("How would you clean the kettle?", "x"), ("Other.", "y"))
    line = leftovers(answers, ask(asked), join(answers, asked))
    assert line.startswith("2 of its answers fit no prompt, and 2 prompts have no answer")
    assert "'How would you clean the kettle?' beside 'How would you clean a kettle?'" in line


def test_a_file_that_answers_everything_and_more_is_not_warned_of() -> None:
    asked = wanted("Sing.")
    answers = said(("Sing.", "La"), ("Dance.", "x"))
    assert leftovers(answers, ask(asked), join(answers, asked)) == ""
    missing = wanted("Sing.", "Dance.")
    assert leftovers(answers[:1], ask(missing), join(answers[:1], missing)) == ""


def test_nothing_joined_names_both_sides_and_both_ways() -> None:
    line = no_match("f.jsonl", said(("Name a tree.", "x")), ask(wanted("Say.")))
    assert "wanted, for one: 'Say.'; present, for one: 'Name a tree.'" in line
    assert "columns: {id: ...}" in line
