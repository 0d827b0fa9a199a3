"""Recorded answers: every format is joined by content, and every fault of a file is one clear line."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.models import Ask
from harness.models.recorded import RecordedModel
from harness.plugins import build
from harness.tasks import Setting
from harness.text.clean import clean
from harness.types import Decoding, DistillbenchError, Message, Outputs, Paths, ReplyTo, Request
from tests.models.asking import answered

ROWS: list[dict[str, Any]] = [
    {"model": "a", "prompt": "Name a tree.", "response": "Oak", "pick": "B", "n": 0},
    {"model": "a", "prompt": "Name a\nbird.", "response": "Wren", "pick": None, "n": 0},
    {"model": "b", "prompt": "Name a tree.", "response": "Elm", "pick": "A", "n": 0},
]


def paths(folder: Path) -> Paths:
    return Paths(folder / "results", folder / "cache", (), folder)


def recorded(name: str = "a", **fields: Any) -> RecordedModel:
    model = build("models", name, {"kind": "recorded", **fields})
    assert isinstance(model, RecordedModel)
    return model


def asked(*contexts: str | tuple[Message, ...]) -> list[Request]:
    return [Request(i, "generate", context) for i, context in enumerate(contexts)]


def answers(
    folder: Path, model: RecordedModel, requests: Sequence[Request], sample: int = 0
) -> Outputs:
    assert model.faults(paths(folder)) == []
    ids = [f"id{r.prompt}" for r in requests]
    with model.open(paths(folder)) as session:
        return answered(session, requests, Decoding(sample=sample), ids)


def fault(folder: Path, model: RecordedModel) -> str:
    (line,) = model.faults(paths(folder))
    assert "\n" not in line
    return line


def write(folder: Path, name: str, rows: Sequence[dict[str, Any]]) -> str:
    path = folder / name
    frame = pd.DataFrame(rows)
    if path.suffix == ".jsonl":
        path.write_text(
            "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n", "utf-8"
        )
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows), "utf-8")
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    return name


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "parquet"])
def test_a_table_answers_by_the_text_of_the_prompt(tmp_path: Path, suffix: str) -> None:
    file = write(tmp_path, f"answers.{suffix}", ROWS)
    model = recorded(
        "a",
        file=file,
        where={"model": "{name}"},
        columns={"prompt": "prompt", "answer": "response"},
    )
    found = answers(tmp_path, model, asked("Name a\nbird.", "Name a fish.", "Name a tree."))
    assert found.text == ("Wren", None, "Oak")
    assert found.answered == (True, False, True)
    assert found.stop == ("unknown", None, "unknown")
    assert found.n_tokens.tolist() == [0, 0, 0]
    assert model.offers() == {"generate"}


def test_the_order_of_the_rows_changes_nothing(tmp_path: Path) -> None:
    file, turned = write(tmp_path, "a.jsonl", ROWS), write(tmp_path, "b.jsonl", ROWS[::-1])
    requests = asked(*(row["prompt"] for row in ROWS[:2]))
    one, other = (
        answers(tmp_path, recorded(file=f, where={"model": "a"}), requests) for f in (file, turned)
    )
    assert one.text == other.text == ("Oak", "Wren")


def test_exact_text_wins_over_text_that_differs_in_white_space(tmp_path: Path) -> None:
    rows = [{"prompt": "x =  1", "response": "two"}, {"prompt": "x = 1", "response": "one"}]
    model = recorded(file=write(tmp_path, "a.jsonl", rows))
    assert answers(tmp_path, model, asked("x = 1", "x =  1")).text == ("one", "two")
    with pytest.raises(DistillbenchError, match=r"answers none of the 1 requests"):
        answers(tmp_path, model, asked("x\t=\t1"))
    assert answers(
        tmp_path, recorded(file=write(tmp_path, "b.jsonl", rows[:1])), asked(" x = 1\n")
    ).text == ("two",)


def test_a_conversation_is_joined_by_its_last_user_message(tmp_path: Path) -> None:
    model = recorded(file=write(tmp_path, "a.jsonl", ROWS), where={"model": "b"})
    context = (Message("system", "Be brief."), Message("user", "Hi"), Message("assistant", "Hello"))
    assert answers(tmp_path, model, asked((*context, Message("user", "Name a tree.")))).text == (
        "Elm",
    )


def test_a_recorded_system_message_must_be_the_one_that_is_asked(tmp_path: Path) -> None:
    rows = [
        {"prompt": "Hi", "response": r, "sys": s}
        for r, s in [("Ahoy", "Be a pirate."), ("Hello", None)]
    ]
    columns = {"prompt": "prompt", "answer": "response", "system": "sys"}
    model = recorded(file=write(tmp_path, "a.jsonl", rows), columns=columns)
    user = Message("user", "Hi")
    found = answers(
        tmp_path, model, asked((Message("system", "Be a pirate."), user), (user,), "Hi")
    )
    assert found.text == ("Ahoy", "Hello", "Hello")
    alone = recorded(file=write(tmp_path, "b.jsonl", rows[:1]), columns=columns)
    with pytest.raises(
        DistillbenchError,
        match=r"with the system message 'Be a pirate\.'.*give the task the same one",
    ):
        answers(tmp_path, alone, asked("Hi"))


def test_contradicting_answers_are_a_fault_and_equal_ones_are_not(tmp_path: Path) -> None:
    line = fault(tmp_path, recorded(file=write(tmp_path, "a.jsonl", ROWS)))
    assert "a.jsonl, row 1 and" in line
    assert "row 3" in line
    assert "'Name a tree.'" in line
    assert "where" in line
    assert "sample" in line
    twice = recorded(file=write(tmp_path, "b.jsonl", [ROWS[0], ROWS[0]]))
    assert answers(tmp_path, twice, asked("Name a tree.")).text == ("Oak",)


def test_row_numbers_count_the_file_not_the_filtered_rows(tmp_path: Path) -> None:
    rows = [ROWS[2], ROWS[0], {**ROWS[0], "response": "Ash"}]
    assert "row 2 and" in fault(
        tmp_path, recorded(file=write(tmp_path, "a.csv", rows), where={"model": "a"})
    )


def test_samples_are_numbered_by_their_column(tmp_path: Path) -> None:
    rows = [{"prompt": "Hi", "response": r, "draw": d} for r, d in [("two", 7), ("one", 3)]]
    columns = {"prompt": "prompt", "answer": "response", "sample": "draw"}
    model = recorded(
        file=write(tmp_path, "a.jsonl", [*rows, {"prompt": "Yo", "response": "x", "draw": 3}]),
        columns=columns,
    )
    assert answers(tmp_path, model, asked("Hi", "Yo"), sample=0).text == ("one", "x")
    assert answers(tmp_path, model, asked("Hi", "Yo"), sample=1).text == ("two", None)
    assert answers(tmp_path, model, asked("Hi", "Yo"), sample=2).answered == (False, False)


def test_each_task_has_its_own_answers_whatever_was_asked_before(tmp_path: Path) -> None:
    model = recorded(
        file=write(tmp_path, "x.jsonl", ROWS),
        columns={"prompt": "prompt", "answer": "response"},
        where={"model": "a"},
    )
    with model.open(paths(tmp_path)) as session:
        for prompt, answer in (("Name a tree.", "Oak"), ("Name a\nbird.", "Wren")):
            assert answered(session, asked(prompt), Decoding(), ["one"]).text == (answer,)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_predictions_are_letters_or_indices_or_null(tmp_path: Path, suffix: str) -> None:
    picks = ["B", "(c)", "3", None, "0"]
    rows = [{"question_id": 70 + i, "pred": p, "answer": "A"} for i, p in enumerate(picks)]
    file = write(tmp_path, f"p.{suffix}", rows)
    model = recorded(file=file, columns={"prompt": "question_id", "choice": "pred"})
    requests = [Request(i, "choose", str(70 + i), n_options=4) for i in range(6)]
    found = answers(tmp_path, model, requests)
    assert found.choice == (1, 2, 3, None, 0, None)
    assert found.answered == (True, True, True, True, True, False)
    assert model.offers() == {"choose"}


def test_numeric_predictions_with_gaps_are_indices(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"q": "x", "pred": 2}, {"q": "y", "pred": None}]
    model = recorded(file=write(tmp_path, "p.csv", rows), columns={"prompt": "q", "choice": "pred"})
    assert answers(
        tmp_path,
        model,
        [Request(0, "choose", "x", n_options=2), Request(1, "choose", "y", n_options=2)],
    ).choice == (1, None)


def test_whole_numbers_stored_as_floats_are_the_same_prompts(tmp_path: Path) -> None:
    file = write(tmp_path, "p.parquet", [{"q": 70.0, "pred": "A"}])
    model = recorded(file=file, columns={"prompt": "q", "choice": "pred"})
    assert answers(tmp_path, model, [Request(0, "choose", "70", n_options=2)]).choice == (0,)


@pytest.mark.parametrize("pick", ["Paris", "-1", "2.5", 2.5, -1])
def test_a_prediction_that_is_no_option_is_a_fault(tmp_path: Path, pick: Any) -> None:
    model = recorded(
        file=write(tmp_path, "p.jsonl", [{"q": "x", "pred": pick}]),
        columns={"prompt": "q", "choice": "pred"},
    )
    assert "row 1: column 'pred': expected a letter or a number, got" in fault(tmp_path, model)


@pytest.mark.parametrize("where", ["model_outputs.json", "folder"])
def test_alpaca_eval_files_are_recognised(tmp_path: Path, where: str) -> None:
    rows = [
        {"dataset": "d", "instruction": r["prompt"], "output": r["response"], "generator": "a"}
        for r in ROWS[:2]
    ]
    (tmp_path / "folder").mkdir()
    file = write(tmp_path / "folder", "model_outputs.json", rows)
    model = recorded(file="folder" if where == "folder" else f"folder/{file}")
    assert answers(tmp_path, model, asked("Name a tree.")).text == ("Oak",)
    with model.open(paths(tmp_path)) as session:
        assert session.facts() == {"format": "alpaca_eval", "recorded_answers": 2}


def batch_line(name: str, *texts: str | None, status: int = 200) -> dict[str, Any]:
    choices = [
        {"index": i, "message": {"role": "assistant", "content": t}} for i, t in enumerate(texts)
    ]
    body = {"id": "x", "choices": choices[::-1]}
    return {
        "id": "b",
        "custom_id": name,
        "response": {"status_code": status, "body": body},
        "error": None,
    }


def test_openai_batches_are_joined_to_their_prompts(tmp_path: Path) -> None:
    inputs = [
        {"custom_id": n, "method": "POST", "url": "/v1/chat/completions", "body": {"messages": m}}
        for n, m in {
            "r1": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
            "r2": [{"role": "user", "content": [{"type": "text", "text": "Name a tree."}]}],
            "r3": [{"role": "user", "content": "Name a fish."}],
        }.items()
    ]
    lines = [
        batch_line("r3", "half a", status=500),
        batch_line("r2", "Oak", "Elm"),
        batch_line("r1", "Yo"),
    ]
    model = recorded(
        file=write(tmp_path, "out.jsonl", lines), prompts_file=write(tmp_path, "in.jsonl", inputs)
    )
    requests = asked(
        (Message("system", "Be brief."), Message("user", "Hi")), "Name a tree.", "Name a fish."
    )
    assert answers(tmp_path, model, requests).text == ("Yo", "Oak", None)
    assert answers(tmp_path, model, requests, sample=1).text == (None, "Elm", None)
    missing = recorded(file="out.jsonl", prompts_file=write(tmp_path, "some.jsonl", inputs[1:]))
    assert "row 3: id 'r1' is not in" in fault(tmp_path, missing)


def test_a_batch_without_prompts_is_joined_by_the_prompt_or_its_id(tmp_path: Path) -> None:
    model = recorded(
        file=write(tmp_path, "out.jsonl", [batch_line("id1", "by id"), batch_line("Hi", "by text")])
    )
    assert answers(tmp_path, model, asked("Hi", "anything")).text == ("by text", "by id")


def test_no_match_at_all_shows_a_wanted_and_a_present_prompt(tmp_path: Path) -> None:
    model = recorded(file=write(tmp_path, "a.jsonl", ROWS), where={"model": "a"})
    with pytest.raises(
        DistillbenchError, match=r"wanted, for one: 'Say\.'; present, for one: 'Name a tree\.'"
    ):
        answers(tmp_path, model, asked("Say."))
    with pytest.raises(
        DistillbenchError, match="holds answers to generate requests, none to score requests"
    ):
        answers(tmp_path, model, [Request(0, "score", "Name a tree.", continuation=" Oak")])


def test_bad_files_are_one_clear_line_each(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_bytes(b"")
    (tmp_path / "cut.jsonl").write_text('{"prompt": "Hi", "response": "Yo"}\n{"prompt": "Hi th')
    (tmp_path / "cut.json").write_text('[{"prompt": "Hi"')
    (tmp_path / "latin.csv").write_bytes("prompt,response\nHi,Grüße\n".encode("latin-1"))
    file = write(tmp_path, "whole.parquet", ROWS)
    (tmp_path / "cut.parquet").write_bytes((tmp_path / file).read_bytes()[:-20])
    expected = {
        "empty.jsonl": "the file is empty",
        "cut.jsonl": "line 2",
        "cut.json": "truncated",
        "latin.csv": "UTF-8",
        "cut.parquet": "truncated",
        "whole.parquett": "whole.parquet",
        "nowhere/x.json": "no such folder",
    }
    for name, words in expected.items():
        line = fault(tmp_path, recorded(file=name))
        assert words in line, line
        assert line.startswith("model a: ")


def test_bad_columns_and_filters_name_the_nearest(tmp_path: Path) -> None:
    file = write(tmp_path, "a.parquet", [{**r, "model": f"alpaca-{r['model']}"} for r in ROWS])
    assert "did you mean 'alpaca-b'" in fault(
        tmp_path, recorded(file=file, where={"model": "alpaca-c"})
    )
    assert "did you mean 'response'" in fault(
        tmp_path, recorded(file=file, where={"model": "alpaca-a"}, columns={"answer": "responses"})
    )
    assert "did you mean 'model'" in fault(
        tmp_path, recorded(file=file, where={"modl": "alpaca-a"})
    )
    with pytest.raises(DistillbenchError, match="did you mean 'answer'"):
        recorded(file=file, columns={"anwser": "response"})
    with pytest.raises(DistillbenchError, match="file is missing"):
        recorded()


def test_a_relative_file_needs_a_data_folder(tmp_path: Path) -> None:
    (line,) = recorded(file="a.jsonl").faults(Paths(tmp_path, tmp_path, ()))
    assert "paths.data=DIR" in line


def test_a_data_folder_that_is_not_set_is_said_alike_of_models_and_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock, cure = tmp_path / "stock", "file a.jsonl: paths.data is not set; add paths.data="
    unset = Paths(tmp_path, tmp_path, (stock,))
    task = build("tasks", "ours", {"kind": "prompts", "file": "a.jsonl"})
    monkeypatch.chdir(tmp_path)
    for place in ("DIR", "."):
        line = f"{cure}{place}, the folder it lies in"
        assert recorded(file="a.jsonl").faults(unset)[0].endswith(line)
        assert task.faults(Setting(unset)) == [f"task ours: {line}"]
        write(tmp_path, "a.jsonl", [{"prompt": "Hi"}])
    (line,) = task.faults(Setting(Paths(tmp_path, tmp_path, (stock,), data=tmp_path / "gone")))
    assert line == f"task ours: file a.jsonl: expected it in {tmp_path / 'gone'}, found none"
    (line,) = task.faults(Setting(Paths(tmp_path, tmp_path, (tmp_path / "own", stock))))
    assert f"expected it in {tmp_path / 'own'}, found none, and paths.data is not set" in line


@pytest.mark.parametrize(("n", "known"), [(3, 3), (2, 2), (0, 0)])
def test_answers_at_hand_are_prompts_with_an_answer(tmp_path: Path, n: int, known: int) -> None:
    said: list[str | None] = [*["A", "B", "C"][:n], *[None] * (3 - n)]
    rows = [{"prompt": p, "response": a} for p, a in zip(("a", "b", "c"), said, strict=True)]
    file = write(tmp_path, "a.jsonl", [*rows, *rows, {"prompt": "other", "response": "x"}])
    requests = tuple(asked("a", "b", "c"))
    ask = Ask("key", requests, ("1", "2", "3"), Decoding())
    assert recorded(file=file).at_hand(ask, paths(tmp_path)) == known
    turn = (Message("assistant", ReplyTo(0)), Message("user", "c"))
    later = replace(ask, requests=(*requests[:2], Request(2, "generate", turn)))
    assert recorded(file=file).at_hand(later, paths(tmp_path)) is None


def test_answers_that_are_all_null_are_a_fault(tmp_path: Path) -> None:
    file = write(tmp_path, "a.jsonl", [{"prompt": "Hi", "response": None}])
    assert "at least one answer" in fault(tmp_path, recorded(file=file))


def test_an_empty_text_is_an_answer(tmp_path: Path) -> None:
    found = answers(
        tmp_path,
        recorded(file=write(tmp_path, "a.jsonl", [{"prompt": "Hi", "response": ""}])),
        asked("Hi"),
    )
    assert (found.text, found.answered) == (("",), (True,))


def test_the_digest_is_of_contents_and_of_what_is_taken(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    one, moved = write(tmp_path, "a.jsonl", ROWS), write(tmp_path / "elsewhere", "b.jsonl", ROWS)
    here = paths(tmp_path)
    key = recorded(file=one, where={"model": "a"}).key(here)
    assert key == recorded("other name", file=f"elsewhere/{moved}", where={"model": "a"}).key(here)
    assert key == recorded("a", file=one, where={"model": "{name}"}).key(here)
    assert key != recorded(file=one, where={"model": "b"}).key(here)
    assert key != recorded(file=one, where={"model": "a"}, columns={"answer": "pick"}).key(here)
    write(tmp_path, "a.jsonl", ROWS[:2])
    assert key != recorded(file=one, where={"model": "a"}).key(here)


def test_a_model_that_went_to_another_process_still_finds_its_file(tmp_path: Path) -> None:
    model = recorded(file=write(tmp_path, "a.jsonl", ROWS), where={"model": "{name}"})
    model.key(paths(tmp_path))
    sent = pickle.loads(pickle.dumps(model))  # noqa: S301
    assert answers(tmp_path, sent, asked("Name a tree.")).text == ("Oak",)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    model = recorded(file=write(tmp_path, "a.jsonl", ROWS[:1]))
    assert answers(tmp_path, model, asked("Name a tree.")).text == ("Oak",)
    write(tmp_path, "a.jsonl", [{**ROWS[0], "response": "Beech"}])
    assert answers(tmp_path, model, asked("Name a tree.")).text == ("Beech",)


def test_what_a_file_may_hold_is_told_from_its_name_and_columns() -> None:
    assert recorded(file="run/samples_arc.jsonl").offers() == {"generate", "score", "read"}
    assert recorded(file="run").offers() == {"generate", "score", "read"}
    assert recorded(file="a.json").offers() == {"generate"}
    assert recorded(file="a.jsonl", format="openai_batch").offers() == {"generate"}
    assert recorded(
        file="a.csv", columns={"prompt": "q", "choice": "c", "answer": "a"}
    ).offers() == {
        "generate",
        "choose",
    }


def test_rows_of_one_prompt_are_samples_where_nothing_else_tells_them_apart(tmp_path: Path) -> None:
    rows = [{"prompt": p, "response": f"{p} {d}", "id": n, "at": n * 7} for n, (p, d) in enumerate(
        (p, d) for d in "xyz" for p in ("Hi", "Yo"))]  # fmt: skip
    model = recorded(file=write(tmp_path, "a.csv", rows))
    assert answers(tmp_path, model, asked("Hi", "Yo"), sample=1).text == ("Hi y", "Yo y")
    with model.open(paths(tmp_path)) as session:
        ask = Ask("k", tuple(asked("Hi", "Yo")), ("", ""), Decoding())
        rows_told, several = session.notes(ask)
        assert several not in session.notes(replace(ask, decoding=Decoding(sample=1)))
        repeated = tuple(replace(r, repeat=2) for r in ask.requests)
        assert several not in session.notes(replace(ask, requests=repeated))
    assert rows_told.startswith("every prompt stands in 3 rows")
    assert several.startswith("up to 3 answers to a prompt are recorded; `samples` of the task")


def test_a_second_sample_begins_behind_the_repeats_of_the_first(tmp_path: Path) -> None:
    rows = [{"prompt": "Hi", "response": f"draw {d}", "epoch": d} for d in range(4)]
    model = recorded(file=write(tmp_path, "a.jsonl", rows))
    (once,) = asked("Hi")
    twice = [once, replace(once, repeat=1)]
    assert answers(tmp_path, model, twice, sample=0).text == ("draw 0", "draw 1")
    assert answers(tmp_path, model, twice, sample=1).text == ("draw 2", "draw 3")


@pytest.mark.parametrize("column", ["epoch", "sample_idx"])
def test_a_usual_column_numbers_the_samples(tmp_path: Path, column: str) -> None:
    rows = [
        {"prompt": p, "response": f"{p} {d}", column: d}
        for p, d in [("Hi", 3), ("Hi", 1), ("Yo", 1)]
    ]
    model = recorded(file=write(tmp_path, "a.jsonl", rows))
    assert answers(tmp_path, model, asked("Hi", "Yo"), sample=0).text == ("Hi 1", "Yo 1")
    assert answers(tmp_path, model, asked("Hi", "Yo"), sample=1).text == ("Hi 3", None)


def test_two_models_in_one_file_are_not_samples(tmp_path: Path) -> None:
    rows = [
        {"prompt": p, "response": f"{m} {p}", "generator": m} for m in "ab" for p in ("Hi", "Yo")
    ]
    file = write(tmp_path, "a.jsonl", rows)
    line = fault(tmp_path, recorded(file=file))
    assert "one for each 'generator' (a, b)" in line
    assert "where: {generator: 'a'}" in line
    assert fault(tmp_path, recorded(file=write(tmp_path, "b.jsonl", rows[:3])))
    sampled = recorded(file=file, columns={"answer": "response", "sample": "generator"})
    assert answers(tmp_path, sampled, asked("Hi"), sample=1).text == ("b Hi",)


@pytest.mark.parametrize(
    ("more", "is_open"),
    [({"finish_reason": "length"}, True), ({}, True), ({"finish_reason": "stop"}, False)],
)
def test_a_reply_that_ended_by_itself_was_not_cut_in_its_thought(
    tmp_path: Path, more: dict[str, str], is_open: bool
) -> None:
    """Programs that leave thoughts out store the reply alone."""
    prompt = "<|user|>\nName a tree.\n<|assistant|>\n<think>\n"
    file = write(tmp_path, "cut.jsonl", [{"prompt": prompt, "response": "Oak or elm", **more}])
    (text,) = answers(tmp_path, recorded(file=file), asked(prompt)).text
    assert clean(text or "").is_open == is_open
    beside = {"reasoning_content": "Hm.", **more}
    file = write(tmp_path, "beside.jsonl", [{"prompt": prompt, "response": "Oak", **beside}])
    (text,) = answers(tmp_path, recorded(file=file), asked(prompt)).text
    assert clean(text or "")[:2] == ("Oak", "Hm.")
