from __future__ import annotations

from typing import get_args

import pytest

from harness.zoo.recipe import CLOSED, FromAnswers, Scale, digest, needs, zoo

SCALES: tuple[Scale, ...] = get_args(Scale)


def ancestors(name: str, scale: Scale) -> set[str]:
    """Everything that has to be there first."""
    return {n for need in needs(name, scale) for n in (need, *ancestors(need, scale))}


def test_digest_changes_with_seed_and_scale_only() -> None:
    assert digest("full", 0) == digest("full", 0)
    assert len({digest("full", 0), digest("full", 1), digest("smoke", 0)}) == 3


@pytest.mark.parametrize("scale", SCALES)
def test_everything_that_is_needed_can_be_made(scale: Scale) -> None:
    made = {"tokenizer", *zoo(scale).models, *zoo(scale).answers}
    for name in made:
        assert ancestors(name, scale) <= made - {name}


def test_lineage() -> None:
    assert "teacher_a" in ancestors("answers_a", "full")
    assert not {"teacher_a", "teacher_b"} & ancestors("independent", "full")
    assert "teacher_a" not in ancestors("answers_b", "full")


def test_corners_read_what_their_names_say() -> None:
    models = zoo("full").models
    style, task = models["style_only_a"].phases[0].texts, models["task_only_a"].phases[0].texts
    assert all(isinstance(t, FromAnswers) and not set(t.kinds) & set(CLOSED) for t in style)
    of_a = [t for t in task if isinstance(t, FromAnswers) and "teacher_a" in t.answers]
    assert [t.kinds for t in of_a] == [CLOSED]
