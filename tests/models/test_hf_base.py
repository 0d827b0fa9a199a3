"""Adapters of one base: it is loaded once, and every model answers as if it had been loaded alone."""

from __future__ import annotations

import gc
import shutil
import warnings
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.models import keeping
from harness.models._kept import _kept
from harness.models.hf import HfModel
from harness.types import Decoding, Outputs, Paths, Request
from tests.core.running import run_of
from tests.models.tiny import save_adapter

ASKED = (
    Request(0, "score", "Question: what metal is dug in Orl? Answer:", continuation=" tin"),
    Request(1, "read", "", continuation="The miller of Brask hums an old tune"),
    Request(2, "generate", "The miller of Brask", max_new_tokens=8),
    Request(3, "generate", "The miller of Brask", max_new_tokens=8, temperature=1.0),
)
# kind of adapter -> its settings; their weights are drawn
KINDS: dict[str, dict[str, Any]] = {
    "LoraConfig": {"r": 2, "target_modules": ["q_proj", "v_proj"]},
    "AdaLoraConfig": {"total_step": 9, "target_modules": ["q_proj"]},
    "LoHaConfig": {"r": 2, "target_modules": ["q_proj"]},
    "LoKrConfig": {"r": 2, "target_modules": ["q_proj"]},
    "IA3Config": {"target_modules": ["k_proj", "down_proj"], "feedforward_modules": ["down_proj"]},
    "OFTConfig": {"r": 0, "oft_block_size": 4, "target_modules": ["q_proj"]},
    "BOFTConfig": {"boft_block_size": 4, "target_modules": ["q_proj"]},
    "VeraConfig": {"r": 2, "target_modules": ["q_proj"]},
    "FourierFTConfig": {"n_frequency": 9, "target_modules": ["q_proj"]},
    "HRAConfig": {"r": 2, "target_modules": ["q_proj"]},
    "RandLoraConfig": {"r": 2, "target_modules": ["q_proj"]},
    "LNTuningConfig": {"target_modules": ["input_layernorm"]},
}
WHOLE = {**KINDS["LoraConfig"], "modules_to_save": ["lm_head"]}


def _model(path: object, **fields: Any) -> HfModel:
    return HfModel(kind="hf", name="m", path=str(path), device="cpu", dtype="float32", **fields)


def _answers(model: HfModel, paths: Paths) -> Outputs:
    with model.open(paths) as session:
        return session.answer_batch(ASKED, ["p"] * len(ASKED), Decoding())


def _same(one: Outputs, other: Outputs) -> None:
    np.testing.assert_array_equal(one.logprob_nats, other.logprob_nats)
    assert list(one.text) == list(other.text)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "results", tmp_path / "cache")


@pytest.fixture
def base(llama: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(llama, tmp_path / "base"))


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[weakref.ref[Any]]]:
    """A reference to every checkpoint that is loaded."""
    import transformers

    made: list[weakref.ref[Any]] = []
    real = transformers.AutoModelForCausalLM.from_pretrained

    def load(*args: Any, **options: Any) -> Any:
        loaded = real(*args, **options)
        made.append(weakref.ref(loaded[0] if isinstance(loaded, tuple) else loaded))
        return loaded

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", load)
    yield made
    assert not _kept


def drawn(folder: Path, base: Path, kind: str, settings: dict[str, Any], seed: int = 0) -> Path:
    """An adapter of any kind with weights that change every answer, as peft writes it."""
    import peft
    import torch
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    torch.manual_seed(seed)
    with warnings.catch_warnings(action="ignore"):  # what peft says to developers
        made = peft.get_peft_model(model, getattr(peft, kind)(task_type="CAUSAL_LM", **settings))
    for part in made.parameters():
        if part.requires_grad:
            part.data += 0.3 * torch.randn_like(part)
    made.save_pretrained(folder)
    return folder


def test_ten_adapters_load_their_base_once(
    base: Path, tmp_path: Path, paths: Paths, loads: list[Any]
) -> None:
    adapters = [save_adapter(tmp_path / f"adapter_{i}", seed=i) for i in range(10)]
    models = [_model(base), *(_model(base, adapter=str(a)) for a in adapters), _model(base)]
    alone = [_answers(m, paths) for m in models]
    assert len(loads) == len(models)
    assert len({tuple(a.logprob_nats[:2]) for a in alone}) == 11
    del loads[:]
    with keeping(True):
        for model, expected in zip(models, alone, strict=True):
            _same(_answers(model, paths), expected)
        assert len(loads) == 1
    with keeping(False):
        _answers(models[-1], paths)
    assert len(loads) == 1
    gc.collect()
    assert loads[0]() is None, "behind the last one it is freed"


@pytest.mark.parametrize("kind", [*KINDS, "modules_to_save"])
def test_no_kind_of_adapter_leaves_a_trace(
    kind: str, base: Path, tmp_path: Path, paths: Paths, loads: list[Any]
) -> None:
    name, settings = ("LoraConfig", WHOLE) if kind == "modules_to_save" else (kind, KINDS[kind])
    adapter = drawn(tmp_path / "adapter", base, name, settings)
    lora = save_adapter(tmp_path / "lora")
    models = [_model(base, adapter=str(adapter)), _model(base), _model(base, adapter=str(lora))]
    alone = [_answers(m, paths) for m in models]
    assert abs(alone[0].logprob_nats[:2] - alone[1].logprob_nats[:2]).min() > 1e-4
    del loads[:]
    with keeping(True):
        for model, expected in zip([*models, *models], [*alone, *alone], strict=True):
            _same(_answers(model, paths), expected)
    # peft puts the copy that was trained whole where the base's own module stood: that base is not kept
    assert len(loads) == (3 if kind == "modules_to_save" else 1)
    with keeping(False):
        pass


def test_a_checkpoint_that_changed_or_is_read_otherwise_is_loaded(
    base: Path, tmp_path: Path, paths: Paths, loads: list[Any]
) -> None:
    other = Path(shutil.copytree(base, tmp_path / "other"))
    with keeping(True):
        _answers(_model(base), paths)
        _answers(_model(other), paths)
        gc.collect()
        assert [ref() is None for ref in loads] == [True, False], "one at a time"
        _answers(HfModel("hf", "m", path=str(other), device="cpu", dtype="bfloat16"), paths)
        assert len(loads) == 3
        shutil.copy(base / "config.json", other / "config.json")
        _answers(_model(other), paths)
        assert len(loads) == 4
    with keeping(False):
        pass


def test_a_base_that_was_resized_or_damaged_is_not_kept(
    base: Path, paths: Paths, loads: list[Any]
) -> None:
    expected = _answers(_model(base), paths)
    with keeping(True):
        with _model(base).open(paths) as session:
            session._loaded.model.lm_head.weight.data.zero_()
            session._loaded.model.resize_token_embeddings(7)
        _same(_answers(_model(base), paths), expected)
        with _model(base).open(paths) as session, __import__("torch").no_grad():
            session._loaded.model.lm_head.weight.zero_()
        _same(_answers(_model(base), paths), expected)
        assert len(loads) == 4
    with keeping(False):
        pass


def test_a_run_of_adapters_loads_the_base_once(
    base: Path, tmp_path: Path, loads: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process, to count; the other model stands between them in the matrix."""
    from harness.cli.config import packaged
    from harness.stages.run import execute

    common = {"kind": "hf", "path": str(base), "device": "cpu", "dtype": "float32"}
    models: dict[str, Any] = {"base": common, "other": {"kind": "fake"}}
    for i in range(3):
        models[f"s{i}"] = {**common, "adapter": str(save_adapter(tmp_path / f"a{i}", seed=i))}
    tasks = {"open": {"kind": "prompts", "file": "prompts.jsonl", "columns": {"prompt": "prompt"}}}
    decoding = {"max_new_tokens": 4}
    run = run_of(
        tmp_path, models=models, tasks=tasks, pairs=[], controls=[], metrics={}, decoding=decoding,
        stages=["collect"], workers=1, limit=3,
    )  # fmt: skip
    monkeypatch.setattr("harness.executors.local.may_start_processes", lambda: False)
    outcome = execute(run, packaged("reference") / "scores.csv", alone=True)
    assert outcome.code == 0
    assert len(loads) == 1
