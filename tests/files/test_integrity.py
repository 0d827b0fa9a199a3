"""A table says the same in every format: texts, numbers, nulls and blanks as they stand in it."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.models import Ask
from harness.models.recorded import RecordedModel
from harness.plugins import build
from harness.types import Decoding, DistillbenchError, Outputs, Paths, Request
from tests.models.asking import answered

TEXTS = [
    "Oak", "007", "1e5", "0.10", "20", "-0", "NA", "null", "None", "nan", "true", "True", "inf", " x ", "a\tb", "a,b",
    "a;b", "a|b", 'say "oak"', '"', "'", "one\r\ntwo", "one\ntwo", "\u2028", "\ufeffx", "na\u00efve", "nai\u0308ve",
    "🙂", "مرحبا", "<b>", "[1, 2]", '{"a": 1}', "x" * 200_000,
]  # fmt: skip
Cells = Mapping[str, Any]
Writer = Callable[[Path, Sequence[Cells]], None]


def _jsonl(path: Path, rows: Sequence[Cells]) -> None:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")


def _windows(path: Path, rows: Sequence[Cells]) -> None:
    lines = "".join(json.dumps(r, ensure_ascii=False) + "\r\n" for r in rows)
    path.write_bytes(b"\xef\xbb\xbf" + lines.encode())


def _json(path: Path, rows: Sequence[Cells]) -> None:
    path.write_text(json.dumps(list(rows), indent=1), "utf-8")


def _separated(mark: str) -> Writer:
    def write(path: Path, rows: Sequence[Cells]) -> None:
        text = io.StringIO()
        made = csv.DictWriter(text, list(rows[0]), delimiter=mark)
        made.writeheader()
        made.writerows(rows)
        path.write_bytes(text.getvalue().encode())

    return write


def _parquet(path: Path, rows: Sequence[Cells]) -> None:
    pq.write_table(pa.Table.from_pylist([dict(r) for r in rows]), path)


def _zstandard(data: bytes) -> bytes:
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as stream:
        stream.write(data)
    return bytes(packed.getvalue())


def _zipped(inner: Writer, pack: Callable[[bytes], bytes] = gzip.compress) -> Writer:
    def write(path: Path, rows: Sequence[Cells]) -> None:
        inner(path, rows)
        path.write_bytes(pack(path.read_bytes()))

    return write


def _excel(path: Path, rows: Sequence[Cells]) -> None:
    """As Excel writes a table for itself: the mark in a first line, and a byte order mark before it."""
    _separated(";")(path, rows)
    path.write_bytes(b"\xef\xbb\xbfsep=;\r\n" + path.read_bytes())


WRITERS: dict[str, tuple[str, Writer]] = {
    "lines": ("x.jsonl", _jsonl),
    "lines of Windows": ("x.jsonl", _windows),
    "lines named json": ("x.json", _jsonl),
    "list": ("x.json", _json),
    "list named jsonl": ("x.jsonl", _json),
    "csv": ("x.csv", _separated(",")),
    "semicolons": ("x.csv", _separated(";")),
    "tsv": ("x.tsv", _separated("\t")),
    "parquet": ("x.parquet", _parquet),
    "lines in gzip": ("x.jsonl.gz", _zipped(_jsonl)),
    "csv in gzip": ("x.csv.gz", _zipped(_separated(","))),
    "list in gzip": ("x.json.gz", _zipped(_json)),
    "lines in bzip2": ("x.jsonl.bz2", _zipped(_jsonl, bz2.compress)),
    "csv in xz": ("x.csv.xz", _zipped(_separated(","), lzma.compress)),
    "lines in zstandard": ("x.jsonl.zst", _zipped(_jsonl, _zstandard)),
    "csv with its mark": ("x.csv", _excel),
}
TELLS_MISSING = [n for n, (name, _) in WRITERS.items() if ".csv" not in name and ".tsv" not in name]


def stored(folder: Path, form: str, rows: Sequence[Cells]) -> Outputs:
    """What a model answers whose recorded answers are these rows, in one format."""
    name, write = WRITERS[form]
    write(folder / name, rows)
    fields = {"kind": "recorded", "file": name, "columns": {"prompt": "q", "answer": "a"}}
    model = build("models", "m", fields)
    assert isinstance(model, RecordedModel)
    paths = Paths(folder, folder, (), folder)
    assert model.faults(paths) == []
    with model.open(paths) as session:
        return answered(session, [Request(i, "generate", str(r["q"])) for i, r in enumerate(rows)])


@pytest.mark.parametrize("form", WRITERS)
def test_texts_are_stored_as_they_stand(tmp_path: Path, form: str) -> None:
    rows = [{"q": f"question {i}", "a": text} for i, text in enumerate(TEXTS)]
    assert stored(tmp_path, form, rows).text == tuple(TEXTS)


@pytest.mark.parametrize("form", WRITERS)
def test_prompts_are_joined_as_they_stand(tmp_path: Path, form: str) -> None:
    asked = [text for text in TEXTS if not text.startswith("[")]
    found = stored(tmp_path, form, [{"q": text, "a": f"to {text}"} for text in asked])
    assert found.text == tuple(f"to {text}" for text in asked)


@pytest.mark.parametrize("form", WRITERS)
def test_an_empty_text_is_an_answer_of_nothing(tmp_path: Path, form: str) -> None:
    found = stored(tmp_path, form, [{"q": "one", "a": ""}, {"q": "two", "a": "Oak"}])
    assert (found.text, found.answered) == (("", "Oak"), (True, True))


@pytest.mark.parametrize("form", TELLS_MISSING)
def test_a_null_is_no_answer(tmp_path: Path, form: str) -> None:
    found = stored(tmp_path, form, [{"q": "one", "a": None}, {"q": "two", "a": ""}])
    assert (found.text, found.answered) == ((None, ""), (False, True))


@pytest.mark.parametrize("form", TELLS_MISSING)
def test_whole_numbers_stay_whole_beside_a_gap(tmp_path: Path, form: str) -> None:
    rows: list[Cells] = [{"q": 1, "a": 20}, {"q": 2, "a": None}, {"q": 3, "a": 7}]
    assert stored(tmp_path, form, rows).text == ("20", None, "7")


@pytest.mark.parametrize("column", [pa.array([20.0, None, 7.0]), pa.array([20, None, 7])])
def test_a_parquet_column_of_whole_floats_is_of_whole_numbers(
    tmp_path: Path, column: pa.Array
) -> None:
    pq.write_table(pa.table({"q": ["1", "2", "3"], "a": column}), tmp_path / "x.parquet")
    model = build("models", "m", {"kind": "recorded", "file": "x.parquet",
                                  "columns": {"prompt": "q", "answer": "a"}})  # fmt: skip
    with model.open(Paths(tmp_path, tmp_path, (), tmp_path)) as session:
        found = answered(session, [Request(i, "generate", q) for i, q in enumerate("123")])
    assert found.text == ("20", None, "7")


@pytest.mark.parametrize(
    "spelled", ["1e5", "0.10", "2.0", "-0.5", "123456789012345678901234567890"]
)
def test_json_numbers_keep_their_spelling(tmp_path: Path, spelled: str) -> None:
    (tmp_path / "x.jsonl").write_text(f'{{"prompt": "q", "response": {spelled}}}\n')
    model = build("models", "m", {"kind": "recorded", "file": "x.jsonl"})
    with model.open(Paths(tmp_path, tmp_path, (), tmp_path)) as session:
        assert answered(session, [Request(0, "generate", "q")]).text == (spelled,)


BROKEN: dict[str, tuple[str, bytes, str]] = {
    "half a character": ("x.jsonl", b'{"prompt": "q", "response": "\\ud83d"}', "half of one"),
    "a cut archive": ("x.jsonl.gz", gzip.compress(b'{"prompt": "q"}')[:-9], "damaged"),
    "cut bzip2": ("x.jsonl.bz2", bz2.compress(b'{"prompt": "q"}')[:-9], "damaged"),
    "cut xz": ("x.jsonl.xz", lzma.compress(b'{"prompt": "q"}')[:-9], "damaged"),
    "cut zstandard": ("x.jsonl.zst", _zstandard(b'{"prompt": "q"}' * 9)[:-9], "damaged"),
    "a row behind its mark": ("x.csv", b"sep=;\nprompt;response\na;b;c\n", "line 3: expected a table with 2"),
    "a workbook": ("x.csv", b"PK\x03\x04rest", "damaged archive"),
    "too many cells": ("x.csv", b"prompt,response\na,b,c\n", "expected a table with 2 cells a row"),
    "a cell too much in every row": ("x.csv", b"prompt,response\na,b,\nc,d,\n", "2 cells a row"),
    "too few cells": ("x.csv", b"prompt,response\na\n", "got 1"),
    "an open quote": ("x.csv", b'prompt,response\na,"b\n', "damaged"),
    "a column twice": ("x.csv", b"prompt,response,response\na,b,c\n", "'response' twice"),
    "columns of pandas": ("x.json", b'{"prompt": {"0": "a"}}', "orient='records'"),
    "a list inside": ("x.json", b'{"data": [{"prompt": "a"}]}', "under 'data'"),
    "an answer of parts": ("x.jsonl", b'{"prompt": "q", "response": ["a"]}', "got a list"),
    "another encoding": ("x.csv", "prompt,response\nq,naïve".encode("utf-16"), "UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_what_cannot_be_read_is_one_line_that_names_the_file(tmp_path: Path, what: str) -> None:
    name, data, words = BROKEN[what]
    (tmp_path / name).write_bytes(data)
    model = build("models", "m", {"kind": "recorded", "file": name})
    (line,) = model.faults(Paths(tmp_path, tmp_path, (), tmp_path))
    assert words in line
    assert str(tmp_path / name) in line
    assert "\n" not in line


def test_a_blank_cell_of_a_csv_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("prompt,response\none,\ntwo,Oak\n")
    model = build("models", "m", {"kind": "recorded", "file": "x.csv"})
    with model.open(Paths(tmp_path, tmp_path, (), tmp_path)) as session:
        (note,) = session.notes(ask("one", "two"))
        assert note.startswith("1 of 2 answers in x.csv are blank cells")
    (tmp_path / "x.csv").write_text("prompt,response\none,Elm\ntwo,Oak\n")
    with model.open(Paths(tmp_path, tmp_path, (), tmp_path)) as session:
        assert session.notes(ask("one", "two")) == []


def ask(*contexts: str) -> Ask:
    requests = tuple(Request(i, "generate", c) for i, c in enumerate(contexts))
    return Ask("key", requests, ("",) * len(requests), Decoding())


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    model = build("models", "m", {"kind": "recorded", "file": "x.jsonl"})
    with pytest.raises(DistillbenchError, match="expected a file, found none"):
        model.key(Paths(tmp_path, tmp_path, (), tmp_path))
