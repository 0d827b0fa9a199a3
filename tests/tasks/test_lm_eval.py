"""What the lm-eval adapter asks, names and refuses, without a model."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from harness.plugins import build
from harness.tasks import Setting, asks
from harness.tasks._lm_eval_index import _index_of, task_files
from harness.tasks.lm_eval import LmEvalTask
from harness.types import DistillbenchError, Message, Paths, RequestSet, Unavailable
from tests.conftest import REPOSITORY
from tests.tasks import tiny


def make(task: str, **fields: Any) -> LmEvalTask:
    return LmEvalTask(
        "lm_eval", "mine", task=task, **{"allow_code": task in tiny.WITH_CODE, **fields}
    )


@pytest.fixture(scope="module")
def chosen(here: Setting) -> RequestSet:
    return make("tiny_choose").requests(here)


def test_prompts_of_multiple_choice(chosen: RequestSet) -> None:
    assert chosen.task == "mine"
    assert chosen.version == "2.0"
    assert chosen.yields == ("grades", "choices")
    assert len(chosen.prompts) == 12
    assert [p.n_options for p in chosen.prompts[:4]] == [2, 3, 4, 2]
    assert all(p.gold is not None and 0 <= p.gold < (p.n_options or 0) for p in chosen.prompts)
    assert {p.category for p in chosen.prompts} == {""}


KINDS = ["law", "physics", "law", " physics "]
FIELDS: dict[str, tuple[dict[str, list[Any]], set[str]]] = {
    "a subject": ({"subject": KINDS}, {"law", "physics"}),
    "a category": ({"category": KINDS}, {"law", "physics"}),
    "a topic": ({"topic": KINDS}, {"law", "physics"}),
    "the first of several": ({"topic": ["a", "b"], "subject": KINDS}, {"law", "physics"}),
    "a text that stands in one row": ({"topic": [f"about {i}" for i in range(12)]}, {""}),
    "numbers": ({"category": [0, 1]}, {""}),
    "not in all rows": ({"subject": ["law", None]}, {""}),
    "the next one that will do": ({"subject": ["law", ""], "topic": KINDS}, {"law", "physics"}),
}


@pytest.mark.parametrize("how", FIELDS)
def test_rows_state_their_kind(how: str, tmp_path: Path, cache: Path) -> None:
    fields, kinds = FIELDS[how]
    folder = tiny.write_tasks(tmp_path / "tasks")
    here = Setting(Paths(cache, cache, (folder,)), False, None, None, 0)
    file = folder / "choose.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for i, row in enumerate(rows):
        row.update({name: values[i % len(values)] for name, values in fields.items()})
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = make("tiny_choose").requests(here)
    assert {p.category for p in made.prompts} == kinds
    assert asks(made) == asks(
        replace(made, prompts=tuple(replace(p, category="") for p in made.prompts))
    )
    assert {p.category for p in make("tiny_group").requests(here).prompts} == {
        "tiny_choose",
        "tiny_placed",
    }


def test_what_is_asked_for_is_no_kind_of_row(tmp_path: Path, cache: Path) -> None:
    folder = tiny.write_tasks(tmp_path / "tasks")
    here = Setting(Paths(cache, cache, (folder,)), False, None, None, 0)
    for name in ("choose.jsonl", "shots.jsonl"):
        rows = [json.loads(line) for line in (folder / name).read_text().splitlines()]
        lines = [json.dumps({**r, "topic": ("sea", "sky")[i % 2]}) for i, r in enumerate(rows)]
        (folder / name).write_text("\n".join(lines))
    yaml = folder / "generate.yaml"
    kinds = {p.category for p in make("tiny_generate").requests(here).prompts}
    assert kinds == {"sea", "sky"}
    yaml.write_text(yaml.read_text().replace("{{options[gold]}}", "{{topic}}"))
    assert {p.category for p in make("tiny_generate").requests(here).prompts} == {""}


def test_a_copied_row_has_an_id_and_a_shared_cluster(chosen: RequestSet) -> None:
    first, copy = chosen.prompts[0], chosen.prompts[-1]
    assert copy.id == f"{first.id}#2"
    assert copy.cluster == first.cluster


def test_rows_with_one_passage_share_a_cluster(chosen: RequestSet) -> None:
    clusters = [p.cluster for p in chosen.prompts]
    # Three rows in a row share a passage; the last row is a copy of the first.
    assert clusters[0] == clusters[1] == clusters[2] == clusters[11] != clusters[3]
    assert len(set(clusters)) == 4


def test_mutual_information_asks_unconditionally_too(chosen: RequestSet) -> None:
    asked = [r for r in chosen.requests if r.prompt == 1]
    assert [r.slot for r in asked] == [0, 1, 2, 3, 4, 5]
    assert [r.context == "" for r in asked] == [False] * 3 + [True] * 3
    assert [r.continuation for r in asked[:3]] == [r.continuation for r in asked[3:]]


def test_options_inside_contexts(here: Setting) -> None:
    placed = make("tiny_placed").requests(here)
    assert placed.yields == ("grades", "choices")
    first = [r for r in placed.requests if r.prompt == 0]
    assert [r.slot for r in first] == [0, 1]
    assert first[0].context != first[1].context
    assert first[0].continuation == first[1].continuation == " sat and ran"
    assert all(p.n_options == 2 and p.gold in (0, 1) for p in placed.prompts)


def test_generation_states_how_it_is_drawn(here: Setting) -> None:
    asked = make("tiny_generate").requests(here)
    assert asked.yields == ("grades",)
    assert len(asked.requests) == 3 * 12
    assert [r.repeat for r in asked.requests[:3]] == [0, 1, 2]
    first = asked.requests[0]
    assert (first.kind, first.until, first.max_new_tokens) == ("generate", ("cat", "."), 12)
    assert (first.temperature, first.top_p) == (0.0, 1.0)


def test_a_decoding_of_its_own_draws_a_task(here: Setting) -> None:
    own, stated = make("tiny_generate", decoding="sampled"), make("tiny_generate")
    first = own.requests(here).requests[0]
    assert (first.temperature, first.top_p, first.max_new_tokens) == (None, None, 12)
    assert own.key(here) != stated.key(here)


def test_graded_texts_are_told_with_what_was_compared(here: Setting) -> None:
    task = make("tiny_generate")
    asked = task.requests(here)
    texts = ["a dog ran", "the dog sat", "a hen ran"] * 4  # three repeats of each of twelve prompts
    grades = task.grade(asked, tiny.outputs_of(asked, [t for t in texts for _ in range(3)]), here)
    answers = {(c.metric, c.filter): c.answers for c in grades.columns}
    assert answers["exact_match", "most"] == ("a", "the", "a") * 4
    assert answers["exact_match", "first"] == tuple(texts)
    assert answers["chrf", "most"] == ()


def test_rolling_reads_the_whole_text(here: Setting) -> None:
    asked = make("tiny_rolling").requests(here)
    assert {(r.kind, r.context) for r in asked.requests} == {("read", "")}
    assert asked.requests[0].continuation.startswith("the stone 0 is red")


def test_conversations_are_taken_apart(here: Setting) -> None:
    chat = replace(here, chat=True, system="Be brief.", limit=1)
    prefilled = make("tiny_generate", num_fewshot=2).requests(chat).requests[0]
    assert isinstance(prefilled.context, tuple)
    assert [m.role for m in prefilled.context] == ["user", "assistant"] * 3
    assert prefilled.context[-1] == Message("assistant", "So")
    assert not prefilled.open
    single = make("tiny_choose", num_fewshot=2, multiturn=False).requests(chat).requests[0]
    assert isinstance(single.context, tuple)
    assert [m.role for m in single.context] == ["user"]
    assert single.open
    assert "Be brief." not in str(prefilled.context)


def test_groups_are_one_set_with_leaves(here: Setting) -> None:
    both = make("tiny_group").requests(replace(here, limit=3))
    assert [p.category for p in both.prompts] == ["tiny_choose"] * 3 + ["tiny_placed"] * 3
    assert {r.leaf for r in both.requests if r.prompt >= 3} == {"tiny_placed"}
    alone = make("tiny_placed").requests(replace(here, limit=3))
    assert [p.id for p in alone.prompts] == [p.id for p in both.prompts[3:]]
    assert {r.leaf for r in alone.requests} == {""}


def test_a_group_is_called_as_it_is_configured(here: Setting) -> None:
    asked = make("tiny_group").requests(here)
    grades = make("tiny_group").grade(
        asked, tiny.outputs_of(asked, [(-1.0, True)] * len(asked.requests)), here
    )
    assert asked.task == "mine"
    assert list(dict.fromkeys(c.leaf for c in grades.columns)) == [
        "mine",
        "tiny_choose",
        "tiny_placed",
    ]


def test_same_requests_twice_and_few_shot_by_seed(here: Setting) -> None:
    task = make("tiny_choose", num_fewshot=2)
    assert task.requests(here) == task.requests(here)
    assert task.requests(here) != task.requests(replace(here, seed=1))


def test_no_grade_where_no_prompt_has_its_answers(here: Setting, chosen: RequestSet) -> None:
    whole = tiny.outputs_of(chosen, [(-1.0, False)] * len(chosen.requests))
    none = replace(whole, answered=tuple(r.slot > 0 for r in chosen.requests))
    n, total = len(chosen.prompts), len(chosen.requests)
    with pytest.raises(Unavailable, match=f"{n} of {total} requests have no answer, and no prompt"):
        make("tiny_choose").grade(chosen, none, here)


@pytest.mark.parametrize("name", ["tiny_choose", "tiny_group", "tiny_rolling", "tiny_generate"])
def test_a_prompt_without_an_answer_is_left_out_of_every_number(here: Setting, name: str) -> None:
    asked = make(name).requests(here)
    rng = np.random.default_rng(0)
    answers: list[Any] = [
        {"score": (-float(x), bool(x < 1)), "read": -float(x), "generate": f"It is {x:.0f}"}[r.kind]
        for r, x in zip(asked.requests, rng.exponential(3, len(asked.requests)), strict=True)
    ]
    whole = tiny.outputs_of(asked, answers)
    lost = {asked.requests[i].prompt for i in (0, len(asked.requests) - 1)}
    known = tuple(i not in (0, len(asked.requests) - 1) for i in range(len(asked.requests)))
    partly = replace(whole, answered=known)
    first, second = (make(name).grade(asked, o, here) for o in (whole, partly))
    assert len(first.columns) == len(second.columns)
    for a, b in zip(first.columns, second.columns, strict=True):
        if not len(a.prompt):
            assert b.aggregate is None
            assert "2 prompts have no answer" in b.reason
            continue
        others = [i for i, p in enumerate(a.prompt.tolist()) if p not in lost]
        assert b.prompt.tolist() == a.prompt[others].tolist()
        np.testing.assert_array_equal(b.value, a.value[others])
        assert b.aggregate == pytest.approx(a.value[others].mean())
        assert b.answers == tuple(a.answers[i] for i in others if a.answers)


def test_answers_are_graded_by_key_not_by_position(here: Setting, chosen: RequestSet) -> None:
    rng = np.random.default_rng(0)
    whole = tiny.outputs_of(
        chosen, [(-float(x), False) for x in rng.exponential(9, len(chosen.requests))]
    )
    order = rng.permutation(len(chosen.requests))
    shuffled = replace(
        whole,
        request=whole.request[order],
        kind=tuple(whole.kind[i] for i in order),
        logprob_nats=whole.logprob_nats[order],
        greedy=tuple(whole.greedy[i] for i in order),
    )
    first, second = (make("tiny_choose").grade(chosen, o, here) for o in (whole, shuffled))
    for a, b in zip(first.columns, second.columns, strict=True):
        assert a.aggregate == b.aggregate
        np.testing.assert_array_equal(a.value, b.value)


def test_changed_data_is_seen_while_grading(tmp_path: Path, cache: Path) -> None:
    folder = tiny.write_tasks(tmp_path / "tasks")
    here = Setting(Paths(cache, cache, (folder,)), False, None, None, 0)
    task = make("tiny_likely")
    asked = task.requests(here)
    rows = (folder / "choose.jsonl").read_text().splitlines(keepends=True)
    (folder / "choose.jsonl").write_text("".join(rows[::-1]))
    with pytest.raises(DistillbenchError, match="is not what was asked"):
        task.grade(asked, tiny.outputs_of(asked, [(-1.0, True)] * 12), here)


# --- digests ---------------------------------------------------------------------------------------


def test_digest_follows_contents_not_places(tmp_path: Path, cache: Path) -> None:
    def digest(folder: Path, **changes: Any) -> str:
        return make("tiny_group").key(
            replace(Setting(Paths(cache, cache, (folder,)), False, None, None, 0), **changes)
        )

    folder = tiny.write_tasks(tmp_path / "one")
    first = digest(folder)
    moved = tmp_path / "deep" / "two"
    shutil.copytree(folder, moved)
    assert digest(moved) == first
    assert (
        len({first, digest(folder, chat=True), digest(folder, limit=3), digest(folder, seed=1)})
        == 4
    )
    seen = {first}
    for name, text in (
        ("placed.py", "\nx = 1\n"),
        ("choose.yaml", "\n# more\n"),
        ("choose.jsonl", "\n"),
    ):
        with (moved / name).open("a") as file:
            file.write(text)
        assert digest(moved) not in seen
        seen.add(digest(moved))
    (moved / "unrelated.yaml").write_text("task: unrelated\n")
    assert digest(moved) in seen


def test_digest_and_faults_import_no_heavy_library(tiny_tasks: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from harness.tasks.lm_eval import LmEvalTask\n"
        "from harness.tasks import Setting\nfrom harness.types import Paths\n"
        f"cache, tasks = Path({str(tmp_path)!r}), Path({str(tiny_tasks)!r})\n"
        "c = Setting(Paths(cache, cache, (tasks,)), False, None, None, 0)\n"
        "t = LmEvalTask('lm_eval', 'x', task='tiny_group', allow_code=True); assert not t.faults(c); t.key(c)\n"
        "heavy = {'lm_eval', 'torch', 'datasets', 'transformers', 'pandas', 'scipy', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
    assert not list(tmp_path.glob("lm_eval_index*")), "our own tasks need no index of lm-eval's"


def test_index_agrees_with_lm_eval() -> None:
    from lm_eval.tasks import TaskManager

    stock = Path(sys.modules["lm_eval"].__file__ or "").parent / "tasks"
    for folder in ("mmlu", "winogrande", "arc", "truthfulqa", "lambada", "squadv2", "glue", "bbh"):
        wanted = TaskManager(include_path=str(stock / folder), include_defaults=False).task_index
        found = _index_of((stock / folder).resolve())
        assert found
        assert {n: (e.kind, e.file, set(e.members)) for n, e in found.items()} == {
            name: (
                {"TASK": "task", "PY_TASK": "task", "GROUP": "group", "TAG": "tag"}[
                    entry.kind.name
                ],
                str(entry.yaml_path.resolve()) if entry.yaml_path else "",
                entry.tags if entry.kind.name == "TAG" else set(),
            )
            for name, entry in wanted.items()
        }


@pytest.mark.slow  # seconds
def test_files_of_a_stock_group(cache: Path) -> None:
    found = task_files("mmlu", [], cache)
    assert len(found.leaves) == 57
    assert {leaf.config["dataset_path"] for leaf in found.leaves} == {"cais/mmlu"}
    assert any(f.name == "_default_template_yaml" for f in found.files)
    assert [f.name for f in found.folders] == ["default"]
    assert [leaf.name for leaf in task_files("ai2_arc", [], cache).leaves] == [
        "arc_challenge",
        "arc_easy",
    ]


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "conf" / "task").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_configured_task_is_known(path: Path, cache: Path) -> None:
    fields = OmegaConf.to_container(OmegaConf.load(path))
    assert isinstance(fields, dict)
    if fields["kind"] == "suite":
        assert all((path.parent / f"{name}.yaml").is_file() for name in fields["tasks"])
    elif fields["kind"] == "lm_eval":
        task = build("tasks", path.stem, fields)
        here = Setting(Paths(cache, cache, (REPOSITORY / "tasks",)), False, None, None, 0)
        assert task.faults(here) == []
        assert len(task.key(here)) == 64


# --- faults ----------------------------------------------------------------------------------------


def fault_of(task: LmEvalTask, setting: Setting) -> str:
    found = task.faults(setting)
    assert len(found) == 1
    assert "\n" not in found[0]
    return found[0]


def test_unknown_task_names_the_nearest(here: Setting) -> None:
    assert "did you mean 'arc_easy'" in fault_of(make("arc_eazy"), here)
    assert "did you mean 'tiny_choose'" in fault_of(make("tiny_chose"), here)
    with pytest.raises(DistillbenchError, match="arc_easy"):
        make("arc_eazy").key(here)


def test_code_is_refused_unless_allowed(here: Setting) -> None:
    assert "allow_code" in fault_of(make("humaneval"), here)
    with pytest.raises(DistillbenchError, match="allow_code"):
        make("humaneval").requests(here)
    assert make("humaneval", allow_code=True).faults(here) == []


def test_python_beside_a_yaml_of_one_s_own_is_refused_unless_asked_for(here: Setting) -> None:
    refused = fault_of(make("tiny_placed", allow_code=False), here)
    assert "runs Python of " in refused
    assert "allow_code: true" in refused
    with pytest.raises(DistillbenchError, match="runs Python of"):
        make("tiny_group", allow_code=False).requests(here)
    assert make("tiny_placed").faults(here) == []


@pytest.mark.parametrize("name", ["zoo_facts", "mmlu_abstract_algebra", "gsm8k"])
def test_python_that_came_with_lm_eval_or_with_us_runs(name: str, cache: Path) -> None:
    here = Setting(Paths(cache, cache, (REPOSITORY / "tasks",)), False, None, None, 0)
    assert not any("Python" in line for line in make(name).faults(here))


def test_a_template_reaches_no_python(tmp_path: Path, cache: Path) -> None:
    folder = tiny.write_tasks(tmp_path / "tasks")
    file = next(f for f in folder.glob("*.yaml") if "task: tiny_choose\n" in f.read_text())
    ran = tmp_path / "ran"
    template = "{{ cycler.__init__.__globals__.os.popen('touch RAN').read() }}".replace(
        "RAN", str(ran)
    )
    text = re.sub(
        r"(?m)^doc_to_text: .*$", lambda _: f'doc_to_text: "{template}"', file.read_text()
    )
    assert text != file.read_text()
    file.write_text(text)
    here = Setting(Paths(cache, cache, (folder,)), False, None, None, 0)
    with pytest.raises(Exception, match="unsafe"):
        make("tiny_choose").requests(here)
    assert not ran.exists()


def test_missing_local_data_is_named(here: Setting, tmp_path: Path) -> None:
    away = replace(here, paths=replace(here.paths, datasets=tmp_path))
    assert str(tmp_path / "allenai" / "ai2_arc") in fault_of(make("arc_easy"), away)
    with pytest.raises(DistillbenchError, match=r"paths\.datasets"):
        make("arc_easy").requests(away)


def test_missing_data_file_beside_the_yaml(tmp_path: Path, cache: Path) -> None:
    folder = tiny.write_tasks(tmp_path / "tasks")
    (folder / "choose.jsonl").unlink()
    here = Setting(Paths(cache, cache, (folder,)), False, None, None, 0)
    assert "choose.jsonl" in fault_of(make("tiny_likely"), here)


@pytest.mark.parametrize("written", ["absolute", "relative"])
def test_data_may_lie_outside_the_folder_of_the_task(
    tmp_path: Path, cache: Path, written: str
) -> None:
    folder = tiny.write_tasks(tmp_path / "tasks")
    (tmp_path / "elsewhere").mkdir()
    data = (folder / "choose.jsonl").rename(tmp_path / "elsewhere" / "choose.jsonl")
    file = next(f for f in folder.glob("*.yaml") if "task: tiny_likely\n" in f.read_text())
    place = str(data) if written == "absolute" else "../elsewhere/choose.jsonl"
    file.write_text(file.read_text().replace("test: choose.jsonl", f"test: {place}"))
    here = Setting(Paths(cache, cache, (folder,)), False, None, None, 0)
    task, before = make("tiny_likely"), make("tiny_likely").key(here)
    assert task.faults(here) == []
    assert len(task.requests(here).prompts) == 12
    data.write_text(data.read_text().replace("cat", "dog"))
    assert make("tiny_likely").key(here) != before  # other data, another key


def test_damaged_data_is_one_line(tmp_path: Path, cache: Path) -> None:
    folder = tiny.write_tasks(tmp_path / "tasks")
    (folder / "choose.jsonl").write_text('{"question": "a", "opt')
    here = Setting(Paths(cache, cache, (folder,)), False, None, None, 0)
    with pytest.raises(DistillbenchError, match="cannot load tiny_likely") as caught:
        make("tiny_likely").requests(here)
    assert "\n" not in str(caught.value)


def test_fields_are_checked() -> None:
    with pytest.raises(DistillbenchError, match="task x: key task: expected the name"):
        build("tasks", "x", {"kind": "lm_eval"})
    with pytest.raises(DistillbenchError, match="num_fewshot: expected 0 or more"):
        build("tasks", "x", {"kind": "lm_eval", "task": "arc_easy", "num_fewshot": -1})


def test_nothing_is_written_outside_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny.write_tasks(tmp_path / "tasks")
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    before = sorted(
        p.relative_to(folder) for p in folder.rglob("*") if "__pycache__" not in p.parts
    )
    cache = tmp_path / "cache"
    make("tiny_placed").requests(
        Setting(Paths(tmp_path / "results", cache, (folder,)), False, None, None, 0)
    )
    assert not list(home.iterdir())
    assert (
        sorted(p.relative_to(folder) for p in folder.rglob("*") if "__pycache__" not in p.parts)
        == before
    )
    assert (cache / "datasets").is_dir()
    assert Path.cwd() == home
