"""Tables of models whose training is documented."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.files.origins import read_origins
from harness.types import DistillbenchError

HEAD = "model,role,family,also,lineage,confidence\n"


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "lineages.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_row_is_read_cell_by_cell(tmp_path: Path) -> None:
    path = table(tmp_path, HEAD + "m7,student,gpt4,claude; qwen,mine,medium\n")
    (row,) = read_origins(path, {})
    assert row == ("m7", "student", "gpt4", ("claude", "qwen"), "mine", "medium")


def test_columns_of_other_names_and_a_byte_order_mark(tmp_path: Path) -> None:
    text = "\ufeffmodel,role,teacher_family,group\nm,control,,\n"
    (row,) = read_origins(table(tmp_path, text), {"family": "teacher_family", "lineage": "group"})
    assert (row.family, row.lineage, row.confidence) == ("", "m", "high")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model,role\n", "expected columns family, lineage"),
        (HEAD, "expected a row for every model"),
        (
            HEAD + "m,student,a,,x,certain\n",
            "line 2: confidence: expected one of high, medium, low",
        ),
        (
            HEAD + "m,studnet,a,,x,\n",
            "line 2: role: 'studnet' counts as neither; did you mean 'student'?",
        ),
        (HEAD + ",student,a,,x,\n", "expected a model and its role"),
        (HEAD + "t,teacher,,,x,\n", "a teacher needs the family"),
        (HEAD + "m,student,a,,x,\nm,control,,,y,\n", "m stands twice"),
    ],
)
def test_a_mistake_names_file_and_cure(tmp_path: Path, text: str, words: str) -> None:
    path = table(tmp_path, text)
    with pytest.raises(DistillbenchError) as caught:
        read_origins(path, {})
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lineages.csv"
    path.write_bytes(b"\xff\xfe\x00model")
    with pytest.raises(DistillbenchError, match="expected a CSV file in UTF-8"):
        read_origins(path, {})


def test_roles_in_any_case_and_semicolons_between_cells(tmp_path: Path) -> None:
    text = "model;role;family;also;lineage\nm;Student;a;b,c;x\nv;variant;;;\n"
    one, other = read_origins(table(tmp_path, text), {})
    assert one == ("m", "student", "a", ("b", "c"), "x", "high")
    assert other.role == "variant"
