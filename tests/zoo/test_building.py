from __future__ import annotations

import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import pytest

from harness.console import progress
from harness.console.forecast import Sort
from harness.console.progress import News
from harness.zoo import Place, build, building
from harness.zoo.recipe import work
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
    assert tokenizer("12 + 3").input_ids == [
        0,
        *tokenizer.convert_tokens_to_ids(["1", "2", "Ġ+", "Ġ", "3"]),
    ]


def test_checkpoints_are_kept_and_differ(tiny: Place) -> None:
    weights = [
        (tiny.folder / name / "model.safetensors").read_bytes()
        for name in ("base", "answers_a@1", "answers_a")
    ]
    assert len(set(weights)) == 3


def test_answers_answer_what_was_asked(tiny: Place) -> None:
    assert {d.kind for d in read_answers(tiny.folder / "answers_of_teacher_a")} <= {"fact", "chat"}


def test_a_killed_build_goes_on_and_ends_with_the_same_bytes(
    tiny: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FIRST_S", "LINE_S", "LOOK_S"):
        monkeypatch.setattr(progress, name, 0.01)
    place = Place(tmp_path, "tiny")
    shutil.copytree(tiny.folder, place.folder)
    shutil.rmtree(place.folder / "answers_a")
    shutil.rmtree(place.folder / "base")
    (place.folder / ".base.123").mkdir()
    kept = (place.folder / "teacher_a" / "model.safetensors").stat().st_mtime_ns
    with ThreadPoolExecutor(2) as both:  # the second waits for the first and finds everything done
        list(both.map(lambda _: build(["answers_a"], place, workers=1), range(2)))
    assert (place.folder / "teacher_a" / "model.safetensors").stat().st_mtime_ns == kept
    said = capsys.readouterr().err
    assert "zoo: base 0 %, 0 of 2 things ready, 0 % of the work, time left not known yet" in said
    assert "zoo: answers_a is ready (2 of 2 things ready, all done after" in said
    assert "waiting for another process that makes the zoo (" in said
    assert not list(place.folder.glob(".*"))
    for name in ("base", "answers_a"):
        assert contents(place.folder / name) == contents(tiny.folder / name)


def test_a_worker_tells_the_work_of_every_step_and_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: SimpleQueue[News] = SimpleQueue()
    monkeypatch.setattr(building, "_news", told)
    times = iter([7.0, 9.0, 14.0])
    teller = building._Teller("teacher_a", "tiny", clock=lambda: next(times))
    for share in (0.25, 0.5, 1.0):
        teller(share)
    heard = [told.get() for _ in range(3)]
    whole = work("teacher_a", "tiny")
    assert [n.ended[Sort("train")] / whole for n in heard] == [0.25, 0.25, 0.5]
    # the first step's time has the start-up in it
    assert [n.seconds for n in heard] == [None, 2.0, 5.0]
