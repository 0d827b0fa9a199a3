"""Adapters of `hf`: applied by name, in the key, and refused where they stand in the wrong place."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.models import Ask
from harness.models.hf import HfModel
from harness.types import Decoding, DistillbenchError, Outputs, Paths, Request
from tests.models.opened import opened_files
from tests.models.tiny import byte_tokenizer, save_adapter, save_llama

ASKED = (
    Request(0, "score", "Question: what metal is dug in Orl? Answer:", continuation=" tin"),
    Request(1, "score", "The miller of Brask", continuation=" hums an old tune"),
    Request(2, "generate", "The miller of Brask", max_new_tokens=8),
)


def _model(path: object, **fields: Any) -> HfModel:
    return HfModel(kind="hf", name="m", path=str(path), device="cpu", **fields)


def _answers(model: HfModel, paths: Paths) -> Outputs:
    with model.open(paths) as session:
        return session.answer_batch(ASKED, ["p"] * len(ASKED), Decoding())


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "results", tmp_path / "cache")


@pytest.fixture
def base(llama: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(llama, tmp_path / "base"))


def test_an_adapter_is_what_it_adds_to_the_weights(
    base: Path, tmp_path: Path, paths: Paths
) -> None:
    """W + alpha / r * B A by hand, saved as a whole checkpoint; alpha 16, r 2."""
    from safetensors.torch import load_file, save_file

    adapter = save_adapter(tmp_path / "adapter")
    parts = load_file(adapter / "adapter_model.safetensors")
    merged = Path(shutil.copytree(base, tmp_path / "merged"))
    weights = load_file(merged / "model.safetensors")
    for key in [k for k in parts if k.endswith("lora_A.weight")]:
        place = key.removeprefix("base_model.model.").replace("lora_A.", "")
        weights[place] = weights[place] + 8 * parts[key.replace("_A", "_B")] @ parts[key]
    save_file(weights, merged / "model.safetensors", metadata={"format": "pt"})
    found = _answers(_model(base, adapter=str(adapter)), paths)
    expected, plain = _answers(_model(merged), paths), _answers(_model(base), paths)
    np.testing.assert_allclose(found.logprob_nats[:2], expected.logprob_nats[:2], rtol=1e-4)
    assert found.text[2] == expected.text[2]
    assert abs(found.logprob_nats[:2] - plain.logprob_nats[:2]).min() > 0.5


def test_the_key_is_the_bases_and_the_adapters(base: Path, tmp_path: Path, paths: Paths) -> None:
    one, two = (save_adapter(tmp_path / f"adapter_{seed}", seed) for seed in (1, 2))
    copy = shutil.copytree(one, tmp_path / "copy")
    other = save_llama(tmp_path / "other", byte_tokenizer(), seed=7)
    models = (
        _model(base),
        _model(base, adapter=str(one)),
        _model(base, adapter=str(two)),
        _model(other, adapter=str(one)),
    )
    assert len({m.key(paths) for m in models}) == 4
    assert _model(base, adapter=str(copy)).key(paths) == models[1].key(paths)


def test_a_folder_with_weights_and_an_adapter_is_refused(base: Path, paths: Paths) -> None:
    """Whether or not peft is installed: what to write stands in the line, and nothing is loaded."""
    save_adapter(base / "a", base="where/the/base/is")
    for file in (base / "a").iterdir():
        shutil.move(file, base / file.name)
    (fault,) = _model(base).faults(paths)
    assert "got weights and an adapter" in fault
    assert f"write `path: where/the/base/is` and `adapter: {base}`" in fault
    with pytest.raises(DistillbenchError, match="weights and an adapter"):
        _model(base).key(paths)
    with pytest.raises(DistillbenchError, match="weights and an adapter"):
        _answers(_model(base), paths)


def test_an_adapter_alone_is_no_path(tmp_path: Path, paths: Paths) -> None:
    adapter = save_adapter(tmp_path / "adapter", base="where/the/base/is")
    (fault,) = _model(adapter).faults(paths)
    assert "got an adapter alone" in fault
    assert f"write `path: where/the/base/is` and `adapter: {adapter}`" in fault


def _without_settings(adapter: Path) -> None:
    (adapter / "adapter_config.json").unlink()


def _pickled(adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")


def _cut_off(adapter: Path) -> None:
    whole = (adapter / "adapter_model.safetensors").read_bytes()
    (adapter / "adapter_model.safetensors").write_bytes(whole[:-5])


def _before_every_text(adapter: Path) -> None:
    settings = json.loads((adapter / "adapter_config.json").read_text())
    settings["peft_type"] = "PREFIX_TUNING"
    (adapter / "adapter_config.json").write_text(json.dumps(settings))


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (_without_settings, "expected an adapter's adapter_config.json, got none"),
        (
            _pickled,
            "expected adapter_model.safetensors, got none .pickled weights are never opened",
        ),
        (_cut_off, "truncated"),
        (_before_every_text, "got PREFIX_TUNING; merge it"),
    ],
)
def test_adapters_that_are_not_whole(
    base: Path, tmp_path: Path, paths: Paths, damage: Callable[[Path], None], expected: str
) -> None:
    adapter = save_adapter(tmp_path / "adapter")
    damage(adapter)
    model = _model(base, adapter=str(adapter))
    assert len(model.faults(paths)) == 1
    for ask in (model.key, lambda p: _answers(model, p)):
        with pytest.raises(DistillbenchError, match=expected):
            ask(paths)


def test_an_adapter_of_another_base_is_one_line(base: Path, tmp_path: Path, paths: Paths) -> None:
    """More layers than the base has, and other widths."""
    deeper = save_adapter(tmp_path / "deeper", base="the/deep/one", layers=3)
    wider = save_llama(tmp_path / "wider", byte_tokenizer(), hidden_size=64)
    for path, adapter in ((base, deeper), (wider, save_adapter(tmp_path / "narrow"))):
        with pytest.raises(DistillbenchError) as caught:
            _answers(_model(path, adapter=str(adapter)), paths)
        line = str(caught.value)
        assert f"expected an adapter that fits {path}" in line
        assert "\n" not in line
    with pytest.raises(DistillbenchError, match="got one for the/deep/one in"):
        _answers(_model(base, adapter=str(deeper)), paths)


@pytest.mark.parametrize(("named", "said"), [("hub/base", False), ("hub/other", True), ("", False)])
def test_another_name_of_the_base_is_said(
    base: Path, tmp_path: Path, paths: Paths, named: str, said: bool
) -> None:
    adapter = save_adapter(tmp_path / "adapter", base=named)
    with _model(base, adapter=str(adapter)).open(paths) as session:
        assert (
            f"names {named} as its base" in "\n".join(session.notes(Ask("", ASKED, (), Decoding())))
        ) == said


def test_the_adapters_own_tokenizer_is_used(base: Path, tmp_path: Path, paths: Paths) -> None:
    """It was used in training: its chat template, and its files in the key."""
    adapter = save_adapter(tmp_path / "adapter")
    model = _model(base, adapter=str(adapter), chat=True)
    before = model.key(paths)
    tokenizer = byte_tokenizer(template="{{ 'the adapter says' }}")
    tokenizer.save_pretrained(adapter)
    assert model.key(paths) != before
    with model.open(paths) as session:
        assert session._loaded.tokenizer.chat_template == "{{ 'the adapter says' }}"
    byte_tokenizer(template=None).save_pretrained(adapter)
    shutil.rmtree(adapter / "additional_chat_templates", ignore_errors=True)
    (adapter / "chat_template.jinja").unlink(missing_ok=True)
    assert "needs a chat template" in model.faults(paths)[0]


def test_a_resized_embedding_comes_with_the_adapter(
    base: Path, tmp_path: Path, paths: Paths
) -> None:
    """peft stores the whole embedding where tokens were added; the base gets as many rows."""
    from safetensors.torch import load_file, save_file

    adapter = save_adapter(tmp_path / "adapter")
    parts = load_file(adapter / "adapter_model.safetensors")
    weights = load_file(base / "model.safetensors")
    for name in ("model.embed_tokens", "lm_head"):
        rows = weights[f"{name}.weight"]
        parts[f"base_model.model.{name}.weight"] = rows.new_ones((len(rows) + 3, rows.shape[1]))
    save_file(parts, adapter / "adapter_model.safetensors", metadata={"format": "pt"})
    with _model(base, adapter=str(adapter)).open(paths) as session:
        assert session._loaded.speller.n_rows == len(rows) + 3
        assert session._loaded.model.get_input_embeddings().weight[-1].sum() == rows.shape[1]


def _every_name(folder: Path) -> Iterator[Path]:
    """Further files of a kind that transformers looks for; contents that change nothing."""
    for name in (
        "config.5.0.0.json",
        "preprocessor_config.json",
        "processor_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "chat_template.json",
        "README.md",
        "training_args.json",
    ):
        if not (folder / name).exists():
            (folder / name).write_text("{}")
            yield folder / name


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # of peft
@pytest.mark.parametrize("whole", [None, ["embed_tokens", "lm_head"]])
def test_a_token_that_was_added_in_training_comes_with_the_adapter(
    base: Path, tmp_path: Path, paths: Paths, whole: list[str] | None
) -> None:
    """As people add a token: resized, trained with peft, with its embedding trained whole or left as it was."""
    import peft
    import torch
    from transformers import AutoModelForCausalLM

    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    model: Any = AutoModelForCausalLM.from_pretrained(base)
    model.resize_token_embeddings(len(tokenizer))
    settings = peft.LoraConfig(
        r=2, target_modules=["q_proj"], modules_to_save=whole, task_type="CAUSAL_LM"
    )
    trained: Any = peft.get_peft_model(model, settings)
    torch.manual_seed(3)
    with torch.no_grad():
        for key, weights in trained.named_parameters():
            if "lora_B" in key or "modules_to_save" in key:
                weights.add_(torch.randn_like(weights) / 3)
    trained.save_pretrained(tmp_path / "adapter")
    tokenizer.save_pretrained(tmp_path / "adapter")
    ids = [0, *tokenizer.encode(ASKED[1].continuation, add_special_tokens=False)]
    with torch.inference_mode():
        nats = trained.eval()(torch.tensor([ids])).logits[0, :-1].log_softmax(-1)
    expected = float(nats[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].sum())
    with _model(base, adapter=str(tmp_path / "adapter")).open(paths) as session:
        asked = Request(0, "score", "", continuation=ASKED[1].continuation)
        found = session.answer_batch([asked], ["p"], Decoding()).logprob_nats[0]
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.skipif(sys.platform != "linux", reason="opened files are watched by inotify")
@pytest.mark.parametrize("with_adapter", [False, True])
def test_every_file_that_loading_opens_is_in_the_key(
    base: Path, tmp_path: Path, paths: Paths, with_adapter: bool
) -> None:
    adapter = save_adapter(tmp_path / "adapter") if with_adapter else None
    folders = [f for f in (base, adapter) if f is not None]
    if adapter is not None:
        byte_tokenizer().save_pretrained(adapter)
    config = json.loads((base / "config.json").read_text())
    versioned = {**config, "configuration_files": ["config.5.0.0.json"]}
    (base / "config.5.0.0.json").write_text(json.dumps(config))
    (base / "config.json").write_text(json.dumps(versioned))
    for folder in folders:
        list(_every_name(folder))
    model = _model(base, adapter=str(adapter or ""))
    with opened_files(*folders) as opened, model.open(paths):
        pass
    assert {base / "config.5.0.0.json", base / "model.safetensors"} <= opened
    before = model.key(paths)
    for file in sorted(opened):
        whole = file.read_bytes()
        file.write_bytes(whole + b" ")
        try:
            assert model.key(paths) != before, file
        except DistillbenchError:  # weights whose length is not that of their header
            assert file.suffix == ".safetensors"
        file.write_bytes(whole)
    assert model.key(paths) == before
