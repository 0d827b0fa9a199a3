"""Whose answers a model may have learned from: five ways in which its replies resemble those of a candidate.

Everything is seen from a background of controls and known students, which never holds a candidate: one more candidate
changes no number of another. The procedure was found on recorded answers; tests/calibration/evidence.md says how it
does there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np

from harness.keys import draw_seed
from harness.stats.angles import Cohort, Resemblance, gram, half_cosines, resemblance, t_norm
from harness.stats.betting import STOPPING_ERROR, Stop, rounds_until
from harness.stats.mixture import Shares, mixture_gains
from harness.text import habits
from harness.text.corpus import Corpus, Mask
from harness.types import Floats, Ints

COVERED = 0.9  # of a pair's prompts, that a background model must have been asked
REPLIED = 0.5  # of them, that its replies must not be empty for
FEWEST_LINEAGES = 4  # in a cohort, below which there is no signal
FEWEST_PROMPTS = 20
ROUND = 10  # prompts after which one may look whether to stop
ALIKE = 2.0  # replies of so many times the length, or a part, are of a like length
# Standard deviations of the naming signals over AlpacaEval's pairs.
NAMING = {"function_words": 0.430, "openings": 1.198, "words": 1.119}
ODDS = ("function_words", "content_words")  # the signals that odds are made of
USED = (*ODDS, "openings", "words")  # by odds and by names
SIGNALS = (*USED, "pairs")  # word pairs add nothing to the odds, and cost more than all the others


class Member(NamedTuple):
    """A model of the background: nobody's student, or a student that is known."""

    name: str
    lineage: str
    kin: frozenset[str] = (
        frozenset()
    )  # families whose text it may have seen, or whose lab is its own


class Candidate(NamedTuple):
    """One version of a family of possible teachers."""

    name: str
    family: str


class Suspect(NamedTuple):
    """A model in question; it may be of the background, which then does without its lineage."""

    name: str
    lineage: str


@dataclass(frozen=True)
class Signals:
    """How a suspect resembles a family: each number is that of the family's closest version."""

    suspect: str
    family: str
    values: Mapping[str, float]  # by signal; empty where there is a reason
    closest: str = ""  # the version with the largest function-word angle
    naming: float | None = None  # the largest of all families names the teacher
    prompts: int = 0  # that suspect and closest version answered
    lineages: int = 0  # of the cohort
    alike: int = 0  # lineages of the cohort whose replies are about as long as the suspect's
    stop: Stop | None = None  # None where there are no innocents of a like length
    reason: str = ""  # why there are no values


def attribute(
    corpus: Corpus,
    background: Sequence[Member],
    suspects: Sequence[Suspect],
    candidates: Sequence[Candidate],
    wanted: Sequence[str] = USED,
) -> list[Signals]:
    """Signals of every suspect with every family, sorted by their names; `wanted`: some of SIGNALS.

    A pair is compared on the prompts that both were asked, against those of the background that were asked nine in ten
    of them: whoever answered few prompts is seen beside others on these few.
    The background holds no candidate (ValueError): another candidate would change everybody's numbers.
    """
    members = sorted(background)
    if both := sorted({m.name for m in members} & {c.name for c in candidates}):
        raise ValueError(f"{both[0]} is a candidate, and stands in the background")
    made: dict[tuple[str, str], list[Signals]] = {}
    for prompts, some, versions in _comparisons(corpus, suspects, candidates):
        able = _able(corpus.only(prompts), members)
        there = {m.name for m in able} | {s.name for s in some} | {c.name for c in versions}
        models = np.array([m in there for m in corpus.models], dtype=bool)
        scene = _Scene.of(corpus.only(prompts, models), able, wanted)
        for suspect in some:
            for one in _versions(scene, suspect, versions):
                made.setdefault((one.suspect, one.family), []).append(one)
    return [_closest(made[key]) for key in sorted(made)]


def name_teacher(signals: Sequence[Signals]) -> str:
    """The family with the largest naming score among one suspect's signals; "" where none has one."""
    named = [(s.naming, s.family) for s in signals if s.naming is not None]
    return max(named)[1] if named else ""


def _comparisons(
    corpus: Corpus, suspects: Sequence[Suspect], candidates: Sequence[Candidate]
) -> Iterator[tuple[Mask, list[Suspect], list[Candidate]]]:
    """Pairs by the prompts on which they are compared, suspects and candidates sorted.

    All prompts, where both were asked nearly all; else those that both were asked.
    """
    places = {name: i for i, name in enumerate(corpus.models)}
    groups: dict[bytes, dict[Suspect, list[Candidate]]] = {}
    for suspect in sorted(suspects):
        for candidate in sorted(candidates):
            asked = corpus.asked[:, [places[suspect.name], places[candidate.name]]]
            nearly = bool((asked.mean(axis=0) >= COVERED).all())
            both = np.ones(len(asked), dtype=bool) if nearly else asked.all(axis=1)
            groups.setdefault(both.tobytes(), {}).setdefault(suspect, []).append(candidate)
    for shared, by_suspect in groups.items():
        alike: dict[tuple[Candidate, ...], list[Suspect]] = {}
        for suspect, versions in by_suspect.items():
            alike.setdefault(tuple(versions), []).append(suspect)
        for listed, some in alike.items():
            yield np.frombuffer(shared, dtype=bool), some, list(listed)


@dataclass(frozen=True, eq=False)
class _Scene:
    """All that is counted of the prompts of some pairs, against the background that answered them."""

    corpus: Corpus
    members: tuple[Member, ...]
    grams: Mapping[str, Annotated[Floats, "M M"]]  # of function words, content words, openings
    shares: Mapping[str, Shares]  # of pairs, words
    lengths: Annotated[Floats, "M"]  # median tokens of a reply
    rounds: Annotated[Floats, "T M M"]  # cosines of function words in rounds of a few prompts

    @classmethod
    def of(cls, corpus: Corpus, able: tuple[Member, ...], wanted: Sequence[str]) -> _Scene:
        """The scene of a corpus; able: members that answered it."""
        lengths = np.array([_median(x) for x in corpus.lengths.T])
        nothing = cls(corpus, able, {}, {}, lengths, np.zeros((0, len(lengths), len(lengths))))
        if len({m.lineage for m in able}) < FEWEST_LINEAGES or len(corpus.prompts) < FEWEST_PROMPTS:
            return nothing
        everybody = _cohort(corpus, able)
        counts = habits.word_counts(corpus)
        words = habits.ranked(counts, corpus, everybody.models)
        if len(words) <= habits.CONTENT_RANKS[0]:
            return nothing
        rows = {
            "function_words": habits.word_rates(
                counts, corpus, words[slice(*habits.FUNCTION_RANKS)]
            ),
            "content_words": habits.word_rates(counts, corpus, words[slice(*habits.CONTENT_RANKS)]),
            "openings": habits.openings(corpus, everybody.models),
        }
        there = corpus.lengths > 0
        grams = {name: gram(one, there, everybody) for name, one in rows.items()}
        sizes = {"words": 1, "pairs": 2}
        shares = {k: habits.shares(corpus, n) for k, n in sizes.items() if k in wanted}
        shuffled = np.argsort([draw_seed(p) for p in corpus.prompts])
        rounds = half_cosines(rows["function_words"], there, everybody, shuffled, ROUND)
        return cls(corpus, able, grams, shares, lengths, rounds)

    def cohort(self, suspect: Suspect, family: str) -> Cohort | None:
        """The background without the suspect's lineage and the family's kin; None where too few lineages are left."""
        rest = [m for m in self.members if m.lineage != suspect.lineage and family not in m.kin]
        rest = [m for m in rest if m.name != suspect.name]
        made = _cohort(self.corpus, rest)
        return made if made.lineages >= FEWEST_LINEAGES else None

    def alike(self, suspect: int, cohort: Cohort) -> Annotated[Ints, "K"]:
        """Models of the cohort whose replies are about as long as the suspect's."""
        own, others = max(self.lengths[suspect], 1), np.maximum(self.lengths[cohort.models], 1)
        return np.asarray(cohort.models[(own / ALIKE <= others) & (others <= own * ALIKE)])

    def lineages(self, models: Annotated[Ints, "K"]) -> int:
        """How many lineages these models of the background are of."""
        lineage = {m.name: m.lineage for m in self.members}
        return len({lineage[self.corpus.models[m]] for m in models})

    def gains(
        self, suspect: int, cohorts: Mapping[str, Cohort], versions: Mapping[str, Ints]
    ) -> dict[str, dict[bytes, Annotated[Floats, "M"]]]:
        """What is shared with each model, by the kind of items and by the models of the cohort.

        Of each cohort (by family) with its models and the versions of the families that are seen against it.
        """
        distinct = {c.models.tobytes(): c for c in cohorts.values()}
        beside: dict[bytes, list[Ints]] = {}
        for family, cohort in cohorts.items():
            beside.setdefault(cohort.models.tobytes(), []).append(versions[family])
        others = [np.concatenate(beside[key]) for key in distinct]
        return {
            name: dict(
                zip(
                    distinct,
                    mixture_gains(shares, suspect, list(distinct.values()), others),
                    strict=True,
                )
            )
            for name, shares in self.shares.items()
        }

    def near(
        self,
        suspect: int,
        cohort: Cohort,
        versions: Annotated[Ints, "V"],
        gains: Mapping[str, Mapping[bytes, Annotated[Floats, "M"]]],
    ) -> dict[str, Annotated[Floats, "V"]]:
        """How the suspect resembles a family's versions, by signal; `gains`: of all cohorts."""
        made = {k: resemblance(g, suspect, cohort, versions) for k, g in self.grams.items()}
        for name, by_cohort in gains.items():
            own = by_cohort[cohort.models.tobytes()]
            made[name] = Resemblance(own[versions], own[cohort.models])
        return {
            name: one.candidates if name.endswith("_words") else t_norm(one, cohort)
            for name, one in made.items()
        }

    def stop(self, suspect: int, versions: Annotated[Ints, "V"], cohort: Cohort) -> Stop | None:
        """When the suspect was nearer to a family than each innocent of a like length, round by round."""
        alike = self.alike(suspect, cohort)
        if not len(alike):
            return None
        near = self.rounds[:, :, versions].max(axis=2)
        wins = (np.sign(near[:, [suspect]] - near[:, alike]) + 1) / 2
        rounds = rounds_until(wins.T, STOPPING_ERROR)
        n = len(self.corpus.prompts)
        return Stop(None if rounds is None else rounds * ROUND, n, self.lineages(alike))


def _able(corpus: Corpus, members: Sequence[Member]) -> tuple[Member, ...]:
    """The members without those that were asked, or replied to, too few of the prompts."""
    n = max(len(corpus.prompts), 1)
    asked = dict(zip(corpus.models, corpus.asked.sum(axis=0) / n, strict=True))
    said = dict(zip(corpus.models, (corpus.lengths > 0).sum(axis=0) / n, strict=True))
    return tuple(m for m in members if asked[m.name] >= COVERED and said[m.name] >= REPLIED)


def _cohort(corpus: Corpus, members: Sequence[Member]) -> Cohort:
    """Places and weights of members: a lineage weighs 1 over the number of lineages, its models the same part."""
    lineages = [m.lineage for m in members]
    places = {name: i for i, name in enumerate(corpus.models)}
    models = np.array([places[m.name] for m in members], dtype=np.int64)
    weights = np.array([1 / lineages.count(name) for name in lineages])
    return Cohort(models, weights / max(len(set(lineages)), 1), len(set(lineages)))


def _versions(scene: _Scene, suspect: Suspect, versions: Sequence[Candidate]) -> Iterator[Signals]:
    """Signals of a suspect with each version."""
    families = {c.family: scene.cohort(suspect, c.family) for c in versions}
    places = {name: i for i, name in enumerate(scene.corpus.models)}
    own = places[suspect.name]
    cohorts = {f: cohort for f, cohort in families.items() if cohort is not None}
    of_family = {f: np.array([places[c.name] for c in versions if c.family == f]) for f in cohorts}
    gains = scene.gains(own, cohorts, of_family)
    near = {f: scene.near(own, cohort, of_family[f], gains) for f, cohort in cohorts.items()}
    stops = {f: scene.stop(own, of_family[f], cohort) for f, cohort in cohorts.items()}
    said = (scene.corpus.lengths > 0).sum(axis=0)
    for candidate in versions:
        cohort, other = families[candidate.family], places[candidate.name]
        answered = int(min(said[own], said[other]))
        itself = candidate.name == suspect.name
        if itself or cohort is None or not scene.grams or answered < FEWEST_PROMPTS:
            reason = "it is this candidate itself" if itself else _too_few(scene, answered)
            yield Signals(suspect.name, candidate.family, {}, reason=reason)
            continue
        place = int(np.flatnonzero(of_family[candidate.family] == other)[0])
        values = {name: float(one[place]) for name, one in near[candidate.family].items()}
        if alike := [name for name in SIGNALS if not np.isfinite(values.get(name, 0.0))]:
            reason = f"the background's models do not differ in their {alike[0].replace('_', ' ')}"
            yield Signals(suspect.name, candidate.family, {}, reason=reason)
            continue
        yield Signals(
            suspect.name,
            candidate.family,
            values,
            candidate.name,
            prompts=len(scene.corpus.prompts),
            lineages=cohort.lineages,
            alike=scene.lineages(scene.alike(own, cohort)),
            stop=stops[candidate.family],
        )


def _too_few(scene: _Scene, answered: int) -> str:
    lineages, prompts = len({m.lineage for m in scene.members}), len(scene.corpus.prompts)
    if answered < FEWEST_PROMPTS:
        return f"{answered} prompts answered by both; {FEWEST_PROMPTS} are needed"
    if not scene.grams and lineages >= FEWEST_LINEAGES:
        return (
            f"the background's replies have no more than {habits.CONTENT_RANKS[0]} different words"
        )
    return (
        f"{lineages} lineages of controls and known students answered {COVERED:.0%} of the {prompts} prompts; "
        f"without the suspect's own and the family's kin, {FEWEST_LINEAGES} are needed"
    )


def _closest(versions: Sequence[Signals]) -> Signals:
    """The family's signals: of each the largest of its versions."""
    able = [v for v in versions if not v.reason]
    if not able:
        return versions[0]
    # a version that answered a few prompts only is not the closest by chance
    most = max(v.prompts for v in able)
    able = [v for v in able if v.prompts >= COVERED * most]
    first = max(able, key=lambda v: (v.values["function_words"], v.closest))
    values = {name: max(v.values[name] for v in able) for name in first.values}
    naming = sum(values[name] / spread for name, spread in NAMING.items()) / len(NAMING)
    return Signals(
        first.suspect,
        first.family,
        values,
        first.closest,
        naming,
        first.prompts,
        first.lineages,
        first.alike,
        first.stop,
    )


def _median(lengths: Annotated[Ints, "P"]) -> float:
    """Median tokens of the replies that are not empty."""
    some = lengths[lengths > 0]
    return float(np.median(some)) if len(some) else 0.0
