"""Would a model that the teacher never taught look like this? Inference over models: n counts control lineages.

Results have their own types (ModelLevel...), so that a p-value over prompts cannot be used in their place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

import numpy as np

from harness.stats.means import LEVEL, t_quantile
from harness.types import Floats, Unavailable

CONFORMAL_MINIMUM = 19  # lineages with which p = .05 can be reached
NORMAL_MINIMUM = 4  # lineages below which nothing is said


class ModelLevelP(NamedTuple):
    """A p-value whose reference is models."""

    p: float
    lineages: int  # the least p that can come out is 1 / (lineages + 1)


class ModelLevelLimit(NamedTuple):
    """The bound that a further control stays under with 95 %."""

    limit: float
    mean: float
    sd: float
    lineages: int
    assumption: str = "assumes normal controls"


class ModelLevelEvidence(NamedTuple):
    """A value compared with controls, by the strongest method that their number allows."""

    value: float
    excess: float  # value minus the controls' mean
    lineages: int
    says: Literal["above", "not above", "cannot tell"]
    p: float | None  # conformal, from 19 lineages on
    limit: float | None  # prediction limit, from 4 lineages on
    assumption: str  # "exchangeable controls", "assumes normal controls" or why it cannot tell


def conformal_p(value: float, controls: Annotated[Floats, "m"]) -> ModelLevelP:
    """(1 + controls at least as large) / (m + 1); controls (m,), one per independent lineage.

    Valid where the controls and a clean student are exchangeable, whatever their distribution.
    Source: Vovk, Gammerman and Shafer 2005; Bates et al. 2023.
    """
    _require_finite(controls)
    return ModelLevelP(
        (1 + int(np.count_nonzero(controls >= value))) / (len(controls) + 1), len(controls)
    )


def max_t_p(
    values: Annotated[Floats, "k"], controls: Annotated[Floats, "m k"]
) -> tuple[ModelLevelP, ...]:
    """For each candidate j: (1 + controls c with max_k Z_k(c) >= Z_j(s)) / (m + 1); values (k,), controls (m, k).

    Holds for all candidates together: the chance that a clean student has any p <= .05 is at most .05.
    Source: Westfall and Young 1993.
    """
    largest = controls.max(axis=1)
    return tuple(conformal_p(float(z), largest) for z in values)


def prediction_limit(controls: Annotated[Floats, "m"], level: float = LEVEL) -> ModelLevelLimit:
    """mean + t(m - 1, level) sd sqrt(1 + 1/m): one-sided, for one further control; controls (m,), one per lineage.

    Raises Unavailable below 4 lineages.
    """
    _require_finite(controls)
    m = len(controls)
    if m < NORMAL_MINIMUM:
        raise Unavailable(f"{m} control lineages; at least {NORMAL_MINIMUM} are needed for a limit")
    mean, sd = float(controls.mean()), float(controls.std(ddof=1))
    return ModelLevelLimit(mean + t_quantile(level, m - 1) * sd * (1 + 1 / m) ** 0.5, mean, sd, m)


def evidence(value: float, controls: Annotated[Floats, "m"]) -> ModelLevelEvidence:
    """What controls (m,), one per lineage, say of a value: conformal p from 19 on, else the normal limit from 4 on."""
    m = len(controls)
    excess = value - float(controls.mean()) if m else value
    if m < NORMAL_MINIMUM:
        reason = f"{m} control lineages; at least {NORMAL_MINIMUM} are needed"
        if m == 0:
            raise Unavailable(reason)
        return ModelLevelEvidence(value, excess, m, "cannot tell", None, None, reason)
    limit = prediction_limit(controls).limit
    if m < CONFORMAL_MINIMUM:
        says: Literal["above", "not above"] = "above" if value > limit else "not above"
        return ModelLevelEvidence(value, excess, m, says, None, limit, "assumes normal controls")
    p = conformal_p(value, controls).p
    says = "above" if p <= 1 - LEVEL + 1e-12 else "not above"
    return ModelLevelEvidence(value, excess, m, says, p, limit, "exchangeable controls")


def one_per_lineage(
    values: Mapping[str, float], lineages: Mapping[str, str]
) -> Annotated[Floats, "m"]:
    """(m,) the largest value of each lineage, sorted by its name: siblings count once, and against the claim."""
    largest: dict[str, float] = {}
    for model, value in values.items():
        lineage = lineages.get(model, model)
        largest[lineage] = max(value, largest.get(lineage, -np.inf))
    return np.array([largest[name] for name in sorted(largest)], dtype=np.float64)


def poisson_binomial_p(k: int, p: Annotated[Floats, "n"]) -> float:
    """P(X >= k), X = number of successes in independent trials of chances p (n,). Over prompts, not over models.

    Exact, by adding one trial at a time to the distribution: only sums of positive terms, so small tails keep their
    digits; 12,000 trials take 0.1 s. Source: Hong 2013.
    """
    if not np.all((p >= 0) & (p <= 1)):
        raise ValueError("poisson_binomial_p: chances outside [0, 1]")
    if k <= 0:
        return 1.0
    if k > len(p):
        return 0.0
    chance = np.zeros(len(p) + 1)
    chance[0] = 1.0
    for i, p_i in enumerate(np.sort(p).tolist()):
        chance[1 : i + 2] = chance[1 : i + 2] * (1 - p_i) + chance[: i + 1] * p_i
        chance[0] *= 1 - p_i
    return min(1.0, float(chance[k:].sum()))


def _require_finite(controls: Annotated[Floats, "*shape"]) -> None:
    if not np.all(np.isfinite(controls)):
        raise ValueError(
            "controls: values that are not finite; a control without a value has to be left out"
        )
