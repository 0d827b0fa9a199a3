"""Whose answers a set of training answers looks like: the share of its rows, and the rows themselves.

Its prompts are other than those that the crowd answered, so only habits that need no common prompt count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import numpy as np

from harness.keys import draw_seed
from harness.panel.audits import AlikeRow, Audit, FamilyShare
from harness.panel.evidence import Crowd, Origin, Outcome
from harness.stats.odds import FEWEST_PROMPTS
from harness.stats.roc import auroc
from harness.stats.shares import (
    FEWEST_LINEAGES,
    FEWEST_ROWS,
    Known,
    Mask,
    Rows,
    Share,
    Told,
    reached,
    share_of,
    tell,
)
from harness.text.row_habits import CLASSES, Habits, in_one_table, row_habits
from harness.text.tokens import read_tokens
from harness.types import Ints, Unavailable

MOST_ROWS = 20_000  # of a file that are looked at, drawn at random where it has more
LEAST_APART = (
    0.9  # AUROC of a family's versions and other writers, left out, below which nothing is told
)
LEVEL = 0.05  # chance that a set by none of the candidates is said to hold rows of any
ALIKE = 0.01  # share of other writers' answers that are as much like a family's as a row that counts as alike
_FEWEST_INNOCENTS = 19  # 1 / (19 + 1) is LEVEL
_LITTLE = 0.25  # share that an interval stays below where a family is spoken against
_MOST_LISTED = 20  # rows for each family
_BEGINNING = 160  # characters of a row that are shown


class Row(NamedTuple):
    """One answer of a file."""

    place: str  # "row 12"
    text: str


@dataclass(frozen=True, eq=False)
class Scene:
    """The crowd's answers and a file's, in the same features."""

    known: Known
    rows: Rows  # of the file, that can be compared
    copies: Annotated[Ints, "N"]  # rows with the same number are the same text


class Case(NamedTuple):
    """One family as far as it is told."""

    family: str
    told: Told
    share: Share


def audit(
    crowd: Crowd,
    origins: Sequence[Origin],
    candidates: Sequence[str],
    rows: Sequence[Row],
    seed: int,
) -> Audit:
    """The audit of a file's rows; candidates: families, () = all of the crowd's. Raises Unavailable.

    The order of rows, models and candidates changes nothing.
    """
    some, writers = _drawn(rows, seed), writers_of(crowd, origins)
    if not crowd.families or len({w.lineage for w in writers.values()}) < FEWEST_LINEAGES:
        raise Unavailable(
            f"{len(writers)} models of documented training answered {crowd.task}; a family of candidates and at least "
            f"{FEWEST_LINEAGES} lineages are needed"
        )
    habits, n = _habits(crowd, writers, some)
    able = np.array([not reason for reason in habits.reasons])
    chosen = [row for row, is_able in zip(some, able[n:], strict=True) if is_able]
    copies = np.unique([row.text for row in chosen], return_inverse=True)[1]
    scene = _scene(crowd, writers, habits, able, copies)
    families = {f: own for f, own in crowd.families.items() if not candidates or f in candidates}
    cases, shares = shares_of(scene, families, writers, seed)
    listed = {f: _alike(case, scene, chosen) for f, case in cases.items()}
    full = [
        replace(
            s,
            n_alike=listed[s.family][0] if s.family in listed else 0,
            n_copies=_copies(crowd, families[s.family], some),
        )
        for s in shares
    ]
    full.sort(key=lambda s: (1.0 if s.share is None else -s.share, s.family))
    shown = [s.family for s in full if s.share is not None and s.outcome != "does not support"]
    left_out = Counter(reason for reason in habits.reasons[n:] if reason)
    return Audit(
        "",
        crowd.task,
        len(rows),
        len(some),
        dict(sorted(left_out.items())),
        tuple(full),
        tuple(row for family in shown for row in listed[family][1]),
    )


def shares_of(
    scene: Scene, families: Mapping[str, Sequence[str]], writers: Mapping[str, Origin], seed: int
) -> tuple[dict[str, Case], list[FamilyShare]]:
    """What is measured and said of each family (name -> versions).

    writers: whose rows are known, in the order of the scene's.
    """
    made = {f: _case(f, own, scene, writers, seed) for f, own in sorted(families.items())}
    cases = {f: one for f, one in made.items() if isinstance(one, Case)}
    ruled = _ruled(list(cases.values()))
    shares = [one if isinstance(one, FamilyShare) else ruled[f] for f, one in made.items()]
    return cases, [replace(s, n_versions=len(families[s.family])) for s in shares]


def writers_of(crowd: Crowd, origins: Sequence[Origin]) -> dict[str, Origin]:
    """Who stands for how others write, and all versions of candidates, sorted by name."""
    known = {
        o.model: o
        for o in origins
        if o.model in crowd.sides and o.standing in ("student", "control", "teacher")
    }
    for family, own in crowd.families.items():
        for model in own:
            known.setdefault(model, Origin(model, "other", family))
    return {m: replace(o, lineage=o.lineage or m) for m, o in sorted(known.items())}


def _drawn(rows: Sequence[Row], seed: int) -> list[Row]:
    """The rows that are looked at, in the order of their texts."""
    ordered = sorted((r.text.strip(), r.place) for r in rows)
    if len(ordered) <= MOST_ROWS:
        return [Row(place, text) for text, place in ordered]
    chosen = np.random.default_rng(seed).choice(len(ordered), MOST_ROWS, replace=False)
    return [Row(ordered[i][1], ordered[i][0]) for i in np.sort(chosen)]


def _habits(crowd: Crowd, writers: Mapping[str, Origin], rows: Sequence[Row]) -> tuple[Habits, int]:
    """Habits of the crowd's answers, writer by writer, and then of the rows; how many are the crowd's."""
    replies = {m: crowd.replies(m) for m in writers}
    texts = in_one_table(
        [*(r.tokens for r in replies.values()), read_tokens([r.text for r in rows])]
    )
    background = [np.full(len(r.prompts), m in crowd.background) for m, r in replies.items()]
    own = np.concatenate([*background, np.zeros(len(rows), dtype=np.bool_)])
    return row_habits(texts, own), len(own) - len(rows)


def _scene(
    crowd: Crowd,
    writers: Mapping[str, Origin],
    habits: Habits,
    able: Annotated[Mask, "R"],
    copies: Annotated[Ints, "N"],
) -> Scene:
    """The texts that can be compared."""
    prompts = [crowd.replies(m).prompts for m in writers]
    owner = np.repeat(np.arange(len(prompts)), [len(p) for p in prompts])
    asked = np.array([i for own in prompts for i in own])
    halves = np.unique(asked, return_inverse=True)[1] % 2
    own, rest = np.flatnonzero(able[: len(owner)]), np.flatnonzero(able[len(owner) :])
    lineages = tuple(o.lineage for o in writers.values())
    rows, mine = habits.rows(own), habits.rows(len(owner) + rest)
    known = Known(rows, owner[own], halves[own], tuple(writers), lineages, len(CLASSES))
    return Scene(known, mine, copies)


def _case(
    family: str,
    versions: Sequence[str],
    scene: Scene,
    writers: Mapping[str, Origin],
    seed: int,
) -> FamilyShare | Case:
    """One family beside the others who write; why nothing is told of it, where nothing is."""
    places = {m: i for i, m in enumerate(writers)}
    others = [
        places[m]
        for m, o in writers.items()
        if o.standing != "other" and m not in versions and family not in (o.family, *o.also)
    ]
    told = tell(scene.known, [places[v] for v in versions], others, scene.rows)
    rng = np.random.default_rng([seed, int(draw_seed(family)[:8], 16)])
    share = share_of(scene.known, told, scene.copies, scene.rows, rng) if told else None
    if told is not None and share is not None:
        return Case(family, told, share)
    n, rows = len({scene.known.lineages[w] for w in others}), len(scene.copies)
    reason = (
        f"{rows} rows can be compared; at least {FEWEST_ROWS} are needed"
        if rows < FEWEST_ROWS
        else f"{family} and {n} other lineages have too few answers about as long as these rows"
    )
    return FamilyShare(family, "cannot tell", n_lineages=n, reason=reason)


def _ruled(cases: Sequence[Case]) -> dict[str, FamilyShare]:
    """What is said of each family that is told.

    A set counts as its most standing-out family, in standard deviations above other writers; p is the share of other
    lineages that stand out as much towards any family. Source: Vovk, Gammerman and Shafer 2005 (conformal p).
    """
    apart = {c.family: _apart(c.share) for c in cases}
    peaks = _peaks([c for c in cases if apart[c.family] >= LEAST_APART])
    made = {}
    for family, _, share in cases:
        rest = (share.n, len(share.others), apart[family])
        one = FamilyShare(
            family, "cannot tell", n=rest[0], n_lineages=rest[1], apart=rest[2], reason=_NOT_APART
        )
        if apart[family] >= LEAST_APART:
            z = _standing(share.score, list(share.others.values()))
            p = (1 + sum(peak >= z for peak, _ in peaks.values())) / (1 + len(peaks))
            outcome, reason = _outcome(share, p, len(peaks))
            one = replace(one, outcome=outcome, reason=reason, p=p, accused=_accused(family, peaks))
            one = replace(one, share=share.value, low=share.low, high=share.high)
        made[family] = one
    return made


_NOT_APART = (
    "answers alone do not tell its versions from other writers: their AUROC, each left out, is below "
    f"{LEAST_APART}"
)


def _outcome(share: Share, p: float, n_innocent: int) -> tuple[Outcome, str]:
    if share.high < _LITTLE:
        return "does not support", ""
    if n_innocent < _FEWEST_INNOCENTS:
        few = f"{n_innocent} other lineages; at least {_FEWEST_INNOCENTS} are needed"
        return "cannot tell", few
    if p > LEVEL or share.low <= 0:
        return "cannot tell", "sets by other writers look as much like a candidate's"
    if share.n < FEWEST_PROMPTS:
        few = (
            f"{share.n} rows were compared; at least {FEWEST_PROMPTS} are needed to support anyone"
        )
        return "cannot tell", few
    return "supports", ""


def _apart(share: Share) -> float:
    values = [*share.others.values(), *share.versions.values()]
    return auroc(np.array(values), np.arange(len(values)) >= len(share.others))


def _standing(score: float, others: Sequence[float]) -> float:
    """Standard deviations above other writers."""
    return float((score - np.mean(others)) / max(float(np.std(others)), 1e-9))


def _peaks(cases: Sequence[Case]) -> dict[str, tuple[float, str]]:
    """Other lineage -> how far it stands out towards any family, the others being the measure, and towards which."""
    peaks: dict[str, tuple[float, str]] = {}
    for family, _, share in cases:
        for lineage, score in share.others.items():
            rest = [v for name, v in share.others.items() if name != lineage]
            one = (_standing(score, rest), family)
            peaks[lineage] = max(one, peaks.get(lineage, one))
    return peaks


def _accused(family: str, peaks: Mapping[str, tuple[float, str]]) -> tuple[str, ...]:
    """Lineages whose answers would be said to hold rows of a family, the others being the measure."""
    values = [peak for peak, _ in peaks.values()]
    return tuple(
        lineage
        for lineage, (peak, towards) in sorted(peaks.items())
        if towards == family and sum(v >= peak for v in values) / len(values) <= LEVEL
    )


def _copies(crowd: Crowd, versions: Sequence[str], rows: Sequence[Row]) -> int:
    """Rows of some length that are answers of a family word for word."""
    said = {" ".join(t.split()) for v in versions for t in crowd.texts(v).values()}
    squeezed = (" ".join(r.text.split()) for r in rows)
    return sum(t in said for t in squeezed if t.count(" ") >= CLASSES[0])


def _alike(case: Case, scene: Scene, rows: Sequence[Row]) -> tuple[int, list[AlikeRow]]:
    """How many rows are as alike as few answers of others, and those that are most."""
    there = np.flatnonzero(np.isfinite(case.told.rows))
    scores, classes = case.told.rows[there], scene.rows.classes[there]
    false, true = (
        reached(case.told, scene.known, scores, classes, family=family) for family in (False, True)
    )
    scaled = case.share.scaled(scores)
    listed = [
        AlikeRow(
            case.family,
            rows[there[i]].place,
            float(scaled[i]),
            float(false[i]),
            float(true[i]),
            " ".join(rows[there[i]].text.split())[:_BEGINNING],
        )
        for i in np.lexsort((-scores, false))[:_MOST_LISTED]
    ]
    return int(np.count_nonzero(false <= ALIKE)), listed
