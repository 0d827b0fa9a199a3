"""What every measure has to keep, whatever it measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from omegaconf import OmegaConf

from harness import plugins
from harness.metrics import AbstractMetric
from harness.panel.panel import Role, View
from harness.stats.intervals import Estimate, evaluate
from harness.testing.judgements import drawn_sides
from harness.testing.panels import Sides, findings
from harness.testing.reading import next_token_sides, reading_sides
from harness.testing.sides import quiz_sides, shuffled_sides, talk_sets, talk_sides, trained_sides
from harness.types import Statistic, Unavailable
from tests.metrics.answer_sets import identity_sets, install_embedder, trait_sets

CONF = Path(__file__).resolve().parents[2] / "conf" / "metric"
Expected = float | tuple[float, float] | Callable[[Sides], float]


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
IDENTITY: dict[str, dict[str, Expected]] = {
    "task_score": {"": _accuracy},
    "retention": {"": 1.0},
    "gap_recovered": {"": 1.0},
    "capability_transfer": {"": 1.0},
    "capa": {"": 1.0},
    "capa_excess": {"": (0.5, 1.0)},  # 1 minus what unrelated models show
    "error_consistency": {"": 1.0},
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
    "next_token_agreement": {"": 1.0, "over_controls": (0.3, 0.9)},
}

# Measures that need several answers to each prompt, or answers to questions of their own.
SETS: dict[str, Callable[[], Sides]] = {
    "mmd": talk_sets,
    "semantic_similarity": talk_sets,
    "identity": identity_sets,
    "trait": trait_sets,
    "token_divergence": reading_sides,
    "bits_per_byte": reading_sides,
    "shared_boundaries": reading_sides,
    "preference": reading_sides,
    "next_token_agreement": next_token_sides,
    "overlap": trained_sides,
    "judged": drawn_sides,
}


@pytest.fixture(autouse=True)
def _embedder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install_embedder(monkeypatch, tmp_path)


def metric(name: str) -> AbstractMetric:
    """The measure as its YAML describes it, or as it is where there is none."""
    path = CONF / f"{name}.yaml"
    fields = OmegaConf.to_container(OmegaConf.load(path)) if path.exists() else {"kind": name}
    assert isinstance(fields, dict)
    built = plugins.build("metrics", name, {str(k): v for k, v in fields.items()})
    assert isinstance(built, AbstractMetric)
    return built


def sides_for(measure: AbstractMetric) -> Sides:
    """Made-up answers that have what the measure needs."""
    if measure.name in SETS:
        return SETS[measure.name]()
    return talk_sides() if View.STYLE in measure.looks_at.views else quiz_sides()


def estimates(measure: AbstractMetric, sides: Sides) -> dict[tuple[str, str], Estimate | str]:
    """Everything that the measure says, evaluated; reasons where there is no value."""
    found = findings(measure, [sides], np.random.default_rng(7))
    assert len({(f.name, f.leaf) for f in found}) == len(found), "two numbers of the same name"
    return {(f.name, f.leaf): _evaluated(f.statistic) for f in found}


def _evaluated(statistic: Statistic | str) -> Estimate | str:
    try:
        return (
            statistic
            if isinstance(statistic, str)
            else evaluate(statistic, np.random.default_rng(7))
        )
    except Unavailable as error:
        return str(error)


@pytest.mark.parametrize("name", plugins.kinds("metrics"))
def test_reordering_prompts_changes_nothing(name: str) -> None:
    measure = metric(name)
    sides = sides_for(measure)
    first = estimates(measure, sides)
    assert any(isinstance(e, Estimate) for e in first.values())
    assert estimates(measure, shuffled_sides(sides)) == first


@pytest.mark.parametrize("name", plugins.kinds("metrics"))
def test_same_seed_same_numbers(name: str) -> None:
    measure = metric(name)
    sides = sides_for(measure)
    assert estimates(measure, sides) == estimates(measure, sides)


@pytest.mark.parametrize("name", plugins.kinds("metrics"))
def test_a_model_against_itself_gives_the_stated_identity(name: str) -> None:
    assert name in IDENTITY, f"state in IDENTITY what {name} says of a model against itself"
    measure = metric(name)
    sides = sides_for(measure)
    assert sides.teacher is not None
    itself = replace(sides, student=sides.teacher)
    found = estimates(measure, itself)
    for part, expected in IDENTITY[name].items():
        estimate = found[part, ""]
        assert isinstance(estimate, Estimate), f"{part}: {estimate}"
        if isinstance(expected, tuple):
            assert expected[0] < estimate.value < expected[1], part
        else:
            number = expected(itself) if callable(expected) else expected
            assert estimate.value == pytest.approx(number, abs=1e-12), part


# `preference` compares what models read of each other: a second name for a model is a second author there.
LOOK_AT_CONTROLS = [
    n
    for n in plugins.kinds("metrics")
    if "controls" in metric(n).looks_at.roles and n != "preference"
]


@pytest.mark.parametrize("name", LOOK_AT_CONTROLS)
def test_a_sibling_of_a_control_that_answers_alike_changes_nothing(name: str) -> None:
    measure = metric(name)
    sides = sides_for(measure)
    first, *rest = (replace(c, lineage=f"lab of {c.model}") for c in sides.controls)
    twin = replace(first, model="twin of a control")
    one, two = (
        replace(sides, controls=(first, *rest)),
        replace(sides, controls=(first, *rest, twin)),
    )
    before, after = estimates(measure, one), estimates(measure, two)
    assert before.keys() == after.keys()
    for part, expected in before.items():
        got = after[part]
        if isinstance(expected, str) or isinstance(got, str):
            assert got == expected, part
        else:
            assert got.value == pytest.approx(expected.value, rel=1e-9), part
            assert got.n == expected.n, part


@pytest.mark.parametrize("name", plugins.kinds("metrics"))
def test_it_tells_the_reader_what_it_says(name: str) -> None:
    measure = metric(name)
    assert measure.unit
    assert measure.better in ("higher", "lower", "none")
    assert measure.looks_at.views
    assert set(measure.looks_at.roles) <= set(get_args(Role))
    assert measure.looks_at.at_models or measure.looks_at.at_pairs
    assert 40 < len(measure.explanation) < 900


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_yaml_builds(path: Path) -> None:
    assert metric(path.stem).name == path.stem
