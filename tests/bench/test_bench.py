"""The benchmark's own parts: its questions, its counts and its table."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from harness.panel.agreement import pairwise_kappa
from tests.bench.agreement import choices_of, measure, plain_capa
from tests.bench.engines import Run, counting
from tests.bench.gpu import is_met
from tests.bench.inputs import cases, make_tasks
from tests.bench.plot import Ratio, picture
from tests.bench.run import Spread, flops, short_table, table

ROOT = Path(__file__).parents[2]


def test_tasks_are_those_of_their_shapes(tmp_path: Path) -> None:
    make_tasks(tmp_path, 6, 2, 3)
    named = {name for case in cases(2) for name in case.tasks}
    files = {p.stem: yaml.safe_load(p.read_text("utf-8")) for p in tmp_path.glob("*.yaml")}
    assert files.keys() == named
    assert [files[f"bench_{n}"]["num_fewshot"] for n in ("easy_0", "easy_5", "fixed_5")] == [
        0,
        5,
        5,
    ]
    assert files["bench_subject_0"]["doc_to_choice"] == ["A", "B", "C", "D"]
    lines = (tmp_path / "easy.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == 6
    assert all(len(json.loads(line)["options"]) == 4 for line in lines)


def test_tokens_are_counted_at_the_forward_pass() -> None:
    torch = pytest.importorskip("torch")

    class Model(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, input_ids: object, **options: object) -> None:
            pass

    model, ids = Model(), torch.zeros(3, 5)
    with counting(model) as tokens:
        model(ids)
        model(input_ids=ids[:1], use_cache=False)
    model(ids)
    assert tokens == [20]


def test_operations_are_two_for_every_weight_that_a_token_meets() -> None:
    """A body of 10 weights beside an embedding of 6, a head of 6 for the tokens that are scored."""
    torch = pytest.importorskip("torch")

    class Model(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.config = type("Config", (), {"tie_word_embeddings": False})
            self.embedding = torch.nn.Embedding(3, 2)
            self.body = torch.nn.Linear(2, 5, bias=False)
            self.head = torch.nn.Linear(2, 3, bias=False)

        def get_input_embeddings(self) -> object:
            return self.embedding

        def get_output_embeddings(self) -> object:
            return self.head

    assert flops(Model(), Run(np.zeros(1), 1.0, 1.0, 100), 7) == 2 * (10 * 100 + 6 * 7)


def test_the_table_has_ratios_with_their_spread() -> None:
    result = {
        "case": "mmlu_5", "title": "mmlu", "questions": 100, "times": Spread.of([5.0, 7.0, 6.0]),
        "cpu_times": Spread.of([4.0]), "tokens": 1000, "lm_eval_tokens": 6500,
        "share_of_peak": Spread.of([0.51]), "error_nats_per_token": 2e-6,
    }  # fmt: skip
    text = table([result], {"threads": 2})
    assert (
        "| mmlu | 100 | 6.0 (5.0 to 7.0) | 4.0 (4.0 to 4.0) | - | 5, 4 | 1000, 6.5 x | 51% | - | 2e-06 |"
        in text
    )


def test_a_picture_shows_every_ratio_where_its_axis_has_it() -> None:
    import xml.etree.ElementTree as xml

    rows = [Ratio("a <task>", 4.0, 2.0, 5.0, 3.0), Ratio("another", 20.0, 19.0, 21.0, 8.0)]
    root = xml.fromstring(picture("Times as fast", rows))
    space = "{http://www.w3.org/2000/svg}"
    dots = [float(c.attrib["cx"]) for c in root.iter(f"{space}circle")]
    bars = [float(x.attrib["x1"]) for x in root.iter(f"{space}line") if x.attrib["class"] == "bar"]
    ticks = {
        (t.text or "").strip(" ×"): float(t.attrib["x"])
        for t in root.iter(f"{space}text")
        if (t.text or "").endswith("×")
    }
    assert ticks["2"] < bars[0] < dots[0] < ticks["5"] < bars[1] < ticks["10"] < dots[1]
    assert dots[1] == pytest.approx(ticks["20"], abs=0.1)
    assert "a <task>" in [t.text for t in root.iter(f"{space}text")]


def test_readme_and_docs_show_what_was_measured() -> None:
    measured = json.loads((ROOT / "results/bench/multiple_choice.json").read_text("utf-8"))
    shown = short_table(measured["results"])
    for name in ("README.md", "docs/speed.md"):
        assert shown in (ROOT / name).read_text("utf-8"), f"{name}: expected this table:\n{shown}"
    assert measured["about"]["processor"] in (ROOT / "docs/speed.md").read_text("utf-8")


@pytest.mark.slow
def test_the_benchmark_for_gpus_runs_here_on_the_processor(tmp_path: Path) -> None:
    line = "--device cpu --dtype float32 --shape small --rounds 1 --subjects 1 --questions 4 --size 64 --batch-size 2"
    command = [sys.executable, "-W", "ignore", "-m", "tests.bench.gpu", *line.split()]
    done = subprocess.run(
        [*command, "--out", str(tmp_path)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode in (0, 1), done.stderr
    result = json.loads((tmp_path / "gpu.json").read_text("utf-8"))["result"]
    assert result["furthest_nats"]["hf"] < 1e-4
    assert result["tokens"]["hf"] > 2 * result["tokens"]["ours"]
    assert "| `hf` |" in (tmp_path / "gpu.md").read_text("utf-8")


def test_on_a_gpu_vllm_is_the_bar_where_it_is_installed() -> None:
    slow, fast = ({"median": m, "low": m, "high": m} for m in (3.5, 7.0))
    share = {"median": 0.5, "low": 0.5, "high": 0.5}
    assert not is_met({"times": {"hf": slow}, "share_of_peak": share})
    assert is_met({"times": {"hf": slow, "vllm": slow}, "share_of_peak": share})
    assert is_met({"times": {"hf": fast}, "share_of_peak": share})
    assert not is_met({"times": {"hf": fast}, "share_of_peak": {**share, "median": 0.3}})


def test_a_plain_loop_agrees_with_what_is_measured() -> None:
    choices = choices_of(4, 200, 5)
    p = choices.probabilities
    expected = pairwise_kappa(choices)
    for i, j in ((0, 1), (2, 3)):
        assert plain_capa(p[i], p[j], choices.gold) == pytest.approx(expected[i, j], abs=1e-12)


def test_agreement_is_compared_in_turns() -> None:
    results = measure(choices_of(4, 200, 5), n_pairs=2, rounds=2)
    assert [r["what"] for r in results] == ["CAPA", "error consistency"]
    assert all(r["furthest"] < 1e-9 and r["lm_sim_times"].median > 1 for r in results)
