"""The matrices of recorded real models agree with what is documented about those models."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from omegaconf import OmegaConf

from harness.plugins import build
from harness.types import Paths, Request
from tests.models.asking import answered

CONF = Path(__file__).resolve().parents[2] / "conf"
MATRICES = ("alpaca_eval", "mmlu_pro")
# said so in the matrix
SIBLINGS_OF_THE_NEAREST_KIND = {"claude2-alpaca-13b", "recycled-wizardlm-7b-v1.0"}


def matrix(name: str) -> dict[str, Any]:
    loaded = OmegaConf.to_container(OmegaConf.load(CONF / "matrix" / f"{name}.yaml"))
    assert isinstance(loaded, dict)
    return loaded


@pytest.fixture(scope="module")
def lineage(shared_data: Path) -> pd.DataFrame:
    return pd.read_csv(shared_data / "alpaca_eval/lineage.csv", keep_default_na=False).set_index(
        "model"
    )


@pytest.mark.parametrize("name", MATRICES)
def test_every_model_of_a_pair_or_a_control_stands_among_the_models(name: str) -> None:
    loaded = matrix(name)
    pairs = [p[role] for p in loaded["pairs"] for role in ("teacher", "student", "base", "ceiling")]
    controls = [m for c in loaded["controls"] for m in (c["model"], *c.get("teachers", []))]
    assert {m for m in (*pairs, *controls) if m is not None} == set(loaded["models"])


@pytest.mark.parametrize(("name", "kind"), [("alpaca_eval", "generate"), ("mmlu_pro", "choose")])
def test_every_model_has_answers(name: str, kind: Any, shared_data: Path, tmp_path: Path) -> None:
    where = Paths(tmp_path, tmp_path, (), shared_data)
    file = (
        shared_data / name / ("responses.parquet" if kind == "generate" else "predictions.parquet")
    )
    column = "prompt" if kind == "generate" else "question_id"
    asked = pd.read_parquet(file, columns=[column])[column].drop_duplicates().astype(str)
    requests = [Request(i, kind, text, n_options=10) for i, text in enumerate(asked)]
    keys = set()
    for model, fields in matrix(name)["models"].items():
        backend = build("models", model, fields)
        assert backend.faults(where) == []
        keys.add(backend.key(where))
        with backend.open(where) as session:
            outputs = answered(session, requests)
        assert sum(outputs.answered) >= 0.99 * len(requests)
    assert len(keys) == len(matrix(name)["models"])


def test_pairs_are_documented(lineage: pd.DataFrame) -> None:
    for pair in matrix("alpaca_eval")["pairs"]:
        student, teacher, ceiling = (
            lineage.loc[pair[role]] for role in ("student", "teacher", "ceiling")
        )
        assert student["role"] == "student"
        assert student["teacher_family"] == teacher["teacher_family"]
        assert student["confidence"] == "high" or pair["student"] == "falcon-7b-instruct"
        assert (
            ceiling["teacher_family"] == teacher["teacher_family"]
            or pair["ceiling"] == "text_davinci_001"
        )


def test_every_student_documented_with_high_confidence_is_there(lineage: pd.DataFrame) -> None:
    documented = lineage[(lineage["role"] == "student") & (lineage["confidence"] == "high")]
    assert set(documented.index) <= {p["student"] for p in matrix("alpaca_eval")["pairs"]}


def test_bases_are_tuned_from_the_same_model(lineage: pd.DataFrame) -> None:
    for pair in matrix("alpaca_eval")["pairs"]:
        if pair["base"] is None:
            continue
        student, base = (lineage.loc[pair[role], "base"] for role in ("student", "base"))
        size = re.compile(r"(\d+)b", re.IGNORECASE)
        assert size.findall(student)[0] == size.findall(base)[0]
        assert student.lower() == base.lower() or pair["student"] in SIBLINGS_OF_THE_NEAREST_KIND
        assert lineage.loc[pair["base"], "role"] == "control"


def test_no_control_is_of_the_lab_of_its_teacher_or_documented_as_taught(
    lineage: pd.DataFrame,
) -> None:
    loaded = matrix("alpaca_eval")
    teachers = {p["teacher"] for p in loaded["pairs"]}
    openai = {t for t in teachers if t.startswith(("gpt", "text_davinci"))}
    assert teachers - openai == {"claude-2"}
    for control in loaded["controls"]:
        of = set(control.get("teachers") or teachers)
        assert lineage.loc[control["model"], "role"] in ("control", "teacher")
        if control["model"].startswith(("gpt", "text_davinci", "phi")):
            assert not of & openai
        if control["model"].startswith("claude"):
            assert of <= openai
    assert {c["lineage"] for c in loaded["controls"] if c["model"].startswith("guanaco")} == {
        "guanaco"
    }
