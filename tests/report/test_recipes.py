"""Recipes over training seeds: rows of the leaderboard, tables, comparisons, and what is refused."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from harness.api import load
from harness.board.joined import Job, join
from harness.board.leaderboard import make_leaderboard
from harness.board.numerals import percent
from harness.board.recipes import over_recipe, recipe_comparisons, recipe_scores
from harness.board.record import RunRecord
from harness.board.saved import read_record
from harness.board.sentences import decisions
from harness.exports.csv import Csv
from harness.exports.json import Json
from harness.models import AbstractModel
from harness.models.recorded import RecordedModel
from harness.page.render import page
from harness.plan.faults import twin_faults
from harness.types import Pair, Paths, Score
from tests.report.records import board, record

SEEDS = {"plain": [0.2, 0.3, 0.5], "longer": [0.9, 0.7, 0.8], "short": [0.4, 0.6]}
PROMPTS = [f"p{i:02d}" for i in range(20)]


def score(model: str, level: float, *, metric: str = "capability_transfer") -> Score:
    """A score whose prompts are as hard for every model, so that only seeds differ."""
    shifts = np.linspace(-0.5, 0.5, len(PROMPTS))
    influence = dict(zip(PROMPTS, (level + shifts).tolist(), strict=True))
    return Score(
        metric, "facts", model, "teacher_a", "base", level, level - 0.1, level + 0.1, len(PROMPTS),
        "gap recovered", "higher", "", (), influence=influence,
    )  # fmt: skip


def trained() -> RunRecord:
    """A run of three recipes, of which one has two seeds only."""
    run = record()
    levels = {f"{r}_{i}": v for r, own in SEEDS.items() for i, v in enumerate(own)}
    facts = run.models["answers_of_a"]
    return replace(
        run,
        pairs=tuple(Pair("teacher_a", m, "base") for m in levels),
        scores=tuple(score(m, v) for m, v in levels.items()),
        comparisons=(),
        models={m: run.models[m] for m in ("base", "teacher_a")} | dict.fromkeys(levels, facts),
        recipes={m: m.split("_")[0] for m in levels},
        collections=(),
        controls=(),
    )


def test_a_recipe_is_the_mean_of_its_seeds_and_two_are_too_few() -> None:
    told = {s.recipe: s for s in recipe_scores(trained())}
    assert told["plain"].value == pytest.approx(1 / 3)
    assert told["plain"].seeds == ("plain_0", "plain_1", "plain_2")
    assert told["short"].value is None
    assert told["short"].reason == "2 seeds: a claim about a recipe needs at least three seeds"


def test_its_interval_is_that_of_seeds_as_clusters_wider_than_each_seeds_own() -> None:
    made = over_recipe(
        "r",
        [replace(score(m, v), influence={}) for m, v in zip("abc", SEEDS["plain"], strict=True)],
    )
    alone = stats.ttest_1samp(SEEDS["plain"], 0.0).confidence_interval(0.95)
    assert made.low is not None
    assert made.low <= alone.low < 0, "a seed's own interval is from 0.1 to 0.6"


def test_a_seed_without_a_number_is_named_and_the_others_stand_for_the_recipe() -> None:
    missing = replace(
        score("d", 0.1), value=None, low=None, high=None, reason="no answers", influence={}
    )
    own = [score(m, v) for m, v in zip("abc", SEEDS["plain"], strict=True)]
    told = over_recipe("r", [*own, missing])
    assert told.without == ("d",)
    assert told.value == pytest.approx(1 / 3)
    few = over_recipe("r", [*own[:2], missing])
    assert few.value is None
    assert few.reason == "2 of 3 seeds have a number, expected at least three; d: no answers"


def test_numbers_over_control_models_have_no_interval_over_prompts() -> None:
    own = [
        replace(score(m, v), level="models", n=5)
        for m, v in zip("abc", SEEDS["plain"], strict=True)
    ]
    told = over_recipe("r", own)
    assert told.value == pytest.approx(1 / 3)
    assert told.low is None
    assert "over control models" in told.reason


def test_two_recipes_are_compared_as_welch_does_where_prompts_are_alike() -> None:
    (told,) = recipe_comparisons(trained())
    assert (told.first, told.second, told.n_first, told.n_second, told.n) == (
        "longer",
        "plain",
        3,
        3,
        20,
    )
    reference = stats.ttest_ind(SEEDS["longer"], SEEDS["plain"], equal_var=False)
    low, high = reference.confidence_interval(0.95)
    assert (told.difference, told.low, told.high) == pytest.approx((0.8 - 1 / 3, low, high))
    assert told.p == told.p_adjusted == pytest.approx(reference.pvalue)
    assert told.outcome == "better"


def test_recipes_of_one_measure_are_corrected_together() -> None:
    run = trained()
    third = [score(f"third_{i}", v) for i, v in enumerate((0.5, 0.45, 0.4))]
    more = replace(
        run,
        scores=(*run.scores, *third),
        pairs=(*run.pairs, *(Pair("teacher_a", s.student, "base") for s in third)),
        recipes={**run.recipes, **{s.student: "third" for s in third}},
    )
    told = recipe_comparisons(more)
    assert len(told) == 3
    smallest = min(told, key=lambda c: c.p)
    assert smallest.p_adjusted == pytest.approx(3 * smallest.p)


def test_a_recipe_has_a_row_above_its_seeds_and_too_few_seeds_a_reason() -> None:
    table = make_leaderboard(board(trained()))
    names = [line.subject.student for line in table.lines][:4]
    assert names == ["teacher_a", "longer (3 seeds)", "plain (3 seeds)", "short (2 seeds)"]
    at = [c.name for c in table.columns].index("capability_transfer")
    cells = {line.subject.student: line.cells[at] for line in table.lines}
    assert cells["plain (3 seeds)"].text == "0.33"
    assert cells["plain (3 seeds)"].interval.startswith("[")
    assert "at least three seeds" in cells["short (2 seeds)"].note
    html = page(board(trained()))
    assert "Recipes over their seeds" in html
    assert 'id="recipes"' not in page(board()), "nothing is said of recipes where there are none"


def test_the_decision_says_what_the_recipe_of_the_chosen_student_does() -> None:
    def line(run: RunRecord) -> str:
        """The decision in words."""
        return "".join(words for words, _ in decisions(board(run))[0].parts)

    run = trained()
    told = over_recipe("longer", [score(m, v) for m, v in zip("abc", SEEDS["longer"], strict=True)])
    share = percent(told.value or 0, told.low, told.high)
    assert line(run).startswith("Take longer_0")
    assert line(run).endswith(f"Its recipe longer closes {share} over 3 seeds.")
    two = replace(run, recipes={m: r for m, r in run.recipes.items() if m != "longer_2"})
    assert "Of its recipe longer nothing can be said: 2 seeds: a claim" in line(two)
    assert "recipe" not in line(replace(run, recipes={}))


def test_a_sweep_has_recipes_setting_by_setting() -> None:
    jobs = [Job((("step", s),), trained()) for s in "12"]
    told = recipe_scores(join(jobs))
    assert [s.variant for s in told if s.recipe == "plain"] == [(("step", "1"),), (("step", "2"),)]


def test_files_and_frames_hold_the_same_numbers_when_they_are_read_back(tmp_path: Path) -> None:
    made = board(trained())
    for exporter in (Csv("csv", "csv"), Json("json", "json")):
        exporter.export(made, tmp_path)
    with (tmp_path / "recipes.csv").open(encoding="utf-8", newline="") as file:
        rows = {r["recipe"]: r for r in csv.DictReader(file)}
    assert rows["plain"]["n_seeds"] == "3"
    results = load(tmp_path)
    plain = results.recipes.set_index("recipe").loc["plain"]
    assert (plain["low"], plain["high"]) == (
        float(rows["plain"]["low"]),
        float(rows["plain"]["high"]),
    )
    assert results.recipe_comparisons["outcome"].tolist() == ["better"]
    assert recipe_scores(read_record(tmp_path)) == recipe_scores(trained())


def test_a_recipe_changes_no_key_and_one_model_is_one_seed(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"prompt": "1", "answer": "2"}\n', encoding="utf-8")
    paths = Paths(tmp_path, tmp_path, data=tmp_path)
    alone = RecordedModel("recorded", "a", file="a.jsonl")
    assert replace(alone, recipe="r").key(paths) == alone.key(paths)
    models: dict[str, AbstractModel] = {
        "a": replace(alone, recipe="r"),
        "b": replace(alone, name="b", recipe="r", same_as="a"),
    }
    (fault,) = twin_faults(models, {"a": "k", "b": "k"})
    assert fault.startswith("model b: key recipe: a is the same model, so both are one seed of r")
    (nameless,) = twin_faults({"a": replace(alone, recipe=" ")}, {"a": "k"})
    assert nameless == "model a: key recipe: expected the name of a recipe, got none"
    assert not twin_faults(
        {**models, "b": replace(models["b"], recipe="other")}, {"a": "k", "b": "k"}
    )
