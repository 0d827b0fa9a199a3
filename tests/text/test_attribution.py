"""Who resembles whom: what must not change, and that a student is told from strangers."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats.betting import Stop
from harness.text import attribution
from harness.text.attribution import (
    FEWEST_LINEAGES,
    SIGNALS,
    Candidate,
    Member,
    Signals,
    Suspect,
    attribute,
    name_teacher,
)
from harness.text.corpus import Replies
from tests.text.made_up import (
    BACKGROUND,
    CANDIDATES,
    PROMPTS,
    corpus,
    everybody,
    read,
    replies,
    voice,
)

PUPIL = Suspect("pupil", "pupil")


def signals(
    made: dict[str, Replies] | None = None,
    background: list[Member] = BACKGROUND,
    candidates: list[Candidate] = CANDIDATES,
    suspects: tuple[Suspect, ...] = (PUPIL,),
) -> dict[tuple[str, str], Signals]:
    """Signals by suspect and family."""
    given = attribute(corpus(made or everybody()), background, suspects, candidates, SIGNALS)
    return {(s.suspect, s.family): s for s in given}


def test_a_student_resembles_its_teacher_and_a_stranger_nobody() -> None:
    made = signals(suspects=(PUPIL, Suspect("own0", "lab0")))
    red, blue = made["pupil", "red"], made["pupil", "blue"]
    assert red.values["function_words"] > 0.8 > 0.5 > blue.values["function_words"]
    assert name_teacher([red, blue]) == "red"
    assert made["own0", "red"].values["function_words"] < 0.5
    assert set(red.values) == set(SIGNALS)
    assert (red.prompts, red.lineages, made["own0", "red"].lineages) == (30, 8, 7)


def test_one_could_stop_early_for_a_student_and_never_for_a_stranger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attribution, "ROUND", 4)
    near = {"pupil": read(replies(voice(0), 99))}
    made = signals(everybody(near), suspects=(PUPIL, Suspect("own0", "lab0")))
    assert made["pupil", "red"].stop == Stop(24, 30, 8)
    for key, lineages in ((("pupil", "blue"), 8), (("own0", "red"), 7), (("own0", "blue"), 7)):
        assert made[key].stop == Stop(None, 30, lineages)
    # beside an innocent lineage that is as near to the family to stop is never right
    twin = near | {"twin": read(replies(voice(0), 98))}
    beside = signals(everybody(twin), [*BACKGROUND, Member("twin", "twin")])
    assert beside["pupil", "red"].stop == Stop(None, 30, 9)
    # and where it is the family's kin it is no innocent
    kin = [*BACKGROUND, Member("twin", "twin", frozenset({"red"}))]
    assert signals(everybody(twin), kin)["pupil", "red"].stop == Stop(24, 30, 8)


def test_another_candidate_changes_no_number_of_the_others() -> None:
    strange = read([t + " zebra aardvark" for t in replies(voice(7), 5)])
    more = signals(
        everybody({"green0": strange}), candidates=[*CANDIDATES, Candidate("green0", "green")]
    )
    for key, one in signals().items():
        assert more[key] == one


def test_neither_the_order_of_models_nor_of_prompts_changes_a_number() -> None:
    plain = signals()
    turned = {name: read_back(one) for name, one in reversed(list(everybody().items()))}
    assert signals(turned, BACKGROUND[::-1], CANDIDATES[::-1]) == plain


def read_back(one: Replies) -> Replies:
    """The same replies in the reverse order."""
    texts = [
        " ".join(one.tokens.words[c] for c in one.tokens.codes[a:b])
        for a, b in zip(one.tokens.offsets, one.tokens.offsets[1:], strict=False)
    ]
    return read(texts[::-1], one.prompts[::-1])


def test_another_suspect_changes_no_number_of_the_others() -> None:
    two = signals(suspects=(PUPIL, Suspect("own3", "lab3")))
    assert two["pupil", "red"] == signals()["pupil", "red"]


def test_the_suspects_lineage_and_the_familys_kin_are_left_out_of_the_cohort() -> None:
    kin = [m._replace(kin=frozenset({"red"})) if m.name == "own1" else m for m in BACKGROUND]
    made = signals(background=kin, suspects=(Suspect("pupil", "lab2"),))
    assert (made["pupil", "red"].lineages, made["pupil", "blue"].lineages) == (6, 7)


def test_a_pair_is_compared_on_the_prompts_that_both_were_asked() -> None:
    given = everybody()
    given["blue0"] = read(replies(voice(1), 10)[:24], PROMPTS[:24])
    made = signals(given, candidates=[Candidate("red0", "red"), Candidate("blue0", "blue")])
    assert (made["pupil", "red"].prompts, made["pupil", "blue"].prompts) == (30, 24)
    alone = {name: read(*_first(one, 24)) for name, one in given.items()}
    alone["blue0"] = given["blue0"]
    assert signals(alone, candidates=[Candidate("blue0", "blue")])["pupil", "blue"].values == (
        made["pupil", "blue"].values
    )


def _first(one: Replies, n: int) -> tuple[list[str], tuple[str, ...]]:
    turned = read_back(read_back(one))
    texts = [
        " ".join(turned.tokens.words[c] for c in turned.tokens.codes[a:b])
        for a, b in zip(turned.tokens.offsets[:n], turned.tokens.offsets[1 : n + 1], strict=True)
    ]
    return texts, turned.prompts[:n]


def test_a_family_is_as_close_as_its_closest_version() -> None:
    each = [signals(candidates=[c])["pupil", "red"].values for c in CANDIDATES if c.family == "red"]
    both = signals()["pupil", "red"].values
    assert both == {name: max(e[name] for e in each) for name in SIGNALS}


def test_too_few_lineages_or_prompts_are_said() -> None:
    few = signals(background=BACKGROUND[: FEWEST_LINEAGES - 1])["pupil", "red"]
    assert few.values == {}
    assert few.reason.startswith("3 lineages")
    short = {name: read(*_first(one, 10)) for name, one in everybody().items()}
    assert signals(short)["pupil", "red"].reason == "10 prompts answered by both; 20 are needed"


def test_empty_replies_are_left_out_and_make_no_warning() -> None:
    given = everybody()
    texts = replies(voice(0), 0)
    given["red0"] = read(["", *texts[1:]])
    given["own0"] = read([""] * len(texts))
    made = signals(given)["pupil", "red"]
    assert all(np.isfinite(v) for v in made.values.values())
    assert made.lineages == 7
    given["pupil"] = read([""] * len(texts))
    assert signals(given)["pupil", "red"].reason == "0 prompts answered by both; 20 are needed"


def test_a_candidate_may_be_a_suspect_but_is_not_compared_with_itself() -> None:
    made = signals(suspects=(Suspect("red0", "red"),))["red0", "red"]
    assert made.closest == "red1"
    alone = signals(suspects=(Suspect("red0", "red"),), candidates=[Candidate("red0", "red")])
    assert alone["red0", "red"].reason == "it is this candidate itself"


def test_a_candidate_in_the_background_is_refused() -> None:
    with pytest.raises(ValueError, match="red0 is a candidate"):
        signals(background=[*BACKGROUND, Member("red0", "red")])
