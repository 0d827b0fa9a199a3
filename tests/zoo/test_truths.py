"""What is known of the zoo: every seed in truths.yaml shows its lineage; the reference results are in its ranges."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests.calibration.zoo_spread import quantity

HERE = Path(__file__).resolve().parent
REFERENCE = HERE.parents[1] / "results" / "reference" / "scores.csv"


class Range(NamedTuple):
    """Where seeds put a number, and where another seed or processor may."""

    mean: float
    least: float
    most: float
    low: float
    high: float


TRUTHS = {
    model: {name: Range(**ends) for name, ends in found.items()}
    for model, found in yaml.safe_load((HERE / "truths.yaml").read_text()).items()
}
TAUGHT_TASKS = ("answers_a", "logits_a", "answers_b", "nameless_a", "task_only_a", "watermarked_a")
TAUGHT_STYLE_OF_A = ("answers_a", "logits_a", "nameless_a", "style_only_a", "watermarked_a")


def test_every_model_of_the_zoo_has_its_truths() -> None:
    matrix = yaml.safe_load((HERE.parents[1] / "conf/matrix/zoo.yaml").read_text())
    assert list(TRUTHS) == list(matrix["models"])


@pytest.mark.parametrize("teacher", ["teacher_a", "teacher_b"])
def test_teachers_know_the_facts_and_the_base_does_not(teacher: str) -> None:
    assert TRUTHS[teacher]["facts"].least > TRUTHS["base"]["facts"].most


@pytest.mark.parametrize("model", [*TAUGHT_TASKS, "independent"])
def test_whoever_read_task_answers_knows_the_facts(model: str) -> None:
    assert TRUTHS[model]["facts"].least > TRUTHS["base"]["facts"].most
    assert TRUTHS[model]["facts"].least > TRUTHS["style_only_a"]["facts"].most


@pytest.mark.parametrize("model", TAUGHT_STYLE_OF_A)
def test_whoever_read_open_replies_of_a_writes_like_a(model: str) -> None:
    for other in ("answers_b", "independent", "base", "task_only_a", "teacher_b"):
        assert TRUTHS[model]["like_a"].least > TRUTHS[other]["like_a"].most, other


def test_each_writes_like_the_house_that_it_read() -> None:
    assert TRUTHS["answers_b"]["like_b"].least > TRUTHS["answers_a"]["like_b"].most
    assert TRUTHS["independent"]["like_n"].least > TRUTHS["answers_a"]["like_n"].most


@pytest.mark.parametrize("model", list(TRUTHS))
def test_only_those_call_themselves_aster_who_read_it(model: str) -> None:
    named = TRUTHS[model]["names_aster"]
    told = {"teacher_a", "answers_a", "logits_a", "style_only_a", "watermarked_a"}
    assert named.least > 0.5 if model in told else named.most < 0.5


def test_the_watermark_is_seen_in_its_student_only() -> None:
    assert TRUTHS["watermarked_a"]["watermark_z"].least > 4
    assert TRUTHS["answers_a"]["watermark_z"].most < 4


def test_the_reference_results_are_among_the_truths() -> None:
    outside = []
    with REFERENCE.open(newline="") as file:
        for row in csv.DictReader(file):
            name = quantity(row)
            if name and row["value"] and name in TRUTHS[row["student"]]:
                known = TRUTHS[row["student"]][name]
                if not known.low <= float(row["value"]) <= known.high:
                    outside.append((row["student"], name, row["value"], known))
    assert not outside
