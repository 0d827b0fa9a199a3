"""Tokens of replies."""

from __future__ import annotations

from harness.text.tokens import LONGEST, in_one_vocabulary, read_tokens, tokens


def test_words_marks_and_runs_of_newlines_are_tokens() -> None:
    assert tokens("It's 3.5 Euros!\n\n\n- naïve_x\n") == [
        "it", "'", "s", "3", ".", "5", "euros", "!", "\n\n", "-", "naïve_x", "\n",
    ]  # fmt: skip


def test_scripts_without_spaces_are_read_by_the_character() -> None:
    assert tokens("東京tower") == ["東", "京", "tower"]


def test_only_the_first_tokens_count_and_none_is_cut_in_two() -> None:
    long = " ".join(["w" * 20] * 500)
    assert tokens(long) == ["w" * 20] * LONGEST
    assert tokens("a\n" * 400) == ["a", "\n"] * (LONGEST // 2)


def test_a_text_is_read_back_from_its_codes() -> None:
    made = read_tokens(["b a b", "", "c"])
    assert made.words == ("a", "b", "c")
    assert made.codes.tolist() == [1, 0, 1, 2]
    assert made.offsets.tolist() == [0, 3, 3, 4]


def test_no_texts_make_no_tokens() -> None:
    made = read_tokens([])
    assert (made.words, made.offsets.tolist()) == ((), [0])


def test_several_share_a_vocabulary() -> None:
    words, (one, other) = in_one_vocabulary([read_tokens(["b d"]), read_tokens(["a b"])])
    assert words == ("a", "b", "d")
    assert (one.tolist(), other.tolist()) == ([1, 2], [0, 1])
