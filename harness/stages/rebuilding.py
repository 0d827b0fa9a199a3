"""A job on another machine: made again from the plan there, by what it does and the keys of what it makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.executors import Job
from harness.plan.collections import Collection, Plan
from harness.plan.questions import Question
from harness.stages.collect import CollectJob, PrepareJob, collect_jobs, prepare_jobs
from harness.stages.features import ReadingJob, reading_job, reading_key
from harness.stages.grade import GradeJob, grade_jobs
from harness.stages.score import ScoreJob, questions_of, score_job
from harness.store.store import Store


@dataclass(frozen=True)
class Rebuilder:
    """Makes jobs of a plan again."""

    plan: Plan
    store: Store

    def job(self, doing: str, keys: Sequence[str]) -> Job:
        """The job that makes exactly these keys; raises KeyError where no job of the plan does."""
        for job in self._makers[doing](keys):
            if set(job.keys) == set(keys):
                return job
        raise KeyError(doing, *keys)

    @cached_property
    def _makers(self) -> dict[str, Callable[[Sequence[str]], Sequence[Job]]]:
        return {
            CollectJob.doing: lambda keys: collect_jobs(self.plan, keys.__contains__),
            PrepareJob.doing: self._prepare_jobs,
            GradeJob.doing: lambda keys: grade_jobs(self.plan, keys.__contains__),
            ReadingJob.doing: self._reading_jobs,
            ScoreJob.doing: self._score_jobs,
        }

    def _prepare_jobs(self, keys: Sequence[str]) -> list[Job]:
        """What has to be prepared depends on what is still to be asked."""
        missing = prepare_jobs(self.plan, lambda key: key in keys or not self.store.has(key))
        return [job for job in missing if set(job.keys) == set(keys)]

    def _reading_jobs(self, keys: Sequence[str]) -> list[Job]:
        return [reading_job(k, self._readings[k], apart=False) for k in keys]

    def _score_jobs(self, keys: Sequence[str]) -> list[Job]:
        return [score_job({k: self._questions[k] for k in keys}, apart=False)]

    @cached_property
    def _readings(self) -> dict[str, Collection]:
        """Key of the words -> the collection that they are of."""
        tasks = self.plan.run.tasks
        return {reading_key(c.key, tasks[c.task].think): c for c in self.plan.collections}

    @cached_property
    def _questions(self) -> dict[str, Question]:
        """Key of the scores -> what is asked for them, for everything that can be measured."""
        return questions_of(self.plan, self.store)
