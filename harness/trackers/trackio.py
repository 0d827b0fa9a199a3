"""trackio: a local database and dashboard, or a Space of the Hugging Face hub (`trackio show`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.trackers import AbstractTracker, Told


@dataclass(frozen=True)
class TrackioTracker(AbstractTracker):
    """One run of a project; where it is kept, TRACKIO_DIR, TRACKIO_SPACE_ID and TRACKIO_SERVER_URL say."""

    package: ClassVar[str] = "trackio"
    install: ClassVar[str] = "'distillbench[trackio]'"

    def track(self, told: Told) -> None:
        """Logs the numbers as one step."""
        import trackio

        facts: dict[str, Any] = {"title": told.title, **told.facts}
        quiet = {"embed": False, "auto_log_gpu": False, "auto_log_cpu": False}
        trackio.init(project=self.project, group=told.title, config=facts, **quiet)
        trackio.log(dict(told.numbers))
        trackio.finish()
