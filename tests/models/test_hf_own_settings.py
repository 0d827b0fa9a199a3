"""What a checkpoint says of itself: where its replies end, how it is to be decoded, in which data type."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.models import Ask, _hf_dtype
from harness.models._hf_dtype import meant_dtype
from harness.models.hf import HfModel
from harness.types import Decoding, DistillbenchError, Message, Outputs, Paths, Request
from tests.models.shapes import SHAPES
from tests.models.tiny import save_llama

PROMPTS = tuple(
    f"Tell me about the {a} {b}." for a in ("old", "red") for b in ["mill", "boat", "hill"]
)
SAMPLED = Decoding(temperature=1.2, max_new_tokens=60)


@pytest.fixture(scope="module")
def chatty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its template ends turns with <|eot|>; generation_config.json and tokenizer name <|over|> only."""
    tokenizer = SHAPES["llama_3"].tokenizer()
    return save_llama(
        tmp_path_factory.mktemp("chatty"),
        tokenizer,
        max_position_embeddings=256,
        initializer_range=0.1,
        eos_token_id=tokenizer.eos_token_id,
    )


def _settings(folder: Path, **changes: Any) -> None:
    file = folder / "generation_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def _ask(folder: Path, chat: bool = True, decoding: Decoding = SAMPLED) -> tuple[Outputs, str]:
    requests = [
        Request(i, "generate", (Message("user", p),) if chat else p) for i, p in enumerate(PROMPTS)
    ]
    model = HfModel(kind="hf", name="m", path=str(folder), device="cpu")
    with model.open(Paths(folder, folder)) as session:
        outputs = session.answer_batch(requests, list(PROMPTS), decoding)
        return outputs, "\n".join(session.notes(Ask("", tuple(requests), (), Decoding())))


def test_the_end_of_a_turn_ends_a_reply(chatty: Path, tmp_path: Path) -> None:
    """The same weights whose settings name the token write the same texts; no mark of a turn is in them."""
    named = Path(shutil.copytree(chatty, tmp_path / "named"))
    tokenizer = SHAPES["llama_3"].tokenizer()
    closing = tokenizer.convert_tokens_to_ids("<|eot|>")
    _settings(named, eos_token_id=[tokenizer.eos_token_id, closing])
    found, said = _ask(chatty)
    expected, nothing = _ask(named)
    assert found.text == expected.text
    assert found.stop == expected.stop
    assert "eos" in found.stop
    assert found.n_tokens.max() == 60 > found.n_tokens.min()
    assert "a reply ends at <|eot|>" in said
    assert "name <|over|> only" in said
    assert not nothing


def test_an_end_that_is_not_special_is_cut_off(chatty: Path, tmp_path: Path) -> None:
    """The mark was added as an ordinary token: decoding alone would leave it in the text."""
    from transformers import AutoTokenizer

    plain = Path(shutil.copytree(chatty, tmp_path / "plain"))
    raw, config = (plain / n for n in ("tokenizer.json", "tokenizer_config.json"))
    settings = json.loads(raw.read_text())
    for token in settings["added_tokens"]:
        token["special"] = token["special"] and token["content"] != "<|eot|>"
    raw.write_text(json.dumps(settings))
    settings = json.loads(config.read_text())
    settings["extra_special_tokens"].remove("<|eot|>")
    config.write_text(json.dumps(settings))
    assert AutoTokenizer.from_pretrained(plain).decode([1], skip_special_tokens=True) == "<|eot|>"
    found, said = _ask(plain)
    assert found.text == _ask(chatty)[0].text
    assert "a reply ends at <|eot|>" in said


def test_plain_text_ends_there_too(chatty: Path) -> None:
    """A model that is asked in plain text and closes its turn has ended its reply; nothing is said of templates."""
    found, said = _ask(chatty, chat=False)
    assert "eos" in found.stop
    assert not said


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("exponential_decay_length_penalty", [2, 3.0]),
        ("watermarking_config", {"greenlist_ratio": 0.3}),
        ("num_beams", 2),
        ("no_repeat_ngram_size", 3),
        ("stop_strings", ["\n"]),
        ("max_time", 2.0),
        ("dola_layers", "low"),
        ("suppress_tokens", [5]),
        ("min_new_tokens", 4),
    ],
)
def test_settings_that_would_change_a_text_are_refused(
    chatty: Path, tmp_path: Path, key: str, value: object
) -> None:
    folder = Path(shutil.copytree(chatty, tmp_path / "m"))
    _settings(folder, **{key: value})
    with pytest.raises(DistillbenchError, match=f"sets {key}=.*remove the key"):
        _ask(folder)


def test_settings_that_change_nothing_are_not(chatty: Path, tmp_path: Path) -> None:
    """Sampling defaults, memory, lengths, and neutral values: greedy text is the same with them."""
    folder = Path(shutil.copytree(chatty, tmp_path / "m"))
    harmless = {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.9, "min_p": 0.1}
    neutral = {"num_beams": 1, "min_length": 0, "suppress_tokens": [], "guidance_scale": 1.0}
    _settings(folder, **harmless, **neutral, max_length=99, use_cache=False, pad_token_id=3)
    greedy = Decoding(max_new_tokens=12)
    assert _ask(folder, decoding=greedy)[0].text == _ask(chatty, decoding=greedy)[0].text


@pytest.mark.parametrize(
    ("accelerated", "config", "expected"),
    [
        (False, {"dtype": "bfloat16"}, "float32"),
        (True, {"dtype": "bfloat16"}, "bfloat16"),
        (True, {"torch_dtype": "float16"}, "float16"),
        (True, {"text_config": {"dtype": "bfloat16"}}, "bfloat16"),
        (True, {}, "checkpoint"),
    ],
)
def test_auto_is_what_it_comes_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accelerated: bool, config: Any, expected: str
) -> None:
    monkeypatch.setattr(_hf_dtype, "_has_accelerator", lambda: accelerated)
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert meant_dtype("auto", "auto", tmp_path) == expected
    assert meant_dtype("auto", "cpu", tmp_path) == "float32"
    assert meant_dtype("float16", "auto", tmp_path) == "float16"
    assert meant_dtype("auto", "auto", None) == ("checkpoint" if accelerated else "float32")


def test_the_key_has_what_auto_came_to(
    chatty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers of a GPU in the checkpoint's bfloat16 are not those of a CPU in float32."""
    folder = Path(shutil.copytree(chatty, tmp_path / "m"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "dtype": "bfloat16"}))
    paths, keys = Paths(tmp_path / "r", tmp_path / "c"), {}
    for accelerated in (False, True):
        monkeypatch.setattr(_hf_dtype, "_has_accelerator", lambda given=accelerated: given)
        for dtype in ("auto", "float32", "bfloat16"):
            model = HfModel(kind="hf", name="m", path=str(folder), dtype=dtype)
            keys[accelerated, dtype] = model.key(paths)
    assert keys[False, "auto"] == keys[False, "float32"] == keys[True, "float32"]
    assert keys[True, "auto"] == keys[True, "bfloat16"] != keys[False, "auto"]
