"""Named features of style, one number per reply, which a reader can check by eye.

Word lists are English; in other languages those features are near 0 for every model, the others hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from harness.text.families import Grams, edges
from harness.text.segment import LAYOUT, MARKS, Codes, Reading, code
from harness.types import Floats, Ints

DIVERSITY_WINDOW = 25  # words
COMMONEST_EDGES = 10  # openings or closings that count as a model's own

_FUNCTION_WORDS = (
    "the a an and or but nor so yet if then than that this these those there here of in on at by for with from to "
    "into onto over under about between through during before after above below up down out off as is are was were "
    "be been being am do does did have has had having will would shall should can could may might must it its he him"
    " his she her hers they them their we us our i me my mine you your yours who whom whose which what when where "
    "why how not no all any both each few more most other some such only own same too very just also while because "
    "until although though since unless"
)
_LISTS = {
    "function_words": _FUNCTION_WORDS,
    "first_person": "i me my mine myself i'm i've i'd i'll we us our ours ourselves we're we've we'll",
    "second_person": "you your yours yourself yourselves you're you've you'll you'd",
    "hedges": (
        "perhaps maybe might may could possibly probably likely seems seem appears appear generally typically often "
        "usually somewhat rather fairly sometimes approximately roughly tends tend arguably apparently relatively"
    ),
    "boosters": (
        "very really truly certainly definitely absolutely always never clearly highly extremely incredibly "
        "essential crucial important vital key ensure significant"
    ),
    "connectives": (
        "however therefore additionally moreover furthermore also thus hence meanwhile overall finally firstly "
        "secondly instead nevertheless nonetheless consequently besides still indeed first second third lastly"
    ),
}
_RATES = {
    "comma": "commas", "semicolon": "semicolons", "colon": "colons", "dash": "dashes", "parenthesis": "parentheses",
    "quotation mark": "quotation_marks", "exclamation mark": "exclamation_marks", "question mark": "question_marks",
}  # fmt: skip
_SHARES = {
    "bullets": "bullet_lists", "numbered": "numbered_lists", "headings": "headings", "bold": "bold",
    "code_blocks": "code_blocks",
    "table_rows": "tables", "label_lines": "lines_ending_in_a_colon",
}  # fmt: skip
_PER_100 = "per 100 words"
_OF_REPLIES = "share of replies"

UNITS: Mapping[str, str] = MappingProxyType(
    {
        "words": "words",
        "words_per_sentence": "words",
        "spread_of_sentence_length": "words",
        "words_per_paragraph": "words",
        "paragraphs": "paragraphs",
        "word_length": "characters",
        "distinct_words": f"share of {DIVERSITY_WINDOW} in a row",
        **{name: "share of words" if name == "function_words" else _PER_100 for name in _LISTS},
        **dict.fromkeys(_RATES.values(), _PER_100),
        "emoji": _PER_100,
        **dict.fromkeys(_SHARES.values(), _OF_REPLIES),
        "ends_with_a_question": _OF_REPLIES,
        "ends_with_an_exclamation": _OF_REPLIES,
    }
)
AGAINST_TEACHER: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("teacher_openings", "teacher_closings"), _OF_REPLIES)
)

# features that a reply has only when it is complete
OF_WHOLE = frozenset(
    {
        "words",
        "paragraphs",
        "words_per_sentence",
        "spread_of_sentence_length",
        "words_per_paragraph",
        "ends_with_a_question",
        "ends_with_an_exclamation",
        "teacher_closings",
    }
)


@lru_cache(maxsize=160)
def profile(texts: Reading) -> dict[str, Floats]:
    """Every feature of UNITS (P,); NaN where a reply is too short to have it."""
    n = texts.n_words.astype(np.float64)
    some = np.where(n > 0, n, np.nan)
    amounts = dict(zip(LAYOUT, texts.layout.T.astype(np.float64), strict=True))
    marks = dict(zip(MARKS, texts.marks.T.astype(np.float64), strict=True))
    last = np.array([e[1] for e in texts.ends])
    return {
        "words": n,
        "words_per_sentence": some / np.maximum(texts.sentences, 1),
        "spread_of_sentence_length": np.where(texts.sentences > 1, texts.sentence_spread, np.nan),
        "words_per_paragraph": some / np.maximum(amounts["paragraphs"], 1),
        "paragraphs": amounts["paragraphs"],
        "word_length": texts.characters / some,
        "distinct_words": moving_type_token_ratio(texts, DIVERSITY_WINDOW),
        **{
            name: count / some * (1 if name == "function_words" else 100)
            for name, count in _listed(texts).items()
        },
        **{name: 100 * marks[mark] / some for mark, name in _RATES.items()},
        "emoji": 100 * texts.emoji / some,
        **{name: (amounts[kind] > 0).astype(np.float64) for kind, name in _SHARES.items()},
        "ends_with_a_question": np.isin(last, list("?？؟")).astype(np.float64),
        "ends_with_an_exclamation": np.isin(last, list("!！")).astype(np.float64),
    }


def shared_edges(
    texts: Reading, teacher: Sequence[Reading], rows: Annotated[Ints, "R"]
) -> dict[str, Floats]:
    """Whether a reply starts, or ends, with two words that are among the teacher's commonest on these rows (R,)."""
    own, taught = edges(texts)[rows], np.concatenate([edges(t)[rows] for t in teacher])
    return {
        name: np.isin(own[:, column], _commonest(taught[:, column])).astype(np.float64)
        for name, column in zip(AGAINST_TEACHER, (1, 5), strict=True)
    }


def moving_type_token_ratio(texts: Reading, window: int) -> Annotated[Floats, "P"]:
    """Mean share of distinct words among `window` in a row (P,); NaN for shorter texts. Does not depend on length.

    Source: Covington and McFall 2010, the moving-average type-token ratio.
    """
    n_words, n = texts.n_words, len(texts.words)
    if n < window:
        return np.full(len(n_words), np.nan)
    previous = _previous(texts.words, texts.text_of_word)
    starts = np.arange(n - window + 1)
    distinct = np.zeros(len(starts))
    for k in range(window):
        distinct += previous[k : k + len(starts)] < starts
    owner = texts.text_of_word
    whole = owner[: len(starts)] == owner[window - 1 :]
    totals = np.bincount(
        owner[: len(starts)][whole], weights=distinct[whole], minlength=len(n_words)
    )
    windows = np.maximum(n_words - window + 1, 0)
    return np.where(windows > 0, totals / np.maximum(windows, 1) / window, np.nan)


def _previous(words: Annotated[Codes, "W"], owner: Annotated[Ints, "W"]) -> Annotated[Ints, "W"]:
    """Place (W,) of the last occurrence of the same word in the same text before; -1 where there is none."""
    order = np.argsort(words, kind="stable")
    same = (words[order][1:] == words[order][:-1]) & (owner[order][1:] == owner[order][:-1])
    previous = np.full(len(words), -1, dtype=np.int64)
    previous[order[1:][same]] = order[:-1][same]
    return previous


def _listed(texts: Reading) -> dict[str, Annotated[Floats, "P"]]:
    """How many words (P,) of a text are in each list."""
    known, lists = _codes_of_lists()
    place = np.minimum(np.searchsorted(known, texts.words), len(known) - 1)
    listed = np.flatnonzero(known[place] == texts.words)
    owner, place, n = texts.text_of_word[listed], place[listed], len(texts.n_words)
    return {
        name: np.bincount(owner[inside[place]], minlength=n).astype(np.float64)
        for name, inside in lists.items()
    }


@cache
def _codes_of_lists() -> tuple[Annotated[Codes, "C"], dict[str, Annotated[NDArray[np.bool_], "C"]]]:
    """The sorted codes of all listed words, and which of them are in each list."""
    codes = {
        name: np.array([code(w) for w in listed.split()], dtype=np.uint32)
        for name, listed in _LISTS.items()
    }
    known = np.unique(np.concatenate(list(codes.values())))
    return known, {name: np.isin(known, own) for name, own in codes.items()}


def _commonest(codes: Annotated[Grams, "W"]) -> Annotated[Grams, "C"]:
    known, counts = np.unique(codes, return_counts=True)
    return known[np.lexsort((known, -counts))[:COMMONEST_EDGES]]
