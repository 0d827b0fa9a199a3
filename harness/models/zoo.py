"""A model of the zoo: trained here when it is missing, then a checkpoint like any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import final

from harness.console.processes import CHECKPOINTS
from harness.keys import digest, place
from harness.models import AbstractModel, Facts, Offer
from harness.models._hf_session import HfSession
from harness.models.hf import HfModel
from harness.schema import unknown
from harness.types import DistillbenchError, Paths
from harness.zoo import Place, Thing, things
from harness.zoo import recipe as recipes
from harness.zoo.recipe import Scale


@final
@dataclass(frozen=True)
class ZooModel(AbstractModel):
    """A small model of known lineage; its recipe stands for its contents, so no training is needed to name it."""

    imports = CHECKPOINTS

    version = HfModel.version  # a checkpoint answers
    member: str = place("")  # which model
    step: int | None = None  # its state after so many steps of training; None = finished
    scale: Scale = "full"  # smoke: fewer and less learned models, in seconds
    seed: int = 0  # of the training

    def __post_init__(self) -> None:
        if self.member not in recipes.zoo(self.scale).models:
            raise DistillbenchError(
                f"key member: {unknown(self.member, list(recipes.zoo(self.scale).models))}"
            )
        steps = recipes.checkpoints(self.member, self.scale)
        if self.step is not None and self.step not in steps:
            stored = ", ".join(map(str, steps)) or "none of this model"
            raise DistillbenchError(
                f"key step: expected null or a stored step ({stored}), got {self.step}"
            )

    def contents(self, paths: Paths) -> Mapping[str, str]:
        """The recipe of the whole zoo, with the code that trains it."""
        return {"member": digest(recipes.digest(self.scale, self.seed), self.member)}

    def offers(self) -> frozenset[Offer]:
        """What a checkpoint offers."""
        return self._checkpoint(".").offers()

    def preparations(self, paths: Paths) -> Sequence[Thing]:
        """What has to be trained, and answered, before it is there."""
        return things([self.member], self._place(paths))

    def open(
        self, paths: Paths, previous: Facts | None = None
    ) -> AbstractContextManager[HfSession]:
        """The checkpoint that was trained."""
        folder = self._place(paths).folder / recipes.checkpoint_name(self.member, self.step)
        if not folder.is_dir():
            raise RuntimeError(f"model {self.name} is opened before it is trained")
        return self._checkpoint(str(folder)).open(paths, previous)

    def _place(self, paths: Paths) -> Place:
        return Place(paths.cache / "zoo", self.scale, self.seed)

    def _checkpoint(self, path: str) -> HfModel:
        # One thread on the CPU wherever it runs: the same answers with or without an accelerator,
        # and no slower.
        return HfModel(
            kind="hf",
            name=self.name,
            chat=self.chat,
            system=self.system,
            path=path,
            dtype="float32",
            device="cpu",
            threads=1,
        )
