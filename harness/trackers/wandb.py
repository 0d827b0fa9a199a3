"""Weights & Biases: a run of a project; WANDB_MODE=offline keeps it in a folder, for `wandb sync` later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.trackers import AbstractTracker, Told


@dataclass(frozen=True)
class WandbTracker(AbstractTracker):
    """One run of the project, with numbers as its summary and the rest as its configuration."""

    entity: str | None = None  # user or team; None = the one that is logged in

    package: ClassVar[str] = "wandb"
    install: ClassVar[str] = "'distillbench[wandb]'"

    def track(self, told: Told) -> None:
        """Writes the summary; neither code, nor console, nor the machine is recorded."""
        import wandb

        settings = wandb.Settings(
            silent=True, console="off", save_code=False, disable_git=True, x_disable_stats=True, x_disable_meta=True,
        )  # fmt: skip
        config: dict[str, Any] = dict(told.facts)
        run = wandb.init(
            project=self.project,
            entity=self.entity,
            name=told.title,
            config=config,
            settings=settings,
        )
        run.summary.update(dict(told.numbers))
        run.finish()
