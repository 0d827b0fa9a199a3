"""The contract of every kind of plug-in as a function, for any test runner: ours are tested by them, so can yours be.

    from harness.testing import check_metric, use_folders

    def test_contract() -> None:
        use_folders([Path(__file__).parent])
        check_metric("same_opening", itself={"": 1.0})

Each takes a class, an instance or the name of a plug-in, and raises AssertionError with a sentence where it breaks its
contract. `panels`, `sides`, `reading` and `judgements` have made-up models to test numbers on, `boards` a run.
"""

from __future__ import annotations

from harness.plugins import use_folders
from harness.testing.executors import check_executor
from harness.testing.exports import check_exporter
from harness.testing.figures import check_figure
from harness.testing.measures import check_metric
from harness.testing.models import check_model
from harness.testing.tasks import check_task
from harness.testing.trackers import check_tracker
from harness.testing.verdicts import check_verdict

__all__ = [
    "check_executor",
    "check_exporter",
    "check_figure",
    "check_metric",
    "check_model",
    "check_task",
    "check_tracker",
    "check_verdict",
    "use_folders",
]
