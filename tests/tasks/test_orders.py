"""Options in other orders: every answer is the option's own, wherever it stood and whatever letter it had."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.exports.lm_eval import _slots
from harness.panel.choices import choice_table
from harness.panel.orders import Place, place_of, slot_of
from harness.panel.side import Side
from harness.store.tables import requests_from_table, requests_to_table
from harness.tasks import Setting, asks
from harness.tasks.lm_eval import LmEvalTask
from harness.types import DistillbenchError, Floats, Outputs, Paths, Request, RequestSet
from tests.tasks import tiny

_HEAD = """
dataset_path: json
dataset_kwargs: {data_files: {test: rows.jsonl, train: rows.jsonl}}
training_split: train
test_split: test
output_type: multiple_choice
doc_to_target: gold
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
"""
_SHOWN = "{% for o in options %}\\n{{'ABCD'[loop.index0]}}. {{o}}{% endfor %}"
_TASKS: Mapping[str, str] = {
    "letters": f"""
doc_to_text: "{{{{question}}}}{_SHOWN}\\nAnswer:"
doc_to_choice: "{{{{['A', 'B', 'C', 'D'][:options|length]}}}}"
""",
    "nested": """
doc_to_text: "{{question}}{% for o in choices.text %} {{choices.label[loop.index0]}} {{o}}{% endfor %} Answer:"
doc_to_choice: "{{choices.label}}"
""",
    "words": """
doc_to_text: "Of {{options|join(', ')}}: {{question}} is"
doc_to_choice: "{{options}}"
""",
    "hidden": """
doc_to_text: "{{question}} is"
doc_to_choice: "{{options}}"
""",
    "labels_only": """
doc_to_text: "{{question}} ({{choices.label|join(', ')}})"
doc_to_choice: "{{choices.label}}"
""",
    "mutual": f"""
doc_to_text: "{{{{question}}}}{_SHOWN}\\nAnswer:"
doc_to_choice: "{{{{['A', 'B', 'C', 'D'][:options|length]}}}}"
metric_list:
  - {{metric: acc_mutual_info, aggregation: mean, higher_is_better: true}}
""",
}
_WORDS = ("sun", "moon", "star", "sea", "rock", "4", "12", "C")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Setting:
    """A setting with the tasks above: twelve questions of two, three and four options."""
    folder = tmp_path_factory.mktemp("lettered")
    rng = np.random.default_rng(1)
    rows = []
    for i in range(12):
        n = 2 + i % 3
        options = [str(o) for o in rng.choice(_WORDS, n, replace=False)]
        labels = ["A", "B", "C", "D"][:n]
        gold = int(rng.integers(n))
        row = {"question": f"Thing {i}", "options": options, "gold": gold}
        rows.append({**row, "choices": {"text": options, "label": labels}})
    (folder / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    for name, text in _TASKS.items():
        head = _HEAD.split("metric_list")[0] if "metric_list" in text else _HEAD
        (folder / f"{name}.yaml").write_text(f"task: {name}\n{head}{text}")
    return Setting(Paths(cache / "results", cache, (folder,)), False, None, None, 0)


def make(task: str, **fields: Any) -> LmEvalTask:
    return LmEvalTask("lm_eval", "mine", task=task, **fields)


def shown(request: Request, task: str) -> str:
    """The option that a request's continuation stands for, read from the question as a model reads it."""
    context = request.context
    text = context if isinstance(context, str) else context[-1].text
    answer = request.continuation.strip()
    if task == "words":
        return answer
    question = text[text.rindex("Thing ") :]
    parts = question.split("\n")[1:-1] if task != "nested" else []
    if task == "nested":
        words = question.split()[2:-1]
        parts = [f"{a}. {b}" for a, b in zip(words[::2], words[1::2], strict=True)]
    return dict(p.split(". ") for p in parts)[answer]


def place(asked: RequestSet, request: Request) -> Place:
    """The option that a request is about, and its order."""
    return place_of(request.slot, asked.prompts[request.prompt].n_options or 0)


def options(asked: RequestSet, task: str) -> dict[tuple[int, int], str]:
    """(prompt, option) -> its words, from the requests in the task's own order."""
    own = [r for r in asked.requests if r.slot >= 0]
    return {(r.prompt, r.slot): shown(r, task) for r in own}


def test_slots_tell_option_and_order() -> None:
    for n in (1, 2, 5):
        places = [Place(order, option) for order in range(n) for option in range(n)]
        slots = [slot_of(p, n) for p in places]
        assert len(set(slots)) == n * n
        assert [place_of(s, n) for s in slots] == places
        assert slots[:n] == list(range(n))  # lm-eval's own
        assert max(slots[n:], default=-1) < 0


@pytest.mark.parametrize("fewshot", [0, 2])
@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize("task", ["letters", "nested", "words"])
def test_every_request_is_mapped_back_to_its_option(
    here: Setting, task: str, chat: bool, fewshot: int
) -> None:
    setting = replace(here, chat=chat)
    asked = make(task, orders=4, num_fewshot=fewshot).requests(setting)
    single = make(task, num_fewshot=fewshot).requests(setting)
    words = options(asked, task)
    assert [r for r in asked.requests if r.slot >= 0] == list(single.requests)
    assert asked.prompts == single.prompts
    for r in asked.requests:
        assert shown(r, task) == words[r.prompt, place(asked, r).option]
    # as many orders as options; each asks all options, of one and the same question
    for i, prompt in enumerate(asked.prompts):
        n = prompt.n_options or 0
        mine = [r for r in asked.requests if r.prompt == i]
        assert sorted(place(asked, r) for r in mine) == [(k, s) for k in range(n) for s in range(n)]
        contexts = {place(asked, r).order: r.context for r in mine}
        assert len({str(c) for c in contexts.values()}) == n
        if task != "words":  # no option has the same letter twice
            assert len({(place(asked, r).option, r.continuation) for r in mine}) == n * n


def test_examples_before_the_question_keep_their_order(here: Setting) -> None:
    asked = make("letters", orders=2, num_fewshot=2, multiturn=False)
    for chat in (False, True):
        made = asked.requests(replace(here, chat=chat)).requests
        heads = {(r.prompt, str(r.context).rpartition("Thing ")[0]) for r in made}
        assert len(heads) == 12


def test_one_order_moves_no_key(here: Setting) -> None:
    plain, one = make("letters"), make("letters", orders=1)
    assert plain.key(here) == one.key(here)
    asked = plain.requests(here)
    assert asked == one.requests(here)
    assert not any(r.slot < 0 for r in asked.requests)
    two = make("letters", orders=2).requests(here)
    assert asks(two) != asks(asked)
    assert requests_from_table(requests_to_table(two)) == two


def test_orders_are_drawn_by_prompt_and_seed(here: Setting) -> None:
    task = make("letters", orders=2)
    assert task.requests(here) == task.requests(here)
    assert task.requests(here) != task.requests(replace(here, seed=1))


def test_questions_with_few_options_are_noted(here: Setting) -> None:
    assert make("letters", orders=2).requests(here).notes == ()
    (note,) = make("letters", orders=3).requests(here).notes
    assert (
        note == "4 of 12 questions have fewer options than orders: all of their rotations are asked"
    )


def answered(asked: RequestSet, likes: Floats, by_place: float) -> Outputs:
    """Outputs of a model that likes options by content (prompts, K), and the letter A by so much more."""
    nats = []
    for r in asked.requests:
        if r.slot >= (asked.prompts[r.prompt].n_options or 0):
            nats.append((-1.0, False))  # mutual information asks for the letter alone
            continue
        nats.append(
            (
                float(likes[r.prompt, place(asked, r).option])
                + by_place * (r.continuation == " A"),
                False,
            )
        )
    return tiny.outputs_of(asked, nats)


def side(asked: RequestSet, outputs: Outputs) -> Side:
    return Side("m", "m", asked, outputs, None, ("key",))


@pytest.mark.parametrize("task", ["letters", "nested", "mutual"])
def test_what_follows_a_content_is_steady_and_what_follows_a_place_is_not(
    here: Setting, task: str
) -> None:
    asked = make(task, orders=4).requests(here)
    likes = np.random.default_rng(3).normal(-5, 1, (12, 4))
    by_content = choice_table(side(asked, answered(asked, likes, 0)))
    ids = {p.id: i for i, p in enumerate(asked.prompts)}
    best = [int(np.argmax(likes[ids[p.id], : p.n_options])) for p in by_content.prompts]
    assert by_content.chosen.tolist() == best
    assert by_content.steady.all()
    by_place = choice_table(side(asked, answered(asked, likes, 9)))
    assert not by_place.steady.any()
    assert set(by_place.chosen.tolist()) == {0}  # A, in the task's own order
    # of equals none is what the model would always say
    equal = choice_table(side(asked, answered(asked, np.full((12, 4), -3.0), 0)))
    assert not equal.steady.any()


def test_one_order_is_steady_and_a_missing_answer_is_not(here: Setting) -> None:
    likes = np.random.default_rng(3).normal(-5, 1, (12, 4))
    one = make("letters").requests(here)
    assert choice_table(side(one, answered(one, likes, 9))).steady.all()
    asked = make("letters", orders=2).requests(here)
    outputs = answered(asked, likes, 0)
    lost = next(i for i, r in enumerate(asked.requests) if r.slot < 0 and r.prompt == 5)
    partly = replace(outputs, answered=tuple(i != lost for i in range(len(asked.requests))))
    table = choice_table(side(asked, partly))
    unsteady = [p.id for p, s in zip(table.prompts, table.steady, strict=True) if not s]
    assert unsteady == [asked.prompts[5].id]
    assert table.answered.all()  # the choice itself stands


def test_grades_are_those_of_the_task_s_own_order(here: Setting) -> None:
    likes = np.random.default_rng(3).normal(-5, 1, (12, 4))
    one, more = make("letters"), make("letters", orders=3)
    first, second = one.requests(here), more.requests(here)
    a = one.grade(first, answered(first, likes, 1), here)
    outputs = answered(second, likes, 1)
    b = more.grade(second, outputs, here)
    lost = replace(outputs, answered=tuple(r.slot >= 0 for r in second.requests))
    for made in (b, more.grade(second, lost, here)):
        assert [c.aggregate for c in made.columns] == [c.aggregate for c in a.columns]
        np.testing.assert_array_equal(made.columns[0].value, a.columns[0].value)


def test_lm_eval_s_log_has_the_task_s_own_order(here: Setting) -> None:
    likes = np.random.default_rng(3).normal(-5, 1, (12, 4))
    one, two = (make("letters", orders=k).requests(here) for k in (1, 2))
    plain, both = (_slots(side(a, answered(a, likes, 1)), "mine", "mine") for a in (one, two))
    assert both == plain


@pytest.mark.parametrize("task", ["hidden", "labels_only"])
def test_options_that_are_not_shown_are_refused(here: Setting, task: str) -> None:
    with pytest.raises(DistillbenchError, match=f"{task}: orders: expected questions that show"):
        make(task, orders=2).requests(here)


def test_tasks_without_options_are_refused_before_anything_is_loaded(
    tiny_tasks: Path, here: Setting
) -> None:
    setting = replace(here, paths=replace(here.paths, tasks=(tiny_tasks,)))
    (fault,) = make("tiny_generate", orders=2).faults(setting)
    assert "orders: expected a task of multiple choice, got `output_type: generate_until`" in fault
    with pytest.raises(DistillbenchError, match="key orders: expected 1 or more, got 0"):
        make("letters", orders=0)
