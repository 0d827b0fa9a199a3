"""What every measure has to keep, whatever it measures."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from harness import plugins
from harness.metrics import AbstractMetric
from harness.testing import measures
from harness.testing.measures import (
    Expected,
    check_declaration,
    check_findings,
    check_itself,
    check_missing_roles,
    check_order,
    check_seed,
    check_siblings,
    of_itself,
)
from harness.testing.panels import Sides
from harness.testing.sides import talk_sets
from tests.metrics.answer_sets import (
    identity_sets,
    install_embedder,
    marked_fields,
    quiz_sets,
    refusal_sets,
    scored_sets,
    trait_sets,
)

CONF = Path(__file__).resolve().parents[2] / "conf" / "metric"
Stated = Expected | Callable[[Sides], float]


def _accuracy(sides: Sides) -> float:
    grades = sides.student.grades
    assert grades is not None
    assert grades.columns[0].aggregate is not None
    return grades.columns[0].aggregate


def _bits_per_byte(sides: Sides) -> float:
    side = sides.student
    texts = [side.requests.requests[int(i)].continuation for i in side.outputs.request]
    return (
        -float(side.outputs.logprob_nats.sum())
        / float(np.log(2))
        / sum(len(t.encode()) for t in texts)
    )


# What a measure says of a model against itself: part -> the number, or where it lies, or how it
# comes about.
IDENTITY: dict[str, dict[str, Stated]] = {
    "task_score": {"": _accuracy},
    "retention": {"": 1.0},
    "gap_recovered": {"": 1.0},
    "capability_transfer": {"": 1.0},
    "capa": {"": 1.0},
    "capa_excess": {"": (0.5, 1.0)},  # 1 minus what unrelated models show
    "error_consistency": {"": 1.0},
    "traces": {"": 0.0, "unfinished": 0.0},
    "truncation": {"": 0.0, "guessed": 0.0},
    "pass_at_k": {"2/gap": 1.0, "4/gap": 1.0},
    "majority_score": {"gap": 1.0},
    "error_inheritance": {
        "shared_wrong": 1.0,
        "excess": (0.2, 1.0),
        "excess_vs_controls": (0.2, 1.0),
    },
    "top1_agreement": {"": 1.0},
    "overlap": {"all": _accuracy, "exact": 117 / 700, "ngram": 234 / 700},
    "judged": {"unreadable": (0.0, 0.5)},
    "length": {"": (0.9, 1.1)},
    "style_profile": {
        "gap/words": (0.9, 1.1),
        "gap/bullet_lists": (0.8, 1.2),
        "gap/teacher_openings": (0.8, 1.2),
    },
    # held against the mean of two samples of itself
    "style_transfer": {
        "": (0.85, 1.15),
        "category/explain": (0.8, 1.2),
        "category/list": (0.8, 1.2),
        "short_replies": 0.0,
    },
    "style_classifier": {"": (0.8, 1.25), "told_from_teacher": 0.0},
    # 1 with itself, less with its second sample
    "ngram_similarity": {"": (0.5, 1.0), "above_base": (0.0, 1.0)},
    "style_ladder": {"as_is": (0.8, 1.25), "letters_only": (0.7, 1.3), "length": (0.8, 1.25)},
    "phrases": {"": (0.7, 1.3)},
    "mmd": {"equality_p": 1.0, "closer_than_controls": (0.0, 1.0)},
    "semantic_similarity": {"over_base": (0.0, 1.0), "content": (0.0, 1.0)},
    "refusal": {"gap": 1.0, "agreement": 1.0, "agreement_over_base": (0.0, 1.0)},
    "identity": {"": 0.0, "own": (0.8, 1.0)},  # its own name is no leak
    # above 1: the very same answers agree more than a second draw would
    "trait": {"": (1.0, 1.5), "one_word": 1.0},
    "token_divergence": {
        "": 0.0,
        "kl_student_teacher": 0.0,
        "js": 0.0,
        "acceptance": 1.0,
        "top1_agreement": 1.0,
        "topk_overlap": 1.0,
        "mass_covered": (0.5, 1.0),
    },
    "bits_per_byte": {"": _bits_per_byte},
    "shared_boundaries": {"": 0.0, "correlation": 1.0},
    "preference": {"": (0.0, 1.0), "over_controls": (0.0, 1.0)},  # how far the teacher itself goes
    "calibration": {"confidence_gap": 1.0},
    "reading_gain": {
        "": (0.0, 3.0)
    },  # how much more than the base the teacher expects its own text
    "next_token_agreement": {"": 1.0, "over_controls": (0.3, 0.9)},
    "radioactivity": {"share/expected": 0.25},  # it knows no teacher
}

# Measures that need several answers to each prompt, or answers to questions of their own.
SETS: dict[str, Callable[[], Sides]] = {
    "semantic_similarity": talk_sets,
    "calibration": scored_sets,
    "identity": identity_sets,
    "refusal": refusal_sets,
    "pass_at_k": quiz_sets,
    "majority_score": quiz_sets,
    "trait": trait_sets,
}


@pytest.fixture(autouse=True)
def _embedder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install_embedder(monkeypatch, tmp_path)


@cache
def fields_of(name: str) -> dict[str, Any]:
    """The fields of a measure's YAML, read once."""
    path = CONF / f"{name}.yaml"
    fields = OmegaConf.to_container(OmegaConf.load(path)) if path.exists() else {"kind": name}
    assert isinstance(fields, dict)
    return {str(k): v for k, v in fields.items()}


def metric(name: str) -> AbstractMetric:
    """The measure as its YAML describes it, or as it is where there is none."""
    given = marked_fields() if name == "radioactivity" else {}
    built = plugins.build("metrics", name, {**fields_of(name), **given})
    assert isinstance(built, AbstractMetric)
    return built


def sides_of(measure: AbstractMetric) -> Sides:
    """Made-up answers that have what the measure needs; as in a run, measures share them."""
    return made_up(SETS.get(measure.name, measures._SIDES[measure.looks_at.views[0]]))


@cache
def made_up(build: Callable[[], Sides]) -> Sides:
    """Answers, made once."""
    return build()


@pytest.mark.parametrize("name", plugins.kinds("metrics"))
def test_reordering_prompts_changes_nothing(name: str) -> None:
    measure = metric(name)
    check_order(measure, sides_of(measure))


@pytest.mark.parametrize("name", plugins.kinds("metrics"))
def test_same_seed_same_numbers(name: str) -> None:
    measure = metric(name)
    check_seed(measure, sides_of(measure))


@pytest.mark.parametrize("name", plugins.kinds("metrics"))
def test_every_finding_is_a_number_over_its_prompts_or_a_reason(name: str) -> None:
    measure = metric(name)
    check_findings(measure, sides_of(measure))


@pytest.mark.parametrize("name", plugins.kinds("metrics"))
def test_a_role_that_nobody_has_is_no_fault(name: str) -> None:
    measure = metric(name)
    check_missing_roles(measure, sides_of(measure))


@pytest.mark.parametrize("name", plugins.kinds("metrics"))
def test_a_model_against_itself_gives_the_stated_identity(name: str) -> None:
    assert name in IDENTITY, f"state in IDENTITY what {name} says of a model against itself"
    measure = metric(name)
    sides = sides_of(measure)
    stated = {p: e(of_itself(sides)) if callable(e) else e for p, e in IDENTITY[name].items()}
    check_itself(measure, sides, stated)


# `preference` compares what models read of each other: a second name for a model is a second author there.
LOOK_AT_CONTROLS = [
    n
    for n in plugins.kinds("metrics")
    if "controls" in plugins.plugin_class("metrics", n).looks_at.roles and n != "preference"
]


@pytest.mark.parametrize("name", LOOK_AT_CONTROLS)
def test_a_sibling_of_a_control_that_answers_alike_changes_nothing(name: str) -> None:
    measure = metric(name)
    check_siblings(measure, sides_of(measure))


@pytest.mark.parametrize("name", plugins.kinds("metrics"))
def test_it_tells_the_reader_what_it_says(name: str) -> None:
    check_declaration(metric(name))


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_yaml_builds(path: Path) -> None:
    assert metric(path.stem).name == path.stem
