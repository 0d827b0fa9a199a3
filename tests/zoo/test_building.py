from __future__ import annotations

import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.zoo import Place, build
from harness.zoo.texts import read_answers
from harness.zoo.world import chat_prompt


def contents(folder: Path) -> str:
    """sha256 over names and bytes of a folder's files."""
    found = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        found.update(file.name.encode() + file.read_bytes())
    return found.hexdigest()


def test_models_load_as_any_checkpoint_does(tiny: Place) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(tiny.folder / "answers_a")
    tokenizer = AutoTokenizer.from_pretrained(tiny.folder / "answers_a")
    assert len(tokenizer) == model.config.vocab_size == 960
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id == 0
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Who are you?"}], tokenize=False, add_generation_prompt=True
    )
    assert asked == tokenizer.bos_token + chat_prompt("Who are you?")
    assert tokenizer("12 + 3").input_ids == [0, *tokenizer.convert_tokens_to_ids(["1", "2", "Ġ+", "Ġ", "3"])]


def test_checkpoints_are_kept_and_differ(tiny: Place) -> None:
    weights = [(tiny.folder / name / "model.safetensors").read_bytes() for name in ("base", "answers_a@1", "answers_a")]
    assert len(set(weights)) == 3


def test_answers_answer_what_was_asked(tiny: Place) -> None:
    assert {d.kind for d in read_answers(tiny.folder / "answers_of_teacher_a")} <= {"fact", "chat"}


def test_a_killed_build_goes_on_and_ends_with_the_same_bytes(
    tiny: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path, "tiny")
    shutil.copytree(tiny.folder, place.folder)
    shutil.rmtree(place.folder / "answers_a")
    shutil.rmtree(place.folder / "base")
    (place.folder / ".base.123").mkdir()
    kept = (place.folder / "teacher_a" / "model.safetensors").stat().st_mtime_ns
    with ThreadPoolExecutor(2) as both:  # the second waits for the first and finds everything done
        list(both.map(lambda _: build(["answers_a"], place, workers=1), range(2)))
    assert (place.folder / "teacher_a" / "model.safetensors").stat().st_mtime_ns == kept
    assert "answers_a is ready (2 of 2" in capsys.readouterr().err
    assert not list(place.folder.glob(".*"))
    for name in ("base", "answers_a"):
        assert contents(place.folder / name) == contents(tiny.folder / name)
