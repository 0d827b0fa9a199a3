"""How texts are cut up, and the features and spaces made of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from harness.panel.texts import align_texts
from harness.testing.panels import of_equals
from harness.testing.sides import text_side
from harness.text import grams
from harness.text.families import FAMILIES, WIDTH, edges, points
from harness.text.grams import character_grams, damped, word_grams
from harness.text.profile import UNITS, moving_type_token_ratio, profile
from harness.text.segment import LAYOUT, MARKS, layout, paragraphs, read, sentences, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop, it’s 3.14!", ["don't", "stop", "it’s", "3", "14"]),
        ("naïve Ärger", ["naïve", "ärger"]),
        ("你好，世界。", ["你", "好", "世", "界"]),
        ("カタカナ", ["カ", "タ", "カ", "ナ"]),
        ("مَرْحَبًا بالعالم؟", ["مَرْحَبًا", "بالعالم"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("👍🏽 👨‍👩‍👧🎉", ["👍🏽", "👨‍👩‍👧", "🎉"]),
        ("- one\n2. two\n## three\n> four", ["one", "two", "three", "four"]),
        ("...!?", []),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_ascii_and_general_pattern_agree() -> None:
    text = "It's a 'quoted' rock'n'roll-like test_case, e.g. 10,000 of x2's -- \"ok\"?"
    assert words(text) == [w for w in words(text + " é") if w != "é"]


def test_sentences_end_at_marks_and_lines() -> None:
    assert [len(s) for s in sentences("One two. Three!\nFour five six\n1. seven")] == [2, 1, 3, 1]
    assert [len(s) for s in sentences("今天很好。你呢？")] == [4, 2]
    assert [len(s) for s in sentences("It costs 3.50 now.")] == [5]


def test_layout_by_hand() -> None:
    text = "# Title\n\nIntro:\n\n- a\n* b\n1. c\n2) d\n\n**Bold:** x and **y**\n\n"
    text += "| p | q |\n|---|---|\n\n```\ncode\n```\n> so"
    found = layout(text)
    assert {k: found[k] for k in LAYOUT if k != "lines"} == {
        "bullets": 2, "numbered": 2, "headings": 1, "quotes": 1, "bold": 2, "code_blocks": 1, "table_rows": 2,
        "label_lines": 1, "paragraphs": 6,
    }  # fmt: skip
    assert paragraphs("a\n \nb\n\n\n\nc") == ["a", "b", "c"]


def test_reading_counts_marks_and_ends() -> None:
    reading = read(("Sure! (a, b), c?", "", "你好，好。"))
    marks = reading.marks[:, [list(MARKS).index(m) for m in ("comma", "parenthesis", "full stop")]]
    assert marks.tolist() == [[2, 1, 0], [0, 0, 0], [1, 0, 1]]
    assert reading.ends == ("!?", "__", "_。")
    assert reading.n_words.tolist() == [4, 0, 3]
    assert reading.text_of_word.tolist() == [0, 0, 0, 0, 2, 2, 2]


def test_edges_are_equal_where_texts_start_or_end_alike() -> None:
    codes = edges(
        read(("Happy to help. Bye now.", "Happy to go! Bye now.", "Happy. to help", "Happy", ""))
    )
    same = codes[:, None] == codes[None]
    assert same[0, 1].tolist() == [True, True, False, True, True, True]
    assert same[0, 2].tolist() == [False, True, True, False, False, False]
    assert not same[0, 3][1:].any()
    assert len({tuple(c) for c in codes.tolist()}) == 5


def test_points_by_hand() -> None:
    """ "go" twice in four words; two bullets; one comma."""
    found = points(read(("- go, go\n- now then", "", "go")))
    assert found.shape == (3, WIDTH)
    words, shape, ends = (found[:, FAMILIES[f]] for f in ("words", "format", "edges"))
    chances = np.sort(words[0, :1024][words[0, :1024] > 0])
    np.testing.assert_allclose(chances, [1 - 0.75**10, 1 - 0.75**10, 1 - 0.5**10], rtol=1e-6)
    pairs = words[0, 1024:1536]
    np.testing.assert_allclose(pairs[pairs > 0], 1 - (2 / 3) ** 10, rtol=1e-6)
    comma = 1536 + list(MARKS).index("comma")
    assert words[0, comma] == pytest.approx(np.log2(1 + 100 / (4 + 10)))
    assert shape[0, 0] == pytest.approx(np.log2(1 + 200 / (4 + 20)))
    assert shape[0, 9] == 1
    assert not shape[0, [1, 8, 10, 17]].any()  # no numbers, one block
    assert ends.sum(axis=1).tolist() == [6, 0, 6]
    assert not found[1].any()


def test_points_do_not_depend_on_how_often_a_reply_is_repeated() -> None:
    text = "well then we go on, as ever. " * 3
    once, twice = points(read((text, text * 2)))[:, : FAMILIES["words"].stop]
    unigrams = slice(0, 1024)
    np.testing.assert_allclose(once[unigrams], twice[unigrams], rtol=1e-6)


def test_words_beyond_the_window_do_not_count() -> None:
    start = "a b c d e " * 20
    first, second = points(read((start + "x y z", start + "p q r s")))
    np.testing.assert_array_equal(first[:1536], second[:1536])


def test_paragraphs_count_from_the_second() -> None:
    found = points(read(("one", "one\n\ntwo\n\nthree")))[:, FAMILIES["format"]]
    assert found[:, 17].tolist() == [0, 1]
    assert found[1, 8] == pytest.approx(np.log2(1 + 200 / 23), rel=1e-6)


def test_moving_type_token_ratio_by_brute_force() -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{i}" for i in rng.integers(12, size=n)) for n in (0, 5, 7, 30, 64)]
    found = moving_type_token_ratio(read(tuple(texts)), 7)
    for text, value in zip(texts, found, strict=True):
        w = text.split()
        shares = [len(set(w[i : i + 7])) / 7 for i in range(len(w) - 6)]
        assert value == pytest.approx(np.mean(shares)) if shares else np.isnan(value)


def test_distinct_words_are_those_of_one_text() -> None:
    found = moving_type_token_ratio(read(("a b c", "c b a", "a a b")), 3)
    np.testing.assert_allclose(found, [1, 1, 2 / 3])


def test_listed_words_are_counted_text_by_text() -> None:
    found = profile(read(("I very the the", "", "perhaps you, I", "zebra")))
    counts = {
        "first_person": [1, 0, 1, 0],
        "second_person": [0, 0, 1, 0],
        "boosters": [1, 0, 0, 0],
        "hedges": [0, 0, 1, 0],
        "connectives": [0, 0, 0, 0],
    }
    for name, expected in counts.items():
        words = np.nan_to_num(found[name] * [4, 1, 3, 1] / 100)
        np.testing.assert_allclose(words, expected, err_msg=name)
    np.testing.assert_allclose(np.nan_to_num(found["function_words"]), [1, 0, 2 / 3, 0])


def test_profile_by_hand() -> None:
    found = profile(read(("I think you, perhaps, are right! However, we go on.\n\n- **so**", "")))
    assert set(found) == set(UNITS)
    assert found["words"].tolist() == [11, 0]
    assert found["words_per_sentence"][0] == pytest.approx(11 / 3)
    assert found["first_person"][0] == pytest.approx(200 / 11)
    assert found["second_person"][0] == pytest.approx(100 / 11)
    assert found["hedges"][0] == pytest.approx(100 / 11)
    assert found["commas"][0] == pytest.approx(300 / 11)
    assert found["bold"].tolist() == found["bullet_lists"].tolist() == [1, 0]
    assert np.isnan(found["words_per_sentence"][1])


def test_word_grams_by_hand_stay_within_texts() -> None:
    found = word_grams(read(("a b a b", "b", "")), 1, 2, 20)
    # a a b b ab ab ba
    assert np.bincount(found.rows, weights=found.values, minlength=3).tolist() == [7, 1, 0]
    assert sorted(found.values[found.rows == 0].tolist()) == [1, 2, 2, 2]
    assert found.columns[found.rows == 1][0] in found.columns[found.rows == 0]


def test_texts_are_counted_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many at a time, and whether by a table or by sorting; some are longer than what is taken at once."""
    rng = np.random.default_rng(0)
    lengths = (0, 3, 40, 0, 0, 1, 9, 2, 0)
    texts = ["".join(rng.choice(list("ab c"), n)) for n in lengths]
    expected = [Counter(t[i : i + n] for n in (1, 2) for i in range(len(t) - n + 1)) for t in texts]
    whole = character_grams(texts, 1, 2, 20)
    for at_once, room in ((1, 0), (1, 1 << 30), (12, 0), (12, 1 << 30)):
        monkeypatch.setattr(grams, "_AT_ONCE", at_once)
        monkeypatch.setattr(grams, "_ROOM", room)
        found = character_grams(texts, 1, 2, 20)
        for i, counts in enumerate(expected):
            assert sorted(found.values[found.rows == i]) == sorted(counts.values())
        np.testing.assert_array_equal(found.columns, whole.columns)
        np.testing.assert_array_equal(found.values, whole.values)


def test_character_grams_count_all() -> None:
    found = character_grams(("aaa", "ä\U0001f600", ""), 1, 3, 11)
    assert np.bincount(found.rows, weights=found.values, minlength=3).tolist() == [6, 3, 0]
    table = damped(found)
    np.testing.assert_allclose(np.linalg.norm(table, axis=1), [1, 1, 0], atol=1e-6)


def test_some_of_the_texts_read_as_if_they_were_alone() -> None:
    written_texts = ["Sure! Yes.", "", "- a b\n- c", "你好，好。", "One. Two three; four!"]
    whole = text_side("m", written_texts)
    ids = [p.id for p in whole.requests.prompts]
    rows = sorted((2, 4, 3), key=lambda i: ids[i])
    other = text_side("o", written_texts)
    gone = tuple(i in rows for i in range(5))
    text = tuple(t if kept else None for t, kept in zip(written_texts, gone, strict=True))
    other = replace(other, outputs=replace(other.outputs, text=text, answered=gone))
    aligned = align_texts(of_equals(whole, other))
    alone = read([written_texts[i] for i in rows])
    for reading in (aligned["student"].reading, aligned["base"].reading):
        for name, value in vars(alone).items():
            np.testing.assert_array_equal(getattr(reading, name), value, err_msg=name)
    assert align_texts(of_equals(whole, other))["student"] is aligned["student"]
