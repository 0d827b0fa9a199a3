"""MLflow: a run of an experiment, on a server or in a database of one's own (`mlflow ui`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness.trackers import AbstractTracker, Told

_AT_ONCE = 1000  # metrics of one call, the most that MLflow takes


@dataclass(frozen=True)
class MlflowTracker(AbstractTracker):
    """One run of the experiment `project`, with numbers as metrics and the rest as tags."""

    uri: str | None = None  # of the tracking server or database; None = MLFLOW_TRACKING_URI

    package: ClassVar[str] = "mlflow"
    install: ClassVar[str] = "'distillbench[mlflow]'"

    def track(self, told: Told) -> None:
        """Logs the numbers; metrics of MLflow are named with fewer characters than ours."""
        from mlflow.entities import Metric, RunTag
        from mlflow.tracking import MlflowClient

        client = MlflowClient(self.uri)
        known = client.get_experiment_by_name(self.project)
        place = known.experiment_id if known else client.create_experiment(self.project)
        run = client.create_run(place, run_name=told.title)
        when, key = run.info.start_time, run.info.run_id
        metrics = [Metric(name, value, when, 0) for name, value in told.numbers.items()]
        tags = [RunTag(name, value) for name, value in told.facts.items()]
        for i in range(0, len(metrics), _AT_ONCE):
            client.log_batch(key, metrics[i : i + _AT_ONCE])
        client.log_batch(key, tags=tags)
        client.set_terminated(key)
