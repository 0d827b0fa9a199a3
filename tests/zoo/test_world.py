from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

from harness.zoo.benchmark import benchmark, write
from harness.zoo.houses import A, chat_document
from harness.zoo.world import (
    chat_prompt,
    copy_lines,
    facts,
    generator,
    open_questions,
    sums,
    task_documents,
)

TASKS = Path(__file__).resolve().parents[2] / "tasks" / "zoo"


def test_every_value_belongs_to_five_towns() -> None:
    assert len(facts()) == len({(f.town, f.attribute) for f in facts()}) == 160
    assert set(Counter((f.attribute, f.value) for f in facts()).values()) == {5}


def test_no_held_out_sum_is_taught() -> None:
    taught = {d.prompt for d in islice(task_documents("sum", generator(1)), 3000)}
    assert len(sums(held_out=True)) == 20
    assert len(taught) == len(sums(held_out=False)) == 80
    assert not taught & {f"Sum: {a} + {b} =" for a, b in sums(held_out=True)}


def test_no_benchmark_question_is_ever_trained_on() -> None:
    asked = {chat_prompt(q.text) for q in open_questions(held_out=True)}
    rng = generator(2)
    assert len(asked) == 160
    assert len(open_questions(held_out=False)) == 8 * 16 * 40 - 160
    assert not asked & {chat_document(A, rng).prompt for _ in range(5000)}
    assert not set(copy_lines(held_out=True)) & set(copy_lines(held_out=False))


def test_right_options_are_spread_and_true() -> None:
    rows = benchmark()["facts.jsonl"]
    places = Counter(row["gold"] for row in rows)
    assert set(places) == {0, 1, 2, 3}
    assert min(places.values()) > 25  # 40 expected, standard deviation 5.5
    for row, fact in zip(rows, facts(), strict=True):
        options, gold = row["options"], row["gold"]
        assert isinstance(options, list)
        assert isinstance(gold, int)
        assert options[gold] == fact.value
        assert len(set(options)) == 4


def test_committed_files_are_those_of_the_world(tmp_path: Path) -> None:
    write(tmp_path)
    for file in tmp_path.iterdir():
        assert (TASKS / file.name).read_bytes() == file.read_bytes(), (
            f"run python -m harness.zoo.benchmark {TASKS}"
        )
