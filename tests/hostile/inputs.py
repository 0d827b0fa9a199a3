"""Malformed inputs of the kinds that people have: files of answers, tasks, checkpoints and configurations."""

from __future__ import annotations

import copy
import dataclasses
import gzip
import io
import json
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from harness.plan.run import Configuration
from harness.plugins import kinds, plugin_class
from tests.files.test_formats import EXAMPLES

N = 24  # prompts
Rows = list[dict[str, Any]]


class Input(NamedTuple):
    """An input that cannot be used."""

    name: str
    # below paths.data; a text is no content, but what lies there instead: a key of `try_them.PLACES`
    files: Mapping[str, bytes | str]
    changes: Mapping[str, Any]  # of the matrix
    says: tuple[str, ...] = ()  # the message has one of these
    refused: bool = True  # False = some readings of it are sound: it must only not break anything


def rows(model: str) -> Rows:
    """Sound answers of a model."""
    return [
        {"prompt": f"Tell me about thing {i}.", "answer": f"{model} says: thing {i} is {i % 7}."}
        for i in range(N)
    ]


def jsonl(content: Rows) -> bytes:
    """Rows as JSON Lines."""
    return "".join(json.dumps(row) + "\n" for row in content).encode()


def base() -> tuple[dict[str, bytes], dict[str, Any]]:
    """Files and matrix of a run in which nothing is wrong."""
    files = {f"{m}.jsonl": jsonl(rows(m)) for m in ("teacher", "student", "base")}
    files["prompts.jsonl"] = jsonl([{"prompt": r["prompt"]} for r in rows("")])
    columns = {"prompt": "prompt", "answer": "answer"}
    models = {
        m: {"kind": "recorded", "file": f"{m}.jsonl", "columns": columns}
        for m in ("teacher", "student", "base")
    }
    changes = {
        "models": models,
        "tasks": {
            "open": {"kind": "prompts", "file": "prompts.jsonl", "columns": {"prompt": "prompt"}}
        },
        "metrics": {"length": None},
        "controls": [],
        "stages": ["collect", "score"],
    }
    return files, changes


def with_answers(
    name: str, content: bytes, ending: str = "jsonl", refused: bool = True, **fields: Any
) -> Input:
    """The student's answers stand in a file with this content."""
    files, changes = base()
    file = f"odd.{ending}"
    del files["student.jsonl"]
    student = {**changes["models"]["student"], "file": file, **fields}
    changes["models"] = {**changes["models"], "student": student}
    says = (file, "student")
    return Input(name, {**files, file: content}, changes, says, refused)


def with_changes(
    name: str,
    *says: str,
    keys: Mapping[str, Any] | None = None,
    refused: bool = True,
    **changes: Any,
) -> Input:
    """The sound run with other keys."""
    files, sound = base()
    return Input(name, files, {**sound, **changes, **(keys or {})}, says, refused)


# --- files of answers -----------------------------------------------------------------------------

_SOUND = jsonl(rows("student"))
_TABLE = b"prompt,answer\n" + b"".join(
    f'{r["prompt"]},"{r["answer"]}"\n'.encode() for r in rows("student")
)
CONTENTS: dict[str, tuple[bytes, str]] = {
    "no byte": (b"", "jsonl"),
    "blanks": (b" \n\n\t\n", "jsonl"),
    "zeros": (bytes(4096), "jsonl"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8, "jsonl"),
    "a page": (b"<!DOCTYPE html><html><body>Not found</body></html>", "jsonl"),
    "a pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "jsonl"),
    "one number": (b"3\n", "jsonl"),
    "one text": (b'"answers"\n', "jsonl"),
    "null": (b"null", "json"),
    "true": (b"true", "json"),
    "empty list": (b"[]", "json"),
    "empty mapping": (b"{}", "json"),
    "a list of lists": (b"[[1, 2], [3, 4]]", "json"),
    "a list of numbers": (b"[1, 2, 3]", "json"),
    "a mapping of numbers": (b'{"prompt": 1, "answer": 2}', "json"),
    "deep lists": (b"[" * 5000 + b"]" * 5000, "json"),
    "a deep cell": (b'{"prompt": "p", "answer": ' + b"[" * 3000 + b"]" * 3000 + b"}\n", "jsonl"),
    "Python's spelling": (b"{'prompt': 'a', 'answer': 'b'}\n", "jsonl"),
    "a comma too many": (b'[{"prompt": "a", "answer": "b"},]', "json"),
    "rows in a row": (_SOUND.replace(b"\n", b",\n"), "jsonl"),
    "UTF-16 without a mark": (_SOUND.decode().encode("utf-16-le"), "jsonl"),
    "Latin-1": (_SOUND.replace(b"says", "s\u00e4gt".encode("latin-1")), "jsonl"),
    "a key twice": (_SOUND.replace(b'"answer":', b'"answer": "x", "answer":'), "jsonl"),
    "another column": (_SOUND.replace(b'"answer"', b'"reply"'), "jsonl"),
    "other prompts": (_SOUND.replace(b"Tell me", b"Tell us"), "jsonl"),
    "a head alone": (b"prompt,answer\n", "csv"),
    "a column twice": (_TABLE.replace(b"prompt,answer", b"answer,answer"), "csv"),
    "no head": (_TABLE.partition(b"\n")[2], "csv"),
    "a quote that stays open": (_TABLE + b'x,"never closed\n', "csv"),
    "more cells than columns": (_TABLE + b"a,b,c,d\n", "csv"),
    "zeros in a table": (_TABLE.replace(b"thing", b"th\x00ing"), "csv"),
    "Parquet by name": (_SOUND, "parquet"),
    "an archive by name": (_SOUND, "zip"),
    "a pickle": (b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s.", "jsonl"),
}
CELLS: dict[str, Any] = {
    "a list": ["a", "b"],
    "an empty list": [],
    "a list of lists": [["a"]],
    "a mapping": {"a": 1},
    "a deep mapping": {"a": {"b": {"c": ["d"]}}},
    "yes": True,
    "a lone surrogate": "half \ud83d",
}
LEAVES: tuple[Any, ...] = ([[1]], {"a": {"b": 1}}, 10**400, "half \ud83d", True, None)


def _contents() -> Iterator[Input]:
    for name, (content, ending) in CONTENTS.items():
        yield with_answers(f"answers: {name}", content, ending)


def _cells() -> Iterator[Input]:
    """A value of another type in one answer, or in every answer, or in the prompts."""
    for name, value in CELLS.items():
        for column in ("answer", "prompt"):
            for every in (False, True):
                own = rows("student")
                for row in own if every else own[:1]:
                    row[column] = value
                where = "every" if every else "one"
                plain = name == "yes" or (name == "a lone surrogate" and not every)
                yield with_answers(
                    f"answers: {where} {column} is {name}", jsonl(own), refused=every and not plain
                )


def _columns() -> Iterator[Input]:
    """Columns of Parquet that hold no text."""
    prompts = [r["prompt"] for r in rows("")]
    columns: dict[str, pa.Array] = {
        "lists": pa.array([["a"]] * N),
        "structs": pa.array([{"a": 1}] * N),
        "bytes": pa.array([b"\xff\xfe"] * N, pa.binary()),
        "maps": pa.array([[("a", 1)]] * N, pa.map_(pa.string(), pa.int64())),
        "nothing": pa.nulls(N),
        "text that is no UTF-8": pa.Array.from_buffers(
            pa.string(),
            N,
            [None, pa.array(range(N + 1), pa.int32()).buffers()[1], pa.py_buffer(b"\xff" * N)],
        ),
    }
    for name, column in columns.items():
        for file, table in (
            ("answer", {"prompt": prompts, "answer": column}),
            ("prompt", {"prompt": column, "answer": prompts}),
        ):
            sink = io.BytesIO()
            pq.write_table(pa.table(table), sink)
            yield with_answers(f"Parquet: {file} holds {name}", sink.getvalue(), "parquet")


def _truncated(rng: random.Random) -> Iterator[Input]:
    """Files that end too early."""
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows("student")), sink)
    whole = {
        "json": json.dumps(rows("student")).encode(),
        "jsonl": _SOUND,
        "jsonl.gz": gzip.compress(_SOUND),
        "parquet": sink.getvalue(),
    }
    for ending, content in whole.items():
        for at in sorted(rng.sample(range(1, len(content) - 1), 12)):
            cut = content[:at]
            lines = ending == "jsonl" and content[at - 1 : at] in (b"\n", b"}")
            yield with_answers(f"{ending} cut at {at}", cut, ending, refused=not lines)


def _formats(rng: random.Random) -> Iterator[Input]:
    """Files of every format with something else in one place."""
    for name, (example, _) in EXAMPLES.items():
        places = list(_leaves(example))
        for place in rng.sample(places, min(len(places), 9)):
            for value in rng.sample(LEAVES, 2):
                content = copy.deepcopy(example)
                _put(content, place, value)
                try:
                    text = jsonl(content)
                except (ValueError, RecursionError):
                    continue
                where = ".".join(map(str, place))
                yield with_answers(
                    f"{name}: {where} = {str(value)[:12]!r}", text, refused=False, columns={}
                )


def _leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if place:
        yield place
    inside = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, part in inside:
        yield from _leaves(part, (*place, key))


def _put(value: Any, place: tuple[Any, ...], new: Any) -> None:
    for key in place[:-1]:
        value = value[key]
    value[place[-1]] = new


# --- configurations -------------------------------------------------------------------------------

_WRONG: tuple[Any, ...] = (
    {"a": {"b": 1}},
    [[1], [2]],
    float("nan"),
    float("inf"),
    -1,
    "no such thing",
    True,
)


def _keys(rng: random.Random) -> Iterator[Input]:
    """Values of another type for every key of a configuration, a model, a task and a measure."""
    for spec in dataclasses.fields(Configuration):
        for value in rng.sample(_WRONG, 3):
            one = spec.name.removesuffix("s")  # "model: 'a' is unknown"
            yield with_changes(
                f"{spec.name} = {value!r}", one, refused=False, keys={spec.name: value}
            )
    for package, group in (("models", "models"), ("tasks", "tasks"), ("metrics", "metrics")):
        for kind in kinds(package):
            for spec in dataclasses.fields(plugin_class(package, kind)):
                if spec.name in ("kind", "name"):
                    continue
                value = rng.choice(_WRONG[:2])
                _, sound = base()
                own = {**sound[group], "odd": {"kind": kind, spec.name: value}}
                yield with_changes(
                    f"{kind}: {spec.name} = {value!r}", "odd", spec.name, refused=False,
                    keys={group: own},
                )  # fmt: skip


def _names() -> Iterator[Input]:
    """Keys and names that there are not."""
    _, sound = base()
    for key in ("contols", "metric", "task", "model", "pair", "seeds", "sudent"):
        yield with_changes(f"a key {key}", key, keys={key: []})
    for group in ("models", "tasks", "metrics"):
        named = {**sound[group], "no_such": None}
        yield with_changes(f"{group}: a name without a file", "no_such", keys={group: named})
        wrong = {**sound[group], "odd": {"kind": "no_such"}}
        yield with_changes(f"{group}: a kind that is none", "no_such", keys={group: wrong})
    pair = {"teacher": "teacher", "student": "student", "base": "base"}
    for key, value in (
        ("teacher", "nobody"), ("student", "nobody"), ("base", "nobody"), ("base_kind", "cousin"),
        ("student", "teacher"), ("ceiling", "nobody"), ("tutor", "teacher"),
    ):  # fmt: skip
        yield with_changes(f"a pair with {key}: {value}", key, value, pairs=[{**pair, key: value}])
    controls: tuple[Any, ...] = (
        {"lineage": "a"},
        {"model": "nobody", "lineage": "a"},
        {"model": "base", "lineage": "a", "x": 1},
        5.5,
        [],
    )
    for control in controls:
        yield with_changes(f"a control {control}", "control", controls=[control])
    for file in ("", "gone.jsonl", "../up.jsonl", ".", "prompts.jsonl/x", "a\x00b"):
        student = {**sound["models"]["student"], "file": file}
        models = {**sound["models"], "student": student}
        yield with_changes(f"a file {file!r}", "student", file or "file", models=models)
        task = {**sound["tasks"]["open"], "file": file}
        yield with_changes(f"prompts in {file!r}", "open", file or "file", tasks={"open": task})


# --- tasks in lm-eval's form ----------------------------------------------------------------------

_ROWS = [
    {"question": f"What is {i} and {i}?", "answer": str(2 * i), "choices": [str(2 * i), "x"]}
    for i in range(12)
]
TASK: dict[str, Any] = {
    "task": "mine",
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {"test": "{folder}/rows.jsonl"}},
    "test_split": "test",
    "output_type": "multiple_choice",
    "doc_to_text": "{{question}}",
    "doc_to_choice": "choices",
    "doc_to_target": 0,
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
}
BROKEN: dict[str, dict[str, Any] | str] = {
    "no YAML": "task: [mine\n",
    "a list": "- task: mine\n",
    "nothing": "",
    "a tag of Python": "task: mine\ndoc_to_text: !!python/object/apply:os.system ['true']\n",
    "a function that is not there": "task: mine\ndoc_to_text: !function utils.gone\n",
    "an include that is not there": {"include": "gone.yaml"},
    "no data": {"dataset_path": None},
    "data that are not there": {"dataset_kwargs": {"data_files": {"test": "{folder}/gone.jsonl"}}},
    "another split": {"test_split": "validation"},
    "no split": {"test_split": None},
    "an output that is none": {"output_type": "guess"},
    "no output": {"output_type": None},
    "a template that does not close": {"doc_to_text": "{{question"},
    "a template of unknown names": {"doc_to_text": "{{nobody.name}}"},
    "a template that divides by zero": {"doc_to_text": "{{1 / 0}}"},
    "a filter that is none": {"doc_to_text": "{{question | nofilter}}"},
    "a template that runs a command": {
        "doc_to_text": "{{ cycler.__init__.__globals__.os.popen('touch {folder}/ran').read() }}"
    },
    "a target out of range": {"doc_to_target": 7},
    "a target that is a mapping": {"doc_to_target": {"a": 1}},
    "options that are a number": {"doc_to_choice": 3},
    "options that are not there": {"doc_to_choice": "nothing"},
    "a measure that is none": {"metric_list": [{"metric": "accc"}]},
    "measures as text": {"metric_list": "acc"},
    "a measure without a name": {"metric_list": [{"aggregation": "mean"}]},
    "an aggregation that is none": {"metric_list": [{"metric": "acc", "aggregation": "meen"}]},
    "a filter of answers that is none": {
        "output_type": "generate_until",
        "filter_list": [{"name": "f", "filter": [{"function": "nofilter"}]}],
    },
    "an expression that is none": {
        "output_type": "generate_until",
        "filter_list": [{"name": "f", "filter": [{"function": "regex", "regex_pattern": "("}]}],
    },
    "keys that are none": {"doc_to_texts": "{{question}}"},
    "few shots below none": {"num_fewshot": -1},
    "few shots as text": {"num_fewshot": "many"},
    "repeats below one": {"repeats": 0},
    "settings as a list": {"output_type": "generate_until", "generation_kwargs": [1]},
    "stop strings as numbers": {
        "output_type": "generate_until", "generation_kwargs": {"until": 3}
    },
}  # fmt: skip


def _tasks() -> Iterator[Input]:
    files, sound = base()
    for name, broken in BROKEN.items():
        if isinstance(broken, str):
            text = broken
        else:
            merged = {k: v for k, v in {**TASK, **broken}.items() if v is not None}
            text = yaml.safe_dump(merged)
        task = {"kind": "lm_eval", "task": "mine", "include": "{folder}"}
        own = {**files, "mine.yaml": text.encode(), "rows.jsonl": jsonl(_ROWS)}
        changes = {
            **sound,
            "models": {
                m: {"kind": "fake", "seed": i} for i, m in enumerate(("teacher", "student", "base"))
            },
            "tasks": {"odd": task},
            "metrics": {"task_score": None},
        }
        yield Input(f"task: {name}", own, changes, ("odd", "mine"), "keys" not in name)


# --- gates ----------------------------------------------------------------------------------------


def _gates() -> Iterator[Input]:
    row = {"metric": "length", "student": "student"}
    for condition in (
        {}, {"where": row}, {"where": {}, "min": 0}, {"where": row, "min": float("nan")},
        {"where": row, "min": "much"}, {"where": row, "min": 2, "max": 1}, {"where": row, "within": -1},
        {"where": row, "column": "mean", "min": 0}, {"where": {"nothing": 1}, "min": 0},
        {"where": {"metric": "lenght"}, "min": 0}, {"where": row, "reference": {}, "min": 0}, 3, None, [row],
    ):  # fmt: skip
        yield with_changes(
            f"gate: {condition}", "gate", "condition", "where", "metric",
            gate={"conditions": [condition]}, stages=["collect", "score", "gate"],
        )  # fmt: skip


FAMILIES: dict[str, Callable[[random.Random], Iterator[Input]]] = {
    "contents": lambda rng: _contents(),
    "cells": lambda rng: _cells(),
    "columns": lambda rng: _columns(),
    "truncated": _truncated,
    "formats": _formats,
    "keys": _keys,
    "names": lambda rng: _names(),
    "tasks": lambda rng: _tasks(),
    "gates": lambda rng: _gates(),
}


def inputs(family: str, seed: int = 0) -> list[Input]:
    """All inputs of a family."""
    return list(FAMILIES[family](random.Random(f"{family} {seed}")))
