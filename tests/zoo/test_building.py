from __future__ import annotations

import fcntl
import hashlib
import itertools
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.console.forecast import Sort
from harness.console.progress import News
from harness.store.waiting import Pace
from harness.types import DistillbenchError
from harness.zoo import Place, Thing, building, things
from harness.zoo.recipe import work
from harness.zoo.texts import read_answers
from harness.zoo.tokenizer import VOCABULARY
from harness.zoo.world import chat_prompt
from tests.zoo.conftest import build


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
    assert len(tokenizer) == model.config.vocab_size == VOCABULARY
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


def test_a_killed_build_goes_on_and_ends_with_the_same_bytes(tiny: Place, tmp_path: Path) -> None:
    place = Place(tmp_path, "tiny")
    shutil.copytree(tiny.folder, place.folder)
    shutil.rmtree(place.folder / "answers_a")
    shutil.rmtree(place.folder / "base")
    (place.folder / ".base.123").mkdir()
    kept = (place.folder / "teacher_a" / "model.safetensors").stat().st_mtime_ns
    with ThreadPoolExecutor(2) as both:  # the second waits for the first and finds everything done
        list(both.map(lambda _: build(["answers_a"], place), range(2)))
    assert (place.folder / "teacher_a" / "model.safetensors").stat().st_mtime_ns == kept
    assert not list(place.folder.glob(".*"))
    for name in ("base", "answers_a"):
        assert contents(place.folder / name) == contents(tiny.folder / name)


def test_the_work_of_every_step_and_its_time_are_told(tmp_path: Path) -> None:
    heard: list[News] = []
    times = iter([7.0, 9.0, 14.0])
    thing = Thing(Place(tmp_path, "tiny"), "teacher_a")
    teller = building._Teller(thing, heard.append, clock=lambda: next(times))
    for share in (0.25, 0.5, 1.0):
        teller(share)
    whole = work("teacher_a", "tiny")
    assert [n.ended[Sort("train")] / whole for n in heard] == [0.25, 0.25, 0.5]
    # the first step's time has the start-up in it
    assert [n.seconds for n in heard] == [None, 2.0, 5.0]


def test_a_thing_that_another_process_makes_is_waited_for(tiny: Place, tmp_path: Path) -> None:
    place, heard, waiting = Place(tmp_path, "tiny"), list[str](), threading.Event()
    shutil.copytree(tiny.folder, place.folder)
    shutil.move(place.folder / "base", tmp_path / "base")

    def tell(news: News) -> None:
        heard.append(news.doing or news.line)
        if news.doing:
            waiting.set()

    with (place.folder / "base.lock").open("w") as lock, ThreadPoolExecutor(1) as other:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = other.submit(Thing(place, "base").make, tell, Pace(sleep=lambda _: time.sleep(0.01)))
        assert waiting.wait(20)
        shutil.move(tmp_path / "base", place.folder / "base")
        fcntl.flock(lock, fcntl.LOCK_UN)
        made.result()
    assert set(heard[:-1]) == {"waiting for another process that makes it"}
    assert heard[-1] == "zoo: base is ready"


def test_a_process_without_a_sign_of_life_is_named_and_then_given_up(tmp_path: Path) -> None:
    thing, alarms, seconds = Thing(Place(tmp_path, "tiny"), "base"), list[str](), itertools.count()
    thing.place.folder.mkdir(parents=True)
    pace = Pace(clock=lambda: float(next(seconds)), sleep=lambda _: None)
    path = thing.place.folder / "base.lock"
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path.write_text("4711 node7\n")
        with pytest.raises(DistillbenchError) as error:
            thing.make(lambda news: alarms.append(news.alarm), pace)
    [said] = filter(None, alarms)
    assert said == "zoo: base: waiting for process 4711 on node7, which makes it"
    assert "no sign of life for 60 s" in str(error.value)
    assert str(error.value).endswith(f"if it is gone, delete {path}")


def test_what_keeps_others_waiting_longest_comes_first(tmp_path: Path) -> None:
    missing = things(["answers_a", "base"], Place(tmp_path, "smoke"))
    names = [t.name for t in missing]
    assert names[:2] == ["tokenizer", "teacher_a"]
    assert sorted(names[2:4]) == ["answers_of_teacher_a", "base"]
    assert names[4:] == ["answers_a"]
    assert [t.name for t in missing[-1].needs] == ["tokenizer", "base", "answers_of_teacher_a"]
