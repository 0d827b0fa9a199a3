"""In every format a reply that was cut is marked, whatever cut it, and a complete one is not."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.files.formats import formats
from harness.files.formats._stops import FLAGS, STOPS, stated_stop, stop_of, thoughts
from harness.files.sources import Source, read_answers
from harness.models import Ask
from harness.panel.side import Side
from harness.panel.texts import Reply, replies
from harness.plugins import build
from harness.types import Decoding, DistillbenchError, Paths, Prompt, Request, RequestSet
from tests.models.asking import answered

ASKED = "Tell me of the river."
Row = dict[str, Any]
Write = Callable[[str, str | None], Row]  # text, and whether it was cut or ended as the format says


def _openai(body: Row) -> Row:
    return {"custom_id": "q1", "response": {"status_code": 200, "body": body}, "error": None}


def _bedrock(body: Any) -> Row:
    asked = {"messages": [{"role": "user", "content": ASKED}]}
    parts = {"input": {"inputBodyJson": asked}, "output": {"outputBodyJson": body}}
    return {"schemaType": "ModelInvocationLog", "requestId": "q1", **parts}


def _stop(word: str | None, cut: str, ended: str) -> str | None:
    return None if word is None else {"cut": cut, "ended": ended}[word]


def _said(name: str, word: str | None, cut: str, ended: str) -> Row:
    """A field that says how it ended, or nothing."""
    return {} if word is None else {name: _stop(word, cut, ended)}


SILENT = ("lm_eval_samples", "lighteval_flat")  # formats that state nothing
FORMATS: dict[str, Write] = {
    "openai_batch, chat": lambda text, word: _openai(
        {
            "choices": [
                {"index": 0, "message": {"content": text}}
                | _said("finish_reason", word, "length", "stop")
            ]
        }
    ),
    "openai_batch, completions": lambda text, word: _openai(
        {"choices": [{"index": 0, "text": text} | _said("finish_reason", word, "length", "stop")]}
    ),
    "openai_batch, responses": lambda text, word: _openai(
        {
            "output": [{"type": "message", "content": [{"type": "output_text", "text": text}]}],
            "status": _stop(word, "incomplete", "completed"),
            "incomplete_details": {"reason": "max_output_tokens"} if word == "cut" else None,
        }
    ),
    "openai_stored": lambda text, word: {
        "object": "chat.completion",
        "id": "q1",
        "choices": [
            {"index": 0, "message": {"content": text}}
            | _said("finish_reason", word, "length", "stop")
        ],
    },
    "bedrock_log, converse": lambda text, word: _bedrock(
        {"output": {"message": {"content": [{"text": text}]}}}
        | _said("stopReason", word, "max_tokens", "end_turn")
    ),
    "bedrock_log, titan": lambda text, word: _bedrock(
        {"results": [{"outputText": text} | _said("completionReason", word, "LENGTH", "FINISH")]}
    ),
    "bedrock_log, stream": lambda text, word: _bedrock(
        [{"delta": {"text": text}}, {"delta": _said("stop_reason", word, "max_tokens", "end_turn")}]
    ),
    "tinker_trajectories": lambda text, word: {
        "benchmark": "b",
        "reward": 1.0,
        "turns": [
            {"role": "user", "content": ASKED},
            {"role": "assistant", "content": text + ("<|im_end|>" if word == "ended" else "")},
        ],
        "metrics": {"max_tokens_reached": float(word == "cut")},
    },
    "message_batch": lambda text, word: {
        "custom_id": "q1",
        "result": {
            "type": "succeeded",
            "message": {"content": [{"type": "text", "text": text}]}
            | _said("stop_reason", word, "max_tokens", "end_turn"),
        },
    },
    "inspect_log": lambda text, word: {
        "id": 1,
        "epoch": 1,
        "input": ASKED,
        "output": {
            "choices": [
                {"message": {"role": "assistant", "content": text}}
                | _said("stop_reason", word, "max_tokens", "stop")
            ]
        },
    },
    "lighteval": lambda text, word: {
        "doc": {"query": ASKED, "id": "1", "generation_size": 3},
        "model_response": {"text": [text]}
        | ({} if word is None else {"output_tokens": [[5] * (3 if word == "cut" else 2)]}),
    },
    "lighteval_flat": lambda text, word: {
        "example": ASKED,
        "full_prompt": ASKED,
        "predictions": str([text]),
        "cont_tokens": "[[5]]",
    },
    "every_eval_ever": lambda text, word: {
        "evaluation_id": "e",
        "sample_id": "s1",
        "input": {"raw": ASKED},
        "output": {"raw": [text]} | _said("finish_reason", word, "length", "stop"),
    },
    "fastchat": lambda text, word: {
        "question_id": "q1",
        "choices": [
            {"index": 0, "turns": [{"content": text}]}
            | _said("finish_reason", word, "length", "stop")
        ],
    },
    "conversations": lambda text, word: {
        "messages": [{"role": "user", "content": ASKED}, {"role": "assistant", "content": text}],
        **_said("finish_reason", word, "length", "stop"),
    },
    "llama_factory": lambda text, word: {
        "prompt": ASKED,
        "predict": text,
        "label": "x",
        **_said("finish_reason", word, "length", "stop"),
    },
    "table": lambda text, word: {
        "prompt": ASKED,
        "response": text,
        **_said("finishReason", word, "MAX_TOKENS", "STOP"),
    },
    "alpaca_eval": lambda text, word: {
        "instruction": ASKED,
        "output": text,
        **_said("done_reason", word, "length", "stop"),
    },
    "lm_eval_samples": lambda text, word: {
        "arguments": {"gen_args_0": {"arg_0": ASKED, "arg_1": {"until": []}}},
        "resps": [[text]],
    },
}
SENTENCE = "It rises in the hills."
CUT: dict[str, tuple[str, str | None]] = {
    "it is stated": (SENTENCE, "cut"),
    "inside a sentence": ("It rises in the hills, and then it goes down to the", None),
    "inside a block of code": ("```python\nprint(1)\n", None),
    "inside a trace": ("<think>\nThey want to know of the river. It rises in the hills.", None),
    "inside a trace that is said to have ended": ("<think>\nThey want to know of it.", "ended"),
}
WHOLE: dict[str, tuple[str, str | None]] = {
    "a sentence": (SENTENCE, None),
    "it is stated, whatever it looks like": ("It rises in the hills, and then it", "ended"),
    "behind a trace": (f"<think>\nThey want to know of\n</think>\n\n{SENTENCE}", None),
}


def reply_of(folder: Path, name: str, text: str, word: str | None) -> Reply:
    """The reply of a recorded model whose file has this row."""
    ending = {"lm_eval_samples": "samples_t_2026.jsonl"}.get(name, "x.jsonl")
    (folder / ending).write_text(json.dumps(FORMATS[name](text, word)) + "\n")
    format_ = name.split(",")[0]
    by_id = format_ in ("openai_batch", "openai_stored", "message_batch", "fastchat")
    model = build("models", "m", {"kind": "recorded", "file": ending, "format": format_})
    request = Request(0, "generate", ASKED)
    with model.open(Paths(folder, folder, (), folder)) as session:
        outputs = answered(session, [request], names=("q1",) if by_id else ())
    asked = RequestSet("t", (Prompt("p", ASKED, "p", ""),), (request,), False, "1", ("text",))
    (reply,) = replies(Side("m", "m", asked, outputs, None, ())).values()
    return reply


CASES = [
    pytest.param(name, *case, id=f"{name}: {cause}")
    for name in FORMATS
    for cause, case in CUT.items()
    if not (name in SILENT and cause == "it is stated")
]


def test_every_format_is_in_the_table() -> None:
    assert {name.split(",")[0] for name in FORMATS} == set(formats())
    assert len(CASES) >= 40


@pytest.mark.parametrize(("name", "text", "word"), CASES)
def test_a_cut_reply_is_marked(tmp_path: Path, name: str, text: str, word: str | None) -> None:
    reply = reply_of(tmp_path, name, text, word)
    guessed = word is None and not text.startswith("<think>")
    assert reply.ending == ("looks cut" if guessed else "cut")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("case", WHOLE)
def test_a_complete_reply_is_not(tmp_path: Path, name: str, case: str) -> None:
    text, word = WHOLE[case]
    if name in SILENT and word is not None:
        pytest.skip("it states nothing")
    assert reply_of(tmp_path, name, text, word).ending == "complete"


WORDS: dict[str, list[Any]] = {
    "length": ["length", "max_tokens", "MAX_TOKENS", "FinishReason.MAX_TOKENS", ["length"], "limit",
               {"type": "length", "length": 256}, "model_context_window_exceeded"],
    "eos": ["stop", "STOP", "eos_token", "end_turn", "eos", {"type": "stop", "matched": 2}, "COMPLETE"],
    "stop": ["stop_sequence", "word"],
    "unknown": [None, "", "content_filter", "tool_calls", "abort", {}, [], "SAFETY", 3, float("nan")],
}  # fmt: skip


@pytest.mark.parametrize("stop", WORDS)
def test_servers_have_many_words_for_it(stop: str) -> None:
    assert {stop_of(cell) for cell in WORDS[stop]} == {stop}


def test_the_first_place_that_says_it_counts() -> None:
    assert stated_stop(None, {"stop_reason": None}, {"finish_reason": "length"}) == "length"
    assert stated_stop({"finish_reason": "stop"}, {"finish_reason": "length"}) == "eos"
    assert stated_stop({"truncated": True}) == "length"
    assert stated_stop({"truncated": False, "finish_reason": "stop"}) == "eos"
    assert stated_stop({}, "a text") == "unknown"


def test_the_user_may_name_the_column(tmp_path: Path) -> None:
    rows = [{"prompt": ASKED, "response": SENTENCE, "why": "length", "mind": "Hm."}]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, rows)))
    columns = {"prompt": "prompt", "answer": "response", "stop": "why", "trace": "mind"}
    model = build("models", "m", {"kind": "recorded", "file": "x.jsonl", "columns": columns})
    with model.open(Paths(tmp_path, tmp_path, (), tmp_path)) as session:
        outputs = answered(session, [Request(0, "generate", ASKED)])
    assert outputs.stop == ("length",)
    assert outputs.text == (f"<think>\nHm.\n</think>\n\n{SENTENCE}",)


MESSAGES: dict[str, Row] = {
    "a field": {"content": SENTENCE, "reasoning_content": "Hm."},
    "another field": {"content": SENTENCE, "reasoning": "Hm."},
    "a part": {"content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "x"}]},
    "a reasoning part": {"content": [{"type": "reasoning", "reasoning": "Hm."}]},
    "a part of parts": {
        "content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": t} for t in ("H", "m.")]},
            {"type": "text", "text": "x"},
        ]
    },
    "a cipher beside a summary": {
        "content": [{"type": "reasoning", "reasoning": "gAAAA", "summary": "Hm.", "redacted": True}]
    },
}


@pytest.mark.parametrize("name", MESSAGES)
def test_thoughts_beside_the_text_are_kept(name: str) -> None:
    assert thoughts(MESSAGES[name]) == "Hm."


def test_a_cipher_is_no_thought() -> None:
    part = {"type": "reasoning", "reasoning": "gAAAA", "summary": None, "redacted": True}
    assert thoughts({"content": [part]}) == ""


USER: Row = {"role": "user", "content": ASKED}
NULL_TURN: Row = {"role": "assistant", "content": None}
THOUGHT: Row = {**NULL_TURN, "reasoning_content": "They want to"}
EEE: Row = {"evaluation_id": "e", "sample_id": "s1", "input": {"raw": ASKED}, "output": None}
INSPECT: Row = {"id": 1, "epoch": 1, "input": ASKED}
NULLS: dict[str, Callable[[Row], Row]] = {  # the row of a message without a text
    "conversations": lambda m: {"messages": [USER, m]},
    "every_eval_ever": lambda m: {**EEE, "messages": [USER, m]},
    "fastchat": lambda m: {"question_id": "q1", "choices": [{"index": 0, "turns": [m]}]},
    "inspect_log": lambda m: {
        **INSPECT,
        "output": {"choices": [{"message": m, "stop_reason": m.get("finish_reason")}]},
    },
    "openai_batch": lambda m: _openai(
        {"choices": [{"index": 0, "message": m, "finish_reason": m.get("finish_reason")}]}
    ),
    "llama_factory": lambda m: {
        "prompt": ASKED,
        "predict": None,
        "label": "x",
        **{n: v for n, v in m.items() if n not in ("role", "content")},
    },
    "table, a message": lambda m: {
        "prompt": ASKED,
        "response": m,
        "finish_reason": m.get("finish_reason"),
    },
    "table, columns": lambda m: {
        "prompt": ASKED,
        "response": None,
        **{n: v for n, v in m.items() if n not in ("role", "content")},
    },
}


@pytest.mark.parametrize("name", NULLS)
def test_no_text_is_no_answer_or_one_of_nothing(tmp_path: Path, name: str) -> None:
    said = {
        "null": NULL_TURN,
        "limit": {**NULL_TURN, "finish_reason": "length"},
        "thought": {**THOUGHT, "finish_reason": "length"},
        "thought alone": THOUGHT,
        "tool": {**THOUGHT, "tool_calls": [{"id": "a"}]},
    }
    read = {}
    for case, message in said.items():
        if case == "tool" and name in ("every_eval_ever", "llama_factory", "table, columns"):
            continue  # refused as an agent's, and no message
        path = tmp_path / f"{case}.jsonl"
        path.write_text(json.dumps(NULLS[name](message)))
        source = Source((path,), name.split(",")[0], (), ())
        (answer,) = read_answers(source).answers
        assert answer.context in (ASKED, None)
        read[case] = (answer.value, bool(answer.missing), answer.stop, answer.trace)
    tool = read.pop("tool", (None, True))
    assert tool[:2] == (None, True)
    assert read == {
        "null": (None, True, "unknown", ""),
        "limit": ("", False, "length", ""),
        "thought": ("", False, "length", "They want to"),
        "thought alone": ("", False, "unknown", "They want to"),
    }


def test_a_conversation_that_ends_in_the_question_has_the_reply_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    for output, value in ((None, None), ({"raw": [SENTENCE]}, SENTENCE)):
        path.write_text(json.dumps({**EEE, "messages": [USER], "output": output}))
        (answer,) = read_answers(Source((path,), "every_eval_ever", (), ())).answers
        assert (answer.value, answer.context) == (value, ASKED)


def test_a_turn_without_a_text_field_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"messages": [USER, {"role": "assistant", "text": SENTENCE}]}))
    with pytest.raises(DistillbenchError, match="a role and a text"):
        read_answers(Source((path,), "conversations", (), ()))


def test_a_last_turn_without_a_text_is_no_other_reply(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"messages": [USER, NULL_TURN], "response": SENTENCE}))
    (answer,) = read_answers(Source((path,), "table", (), ())).answers
    assert (answer.value, answer.context) == (SENTENCE, ASKED)


def _write(path: Path, row: Row) -> None:
    """One row as a table of the kind that the file's ending names."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([row]), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            cells = (json.dumps(v) if isinstance(v, (list, dict)) else v for v in row.values())
            writer.writerows([row, cells])
    else:
        path.write_text(json.dumps([row] if path.suffix == ".json" else row))


STATED: dict[str, tuple[Row, str]] = {
    **{f"{n} alone": ({n: "length"}, "length") for n in STOPS},
    **{f"{n} behind a null": ({"finish_reason": None, n: True}, "length") for n in FLAGS},
    **{f"{n} says no": ({"stop_reason": "stop", n: False}, "eos") for n in FLAGS},
    "a null before a word": ({"stop_reason": None, "done_reason": "length"}, "length"),
    "two words": ({"finish_reason": "stop", "stop_reason": "max_tokens"}, "length"),
    "a list": ({"finish_reasons": ["length"]}, "length"),
    "an object": ({"finish_reason": {"type": "length", "length": 256}}, "length"),
    "nothing": ({"finish_reason": None, "truncated": None}, "unknown"),
}


@pytest.mark.parametrize("case", STATED)
@pytest.mark.parametrize("ending", [".jsonl", ".json", ".csv", ".parquet"])
def test_the_same_rows_end_alike_in_every_kind_of_file(
    tmp_path: Path, case: str, ending: str
) -> None:
    more, stop = STATED[case]
    path = tmp_path / f"x{ending}"
    _write(path, {"prompt": ASKED, "response": SENTENCE, **more})
    (answer,) = read_answers(Source((path,), "table", (), ())).answers
    assert answer.stop == stop


def test_a_limit_before_the_text_is_a_cut_reply_of_nothing(tmp_path: Path) -> None:
    message = {"content": None, "reasoning_content": "They want to"}
    row = _openai({"choices": [{"index": 0, "message": message, "finish_reason": "length"}]})
    (tmp_path / "x.jsonl").write_text(json.dumps(row))
    model = build("models", "m", {"kind": "recorded", "file": "x.jsonl"})
    with model.open(Paths(tmp_path, tmp_path, (), tmp_path)) as session:
        ask = Ask("k", (Request(0, "generate", ASKED),), ("p",), Decoding(), names=("q1",))
        assert session.batches(ask) == [[0]]
        outputs = answered(session, [Request(0, "generate", ASKED)], names=("q1",))
    assert (outputs.stop, bool(np.all(outputs.answered))) == (("length",), True)
    assert str(outputs.text[0]).endswith("They want to\n</think>\n\n")
