"""Who is weighed on what: what is documented of everyone's training, everyone's answers, and what a verdict says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from harness.keys import digest
from harness.panel.reads import read_authors, reads
from harness.panel.side import Side
from harness.panel.texts import n_written, read_replies, replies
from harness.stats.betting import Stop
from harness.text.corpus import Replies
from harness.text.tokens import read_tokens

Standing = Literal["student", "teacher", "control", "other"]
Confidence = Literal["high", "medium", "low"]
Outcome = Literal["supports", "does not support", "cannot tell"]
OUTCOMES: tuple[Outcome, ...] = ("supports", "cannot tell", "does not support")


@dataclass(frozen=True)
class Origin:
    """What is documented about where a model's training answers came from."""

    model: str
    standing: Standing
    family: str = ""  # of a student: its teacher's; of a teacher: its own; "" = none
    # families that may have taught it as well, or whose lab made it: neither guilty nor innocent
    also: tuple[str, ...] = ()
    lineage: str = ""  # models of one lineage are no independent evidence
    confidence: Confidence = "high"  # how good the evidence is

    def learned_from(self, family: str) -> bool | None:
        """Whether it learned from a family's answers; None where that is not documented well enough to count."""
        unknown = self.standing == "student" and self.confidence == "low"
        if unknown or family in self.also or self.standing in ("other", "teacher"):
            return None
        return self.family == family

    @property
    def is_clean(self) -> bool:
        """Whether it is documented to have learned from no model's answers."""
        return self.standing == "control" and self.confidence == "high"


class Bystander(NamedTuple):
    """A model that stands for what models look like that did not learn from a family."""

    lineage: str
    kin: frozenset[str]  # families of which it is no innocent


@dataclass(frozen=True)
class Crowd:
    """Everyone's answers to one task, and who may stand for the innocents of which families."""

    task: str
    sides: Mapping[str, Side]  # by model, sorted by name
    families: Mapping[str, tuple[str, ...]]  # candidate family -> its versions, both sorted by name
    # students and controls that are no candidates, sorted by name, each with its lineage and the families of which it
    # is no innocent: taught by them, perhaps taught by them, or of their lab
    background: Mapping[str, Bystander]
    # model -> what the method that looks at the crowd made of it before, alone: see `AbstractVerdict.liken`
    likenesses: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    memo: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def replies(self, model: str) -> Replies:
        """A model's answers as tokens, with the ids of their prompts."""
        made = read_replies(self.sides[model])
        return Replies(made.prompts, made.tokens)

    def n_answered(self, model: str, *, read: bool) -> int:
        """How many prompts' texts a model read, or else how many of its answers are not empty.

        read: whether its answers are read as tokens anyway.
        """
        side = self.sides[model]
        if read_authors(side):
            return len({prompt for prompt, _ in reads(side)})
        return n_written(side) if read else len(self.texts(model))

    def asked(self) -> Replies:
        """The prompts' own texts as tokens, sorted by id."""
        prompts = {p.id: p.text for side in self.sides.values() for p in side.requests.prompts}
        ids = sorted(prompts)
        return Replies(tuple(ids), read_tokens([prompts[i] for i in ids]))

    def prompts_key(self) -> tuple[str, int]:
        """The digest of the prompts' texts, in whatever order, and how many they are."""
        prompts = {p.id: p.text for side in self.sides.values() for p in side.requests.prompts}
        return digest("prompts", *sorted(prompts.values())), len(prompts)

    def texts(self, model: str) -> dict[str, str]:
        """Prompt id -> a model's answer, without thoughts, in the order of the ids; empty answers are left out."""
        given = replies(self.sides[model])
        return {i: given[i].text for i in sorted(given) if given[i].text.strip()}


@dataclass(frozen=True)
class Test:
    """One number about a suspect and a family, that an opinion rests on."""

    name: str  # "function words"
    value: float
    # lineages of known innocents that reach it, of how many: (1 + n_reached) / (n + 1) is its p
    n_reached: int
    n: int

    @property
    def p(self) -> float:
        """Conformal p of one innocent lineage more. Source: Vovk, Gammerman and Shafer 2005."""
        return (1 + self.n_reached) / (1 + self.n)


@dataclass(frozen=True)
class Opinion:
    """What a verdict says of a suspect and one family of candidates."""

    family: str
    version: str  # the version of the family that the suspect resembles most
    # larger = more like a student of the family's, comparable among suspects and families; None = nothing can be told
    score: float | None
    outcome: Outcome
    odds: float | None = None  # likelihood ratio, within its bounds; None = the method gives none
    is_named: bool = False  # whether it is the family that the method would name
    reason: str = ""  # why it is not told
    is_told: bool = True  # False = whatever the odds are, nobody should look at them
    # numbers that it rests on; the first is its test of innocence
    tests: tuple[Test, ...] = ()
    stop: Stop | None = (
        None  # when one could have stopped asking; None where the method does not say
    )

    @property
    def p(self) -> float | None:
        """How often an innocent lineage looks so guilty, by the first test; None where no innocent is known."""
        return self.tests[0].p if self.tests and self.tests[0].n else None


@dataclass(frozen=True)
class Verdict:
    """An opinion as it stands in the record of a run: whose, about whom, on what."""

    method: str  # the verdict's name in the matrix
    task: str
    suspect: str
    opinion: Opinion
    n: int  # prompts that the suspect answered
    # whether the suspect learned from the family, where that is documented; its lineage was left out of the weighing
    truth: bool | None = None

    @property
    def family(self) -> str:
        """The family that it is about."""
        return self.opinion.family

    def posterior_odds(self, prior_odds: float) -> float | None:
        """Odds after the answers, from those before them; None where the method can tell nothing."""
        odds = self.opinion.odds
        return odds * prior_odds if odds is not None and self.opinion.is_told else None


def families_of(origins: Sequence[Origin], candidates: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Candidate family -> its versions: the documented teachers, and candidates that no table has."""
    versions: dict[str, list[str]] = {}
    for origin in origins:
        if origin.standing == "teacher":
            versions.setdefault(origin.family, []).append(origin.model)
    documented = {o.model for o in origins} | set(versions)
    for name in candidates:
        if name not in documented:
            versions[name] = [name]
    return {family: tuple(sorted(set(own))) for family, own in sorted(versions.items())}


def tried(verdicts: Sequence[Verdict], origins: Sequence[Origin], suspect: str) -> list[Verdict]:
    """The verdicts from which error rates follow; of the suspect and its lineage they have no truth.

    What a table says of them is what is asked, so they are no models whose truth is known. suspect: "" = everybody is.
    """
    others = {o.model for o in without_lineage(origins, suspect)}
    own = {suspect, *(o.model for o in origins)} - others
    return [replace(v, truth=None) if v.suspect in own else v for v in verdicts]


def without_lineage(origins: Sequence[Origin], suspect: str) -> list[Origin]:
    """What is documented of others: of no model of the suspect's lineage, nor of the suspect. Sorted by name."""
    own = {o.lineage for o in origins if o.model == suspect and o.lineage}
    left = (o for o in origins if o.model != suspect and o.lineage not in own)
    return sorted(left, key=lambda o: o.model)
