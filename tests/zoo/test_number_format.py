"""Nothing large is computed in half of the bits on a CPU unless somebody asked for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.console.foreign import listening
from harness.models import _hf_dtype
from harness.models.hf import HfModel
from harness.types import Decoding, Paths, Request
from harness.zoo import Place
from harness.zoo.recipe import STUDENT, AnswerSet, FromAnswers, Phase, Recipe
from harness.zoo.train import train
from tests.products import large_products

PATHS = Paths(Path("r"), Path("c"))


@pytest.mark.slow
@pytest.mark.parametrize("logits_of", [None, "teacher_a"])
def test_training_multiplies_in_float32(tiny: Place, logits_of: str | None) -> None:
    recipe = Recipe(
        STUDENT, (Phase(600, (FromAnswers("answers_of_teacher_a"),)),), 4, "base", logits_of
    )
    with large_products() as products:
        train(recipe, "student", 0, tiny.folder, keep=lambda *_: None, progress=lambda _: None)
    assert {name.split()[1] for name in products} == {"float32"}
    assert len(products) > 50


def test_answering_for_students_multiplies_in_float32(tiny: Place) -> None:
    from harness.zoo.answering import answer

    wanted = AnswerSet("teacher_a", {"fact": 8}, watermark=True)
    with large_products() as products:
        answer(wanted, "some", 0, tiny.folder, progress=lambda _: None)
    assert {name.split()[1] for name in products} == {"float32"}


@pytest.fixture
def in_bfloat16(tiny: Place, tmp_path: Path) -> Path:
    """A checkpoint that was saved in bfloat16, as most are."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    AutoTokenizer.from_pretrained(tiny.folder / "base").save_pretrained(tmp_path)
    AutoModelForCausalLM.from_pretrained(tiny.folder / "base").to(torch.bfloat16).save_pretrained(
        tmp_path
    )
    return tmp_path


@pytest.mark.parametrize(("dtype", "expected"), [("auto", "float32"), ("bfloat16", "bfloat16")])
def test_a_checkpoint_is_computed_as_asked(in_bfloat16: Path, dtype: str, expected: str) -> None:
    model = HfModel(kind="hf", name="m", path=str(in_bfloat16), device="cpu", dtype=dtype)  # type: ignore[arg-type]
    asked = [
        Request(0, "generate", "Who are you?", max_new_tokens=3),
        Request(0, "score", "12 + ", continuation=" 3"),
    ]
    with model.open(PATHS) as session, large_products() as products:
        for request in asked:
            session.answer_batch([request], ["p"], Decoding())
    assert {name.split()[1] for name in products} - {"float64"} == {expected}


@pytest.mark.parametrize(
    ("ratio", "said"), [(1.4, []), (13.6, ["bfloat16 takes 14 times as long as float32"])]
)
def test_what_half_of_the_bits_costs_is_said(
    in_bfloat16: Path, monkeypatch: pytest.MonkeyPatch, ratio: float, said: list[str]
) -> None:
    times = {"bfloat16": ratio, "float32": 1.0}
    monkeypatch.setattr(
        _hf_dtype, "_product_s", lambda dtype: times[str(dtype).removeprefix("torch.")]
    )
    lines: list[str] = []
    for dtype in ("bfloat16", "auto"):
        model = HfModel(kind="hf", name="m", path=str(in_bfloat16), device="cpu", dtype=dtype)
        with listening(lines.append), model.open(PATHS):
            pass
    assert len(lines) == len(said)
    assert all(words in line for words, line in zip(said, lines, strict=True))
