"""Recorded answers and prompts of data sets on the hub, from its local cache as a download leaves it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from huggingface_hub import constants

from harness.files.find import content_digest, find_file
from harness.files.hub import hub_path
from harness.plugins import build
from harness.types import DistillbenchError, Paths
from tests.core.running import inside, matrix

COMMITS = {"main": "a" * 40, "refs/pr/1": "b" * 40}
SETS = "hf://datasets/some-org/answers"


@pytest.fixture(autouse=True)
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache with one data set in two revisions; no network."""
    cache = tmp_path / "hub"
    held = cache / "datasets--some-org--answers"
    for ref, commit in COMMITS.items():
        (held / "refs" / ref).parent.mkdir(parents=True, exist_ok=True)
        (held / "refs" / ref).write_text(commit)
        data = held / "snapshots" / commit / "data"
        data.mkdir(parents=True)
        for name in ("teacher", "student"):
            rows = [
                {
                    "prompt": f"Name tree {i}.",
                    "response": f"{name} {commit[0]} says {i} and is done.",
                }
                for i in range(20)
            ]
            (data / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub_path.cache_clear()
    return cache


def model(address: str) -> str:
    paths = Paths(Path("r"), Path("c"))
    fields = {"kind": "recorded", "file": address}
    return str(build("models", "teacher", fields).key(paths))


def test_a_file_of_a_data_set_is_found_by_revision_and_keyed_by_what_it_holds() -> None:
    assert hub_path(f"{SETS}/data/teacher.jsonl").parents[1].name == "a" * 40
    assert hub_path(f"{SETS}@{'b' * 40}/data/teacher.jsonl").parents[1].name == "b" * 40
    assert hub_path(f"{SETS}@refs%2Fpr%2F1").parent.name == "b" * 40, "its one folder of tables"
    main, pinned = (
        model(f"{SETS}/data/teacher.jsonl"),
        model(f"{SETS}@{'a' * 40}/data/teacher.jsonl"),
    )
    assert main == pinned, "the same contents have one key"
    assert main != model(f"{SETS}@refs%2Fpr%2F1/data/teacher.jsonl")
    assert main == model(f"{SETS}/data/{{name}}.jsonl")


def test_prompts_of_a_task_may_lie_there_too(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path)
    name = f"{SETS}/data/teacher.jsonl"
    assert find_file(name, paths).is_file()
    assert len(content_digest(name, paths)) == 64


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("hf://some-org/answers", "expected hf://datasets/OWNER/NAME"),
        ("hf://datasets/answers", "expected hf://datasets/OWNER/NAME"),
        ("hf://datasets/some-org/nothing", "the hub says: .*HF_TOKEN"),
        (f"{SETS}@v9", "the hub says"),
        (f"{SETS}/data/nobody.jsonl", r"got none there; the copy here has data/student\.jsonl"),
    ],
)
def test_what_is_not_there_is_one_line(address: str, words: str) -> None:
    with pytest.raises(DistillbenchError, match=rf"file {address}: .*{words}") as caught:
        hub_path(address)
    assert "\n" not in str(caught.value)


def test_a_folder_with_two_models_asks_for_the_file() -> None:
    fault = build("models", "m", {"kind": "recorded", "file": SETS}).faults(Paths(Path(), Path()))
    assert len(fault) == 1
    assert "student.jsonl" in fault[0]


def test_tables_in_several_folders_ask_for_one_of_them(cached: Path) -> None:
    (snapshot,) = cached.glob("*/snapshots/a*")
    (snapshot / "other.csv").write_text("a,b\n")
    with pytest.raises(DistillbenchError, match=r"in one folder, got 2; .*data/student\.jsonl"):
        hub_path(SETS)


@pytest.mark.slow  # a whole command
def test_a_matrix_of_a_data_set_gives_a_page(tmp_path: Path) -> None:
    models = {
        n: {"kind": "recorded", "file": f"{SETS}/data/{n}.jsonl"} for n in ("teacher", "student")
    }
    columns = {"prompt": "prompt"}
    task = {"kind": "prompts", "file": f"{SETS}/data/teacher.jsonl", "columns": columns}
    own = matrix(
        models=models, tasks={"trees": task}, metrics={"ngram_similarity": None}, controls=[],
        pairs=[{"teacher": "teacher", "student": "student"}], report={"interactive": "none"},
    )  # fmt: skip
    done = inside(tmp_path, "matrix=hub", files={"matrix/hub": own})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results/report/index.html").is_file()
