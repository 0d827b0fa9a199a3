"""Inherited errors: rare wrong answers weigh, popular ones do not, and who is as good as a teacher is not accused."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from harness.panel.evidence import Crowd, Opinion, Origin, without_lineage
from harness.testing.crowds import quiz_crowd
from harness.testing.sides import chosen_side
from harness.types import Prompt, Unavailable
from harness.verdicts.inherited_errors import Choosers, InheritedErrors
from tests.calibration.option_orders import World, count

VERDICT = InheritedErrors("inherited_errors", "inherited_errors")
RNG = np.random.default_rng(0)


@cache
def everyone() -> tuple[Crowd, tuple[Origin, ...]]:
    return quiz_crowd(n_students=4, n_controls=8)


def weighed(suspect: str, made: Crowd | None = None) -> dict[str, Opinion]:
    crowd, origins = everyone()
    prepared = VERDICT.prepare(made or crowd, RNG)
    said = VERDICT.weigh(prepared, suspect, without_lineage(origins, suspect))
    return {o.family: o for o in said}


def test_students_are_named_and_innocents_are_not_accused() -> None:
    crowd, origins = everyone()
    prepared = VERDICT.prepare(crowd, RNG)
    for origin in origins:
        if origin.standing == "teacher":
            continue
        known = without_lineage(origins, origin.model)
        said = VERDICT.weigh(prepared, origin.model, known)
        supported = [o.family for o in said if o.outcome == "supports"]
        assert supported == ([origin.family] if origin.family else []), origin.model


def one_prompt(choices: dict[str, int | None]) -> Choosers:
    """Models with these choices on 25 copies of one prompt of five options, of which 0 is right."""
    prompts = [Prompt(f"p{i:02}", f"q{i}", f"p{i:02}", "", 5, 0) for i in range(25)]
    sides = {m: chosen_side(m, prompts, [c] * 25) for m, c in choices.items()}
    return VERDICT.prepare(Crowd("quiz", sides, {"a": ("a",)}, {}), RNG)


def test_a_shared_error_weighs_by_how_few_others_make_it() -> None:
    made = one_prompt({"a": 1, "b": 1, "c": 1, "d": 2, "e": 3, "f": 0, "g": None})
    values = made.rare_errors(np.arange(7))
    # a and b: of the others who are wrong (c, d, e) one chose 1; (1 + .5) / (3 + .5 * 4)
    assert values[0, 1] == pytest.approx(-math.log(1.5 / 5))
    assert values[0, 3] == 0  # both wrong, by different options
    assert np.isnan(values[0, 5])  # the other is right
    assert np.isnan(values[0, 6])  # the other did not answer


def test_an_error_that_everybody_makes_weighs_least() -> None:
    popular = one_prompt(dict.fromkeys("abcdefgh", 1)).rare_errors(np.arange(8))[0, 1]
    rare = one_prompt({"a": 1, "b": 1, **dict.fromkeys("cdefgh", 2)}).rare_errors(np.arange(8))[
        0, 1
    ]
    assert popular < 0.3 < 2 < rare


def test_few_common_errors_tell_nothing() -> None:
    crowd, origins = quiz_crowd(n_students=4, n_controls=8, n_prompts=25)
    prepared = VERDICT.prepare(crowd, RNG)
    (one, _) = VERDICT.weigh(prepared, "control-0", without_lineage(origins, "control-0"))
    assert not one.is_told
    assert one.outcome == "cannot tell"
    assert "both got wrong; at least 20 are needed" in one.reason


def test_few_strangers_tell_nothing() -> None:
    crowd, origins = everyone()
    few = [o for o in origins if o.standing == "teacher" or o.model in ("control-1", "control-2")]
    prepared = VERDICT.prepare(crowd, RNG)
    for opinion in VERDICT.weigh(prepared, "one-student-0", few):
        assert "2 control lineages; at least 4 are needed" in opinion.reason
        assert not opinion.is_told


def test_who_left_prompts_out_is_compared_on_the_others() -> None:
    crowd, _ = everyone()
    side = crowd.sides["one-student-1"]
    prompts = side.requests.prompts
    choices = [None if i % 3 == 0 else c for i, c in enumerate(side.outputs.choice)]
    sides = {**crowd.sides, "one-student-1": chosen_side("one-student-1", prompts, choices)}
    partly = Crowd(crowd.task, sides, crowd.families, crowd.background)
    assert weighed("one-student-1", partly)["one"].outcome == "supports"


def test_no_keyed_prompt_is_said() -> None:
    prompts = [Prompt(f"p{i}", "q", f"p{i}", "", 4) for i in range(5)]
    sides = {"a": chosen_side("a", prompts, [1] * 5)}
    with pytest.raises(Unavailable, match="no multiple-choice prompt states a right option"):
        VERDICT.prepare(Crowd("quiz", sides, {"a": ("a",)}, {}), RNG)


def test_who_leans_to_the_same_place_is_accused_in_one_order_and_not_in_two() -> None:
    one, two = (count(lean=1.5, orders=k, seeds=range(2)) for k in (1, 2))
    assert one.leaning >= 3
    assert two.leaning == 0
    # neither is who learned found while a place decides: innocents share as much
    assert one.students <= 3
    assert two.students >= 6
    assert (two.n_leaning, two.n_students) == (4, 8)


def test_an_error_of_place_is_none_in_several_orders() -> None:
    crowd, origins = World(seed=0, lean=30.0, orders=2).crowd()
    prepared = VERDICT.prepare(crowd, RNG)
    leaning = prepared.rows["leans-as-one"]
    assert prepared.choices.wrong[leaning].sum() == 300  # A, of four options in turn
    assert not prepared.errors[leaning].any()
    known = without_lineage(origins, "leans-as-one")
    said = {o.family: o for o in VERDICT.weigh(prepared, "leans-as-one", known)}
    assert not said["one"].is_told
    assert said["one"].reason.startswith(
        "0 prompts that leans-as-one and one-teacher both got wrong, each with one option in every order; at least 20"
    )
