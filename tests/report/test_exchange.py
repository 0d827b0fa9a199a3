"""Files for other people's programs: read back by their own code, and by ours to the same answers and scores."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from huggingface_hub import parse_eval_result_entries
from lm_eval.utils import (
    get_file_datetime,
    get_file_task_name,
    get_results_filenames,
    get_sample_results_filenames,
    make_table,
)

from harness.board.board import make_board
from harness.board.record import RunRecord
from harness.exports import AbstractExporter
from harness.plugins import build
from harness.stages.report import copy_report, lacks_parts, write_report
from harness.stages.run import Outcome, execute
from harness.store.store import Store
from harness.store.tables import outputs_from_table
from harness.types import DistillbenchError, Outputs
from tests.core.running import FAKES, run_of
from tests.report.records import board, read, record

NOWHERE = Path("nowhere.csv")
TASKS = dict.fromkeys(("zoo_facts", "zoo_cloze", "zoo_style"))
METRICS = dict.fromkeys(("task_score", "capa", "gap_recovered"))
# The wheel that holds the schema; `make test` fetches it, since it installs with newer Pythons only.
WHEEL = Path(__file__).parents[2] / ".venv/schemas/every_eval_ever-0.3.0-py3-none-any.whl"
OURS = {"organization": "We", "relationship": "first_party", "retrieved": 1}


def ended(folder: Path, **changes: Any) -> Outcome:
    """A run of the zoo's tasks, thirty prompts each."""
    own = {"tasks": TASKS, "metrics": METRICS, "limit": 30, **changes}
    return execute(run_of(folder, **own), NOWHERE, alone=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run of fakes and its export for lm-eval."""
    folder = tmp_path_factory.mktemp("exchange")
    assert ended(folder, report={"exports": ["lm_eval"]}).code == 0
    return folder


def exported(folder: Path, model: str) -> Path:
    return folder / "results" / "report" / "lm_eval" / model


def test_lm_eval_s_own_functions_find_the_files(folder: Path) -> None:
    names = [str(p) for p in exported(folder, "student").iterdir()]
    samples = get_sample_results_filenames(names)
    assert {get_file_task_name(Path(n).name) for n in samples} == set(TASKS)
    (results,) = get_results_filenames(names)
    assert all(get_file_datetime(n) + ".json" == get_file_datetime(results) for n in samples)
    said = json.loads(Path(results).read_text("utf-8"))
    table = make_table(said)
    assert f"{said['results']['zoo_facts']['acc,none']:.4f}" in table
    assert said["model_name_sanitized"] == "student"


def test_every_number_is_that_of_its_samples(folder: Path) -> None:
    for model in FAKES:
        (path,) = exported(folder, model).glob("results_*.json")
        said = json.loads(path.read_text("utf-8"))
        for task, numbers in said["results"].items():
            (samples,) = exported(folder, model).glob(f"samples_{task}_*.jsonl")
            rows = [json.loads(line) for line in samples.read_text("utf-8").splitlines()]
            assert said["n-samples"][task] == {"original": 30, "effective": 30}
            assert len({row["doc_id"] for row in rows}) == 30
            for row in rows if task == "zoo_facts" else ():
                nats = [float(repeats[0][0]) for repeats in row["resps"]]
                assert row["acc"] == (nats.index(max(nats)) == int(row["target"]))
            for key in (k for k in numbers if "," in k and "_stderr" not in k):
                metric, _, name = key.partition(",")
                values = np.asarray([row[metric] for row in rows if row["filter"] == name])
                assert numbers[key] == pytest.approx(values.mean())
                error = values.std(ddof=1) / np.sqrt(len(values))
                assert numbers[f"{metric}_stderr,{name}"] == pytest.approx(error)


def outputs(folder: Path, found: RunRecord) -> dict[tuple[str, str], Outputs]:
    store = Store(folder / "results")
    return {
        (c.model, c.task): outputs_from_table(store.table(c.key))
        for c in found.collections
        if not c.sample
    }


def test_what_is_written_is_read_back_to_the_same_answers_and_scores(
    folder: Path, tmp_path: Path
) -> None:
    models = {m: {"kind": "recorded", "file": str(exported(folder, m))} for m in FAKES}
    first, second = ended(folder).record, ended(tmp_path, models=models).record
    assert first is not None
    assert second is not None
    before, after = outputs(folder, first), outputs(tmp_path, second)
    assert before.keys() == after.keys()
    for place, one in before.items():
        assert one.text == after[place].text
        assert one.greedy == after[place].greedy
        np.testing.assert_array_equal(one.logprob_nats, after[place].logprob_nats)
    values = [
        {
            (s.metric, s.task, s.student, s.teacher): (s.value, s.low, s.high, s.n)
            for s in own.scores
        }
        for own in (first, second)
    ]
    assert values[0] == values[1]
    assert any(v[0] for v in values[0].values())


def written(kind: str, folder: Path, run: RunRecord, **fields: Any) -> list[Path]:
    """The files that an exporter writes about a run."""
    exporter = build("exports", kind, {"kind": kind, **fields})
    assert isinstance(exporter, AbstractExporter)
    folder.mkdir(exist_ok=True)
    exporter.export(make_board(run, read), folder)
    return sorted(p for p in folder.rglob("*") if p.is_file())


def test_the_hub_s_own_code_reads_each_model_s_number(tmp_path: Path) -> None:
    hub = {"id": "us/facts", "task_id": "main", "scale": 100, "revision": "abc"}
    paths = written("eval_results", tmp_path, record(), datasets={"zoo_facts": hub})
    assert all(p.parent.name == ".eval_results" for p in paths)
    own = {
        s.student: s for s in record().scores if s.metric == "task_score" and s.task == "zoo_facts"
    }
    assert {p.parent.parent.name for p in paths} == {
        m for m, s in own.items() if s.value is not None
    }
    for path in paths:
        (entry,) = parse_eval_result_entries(yaml.safe_load(path.read_text("utf-8")))
        value = own[path.parent.parent.name].value
        assert value is not None
        assert entry.value == pytest.approx(100 * value)
        assert (entry.dataset_id, entry.task_id, entry.dataset_revision) == (
            "us/facts",
            "main",
            "abc",
        )
        assert f"n = {own[path.parent.parent.name].n}" in str(entry.notes)


def test_every_file_is_valid_by_the_schema_and_holds_every_number(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    if not WHEEL.is_file():
        pytest.skip("needs the schema of every_eval_ever 0.3.0, which `make test` fetches")
    with zipfile.ZipFile(WHEEL) as wheel:
        schema = wheel.read("every_eval_ever/schemas/eval.schema.json")
    valid = jsonschema.Draft7Validator(json.loads(schema))
    paths = written("every_eval_ever", tmp_path, record(), **OURS)
    scored = [s for s in record().scores if s.value is not None]
    assert len(paths) == len({s.student for s in scored})
    results = []
    for path in paths:
        said = json.loads(path.read_text("utf-8"))
        assert [e.message for e in valid.iter_errors(said)] == []
        results += said["evaluation_results"]
    assert len(results) == len(scored)
    assert sorted(r["score_details"]["score"] for r in results) == sorted(s.value for s in scored)  # type: ignore[type-var]


@pytest.mark.parametrize(
    "name", ["../../x", "a/b", "..", "CON:", "a" * 300, "ä 名\u202e\x00", "Student"]
)
def test_odd_names_stay_in_the_folder_and_apart(name: str, tmp_path: Path) -> None:
    run = record()
    old = next(iter(run.pairs)).student
    scores = tuple(replace(s, student=name) if s.student == old else s for s in run.scores)
    models = {name if m == old else m: facts for m, facts in run.models.items()}
    changed = replace(run, scores=scores, models=models | {"student": {"kind": "hf"}})
    place = tmp_path / "inside"
    paths = written("every_eval_ever", place, changed, **OURS)
    assert all(p.parent == place for p in paths)
    assert len({p.name.casefold() for p in paths}) == len(paths)
    assert name in {json.loads(p.read_text("utf-8"))["model_info"]["name"] for p in paths}


def test_a_sweep_has_a_folder_for_every_setting(tmp_path: Path) -> None:
    from harness.board.joined import Job, join

    jobs = [Job((("seed", str(i)),), record()) for i in range(2)]
    paths = written("every_eval_ever", tmp_path, join(jobs), **OURS)
    assert len(paths) == 2 * len(written("every_eval_ever", tmp_path / "one", record(), **OURS))
    assert any("seed=1" in p.name for p in paths)


def test_only_what_is_named_is_written_and_a_failure_is_a_missing_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = tmp_path / "plain" / "report"
    write_report(record(), plain, read)
    assert not [p for p in plain.iterdir() if p.is_dir()]
    named = replace(record(), exports={"mine": {"kind": "every_eval_ever", **OURS}})
    folder = tmp_path / "named" / "report"
    write_report(named, folder, read)
    assert sorted(p.name for p in folder.iterdir() if p.is_dir()) == ["mine"]
    assert (folder / "index.html").read_bytes() == (plain / "index.html").read_bytes()
    copy_report(folder, tmp_path / "copy")
    assert sorted(p.name for p in (tmp_path / "copy" / "mine").iterdir()) == sorted(
        p.name for p in (folder / "mine").iterdir()
    )

    def fails(*_: object) -> None:
        raise DistillbenchError("no room")

    monkeypatch.setattr("harness.exports.every_eval_ever.write_json", fails)
    before = [p.read_bytes() for p in sorted((folder / "mine").iterdir())]
    write_report(named, folder, read)
    assert lacks_parts(folder)
    assert [p.read_bytes() for p in sorted((folder / "mine").iterdir())] == before
    write_report(record(), folder, read)
    assert not lacks_parts(folder), "it is not named any more"


def test_a_board_without_answers_has_results_of_nobody(tmp_path: Path) -> None:
    assert board().record.collections
    paths = written("lm_eval", tmp_path, replace(record(), collections=()))
    assert paths == []


@pytest.mark.parametrize(
    ("exports", "said"),
    [
        (["csv"], "csv is written with every report; expected some of"),
        (["lm_evl"], "'lm_evl' is unknown"),
        (["eval_results"], "key datasets is missing"),
        (
            {"eval_results": {"datasets": {"facts": {"id": "a", "task_id": "b"}}}},
            "'facts' is unknown",
        ),
        ({"every_eval_ever": {**OURS, "relationship": "friend"}}, "key relationship"),
        ({"../x": {"kind": "lm_eval"}}, "expected a name of letters"),
    ],
)
def test_a_wrong_name_is_said_before_anything_runs(exports: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(DistillbenchError) as error:
        ended(tmp_path, report={"exports": exports})
    assert said in str(error.value)
    assert not (tmp_path / "results" / "store").exists()
