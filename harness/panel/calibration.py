"""What was fitted on models of documented training, as a value that is written to a file and given to later runs.

It holds numbers and names of models, and no text. It belongs to one set of prompts and to the models that a suspect was
seen beside: with others the same resemblance means something else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from harness.panel.evidence import Crowd, Origin, Verdict
from harness.panel.rates import rates_of
from harness.stats.cllr import Bounds
from harness.stats.odds import Coefficients
from harness.types import Unavailable

_NAMED = 3  # missing models in one line


@dataclass(frozen=True)
class Fit:
    """What odds are made with, and what they may be."""

    coefficients: Coefficients
    low: float
    high: float

    @property
    def bounds(self) -> Bounds:
        """The bounds as odds are held by them."""
        return Bounds(self.low, self.high)


@dataclass(frozen=True)
class Errors:
    """How often the verdicts about one family were right and wrong, each model's own lineage left out."""

    family: str  # "" = all families
    n_guilty: int
    n_found: int
    n_innocent: int
    accused: tuple[str, ...]  # models
    cllr: (
        float | None
    )  # of all families: within them, weighed by students; None = no odds of both kinds


@dataclass(frozen=True)
class Calibration:
    """Fitted odds of one method on one set of prompts."""

    method: str
    version: int  # of what the method measures
    date: str  # of fitting, YYYY-MM-DD
    prompts: str  # digest of their texts
    n_prompts: int
    signals: tuple[str, ...]  # that the coefficients belong to, in their order
    models: Mapping[str, str]  # those that a suspect is seen beside -> their lineages
    fit: Fit
    without: Mapping[
        str, Fit
    ]  # lineage -> the same, had it not been there: for suspects of this lineage
    errors: tuple[Errors, ...] = field(default=())

    def check(self, crowd: Crowd) -> None:
        """Raises Unavailable where a crowd has other prompts, or lacks models that a suspect is to be seen beside."""
        prompts, n = crowd.prompts_key()
        if prompts != self.prompts:
            raise Unavailable(
                f"the calibration of {self.date} was fitted on {self.n_prompts} other prompts than these {n}: leave it "
                "out, and take the one that this run then writes"
            )
        lacking = sorted(self.models.keys() - crowd.background.keys())
        if lacking:
            more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
            raise Unavailable(
                f"the calibration of {self.date} was fitted beside {len(self.models)} models, of which no controls or "
                f"students here are {', '.join(lacking[:_NAMED])}{more}: add their answers, or leave it out"
            )

    def fit_for(self, known: Collection[str]) -> Fit:
        """The fit without those models that a suspect is of the lineage of: all that are not `known` beside it.

        Raises Unavailable where there is none.
        """
        own = sorted({lineage for model, lineage in self.models.items() if model not in known})
        if not own:
            return self.fit
        if len(own) == 1 and own[0] in self.without:
            return self.without[own[0]]
        raise Unavailable(
            f"the calibration of {self.date} has no fit without the suspect's lineage ({', '.join(own)})"
        )


def errors_of(verdicts: Sequence[Verdict], origins: Sequence[Origin]) -> tuple[Errors, ...]:
    """How often the verdicts of one method on one task were right and wrong, about all families and each."""
    return tuple(
        Errors(
            r.family,
            r.n_guilty,
            r.n_found,
            r.n_innocent,
            r.accused,
            r.cllr if r.family else r.cllr_within,
        )
        for r in rates_of(verdicts, origins, "")
    )
