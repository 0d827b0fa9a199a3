"""Every format recognises its own rows and nobody else's, and reads them as answers."""

from __future__ import annotations

import copy
import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.files.answers import Answer
from harness.files.formats import TABLE, formats, recognise
from harness.files.sources import Source, format_of, read_answers
from harness.models import Ask
from harness.plugins import build
from harness.types import Decoding, DistillbenchError, Message, Paths, Request
from tests.models.asking import answered


class Seen(NamedTuple):
    """What is read of one answer."""

    context: str | None
    value: Any
    name: str = ""
    system: str | None = None
    draw: int = 0
    stop: str = "unknown"


def _chat(name: str, content: str, stop: str = "stop") -> dict[str, Any]:
    message = {"role": "assistant", "content": content, "reasoning_content": "hm"}
    choice = {"index": 0, "finish_reason": stop, "message": message}
    body = {"status_code": 200, "body": {"choices": [choice]}}
    return {"id": "b", "custom_id": name, "response": body, "error": None}


def _inspect(name: int, epoch: int, said: Any, error: Any = None) -> dict[str, Any]:
    message = {"role": "assistant", "content": said, "source": "generate"}
    output = {"model": "m", "choices": [{"message": message, "stop_reason": "max_tokens"}]}
    return {"id": name, "epoch": epoch, "input": "Name a tree.", "target": "Oak", "messages": [], "output": output,
            "attachments": {"abc": "A long reply."}, "error": error}  # fmt: skip


def _lighteval(text: list[str], logprobs: list[float]) -> dict[str, Any]:
    doc = {
        "query": "Name a tree.",
        "choices": ["Oak", "Wren"],
        "gold_index": 0,
        "instruction": None,
        "id": "4",
    }
    said = {
        "input": "x",
        "text": text,
        "logprobs": logprobs,
        "argmax_logits_eq_gold": [True, False],
    }
    return {"doc": doc, "model_response": said, "metric": {"acc": 1.0}}


def _flat(
    predictions: Any, specifics: str = "{}", choices: Any = "['Oak', 'Wren']"
) -> dict[str, Any]:
    return {"example": "Name a tree.", "full_prompt": "Q: Name a tree.", "instruction": "", "predictions": predictions,
            "input_tokens": "[[1]]", "cont_tokens": "[[2]]", "choices": choices, "gold_index": "[0]",
            "specifics": specifics}  # fmt: skip


def _eee(raw: Any, messages: Any = None, error: str | None = None) -> dict[str, Any]:
    output = None if messages else {"raw": raw}
    return {"schema_version": "0.2.0", "evaluation_id": "e", "model_id": "m", "evaluation_name": "trees",
            "sample_id": "s1", "interaction_type": "single_turn", "messages": messages, "error": error,
            "input": {"raw": "Name a tree.", "reference": ["Oak"]}, "output": output}  # fmt: skip


def _bedrock(asked: Any, said: Any, name: str = "r1", **more: Any) -> dict[str, Any]:
    return {"schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": "2026-01-02T03:04:05Z",
            "accountId": "1", "region": "us-east-1", "requestId": name, "operation": "Converse", "modelId": "m",
            "input": {"inputContentType": "application/json", "inputBodyJson": asked, "inputTokenCount": 5},
            "output": {"outputContentType": "application/json", "outputBodyJson": said, "outputTokenCount": 4},
            **more}  # fmt: skip


def _stored(name: str, content: str | None, **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, "tool_calls": None, "function_call": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {"object": "chat.completion", "id": name, "model": "m", "created": 1, "request_id": "q", "metadata": {},
            "input_user": None, "choices": [choice], "usage": {"total_tokens": 3}, **more}  # fmt: skip


def _tinker(turns: Sequence[tuple[str, str]], **more: Any) -> dict[str, Any]:
    said = [{"role": r, "content": c, "token_count": 3, "metadata": {}} for r, c in turns]
    return {"idx": 0, "benchmark": "trees", "example_id": "trees_1", "turns": said, "reward": 1.0,
            "metrics": {"correct": 1.0}, "logs": {}, "error": None, "time_seconds": 1.5, **more}  # fmt: skip


_RENDERED = "<|im_start|>user\nName a tree.<|im_end|>\n<|im_start|>assistant\n"
_CONVERSE = {"messages": [{"role": "user", "content": [{"text": "Name a tree."}]}], "system": [{"text": "Be brief."}],
             "inferenceConfig": {"maxTokens": 9}}  # fmt: skip
EXAMPLES: dict[str, tuple[list[dict[str, Any]], list[Seen]]] = {
    "openai_batch": (
        [_chat("r1", "Oak"), _chat("r2", "Elm and", "length"), _chat("r3", "")],
        [
            Seen(None, "Oak", "r1", stop="eos"),
            Seen(None, "Elm and", "r2", stop="length"),
            Seen(None, "", "r3", stop="eos"),
        ],
    ),
    "message_batch": (
        [
            {"custom_id": "r1", "result": {"type": "succeeded", "message": {
                "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Oak"}],
                "stop_reason": "max_tokens"}}},
            {"custom_id": "r2", "result": {"type": "expired"}},
        ],
        [Seen(None, "Oak", "r1", stop="length"), Seen(None, None, "r2")],
    ),
    "fastchat": (
        [
            {"question_id": 81, "answer_id": "x", "model_id": "m", "tstamp": 1.5, "choices": [
                {"index": 0, "turns": ["Oak", "$ERROR$"]}, {"index": 1, "turns": [{"content": "Elm"}]}]},
        ],
        [Seen(None, "Oak", "81"), Seen(None, None, "81 turn 2"), Seen(None, "Elm", "81", draw=1)],
    ),
    "conversations": (
        [
            {"uid": "u1", "ans_id": "x", "model": "m", "messages": [
                {"role": "user", "content": "Name a tree."},
                {"role": "assistant", "content": {"answer": "Oak"}}]},
            {"id": "u2", "conversations": [
                {"from": "system", "value": "Be brief."}, {"from": "human", "value": "Name a tree."},
                {"from": "gpt", "value": "Elm"}, {"from": "human", "value": "Another."},
                {"from": "gpt", "value": "Ash"}]},
        ],
        [
            Seen("Name a tree.", "Oak", "u1"),
            Seen("Name a tree.", "Elm", "u2", "Be brief."),
            Seen("user: Name a tree.\nassistant: Elm\nuser: Another.", "Ash", "u2 turn 2", "Be brief."),
        ],
    ),
    "llama_factory": (
        [{"prompt": "user\nName a tree.\nassistant\n", "predict": "Oak", "label": "Elm"}],
        [Seen("user\nName a tree.\nassistant\n", "Oak")],
    ),
    "every_eval_ever": (
        [
            _eee(["Oak", "Elm"]),
            _eee("Ash"),
            _eee(None, error="timeout"),
            _eee(None, [{"turn_idx": 0, "role": "user", "content": "Hi"}, {"turn_idx": 1, "role": "assistant",
                                                                          "content": "Yo"}]),
        ],
        [
            Seen("Name a tree.", "Oak", "s1"),
            Seen("Name a tree.", "Elm", "s1", draw=1),
            Seen("Name a tree.", "Ash", "s1"),
            Seen("Name a tree.", None, "s1"),
            Seen("Hi", "Yo", "s1"),
        ],
    ),
    "inspect_log": (
        [
            _inspect(1, 1, "Oak"),
            _inspect(1, 2, [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "Elm"}]),
            _inspect(2, 1, "attachment://abc"),
            _inspect(3, 1, "half", {"message": "out of time", "traceback": "..."}),
        ],
        [
            Seen("Name a tree.", "Oak", "1", stop="length"),
            Seen("Name a tree.", "Elm", "1", draw=1, stop="length"),
            Seen("Name a tree.", "A long reply.", "2", stop="length"),
            Seen("Name a tree.", None, "3", stop="length"),
        ],
    ),
    "lighteval": (
        [_lighteval(["Oak", "Elm"], []), _lighteval([], [-1.5, float("-inf")])],
        [
            Seen("Name a tree.", "Oak", "4"),
            Seen("Name a tree.", "Elm", "4", draw=1),
            Seen("Name a tree.", (-1.5, True), "4"),
            Seen("Name a tree.", (float("-inf"), False), "4"),
        ],
    ),
    "lighteval_flat": (
        [_flat(["Oak", "Elm"]), _flat("['Oak - information', 'Elm']"), _flat("[(-1.5, True), (-inf, False)]"),
         _flat([-1.5, -2.5])],
        [
            Seen("Name a tree.", "Oak"),
            Seen("Name a tree.", "Elm", draw=1),
            Seen("Name a tree.", "Oak - information"),
            Seen("Name a tree.", "Elm", draw=1),
            Seen("Name a tree.", (-1.5, True)),
            Seen("Name a tree.", (float("-inf"), False)),
            Seen("Name a tree.", (-1.5, None)),
            Seen("Name a tree.", (-2.5, None)),
        ],
    ),
    "lm_eval_samples": (
        [
            {"doc_id": 0, "doc": {"q": "x"}, "arguments": {"gen_args_0": {"arg_0": "Q:", "arg_1": " a"}},
             "resps": [[["-inf", "False"]]], "filter": "none"},
            {"doc_id": 1, "doc": {"q": "y"}, "arguments": {"gen_args_0": {"arg_0": "R:", "arg_1": {"until": []}}},
             "resps": [["Oak"]], "filter": "none"},
        ],
        [Seen("Q:", (float("-inf"), False)), Seen("R:", "Oak")],
    ),
    "alpaca_eval": (
        [
            {"instruction": "Name it.", "input": "a tree", "output": "Oak", "generator": "m"},
            {"instruction": "Name a tree.", "input": "", "output": "Elm", "generator": "m"},
        ],
        [Seen("Name it.\na tree", "Oak"), Seen("Name a tree.", "Elm")],
    ),
    "tinker_trajectories": (
        [
            _tinker([("user", _RENDERED), ("assistant", "Oak<|im_end|>")]),
            _tinker([("user", "p"), ("assistant", "a bird"), ("environment", "p a q"), ("assistant", "Elm, as")],
                    metrics={"max_tokens_reached": 1.0}),
            _tinker([], error="timeout (300s)"),
        ],
        [
            Seen(_RENDERED, "Oak<|im_end|>", "trees_1", stop="eos"),
            Seen("p", "a bird", "trees_1"),
            Seen("p a q", "Elm, as", "trees_1 turn 2", stop="length"),
            Seen(None, None, "trees_1"),
        ],
    ),
    "openai_stored": (
        [
            _stored("chatcmpl-1", "Oak"),
            _stored("chatcmpl-2", "Elm", metadata={"prompt_id": "p2"},
                    messages=[{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Name it."}]),
            _stored("chatcmpl-3", None),
        ],
        [
            Seen(None, "Oak", "chatcmpl-1", stop="eos"),
            Seen("Name it.", "Elm", "p2", "Be brief.", stop="eos"),
            Seen(None, None, "chatcmpl-3", stop="eos"),
        ],
    ),
    "bedrock_log": (
        [
            _bedrock(_CONVERSE, {"output": {"message": {"role": "assistant", "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm"}}}, {"text": "Oak"}]}}, "stopReason": "end_turn"}),
            _bedrock({"messages": [{"role": "user", "content": "Name a tree."}], "max_tokens": 9},
                     {"type": "message", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text",
                      "text": "Elm"}], "stop_reason": "max_tokens"}, "r2", requestMetadata={"question_id": "7"}),
            _bedrock('{"prompt": "Name a tree."}', '{"generation": "Ash", "stop_reason": "stop"}', "r3"),
            _bedrock({"inputText": "Name a tree."}, {"results": [{"outputText": "Fir", "completionReason": "LENGTH"}]},
                     "r4"),
            _bedrock({"prompt": "Name a tree."}, {"outputs": [{"text": "Yew", "stop_reason": "stop"}]}, "r5"),
            _bedrock({"message": "Name a tree."}, {"text": "Box", "finish_reason": "COMPLETE"}, "r6"),
            _bedrock(_CONVERSE, {"choices": [{"message": {"content": "Lime"}, "finish_reason": "stop"}]}, "r7"),
            _bedrock(_CONVERSE, [{"type": "message_start"}, {"type": "content_block_delta", "delta": {
                "type": "text_delta", "text": "Pi"}}, {"delta": {"text": "ne"}}, {"type": "message_delta", "delta": {
                    "stop_reason": "end_turn"}}], "r8"),
            _bedrock({"inputText": "x"}, [{"outputText": "Haw", "index": 0}, {"outputText": "thorn",
                     "completionReason": "FINISH"}], "r9"),
            _bedrock({"inputText": "x"}, {"embedding": [0.5]}, "r10"),
            _bedrock(_CONVERSE, None, "r11", errorCode="ThrottlingException"),
            _bedrock({"messages": [{"role": "user", "content": [{"image": {"format": "png"}}]}]},
                     {"output": {"message": {"content": [{"text": "A tree"}]}}}, "r12"),
            _bedrock(_CONVERSE, {"output": {"message": {"content": [{"toolUse": {"name": "f"}}]}}}, "r13"),
        ],
        [
            Seen("Name a tree.", "Oak", "r1", "Be brief.", stop="eos"),
            Seen("Name a tree.", "Elm", "7", stop="length"),
            Seen("Name a tree.", "Ash", "r3", stop="eos"),
            Seen("Name a tree.", "Fir", "r4", stop="length"),
            Seen("Name a tree.", "Yew", "r5", stop="eos"),
            Seen("Name a tree.", "Box", "r6", stop="eos"),
            Seen("Name a tree.", "Lime", "r7", "Be brief.", stop="eos"),
            Seen("Name a tree.", "Pine", "r8", "Be brief.", stop="eos"),
            Seen("x", "Hawthorn", "r9", stop="eos"),
            Seen("x", None, "r10"),
            Seen("Name a tree.", None, "r11", "Be brief."),
            Seen(None, None, "r12"),
            Seen("Name a tree.", None, "r13", "Be brief."),
        ],
    ),
    TABLE: (
        [
            {"question": "Name a tree.", "response": "Oak"},
            {"question": "Name a bird.", "response": None},
            {"question": "Name a fish.", "response": {"error": {"code": 429}}},
        ],
        [Seen("Name a tree.", "Oak"), Seen("Name a bird.", None), Seen("Name a fish.", None)],
    ),
}  # fmt: skip


def read(path: Path, **columns: str) -> Sequence[Answer]:
    """All answers of a file, its format told from its first row."""
    source = Source((path,), format_of(path, columns), tuple(columns.items()), ())
    return read_answers(source).answers


def seen(answers: Sequence[Answer]) -> list[Seen]:
    return [Seen(a.context, a.value, a.name, a.system, int(a.draw), a.stop) for a in answers]


def write(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_every_format_has_an_example() -> None:
    assert EXAMPLES.keys() == formats().keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_format_recognises_its_own_rows_and_nobody_else_s(name: str) -> None:
    for other, (rows, _) in EXAMPLES.items():
        for row in rows:
            if name != TABLE:
                assert formats()[name].recognises(row) == (name == other)
            assert recognise(row) == other


@pytest.mark.parametrize("name", EXAMPLES)
def test_rows_are_read_as_answers(tmp_path: Path, name: str) -> None:
    rows, expected = EXAMPLES[name]
    answers = read(write(tmp_path / "x.jsonl", rows))
    assert seen(answers) == expected
    assert [bool(a.missing) for a in answers] == [e.value is None for e in expected]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_format_is_told_from_content_whatever_the_file_is_called(
    tmp_path: Path, name: str
) -> None:
    rows, expected = EXAMPLES[name]
    (tmp_path / "x.json").write_text(json.dumps(rows))
    assert seen(read(tmp_path / "x.json")) == expected


_NEVER_IN_PARQUET = (
    "every_eval_ever", "fastchat", "inspect_log", "lighteval_flat", "openai_stored", "tinker_trajectories",
)  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_row_is_read_from_parquet_as_from_jsonl(tmp_path: Path, name: str) -> None:
    n_read = 0
    for i, row in enumerate(EXAMPLES[name][0]):
        try:
            pq.write_table(pa.Table.from_pylist([row, row]), tmp_path / f"{i}.parquet")
        except (pa.ArrowInvalid, pa.ArrowTypeError, NotImplementedError):  # kinds mixed, or {}
            continue
        lines = seen(read(write(tmp_path / f"{i}.jsonl", [row, row])))
        assert seen(read(tmp_path / f"{i}.parquet")) == lines
        n_read += 1
    assert n_read or name in _NEVER_IN_PARQUET


def test_details_of_lighteval_in_parquet(tmp_path: Path) -> None:
    rows, expected = EXAMPLES["lighteval"]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "details_x.parquet")
    assert seen(read(tmp_path / "details_x.parquet")) == expected


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (_flat("[tensor(-1.5)]"), r"predictions: expected a list, got .*lighteval 0.11"),
        (_flat([-1.5] * 4), "got 4 of 2 choices"),
        (_flat(["a", "b"], "{'multi_turn_queries': []}"), "several turns"),
        (_flat(["a"], choices="Oak"), "choices: expected a list"),
    ],
)
def test_flat_details_that_cannot_be_read_are_refused(
    tmp_path: Path, row: dict[str, Any], words: str
) -> None:
    with pytest.raises(DistillbenchError, match=words):
        read(write(tmp_path / "x.jsonl", [row]))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_log_of_inspect_is_an_archive_of_samples(tmp_path: Path, method: int) -> None:
    rows, expected = EXAMPLES["inspect_log"]
    with zipfile.ZipFile(tmp_path / "x.eval", "w", method) as archive:
        archive.writestr("header.json", json.dumps({"eval": {"model": "m"}}))
        for row in rows:
            archive.writestr(f"samples/{row['id']}_epoch_{row['epoch']}.json", json.dumps(row))
    assert seen(read(tmp_path / "x.eval")) == expected
    log = {"version": 2, "eval": {"model": "m"}, "samples": rows}
    (tmp_path / "x.json").write_text(json.dumps(log))
    assert seen(read(tmp_path / "x.json")) == expected


def test_a_log_packed_with_zstandard_is_read(tmp_path: Path) -> None:
    rows, expected = EXAMPLES["inspect_log"]
    texts = {"header.json": b"{}"} | {
        f"samples/{r['id']}_epoch_{r['epoch']}.json": json.dumps(r).encode() for r in rows
    }
    (tmp_path / "x.eval").write_bytes(zstandard_archive(texts))
    assert seen(read(tmp_path / "x.eval")) == expected


def zstandard_archive(members: dict[str, bytes]) -> bytes:
    """A zip archive whose members are packed with Zstandard, written as deflated and then relabelled."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        packed = {n: pa.compress(data, "zstd", asbytes=True) for n, data in members.items()}
        for name, data in packed.items():
            archive.writestr(name, data)
        infos = {i.filename: i for i in archive.infolist()}
        for name, info in infos.items():
            info.compress_type, info.file_size = 93, len(members[name])
            info.compress_size, info.CRC = len(packed[name]), zlib.crc32(members[name])
    return made.getvalue()


def test_another_archive_is_refused_in_words(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.eval", "w") as archive:
        archive.writestr("xl/workbook.xml", "x")
    with pytest.raises(DistillbenchError, match="Excel workbook"):
        read(tmp_path / "x.eval")


def test_pages_of_an_api_s_list_are_their_entries(tmp_path: Path) -> None:
    rows, expected = EXAMPLES["openai_stored"]
    pages = [{"object": "list", "data": part, "has_more": True} for part in (rows[:2], rows[2:])]
    assert seen(read(write(tmp_path / "pages.jsonl", pages))) == expected
    whole = {"object": "list", "data": rows, "first_id": "a", "last_id": "b", "has_more": False}
    (tmp_path / "page.json").write_text(json.dumps(whole))
    assert seen(read(tmp_path / "page.json")) == expected


def test_what_was_asked_of_a_stored_completion_comes_from_a_file(tmp_path: Path) -> None:
    told = [{"id": "chatcmpl-1", "messages": [{"role": "user", "content": "Name a tree."}]}]
    asked = write(tmp_path / "asked.jsonl", told)
    path = write(tmp_path / "x.jsonl", EXAMPLES["openai_stored"][0][:1])
    source = Source((path,), "openai_stored", (), (), asked)
    assert seen(read_answers(source).answers) == [
        Seen("Name a tree.", "Oak", "chatcmpl-1", stop="eos")
    ]


def test_a_call_of_a_log_that_has_no_text_says_why(tmp_path: Path) -> None:
    answers = read(write(tmp_path / "x.jsonl", EXAMPLES["bedrock_log"][0]))
    missing = {a.name: a.missing for a in answers if a.missing}
    assert missing["r11"] == "an error: 'ThrottlingException'"
    assert missing["r12"].startswith("expected messages with a role and a text, got")
    assert missing["r10"] == missing["r13"] == "a call without a text that is known how to read"
    assert answers[0].trace == answers[1].trace == "hm"
    row = _bedrock(_CONVERSE, None)
    row["output"]["outputBodyS3Path"] = "s3://logs/data/r1_output.json.gz"
    (answer, _) = read(write(tmp_path / "y.jsonl", [row, EXAMPLES["bedrock_log"][0][1]]))
    assert answer.missing.startswith("its body lies in S3 and not in the log: 's3://logs/data")


REQUESTS: dict[str, dict[str, Any]] = {
    "chat": {"custom_id": "r1", "body": {"messages": [{"role": "system", "content": "Be brief."},
                                                       {"role": "user", "content": "Name a tree."}]}},
    "responses": {"custom_id": "r1", "body": {"input": "Name a tree.", "instructions": "Be brief."}},
    "completions": {"custom_id": "r1", "body": {"prompt": "Name a tree.", "system": "Be brief."}},
    "messages": {"custom_id": "r1", "params": {"system": [{"type": "text", "text": "Be brief."}],
                                               "messages": [{"role": "user", "content": "Name a tree."}]}},
}  # fmt: skip


@pytest.mark.parametrize("form", REQUESTS)
def test_what_was_asked_comes_from_the_batch_s_input(tmp_path: Path, form: str) -> None:
    write(tmp_path / "out.jsonl", EXAMPLES["openai_batch"][0][:1])
    write(tmp_path / "in.jsonl", [REQUESTS[form]])
    fields = {"kind": "recorded", "file": "out.jsonl", "prompts_file": "in.jsonl"}
    model = build("models", "m", fields)
    asked = (Message("system", "Be brief."), Message("user", "Name a tree."))
    with model.open(Paths(tmp_path, tmp_path, (), tmp_path)) as session:
        assert answered(session, [Request(0, "generate", asked)]).text == (
            "<think>\nhm\n</think>\n\nOak",
        )


def test_responses_are_read_without_their_reasoning(tmp_path: Path) -> None:
    content = [{"type": "output_text", "text": "Oak"}, {"type": "output_text", "text": "."}]
    output = [{"type": "reasoning", "summary": []}, {"type": "message", "content": content}]
    body = {
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "output": output,
    }
    row = {"custom_id": "r", "response": {"status_code": 200, "body": body}}
    (answer,) = read(write(tmp_path / "x.jsonl", [row]))
    assert (answer.value, answer.stop) == ("Oak.", "length")


FAILED = ["$ERROR$", " $ERROR$\n", "Failed to obtain answer via API."]


@pytest.mark.parametrize("text", FAILED)
def test_failed_calls_are_no_answers_and_said(tmp_path: Path, text: str) -> None:
    rows = [{"prompt": f"q{i}", "response": text if i < 2 else f"a {text}"} for i in range(4)]
    write(tmp_path / "x.jsonl", rows)
    model = build("models", "m", {"kind": "recorded", "file": "x.jsonl"})
    requests = tuple(Request(i, "generate", f"q{i}") for i in range(4))
    with model.open(Paths(tmp_path, tmp_path, (), tmp_path)) as session:
        assert answered(session, requests).answered == (False, False, True, True)
        (note,) = session.notes(Ask("k", requests, ("",) * 4, Decoding()))
    assert note.startswith(f"2 of 4 answers count as not answered: {text.strip()!r}")


@pytest.mark.parametrize(
    ("text", "is_error"),
    [
        ("Error code: 429 - {'error': {'message': 'Rate limit reached'}}", True),
        ("<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body></body></html>", True),
        ("Error code: 429 means that you asked too often.", False),
        ("<html><head><title>My page</title></head></html>", False),
    ],
)
def test_what_libraries_and_gateways_say_is_no_answer(
    tmp_path: Path, text: str, is_error: bool
) -> None:
    (answer,) = read(write(tmp_path / "x.jsonl", [{"prompt": "q", "response": text}]))
    assert bool(answer.missing) == is_error
    assert answer.value == (None if is_error else text)


@pytest.mark.parametrize("error", ["timeout", {"code": 500}, True])
def test_an_error_beside_a_blank_answer_is_a_failed_call(tmp_path: Path, error: Any) -> None:
    rows = [
        {"prompt": "a", "response": "", "error": error},
        {"prompt": "b", "response": "", "error": None},
        {"prompt": "c", "response": "Oak", "error": error},
    ]
    answers = read(write(tmp_path / "x.jsonl", rows))
    assert [a.value for a in answers] == [None, "", "Oak"]


def test_a_conversation_that_ends_in_the_answer_is_its_prompt(tmp_path: Path) -> None:
    said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo "}]
    columns = {"prompt": "messages", "answer": "response"}
    path = write(tmp_path / "x.jsonl", [{"messages": said, "response": "Yo"}])
    assert seen(read(path, **columns)) == [Seen("Hi", "Yo")]
    write(path, [{"messages": said, "response": "Hello"}])
    with pytest.raises(DistillbenchError, match="ends in the question or in the answer"):
        read(path, **columns)


def test_columns_of_another_format_are_refused_with_its_name(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", EXAMPLES["message_batch"][0])
    with pytest.raises(DistillbenchError, match="this looks like an Anthropic message batch"):
        read(path, prompt="prompt", answer="text")


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("tinker_trajectories", (1, "turns", 0), "text"),
        ("openai_stored", (1, "choices", 0, "message"), 3),
        ("bedrock_log", (1, "output", "outputBodyJson", "content", 1), {"text": {"no": 1}}),
        ("message_batch", (1, "custom_id"), [[1]]),
        ("openai_batch", (1, "response", "body", "choices"), True),
        ("inspect_log", (1, "output", "choices", 0, "message"), 3),
        ("lighteval", (1, "doc", "choices", 0), [1]),
        ("lighteval", (1, "doc", "choices", 0), 3),
        ("fastchat", (0, "choices", 0, "turns"), None),
    ],
)
def test_a_cell_of_another_kind_is_one_line_that_names_the_row(
    name: str, place: tuple[Any, ...], value: Any, tmp_path: Path
) -> None:
    rows: Any = copy.deepcopy(EXAMPLES[name][0])
    inside = rows
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = value
    path = write(tmp_path / "odd.jsonl", rows)
    source = Source((path,), name, (), ())
    with pytest.raises(
        DistillbenchError, match=rf"odd\.jsonl, row {place[0] + 1}: expected a row of"
    ):
        read_answers(source)


def test_an_unknown_format_names_the_nearest() -> None:
    with pytest.raises(DistillbenchError, match="did you mean 'openai_batch'"):
        build("models", "m", {"kind": "recorded", "file": "x", "format": "openai_batches"})
