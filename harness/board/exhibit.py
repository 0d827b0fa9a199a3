"""The exhibit: a case for somebody who was not there, as values and as a document. Pure.

Everything that the document says follows from the bundle's own files, so that whoever checks the bundle can write the
document again. It says what answers support, and never more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.board.evidence import (
    ALTERNATIVES,
    SETTLING,
    Finding,
    Part,
    Weighing,
    documented,
    finding_table,
    odds_text,
    rates_view,
    stated_terms,
    weighing_of,
)
from harness.board.numerals import percent
from harness.board.record import CaseRecord, MethodNote
from harness.board.tables import Cell, Head, Table
from harness.keys import canonical
from harness.panel.evidence import Origin, Verdict, families_of, tried
from harness.panel.rates import Rates
from harness.stats.means import clopper_pearson

_PRIORS = {"1 : 100": 0.01, "1 : 10": 0.1, "1 : 1": 1.0, "10 : 1": 10.0}  # in words -> odds
_LIMITS = (
    "It is about these prompts, these models and this method. The odds are those of the answers alone, and the verdict "
    "goes by them: whoever believed before that one suspect in a hundred learned from this teacher has to multiply by "
    "that.",
    "Absence of a trace says little: some models that did learn from a teacher show none.",
    "What is documented of the other models' training is taken from tables; an error in them is an error in "
    "the rates.",
    "This bundle cannot protect its own digest: whoever changes everything in it makes a new bundle. Write the digest "
    "below down somewhere else, and compare.",
)


@dataclass(frozen=True)
class Method:
    """A method with everything that decides what it says."""

    name: str
    kind: str
    fields: Mapping[str, Any]  # as a matrix has them
    code: str  # digest of its code
    explanation: str


@dataclass(frozen=True)
class Answers:
    """One model's answers to one task, as a file of the bundle."""

    task: str
    model: str
    file: str
    sha256: str
    requests: str  # file of what was asked
    n: int  # prompts that it answered with some text


@dataclass(frozen=True)
class Exhibit:
    """All of a case but its answers and verdicts; `case.json`."""

    title: str
    suspect: str
    candidates: tuple[str, ...]  # families; () = all
    origins: tuple[Origin, ...]  # sorted by model
    methods: tuple[Method, ...]
    weighed: tuple[tuple[str, ...], ...]  # (method, task), in the order of the verdicts
    seed: int
    models: tuple[str, ...]  # everybody who was to answer
    answers: tuple[Answers, ...]  # by task, then by model
    requests: Mapping[str, str]  # file of what was asked -> its sha256
    is_registered: bool  # whether the plan lay there before the run
    plan: str  # sha256 of plan.json
    answers_before: tuple[str, ...]  # models whose answers were stored when the plan was written
    versions: Mapping[str, str]  # package -> version, plus python, platform
    writer: str  # digest of the code that writes the documents
    missing: tuple[str, ...] = ()  # methods without a verdict, and why
    terms: Mapping[str, str] = field(default_factory=dict)  # model -> as its YAML states them
    # family -> odds, as the user states them, that the suspect learned from it
    prior_odds: Mapping[str, float] = field(default_factory=dict)

    @property
    def families(self) -> Mapping[str, tuple[str, ...]]:
        """Candidate family -> its versions."""
        return families_of(self.origins, self.candidates)

    @property
    def case(self) -> CaseRecord:
        """The case as boards have it."""
        notes = tuple(MethodNote(m.name, m.explanation) for m in self.methods)
        return CaseRecord(
            self.suspect,
            self.candidates,
            self.families,
            self.origins,
            notes,
            self.missing,
            self.terms,
            prior_odds=self.prior_odds,
        )


# --- the document -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    """A paragraph."""

    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Words:
    """A command or a digest, to be copied: what it is, and the words themselves."""

    what: str
    words: str


@dataclass(frozen=True)
class Section:
    """A part of the document under its heading."""

    heading: str
    blocks: tuple[Said | Items | Words | Table, ...]


@dataclass(frozen=True)
class Document:
    """What a reader sees."""

    title: str
    sections: tuple[Section, ...]
    digest_words: str  # before the digest of the manifest, which stands in the last line


def document_of(exhibit: Exhibit, verdicts: Sequence[Verdict]) -> Document:
    """The document of a bundle: question, data, method, error rate, result, limits, what would settle it."""
    weighing = weighing_of(exhibit.case, verdicts)
    sections = (
        Section("Question", tuple(_question(exhibit))),
        Section("Data", tuple(_data(exhibit))),
        Section("Method", tuple(_method(exhibit))),
        Section("Known error rate", tuple(_error_rate(exhibit, weighing))),
        Section("Result", tuple(_result(exhibit, weighing))),
        Section("Limits, and other explanations that remain", tuple(_limits(exhibit))),
        Section("What would settle it", (Items(SETTLING),)),
        Section("How to check this bundle", tuple(_checking(exhibit))),
    )
    return Document(exhibit.title, sections, "Digest of manifest.json (sha256)")


def _said(*texts: str) -> Said:
    return Said(tuple((text, False) for text in texts))


def _question(exhibit: Exhibit) -> Iterator[Said | Items]:
    yield Said(((f"From whose answers did {exhibit.suspect} learn?", True),))
    named = exhibit.candidates or tuple(exhibit.families)
    yield _said("Candidates, each with the versions whose answers are compared:")
    yield Items(tuple(f"{f}: {', '.join(exhibit.families.get(f, ()))}" for f in named))
    if exhibit.is_registered:
        there = exhibit.answers_before
        names = f" of {len(there)} models, among them {exhibit.suspect}" if there else ""
        if there and exhibit.suspect not in there:
            names = f" of {len(there)} models, not of {exhibit.suspect}"
        yield _said(
            f"The plan was fixed before this run (plan.json, sha256 {exhibit.plan}); when it was written, answers"
            f"{names or ' of no model'} were stored. What shows that it is as old as that is where else its digest "
            "was written down; answers that were recorded elsewhere may be older than the plan."
        )
    else:
        yield _said("The plan was not fixed before the answers were collected.")


def _data(exhibit: Exhibit) -> Iterator[Said | Table]:
    origins = {o.model: o for o in exhibit.origins}
    heads = ("Model", "Documented", "Task", "File", "sha256")
    rows = (
        (Cell(a.model, a.model), _role(exhibit, origins.get(a.model), a.model), Cell(a.task, a.task),
         Cell(a.n, str(a.n)), Cell(a.file, a.file), Cell(a.sha256, a.sha256))
        for a in exhibit.answers
    )  # fmt: skip
    yield _said(
        "Every model's answers as they were stored, and what is documented of its training. sha256sum of the file "
        "gives the same digest."
    )
    named = [
        *map(Head, heads[:3]),
        Head("Prompts", "answered", numeric=True),
        *map(Head, heads[3:]),
    ]
    yield Table(tuple(named), tuple(rows))
    tasks = dict.fromkeys(a.task for a in exhibit.answers)
    there = {(a.task, a.model) for a in exhibit.answers}
    for task in tasks:
        if absent := [m for m in exhibit.models if (task, m) not in there]:
            yield _said(f"Planned, and without answers to {task}: {', '.join(absent)}.")
    yield _said("What was asked:")
    asked = tuple((Cell(f, f), Cell(d, d)) for f, d in sorted(exhibit.requests.items()))
    yield Table((Head("File"), Head("sha256")), asked)


def _role(exhibit: Exhibit, origin: Origin | None, model: str) -> Cell:
    """What is documented of a model, and whether it is the suspect."""
    own = documented(origin)
    if model != exhibit.suspect or origin is None:
        return own
    return Cell(own.value, f"the suspect; {own.text}")


def _method(exhibit: Exhibit) -> Iterator[Said | Items | Table]:
    for method in exhibit.methods:
        yield Said(((f"{method.name}. ", True), (method.explanation, False)))
        settings = [f"{k}: {canonical(v)}" for k, v in sorted(method.fields.items())]
        yield Items((f"kind: {method.kind}", *settings, f"code: {method.code}"))
    yield _said(
        f"Every model of the table was weighed as if it were the suspect. Seed {exhibit.seed}. Made with:"
    )
    versions = sorted(exhibit.versions.items())
    rows = tuple((Cell(name, name), Cell(version, version)) for name, version in versions)
    yield Table((Head("Package"), Head("Version")), rows)


def _error_rate(exhibit: Exhibit, weighing: Weighing) -> Iterator[Said | Table]:
    yield _said(
        "Every model whose training is documented was weighed by the very same procedure, with its own lineage "
        "left out of everything that was fitted. Intervals are Clopper and Pearson's at 95 %, of models and of "
        "lineages; a lineage counts as accused where one of its models is, and as found where all of its models are."
    )
    if weighing.is_documented:
        yield _said(
            f"{exhibit.suspect} stands in the tables itself. What they say of it is what is asked, so neither it nor a "
            "model of its lineage counts here."
        )
    for method, task in exhibit.weighed:
        rates = [r for r in weighing.rates if (r.method, r.task) == (method, task)]
        own = [v for v in weighing.verdicts if (v.method, v.task) == (method, task)]
        own = tried(own, exhibit.origins, exhibit.suspect)
        yield Said(((f"{method} on {task}", True),))
        yield rates_view(rates)
        yield _intervals(rates, own, exhibit.origins)


def _intervals(
    rates: Sequence[Rates], verdicts: Sequence[Verdict], origins: Iterable[Origin]
) -> Table:
    """Shares of innocents accused and of taught models found, by models and by lineages."""
    lineage = {o.model: o.lineage or o.model for o in origins}
    heads = (
        "Family",
        "Accused wrongly, of models that did not learn from it",
        "their lineages",
        "Found, of models that did",
        "their lineages",
    )
    rows = []
    for r in rates:
        about = [v for v in verdicts if r.family in ("", v.family)]
        taught = {v.suspect for v in about if v.truth is True}
        innocent = {v.suspect for v in about if v.truth is False}
        told = {v.suspect for v in about if v.truth is True and v.opinion.outcome == "supports"}
        accused = {lineage[m] for m in r.accused}
        missed = {lineage[m] for m in taught - told}
        own = {lineage[m] for m in taught}
        shares = (
            (len(r.accused), len(innocent)),
            (len(accused), len({lineage[m] for m in innocent})),
            (len(told), len(taught)),
            (len(own - missed), len(own)),
        )
        name = r.family or "all families"
        rows.append((Cell(name, name), *(_share(k, n) for k, n in shares)))
    return Table(tuple(Head(h, numeric=h != "Family") for h in heads), tuple(rows))


def _share(k: int, n: int) -> Cell:
    if not n:
        return Cell(None, "none there")
    return Cell(k / n, f"{k} of {n}: {percent(k / n, *clopper_pearson(k, n))}")


def _result(exhibit: Exhibit, weighing: Weighing) -> Iterator[Said | Items | Table]:
    for f in weighing.findings:
        yield Said(((f"{f.method} on {f.task}, {f.n} prompts. ", True), *f.words))
        yield finding_table(f.verdicts, f.prior_odds)
        if f.others:
            yield _said("Families that were not asked for:")
            yield finding_table(f.others, f.prior_odds)
        if (priors := _priors(f)) is not None:
            yield _said(
                "Odds after the evidence, for what somebody believed before it (odds that a suspect like this one "
                "learned from the family):"
            )
            yield priors
    if exhibit.missing:
        yield _said("Asked for, and not there:")
        yield Items(exhibit.missing)
    if stated := stated_terms(exhibit.case):
        yield _said("Terms of use as they were stated for candidates; shown, not judged:")
        yield Items(stated)


def _priors(finding: Finding) -> Table | None:
    """A row per family of which something can be told; None where there is none."""
    told = [
        (v.family, v.opinion.odds)
        for v in finding.verdicts
        if v.opinion.odds is not None and v.opinion.is_told
    ]
    if not told:
        return None
    heads = [
        Head("Candidate"),
        *(Head(f"before: {words}", numeric=True) for words in _PRIORS),
    ]
    rows = (
        (Cell(family, family), *(Cell(odds * p, odds_text(odds * p)) for p in _PRIORS.values()))
        for family, odds in told
    )
    return Table(tuple(heads), tuple(rows))


def _limits(exhibit: Exhibit) -> Iterator[Said | Items]:
    yield Items(_LIMITS)
    yield _said("The same answers may come from:")
    yield Items(ALTERNATIVES)


def _checking(exhibit: Exhibit) -> Iterator[Said | Words]:
    yield _said(
        "The command checks every byte against manifest.json, weighs the answers again, and compares every verdict and "
        "rate. It needs no network, and runs no code from this bundle."
    )
    version = exhibit.versions.get("distillbench", "")
    yield Words(f"with distillbench {version}", "distillbench verify DIR --digest DIGEST")
    yield _said(
        "manifest.json has the sha256 of every file; of the two documents, with 64 zeros in place of the digest below."
    )
