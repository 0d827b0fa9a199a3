"""A model of the zoo: trained here when it is missing, then a checkpoint like any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import ClassVar, Literal, Self, final

from harness.console.processes import CHECKPOINTS, may_start_processes
from harness.keys import digest, place
from harness.models import AbstractModel
from harness.models.hf import HfBackend
from harness.schema import unknown
from harness.types import Decoding, DistillbenchError, Kind, Outputs, Paths, Request
from harness.zoo import Place, build
from harness.zoo import recipe as recipes
from harness.zoo.recipe import Scale


@dataclass
class _Held:
    """What is known once the zoo is prepared, and what an entered back end holds."""

    place: Place | None = None
    inner: HfBackend | None = None


@final
@dataclass(frozen=True)
class ZooBackend(AbstractModel):
    """A small model of known lineage; its recipe stands for its contents, so no training is needed to name it."""

    imports: ClassVar[tuple[str, ...]] = CHECKPOINTS

    version = HfBackend.version  # a checkpoint answers
    member: str = place("")  # which model
    step: int | None = None  # its state after so many steps of training; None = finished
    scale: Scale = "full"  # smoke: fewer and less learned models, in seconds
    seed: int = 0  # of the training
    _held: _Held = field(default_factory=_Held, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.member not in recipes.zoo(self.scale).models:
            raise DistillbenchError(
                f"key member: {unknown(self.member, list(recipes.zoo(self.scale).models))}"
            )
        steps = recipes.checkpoints(self.member, self.scale)
        if self.step is not None and self.step not in steps:
            kept = ", ".join(map(str, steps)) or "none of this model"
            raise DistillbenchError(
                f"key step: expected null or a step that is kept ({kept}), got {self.step}"
            )

    def contents(self, paths: Paths) -> Mapping[str, str]:
        """The recipe of the whole zoo, with the code that trains it."""
        return {"member": digest(recipes.digest(self.scale, self.seed), self.member)}

    def offers(self) -> frozenset[Kind | Literal["tokens"]]:
        """What a checkpoint offers."""
        return self._checkpoint(".").offers()

    @classmethod
    def prepare(cls, backends: Sequence[Self], paths: Paths) -> None:
        """Trains what is missing, all models of a recipe in one go."""

        def recipe(backend: Self) -> tuple[Scale, int]:
            return backend.scale, backend.seed

        for (scale, seed), group in groupby(sorted(backends, key=recipe), key=recipe):
            same, place = list(group), Place(paths.cache / "zoo", scale, seed)
            if not may_start_processes() and not all(place.holds(b.member) for b in same):
                raise DistillbenchError(
                    "the zoo is not trained yet, and a worker of a parallel sweep cannot train it; run the same "
                    "command once without the sweep, with stages=[collect]"
                )
            build([b.member for b in same], place)
            for backend in same:
                backend._held.place = place

    def batches(self, requests: Sequence[Request], decoding: Decoding) -> list[list[int]]:
        """As a checkpoint would cut them."""
        return self._entered().batches(requests, decoding)

    def __enter__(self) -> Self:
        if self._held.place is None:
            raise RuntimeError(f"model {self.name} is entered before the zoo is prepared")
        folder = self._held.place.folder / recipes.checkpoint_name(self.member, self.step)
        self._held.inner = self._checkpoint(str(folder)).__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._entered().__exit__(*exc)
        self._held.inner = None

    def answer(
        self, requests: Sequence[Request], prompt_ids: Sequence[str], decoding: Decoding
    ) -> Outputs:
        """What the checkpoint answers."""
        return self._entered().answer(requests, prompt_ids, decoding)

    def facts(self) -> dict[str, str | int | float]:
        """Those of the checkpoint."""
        return self._entered().facts()

    def _entered(self) -> HfBackend:
        if self._held.inner is None:
            raise RuntimeError(f"model {self.name} is asked before it is entered")
        return self._held.inner

    def _checkpoint(self, path: str) -> HfBackend:
        # One thread on the CPU wherever it runs: the same answers with or without an accelerator,
        # and no slower.
        return HfBackend(
            kind="hf",
            name=self.name,
            chat=self.chat,
            system=self.system,
            path=path,
            dtype="float32",
            device="cpu",
            threads=1,
        )
