"""Open-ended prompts from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.plugins import build
from harness.tasks import Setting, asks
from harness.tasks.prompts import PromptsTask
from harness.types import DistillbenchError, Message, Paths, ReplyTo
from tests.conftest import REPOSITORY

ROWS = [
    {"q": "Why?", "kind": "explain", "model": "a", "s": None},
    {"q": "How?", "kind": "advise", "model": "a", "s": "Be brief."},
    {"q": "Why?", "kind": "explain", "model": "b", "s": None},
    {"q": "", "kind": "explain", "model": "b", "s": None},
]
COLUMNS = {"prompt": "q", "category": "kind"}


def at(folder: Path, chat: bool = False, limit: int | None = None) -> Setting:
    return Setting(
        Paths(folder / "results", folder / "cache", (folder / "tasks",), data=folder),
        chat,
        None,
        limit,
        0,
    )


def make(file: str, **fields: Any) -> PromptsTask:
    return PromptsTask("prompts", "mine", file=file, **fields)


@pytest.fixture(params=["jsonl", "json", "csv", "parquet"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"rows.{request.param}"
    if request.param == "jsonl":
        path.write_text("".join(json.dumps(r) + "\n" for r in ROWS))
    elif request.param == "json":
        path.write_text(json.dumps(ROWS))
    elif request.param == "csv":
        pd.DataFrame(ROWS).to_csv(path, index=False)
    else:
        pd.DataFrame(ROWS).to_parquet(path)
    return path


def test_every_different_prompt_once(table: Path) -> None:
    found = make(table.name, columns=COLUMNS).requests(at(table.parent))
    assert [(p.text, p.category) for p in found.prompts] == [
        ("Why?", "explain"),
        ("How?", "advise"),
    ]
    assert [r.context for r in found.requests] == ["Why?", "How?"]
    assert found.yields == ("text", "style")
    assert found.notes == ("1 rows without a prompt dropped",)
    assert [p.cluster for p in found.prompts] == [p.id for p in found.prompts]


def test_conversations_carry_the_rows_system_message(table: Path) -> None:
    task = make(table.name, columns={**COLUMNS, "system": "s"}, until=("\n",), max_new_tokens=9)
    found = task.requests(at(table.parent, chat=True))
    assert found.requests[0].context == (Message("user", "Why?"),)
    assert found.requests[1].context == (Message("system", "Be brief."), Message("user", "How?"))
    assert (found.requests[0].until, found.requests[0].max_new_tokens) == (("\n",), 9)
    plain = task.requests(at(table.parent))
    assert [r.context for r in plain.requests] == ["Why?", "Be brief.\n\nHow?"]
    assert [p.id for p in plain.prompts] == [p.id for p in found.prompts]


def test_rows_are_chosen_and_limited(table: Path) -> None:
    one = make(table.name, columns=COLUMNS, where={"model": ["b"]}).requests(at(table.parent))
    assert [p.text for p in one.prompts] == ["Why?"]
    assert len(make(table.name, columns=COLUMNS).requests(at(table.parent, limit=1)).prompts) == 1


def test_prompt_ids_do_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    for name, rows in (("one.jsonl", ROWS), ("two.jsonl", ROWS[::-1])):
        (tmp_path / name).write_text("".join(json.dumps(r) + "\n" for r in rows))
    first, second = (
        make(n, columns=COLUMNS).requests(at(tmp_path)) for n in ("one.jsonl", "two.jsonl")
    )
    assert {p.id: p.text for p in first.prompts} == {p.id: p.text for p in second.prompts}


def test_folders_of_tasks_come_before_data(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "x.jsonl").write_text('{"prompt": "data"}\n')
    (tmp_path / "tasks" / "x.jsonl").write_text('{"prompt": "tasks"}\n')
    assert make("x.jsonl").requests(at(tmp_path)).prompts[0].text == "tasks"


def test_one_id_for_two_prompts_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"prompt": "a", "id": 1}\n{"prompt": "b", "id": 1}\n')
    with pytest.raises(DistillbenchError, match="id 1 stands for two different prompts"):
        make("x.jsonl", columns={"id": "id"}).requests(at(tmp_path))


def test_digest_follows_contents(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"prompt": "a"}\n')
    first = make("x.jsonl").key(at(tmp_path))
    assert make("x.jsonl").key(at(tmp_path, chat=True)) != first
    assert make("x.jsonl", where={"prompt": "a"}).key(at(tmp_path)) != first
    (tmp_path / "x.jsonl").write_text('{"prompt": "b"}\n')
    assert make("x.jsonl").key(at(tmp_path)) != first


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    (fault,) = make("nowhere.jsonl").faults(at(tmp_path))
    assert "nowhere.jsonl" in fault
    assert str(tmp_path) in fault


def test_fields_are_checked() -> None:
    with pytest.raises(DistillbenchError, match="task x: key file"):
        build("tasks", "x", {"kind": "prompts"})
    with pytest.raises(DistillbenchError, match="did you mean 'category'"):
        build("tasks", "x", {"kind": "prompts", "file": "f", "columns": {"categori": "k"}})


def test_our_own_prompts() -> None:
    task = build(
        "tasks",
        "style_prompts",
        {"kind": "prompts", "file": "style/prompts.jsonl", "columns": {"category": "category"}},
    )
    paths = Paths(REPOSITORY / "results", REPOSITORY / "results", (REPOSITORY / "tasks",))
    rows = [
        json.loads(line)
        for line in (REPOSITORY / "tasks" / "style" / "prompts.jsonl").read_text().splitlines()
    ]
    assert len(rows) == 160
    counts = pd.Series([r["category"] for r in rows]).value_counts()
    assert counts.to_dict() == dict.fromkeys(
        ["explain", "advise", "compare", "list", "write", "code", "converse", "refuse"], 20
    )
    assert task.faults(Setting(paths, False, None, None, 0)) == []
    assert len({r["prompt"] for r in rows}) == 160


@pytest.mark.slow
def test_recorded_prompts_of_real_models(shared_data: Path, tmp_path: Path) -> None:
    here = Setting(Paths(tmp_path, tmp_path, (), data=shared_data), False, None, None, 0)
    columns = {"prompt": "prompt", "category": "source"}
    found = make("alpaca_eval/responses.parquet", columns=columns).requests(here)
    assert len(found.prompts) == 805
    assert len({p.category for p in found.prompts}) == 5


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_turns_are_asked_after_the_model_s_own_replies(tmp_path: Path, ending: str) -> None:
    frame = pd.DataFrame({"t": [["a", "b", "c"], ["d"], []], "s": ["Be brief.", None, None]})
    path = tmp_path / f"talks.{ending}"
    if ending == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_parquet(path)
    task = make(path.name, columns={"turns": "t", "system": "s"})
    found = task.requests(at(tmp_path, chat=True))
    system, user = Message("system", "Be brief."), [Message("user", t) for t in "abcd"]
    first, second = Message("assistant", ReplyTo(0)), Message("assistant", ReplyTo(1))
    assert [r.context for r in found.requests] == [
        (system, user[0]),
        (system, user[0], first, user[1]),
        (system, user[0], first, user[1], second, user[2]),
        (user[3],),
    ]
    assert [p.text for p in found.prompts] == ["a", "b", "c", "d"]
    assert [r.prompt for r in found.requests] == [0, 1, 2, 3]
    assert len({p.cluster for p in found.prompts}) == 2
    assert found.notes == ("1 rows without a prompt dropped",)
    assert len(task.requests(at(tmp_path, chat=True, limit=1)).prompts) == 3


def test_a_first_turn_is_asked_as_a_prompt_is(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text('{"prompt": "a"}\n')
    (tmp_path / "two.jsonl").write_text('{"turns": ["a"]}\n')
    one, two = make("one.jsonl"), make("two.jsonl", columns={"turns": "turns"})
    asked = [task.requests(at(tmp_path, chat=True)) for task in (one, two)]
    assert asked[0].prompts == asked[1].prompts
    assert asks(asked[0]) == asks(asked[1])


def test_turns_that_cannot_be_asked(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"turns": ["a", ""]}\n')
    task = make("x.jsonl", columns={"turns": "turns"})
    assert task.faults(at(tmp_path)) == [
        "task mine: turns are asked in conversations; set `chat: true` for the task or model"
    ]
    assert task.faults(at(tmp_path, chat=True)) == []
    with pytest.raises(
        DistillbenchError, match=r"expected lists of user messages, .*got \"\['a', ''"
    ):
        task.requests(at(tmp_path, chat=True))
    with pytest.raises(DistillbenchError, match="expected prompt or turns, got both"):
        make("x.jsonl", columns={"turns": "turns", "prompt": "p"})


def test_a_list_is_asked_turn_by_turn_and_never_as_its_spelling(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"t": ["Tell me.", "Shorter."]}\n')
    task, same = make("x.jsonl", columns={"prompt": "t"}), make("x.jsonl", columns={"turns": "t"})
    assert task.requests(at(tmp_path, chat=True)) == same.requests(at(tmp_path, chat=True))
    with pytest.raises(DistillbenchError, match=r"'Tell me\.' is a turn .* set `chat: true`"):
        task.requests(at(tmp_path))
    (tmp_path / "y.jsonl").write_text('{"t": {"text": "Tell me."}}\n')
    with pytest.raises(DistillbenchError, match="expected a text or a conversation, got an object"):
        make("y.jsonl", columns={"prompt": "t"}).requests(at(tmp_path, chat=True))


CHATS: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [{"type": "text", "text": "Yo"}]},
        {"role": "user", "content": "Name a tree."},
        {"role": "assistant", "content": "Oak"},
    ],
    "sharegpt": [
        {"from": "system", "value": "Be brief."},
        {"from": "human", "value": "Hi"},
        {"from": "gpt", "value": "Yo"},
        {"from": "human", "value": "Name a tree."},
    ],
}


@pytest.mark.parametrize("form", [*CHATS, "spelled", "parquet"])
def test_conversations_are_prompts(tmp_path: Path, form: str) -> None:
    turns = CHATS.get(form, CHATS["messages"])
    path = tmp_path / ("x.parquet" if form == "parquet" else "x.jsonl")
    row = {"t": json.dumps(turns) if form == "spelled" else turns}
    if form == "parquet":
        turns = CHATS["sharegpt"]
        pd.DataFrame([{"t": turns}]).to_parquet(path)
    else:
        path.write_text(json.dumps(row) + "\n")
    found = make(path.name, columns={"prompt": "t"}).requests(at(tmp_path, chat=True))
    assert found.requests[0].context == (
        Message("system", "Be brief."),
        Message("user", "Hi"),
        Message("assistant", "Yo"),
        Message("user", "Name a tree."),
    )
    assert len(found.requests) == 1
    ended = turns[-1].get("role") == "assistant"
    assert found.notes == (("1 conversations end in a reply, which is not asked",) if ended else ())


def test_a_conversation_as_python_spells_it_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"t": [CHATS["messages"]]}).to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(DistillbenchError, match=r"as Python's str\(\) spells it"):
        make("x.csv", columns={"prompt": "t"}).requests(at(tmp_path, chat=True))


def test_an_instruction_is_asked_with_its_input(tmp_path: Path) -> None:
    rows = [
        {"instruction": "Turn it into the past.", "input": text, "output": "o"}
        for text in ("I go.", "I see.", "")
    ]
    (tmp_path / "x.json").write_text(json.dumps(rows))
    found = make("x.json", columns={"prompt": "instruction"}).requests(at(tmp_path))
    assert [r.context for r in found.requests] == [
        "Turn it into the past.\nI go.",
        "Turn it into the past.\nI see.",
        "Turn it into the past.",
    ]


def test_prompts_bear_the_ids_of_their_file(tmp_path: Path) -> None:
    rows = [{"uid": 7, "turns": [{"content": "a"}, {"content": "b"}]}, {"uid": 8, "turns": ["c"]}]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = make("x.jsonl", columns={"turns": "turns", "id": "uid"})
    found = task.requests(at(tmp_path, chat=True))
    assert [p.name for p in found.prompts] == ["7", "7 turn 2", "8"]
