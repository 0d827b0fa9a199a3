"""Reading from plan to score, with a model that gives sums of log-probabilities only."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from harness import plugins
from harness.models import AbstractModel, Facts
from harness.models.fake import FakeModel, FakeSession
from harness.plan.collections import Plan
from harness.plan.run import Run
from harness.stages.ask import ask
from harness.stages.collect import collect
from harness.stages.score import score
from harness.store.store import Store
from harness.types import (
    Control,
    Decoding,
    DistillbenchError,
    Kind,
    Pair,
    Paths,
    Score,
)
from tests.conftest import REPOSITORY

PAIRS = (Pair("teacher", "student", "base"), Pair("teacher", "server", "base"))
TASKS: dict[str, dict[str, Any]] = {
    "open": {"kind": "prompts", "file": "zoo/style_prompts.jsonl"},
    "answers": {"kind": "reading", "answers_to": "open", "alternatives": 512},
    "texts": {"kind": "reading", "text": "reading/texts.jsonl", "alternatives": 16},
    "next": {"kind": "next_token", "contexts": 50},
}
METRICS = (
    "token_divergence",
    "bits_per_byte",
    "shared_boundaries",
    "preference",
    "next_token_agreement",
)


@dataclass(frozen=True)
class Server(AbstractModel):
    """A fake that answers as many servers do: log-probabilities of whole texts, none of single tokens."""

    inner: FakeModel = field(
        default_factory=lambda: FakeModel("fake", "server", style="student", skill=0.9)
    )

    def offers(self) -> frozenset[Kind | Literal["tokens"]]:
        return self.inner.offers() - {"tokens"}

    @contextmanager
    def open(self, paths: Paths, previous: Facts | None = None) -> Iterator[FakeSession]:
        with self.inner.open(paths, previous) as session:
            yield session


def run(folder: Path, decoding: Decoding, tasks: Sequence[str] = tuple(TASKS)) -> Run:
    styles = {"teacher": 1.0, "student": 0.9, "base": 0.2, "control": 0.5}
    models: dict[str, AbstractModel] = {
        m: FakeModel("fake", m, style=m, skill=s) for m, s in styles.items()
    }
    models["server"] = Server("server", "server")
    return Run(
        title="", stages=("collect", "score"), models=models,
        tasks={t: plugins.build("tasks", t, TASKS[t]) for t in tasks},
        metrics={m: plugins.build("metrics", m, {"kind": m}) for m in METRICS},
        pairs=PAIRS, controls=(Control("control", "other"),), decoding=decoding, task_decodings={}, samples=1,
        conditions=(), paths=Paths(folder / "results", folder / "cache", (REPOSITORY / "tasks",)), limit=30,
        seed=0, workers=1, comparability="refuse",
    )  # fmt: skip


def collected(asked: Run, store: Store) -> Plan:
    plan = ask(asked, store)
    assert plan.pending == (("answers",) if "answers" in asked.tasks else ())
    plan = collect(plan, store).plan
    assert plan.pending == ()
    return plan


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Mapping[tuple[str, str, str], Score]:
    """(metric, task, student) -> score against the teacher, or of the model alone."""
    asked = run(tmp_path_factory.mktemp("reading"), Decoding(temperature=0.7, max_new_tokens=30))
    store = Store(asked.paths.results, asked.paths.lock)
    plan = collected(asked, store)
    assert {c.decoding.top_logprobs for c in plan.collections if c.model == "server"} == {0}
    assert plan.find("student", "answers").decoding.top_logprobs == 512  # type: ignore[union-attr]
    return {(s.metric, s.task, s.student): s for s in score(plan, store).scores}


@pytest.mark.slow
def test_whole_vocabularies_are_exact_and_others_say_at_least(
    scores: Mapping[tuple[str, str, str], Score],
) -> None:
    whole, part = (
        scores["token_divergence", "answers", "student"],
        scores["token_divergence", "texts", "student"],
    )
    assert (whole.unit, whole.n) == ("nats per token", 30)
    assert (part.unit, part.n) == ("nats per token, at least", 30)
    assert whole.value is not None
    assert whole.value > 0


def test_sums_alone_give_bits_and_preference_and_a_reason_for_the_rest(
    scores: Mapping[tuple[str, str, str], Score],
) -> None:
    for metric, task in (
        ("bits_per_byte", "texts"),
        ("bits_per_byte", "answers"),
        ("preference", "answers"),
    ):
        assert scores[metric, task, "server"].value is not None
    for metric in ("token_divergence", "shared_boundaries"):
        assert (
            scores[metric, "texts", "server"].reason
            == "server gives no log-probabilities of single tokens"
        )
    assert ("preference", "texts", "student") not in scores  # nobody of the matrix wrote them


def test_next_tokens_are_no_text_for_other_measures(
    scores: Mapping[tuple[str, str, str], Score],
) -> None:
    assert scores["next_token_agreement", "next", "student"].n == 30
    assert scores["next_token_agreement/over_controls", "next", "student"].n == 30
    assert ("next_token_agreement", "open", "student") not in scores


def test_alternatives_that_the_user_asks_for_are_still_refused(tmp_path: Path) -> None:
    asked = run(tmp_path, Decoding(top_logprobs=5), ("open",))
    with pytest.raises(
        DistillbenchError, match=r"decoding.top_logprobs: model server \(kind server\) gives no"
    ):
        ask(asked, Store(tmp_path / "results", True))
    alone = dataclasses.replace(
        asked, models={m: b for m, b in asked.models.items() if m != "server"}, pairs=PAIRS[:1]
    )
    assert ask(alone, Store(tmp_path / "results", True)).collections
