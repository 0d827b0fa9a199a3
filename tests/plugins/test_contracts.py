"""The contract tests of harness.testing: a user's plug-ins pass, and each breach is a sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from harness.executors.local import LocalExecutor
from harness.plugins import plugin_class, use_folders
from harness.tasks import Setting
from harness.testing import (
    check_executor,
    check_exporter,
    check_figure,
    check_metric,
    check_model,
    check_task,
    check_tracker,
)
from harness.testing.models import QUESTIONS
from harness.types import Paths
from tests.core.running import write_data
from tests.models.tiny import byte_tokenizer, save_llama
from tests.plugins.files import FILES, write_plugins


def test_plug_ins_of_a_user_keep_their_contracts(tmp_path: Path) -> None:
    use_folders([write_plugins(tmp_path)])
    check_metric("as_long", itself={"": 1.0})
    check_metric(plugin_class("metrics", "as_long"), slack=0, itself={"": (1.0, 1.0)})
    check_model("echo", word="So")
    check_task("sums", n=25)
    check_figure("places")
    check_exporter("names")
    check_executor(plugin_class("executors", "plain")())


@pytest.mark.parametrize("workers", [1, 2])
def test_our_executor_keeps_its_contract(workers: int) -> None:
    check_executor(LocalExecutor(workers))


def test_our_fake_keeps_its_contract() -> None:
    check_model("fake", style="plain")


OURS: dict[str, dict[str, Any]] = {
    "prompts": {"file": "prompts.jsonl", "columns": {"prompt": "prompt"}},
    "choices": {
        "file": "quiz.jsonl",
        "columns": {"question": "question", "answer": "answer", "n_options": "options"},
    },
    "next_token": {"file": "words.txt", "contexts": 12},
}


@pytest.mark.parametrize("kind", OURS)
def test_our_tasks_keep_their_contract(tmp_path: Path, kind: str) -> None:
    write_data(tmp_path)
    (tmp_path / "words.txt").write_text("the small river bread clock")
    check_task(kind, Setting(Paths(tmp_path, tmp_path, data=tmp_path)), **OURS[kind])


# file, what stands in it, what stands there instead, and the sentence
BREACHES: dict[str, tuple[str, str, str, str]] = {
    "no explanation": ("metrics/as_long.py", '"How often', '"H" or "How often', "explanation: expected 40 to 900"),
    "order": ("metrics/as_long.py", "Mean(same,", "Mean(same * int(panels[0].student.requests.prompts[0].id, 16),",
              "in another order of the prompts it says something else of the measure itself"),
    "seed": ("metrics/as_long.py", "Mean(same,", "Mean(same + np.random.default_rng().random(),", "a second time"),
    "itself": ("metrics/as_long.py", "<= self.slack", "> self.slack", "expected 1.0, got 0.0"),
    "twice": ("metrics/as_long.py", "return [Finding(", "return 2 * [Finding(", "expected one finding of a name"),
    "clusters": ("metrics/as_long.py", "everyone.clusters", "everyone.clusters[1:]", "60 values, 60 prompts, 59 cl"),
    "a batch left out": ("models/echo.py", "list(range(len(ask.requests)))", "list(range(1, len(ask.requests)))",
                         "batches: expected every request once"),
    "answers by place": ("models/echo.py", '{r.context}" for r in requests', '{i}" for i, r in enumerate(requests)',
                         "asked in another order it says"),
    "limit": ("tasks/sums.py", "min(self.n, setting.limit or self.n)", "self.n", "limit=2"),
    "yields": ("tasks/sums.py", '("text", "style")', '("texts",)', "texts is what nobody reads"),
    "rows": ("figures/places.py", "Dot(float(y), y)", "Dot(float(y), y + 1)", "row 4 of 4"),
    "nothing": ("figures/places.py", "if not board.rows", "if board.rows", "expected a drawing, got None"),
    "a file of ours": ("exports/names.py", 'folder / "names.txt"', 'folder / "scores.csv"',
                       "scores.csv is a file of csv"),
    "a folder": ("exports/names.py", '(folder / "names.txt")', 'folder.joinpath("mine").mkdir(); (folder / "mine/a")',
                 "expected flat files, got mine/a in a folder"),
    "the clock": ("exports/names.py", '"\\n".join(board.record.models)', "__import__('secrets').token_hex()",
                  "the second time its bytes are others"),
    "a changed run": ("trackers/lines.py", "with open", "told.numbers.clear()\n        with open", "it changes what"),
    "a key": ("trackers/lines.py", "file: str", 'api_key: str = ""\n    file: str', "expected no field for a cred"),
    "not installed": ("trackers/lines.py", '= "json"', '= "no_such_module"', "is not installed: pip install"),
    "needs": ("executors/plain.py", "j.may_start(desk.store)", "True", "expected the end of"),
}  # fmt: skip
CHECKS: dict[str, Any] = {
    "metrics": lambda: check_metric("as_long", itself={"": 1.0}),
    "models": lambda: check_model("echo"),
    "tasks": lambda: check_task("sums"),
    "figures": lambda: check_figure("places"),
    "exports": lambda: check_exporter("names"),
    "trackers": lambda: check_tracker("lines", file=os.devnull),
    "executors": lambda: check_executor(plugin_class("executors", "plain")()),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_a_sentence(tmp_path: Path, breach: str) -> None:
    file, right, wrong, sentence = BREACHES[breach]
    assert FILES[file].count(right) == 1
    write_plugins(tmp_path)
    (tmp_path / file).write_text(FILES[file].replace(right, wrong))
    use_folders([tmp_path])
    with pytest.raises(AssertionError) as caught:
        CHECKS[file.partition("/")[0]]()
    assert sentence in str(caught.value)


def test_a_checkpoint_keeps_its_contract(tmp_path: Path) -> None:
    save_llama(tmp_path / "tiny", byte_tokenizer())
    check_model("hf", path=str(tmp_path / "tiny"), device="cpu", dtype="float32")


def test_recorded_answers_keep_their_contract(tmp_path: Path) -> None:
    rows = [{"question": f"What is thing {i}?", "reply": f"It is {i}."} for i in range(4)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = {"prompt": "question", "answer": "reply"}
    paths = Paths(tmp_path, tmp_path, data=tmp_path)
    check_model("recorded", paths, QUESTIONS["generate"], file="a.jsonl", columns=columns)
