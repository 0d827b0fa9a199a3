"""Recording and replaying gives lm-eval's own numbers (lm-eval 0.4.13, its own `hf` model, CPU)."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.tasks import Setting
from harness.tasks._lm_eval_load import at_work
from harness.tasks.lm_eval import LmEvalTask
from harness.types import Grades, Paths
from tests.tasks import tiny

pytestmark = pytest.mark.usefixtures("no_look_at_the_machine")
Model = tuple[Any, list[tuple[Any, Any]]]


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Model:
    """lm-eval's hf model, taking down what it answers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tiny.recording_model(tiny_model)


def own_run(task: LmEvalTask, setting: Setting, model: Model) -> Any:
    """Results of lm-eval's own evaluation; its few-shot, chat and limit options as its command line has them."""
    import lm_eval.utils
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    loading = task._loading(setting)
    with at_work(loading), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # lm-eval's own compiler, not our faster one.
        lm_eval.utils.env.from_string = type(lm_eval.utils.env).from_string.__get__(
            lm_eval.utils.env
        )
        return simple_evaluate(
            model=model[0], tasks=[task.task], num_fewshot=task.num_fewshot, limit=setting.limit,
            apply_chat_template=setting.chat, fewshot_as_multiturn=setting.chat, bootstrap_iters=0,
            task_manager=TaskManager(include_path=[str(f) for f in loading.folders], include_defaults=False),
        )  # fmt: skip


def assert_equal(task: LmEvalTask, setting: Setting, model: Model) -> Grades:
    """Every metric of every filter of every task and group, bit by bit."""
    model[1].clear()
    expected = own_run(task, setting, model)
    requests = task.requests(setting)
    grades = task.grade(requests, tiny.responses_as_outputs(requests, model[1], task.task), setting)
    found = {(c.leaf or task.task, f"{c.metric},{c.filter}"): c.aggregate for c in grades.columns}
    wanted = {
        (leaf, key): value
        for leaf, row in expected["results"].items()
        for key, value in row.items()
        if "," in key and "_stderr" not in key
    }
    assert found == wanted
    for column in grades.columns:
        if len(column.prompt):
            assert column.value.mean() == pytest.approx(column.aggregate, abs=1e-12)
        else:
            assert column.reason
    return grades


OWN = [
    (name, shots)
    for name in ("tiny_choose", "tiny_generate", "tiny_placed", "tiny_group")
    for shots in (None, 2)
]


@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize(("name", "num_fewshot"), [*OWN, ("tiny_likely", None)])
def test_equals_lm_eval(
    name: str, chat: bool, num_fewshot: int | None, here: Setting, model: Model
) -> None:
    task = LmEvalTask(
        "lm_eval", name, task=name, num_fewshot=num_fewshot, allow_code=name in tiny.WITH_CODE
    )
    grades = assert_equal(task, replace(here, chat=chat, limit=7), model)
    assert grades.columns


def test_rolling_equals_lm_eval(here: Setting, model: Model) -> None:
    grades = assert_equal(LmEvalTask("lm_eval", "rolling", task="tiny_rolling"), here, model)
    assert {c.metric for c in grades.columns} == {
        "word_perplexity",
        "byte_perplexity",
        "bits_per_byte",
    }
    assert all(not len(c.prompt) and "not a mean" in c.reason for c in grades.columns)
    assert {c.better for c in grades.columns} == {"lower"}


def test_values_tell_prompts_apart(here: Setting, model: Model) -> None:
    grades = assert_equal(LmEvalTask("lm_eval", "choose", task="tiny_choose"), here, model)
    by_metric = {c.metric: c for c in grades.columns}
    assert set(by_metric) == {"acc", "acc_norm", "acc_mutual_info", "mcc"}
    assert by_metric["acc"].prompt.tolist() == list(range(12))
    assert 0 < by_metric["acc"].value.sum() < 12
    assert not len(by_metric["mcc"].prompt)


def test_group_has_its_own_number_and_all_prompts(here: Setting, model: Model) -> None:
    grades = assert_equal(
        LmEvalTask("lm_eval", "tiny_group", task="tiny_group", allow_code=True), here, model
    )
    leaves = {c.leaf: c for c in grades.columns if c.metric == "acc"}
    assert list(leaves) == ["tiny_group", "tiny_choose", "tiny_placed"]
    assert leaves["tiny_group"].prompt.tolist() == list(range(24))
    assert leaves["tiny_group"].aggregate == pytest.approx(
        np.concatenate([leaves["tiny_choose"].value, leaves["tiny_placed"].value]).mean(), abs=1e-12
    )


STOCK = [
    ("arc_easy", False), ("arc_challenge", True), ("gsm8k", False), ("gsm8k", True), ("lambada_openai", False),
    ("winogrande", False), ("winogrande", True), ("piqa", False), ("mmlu_abstract_algebra", True),
]  # fmt: skip


@pytest.mark.parametrize(("name", "chat"), STOCK)
def test_stock_tasks_equal_lm_eval(
    name: str, chat: bool, model: Model, shared_data: Path, cache: Path
) -> None:
    paths = Paths(cache / "results", cache, (), datasets=shared_data / "hub")
    # Two examples keep gsm8k's five inside the tiny model's context, and add some to the others.
    shots = None if name == "lambada_openai" else 2
    task = LmEvalTask("lm_eval", name, task=name, num_fewshot=shots)
    assert_equal(task, Setting(paths, chat, None, 2 if name == "gsm8k" else 4, 0), model)
