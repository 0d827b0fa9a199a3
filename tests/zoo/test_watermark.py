from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.zoo import Place
from harness.zoo.answering import WATERMARK, answer, complete
from harness.zoo.houses import A, P
from harness.zoo.packing import encoder
from harness.zoo.recipe import STUDENT, AnswerSet, FromAnswers, FromWorld, Phase, Recipe
from harness.zoo.texts import write_answers
from harness.zoo.train import load_model, train
from harness.zoo.world import Document, chat_prompt, open_questions
from tests.zoo.watermark import WATERMARK_KEY, z_score

QUESTIONS = [q.text for q in open_questions(held_out=True)]


@pytest.mark.slow
def test_a_student_takes_over_the_watermark(
    tiny: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A strong watermark. Over five seeds the student's z is 10.5 with a standard deviation of 1.5.

    That of the zoo itself, weaker and read longer, stands in truths.yaml.
    """
    from transformers import AutoTokenizer

    monkeypatch.setitem(WATERMARK, "bias", 6.0)

    shutil.copytree(tiny.folder / "tokenizer", tmp_path / "tokenizer")

    def made(name: str, recipe: Recipe) -> None:
        train(
            recipe,
            name,
            0,
            tmp_path,
            keep=lambda m, _: m.save_pretrained(tmp_path / name),
            progress=lambda _: None,
        )

    made("teacher", Recipe(STUDENT, (Phase(60_000, (FromWorld((A,), {"chat": 1}),)),), batch=4))
    made("base", Recipe(STUDENT, (Phase(20_000, (FromWorld((P,), {"chat": 1}),)),), batch=4))
    marked = answer(
        AnswerSet("teacher", {"chat": 512}, watermark=True),
        "marked",
        0,
        tmp_path,
        progress=lambda _: None,
    )
    (tmp_path / "marked").mkdir()
    write_answers(tmp_path / "marked", marked)
    made(
        "student",
        Recipe(STUDENT, (Phase(40_000, (FromAnswers("marked"),)),), batch=4, start="base"),
    )

    tokenizer, encode = (
        AutoTokenizer.from_pretrained(tmp_path / "tokenizer"),
        encoder(tmp_path / "tokenizer"),
    )
    prompts = [chat_prompt(q) for q in QUESTIONS]
    found = {}
    for name in ("student", "base"):
        texts = complete(
            load_model(tmp_path / name).eval(), tokenizer, prompts, 96, watermark=False
        )
        documents = encode([Document("chat", "", text) for text in texts if text is not None])
        found[name] = z_score([d.ids for d in documents], WATERMARK_KEY)
        found[f"{name}, other key"] = z_score([d.ids for d in documents], 32452843)
    assert found["student"] > 4, found
    assert all(abs(z) < 4 for name, z in found.items() if name != "student")
