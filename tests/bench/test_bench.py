"""The benchmark's own parts: its questions, its counts and its table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.bench.engines import Run, counting
from tests.bench.inputs import cases, make_tasks
from tests.bench.plot import Ratio, picture
from tests.bench.run import Spread, flops, short_table, table


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
    root = Path(__file__).parents[2]
    measured = json.loads((root / "results/bench/multiple_choice.json").read_text("utf-8"))
    shown = short_table(measured["results"])
    for name in ("README.md", "docs/speed.md"):
        assert shown in (root / name).read_text("utf-8"), f"{name}: expected this table:\n{shown}"
    assert measured["about"]["processor"] in (root / "docs/speed.md").read_text("utf-8")
