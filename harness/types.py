"""The values that flow through distillbench, in the order in which they appear.

Read this file first. Everything here is frozen and has no logic beyond checks::

    Prompt, Request -> RequestSet   what a task asks            (tasks/)
    Decoding                        how answers are drawn       (conf/decoding)
    Outputs                         what one model answered     (models/)
    Grades                          what lm-eval says of it     (tasks/)
    panel.side.Side, panel.Panel    the answers that one measure compares
    Mean, Ratio, Smooth, Given      what a measure found        (metrics/), before statistics
    Score                           one number with its interval, or the reason why there is none
    Pair, Control                   who is compared with whom   (a matrix)
    board.record.RunRecord          what the page shows         (stages/record -> stages/report)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Kind = Literal["generate", "score", "read", "choose"]
Better = Literal["higher", "lower", "none"]
Level = Literal["prompts", "models"]


class DistillbenchError(Exception):
    """The user's input is wrong; the message says where, what was expected, what came, and the cure."""


class Unavailable(Exception):
    """A measure has no value here; the message is the reason that the reader sees in its place."""


# --- where things are ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Paths:
    """Where things are; from the configuration's `paths`, made absolute."""

    results: Path  # what a run leaves: store, work, report
    cache: Path  # what can be made again: zoo, memoised digests
    tasks: tuple[Path, ...] = ()  # folders with task files, ours last
    data: Path | None = None  # recorded outputs
    datasets: Path | None = None  # local copies of hub data sets, in the hub's layout
    plugins: tuple[Path, ...] = ()  # folders of the user's own plug-ins: DIR/metrics/NAME.py ...
    lock: bool = True  # False on file systems without flock


# --- what a task asks ---------------------------------------------------------------------------


@dataclass(frozen=True)
class ReplyTo:
    """A slot in a conversation: the same model's own reply to an earlier request stands here once it is known."""

    request: int  # index into RequestSet.requests


@dataclass(frozen=True)
class Message:
    """One turn of a conversation; role is "system", "user" or "assistant"."""

    role: str
    content: str | ReplyTo

    @property
    def text(self) -> str:
        """The content of a message whose slot, if it has one, is filled."""
        if isinstance(self.content, ReplyTo):
            raise ValueError(f"the reply to request {self.content.request} is not filled in")
        return self.content


@dataclass(frozen=True)
class Prompt:
    """One row of a task's data set: the unit in which models are aligned."""

    # sha256 of (task name, data-set row as canonical JSON), "#k" appended for its k-th copy
    id: str
    text: str  # what a reader of the page sees as the question
    # the unit of resampling: prompts that share a passage share it; the id where nothing is shared
    cluster: str
    category: str  # kind of prompt ("" where the task has none)
    n_options: int | None = None  # number of options, multiple choice only
    gold: int | None = None  # index of the right option, multiple choice only
    name: str = ""  # its id in the user's file ("" = none), for recorded answers


@dataclass(frozen=True)
class Request:
    """One thing to ask a model. Before any chat template is applied."""

    prompt: int  # index into RequestSet.prompts
    kind: Kind
    context: str | tuple[Message, ...]  # text, or a conversation; "" = unconditional
    leaf: str = ""  # the task inside a group that asks it
    slot: int = 0  # lm-eval's idx: which option or request of a prompt; below 0: panel/orders
    repeat: int = 0  # lm-eval's repeats: index of the repeat of the same request
    continuation: str = ""  # the text whose log-probability is wanted; score: as lm-eval cuts it
    open: bool = True  # conversations: False = the last assistant message is a prefill that goes on
    until: tuple[str, ...] = ()  # generate only: stop strings
    max_new_tokens: int | None = None  # generate only; None = Decoding's
    temperature: float | None = None  # generate only; None = Decoding's (lm-eval's state their own)
    top_p: float | None = None  # generate only; None = Decoding's
    n_options: int | None = None  # choose only
    # choose only: number of the first option where options have numbers; None = the answers tell
    first_number: int | None = None

    @property
    def replies(self) -> tuple[int, ...]:
        """Indices of the requests whose replies stand in the conversation."""
        turns = () if isinstance(self.context, str) else self.context
        return tuple(m.content.request for m in turns if isinstance(m.content, ReplyTo))


@dataclass(frozen=True)
class RequestSet:
    """All that a task asks of one model; stored, and part of the key of every answer to it."""

    task: str  # configuration's name
    prompts: tuple[Prompt, ...]
    requests: tuple[Request, ...]
    chat: bool  # whether contexts are conversations
    version: str  # the task's own version, for comparability
    # what measures can use: "grades", "choices", "tokens", "text" (open answers), "style"
    # (open-ended answers whose style is looked at), "reading" (log-probabilities of texts),
    # "answers" (those texts are models' answers), "next_token", "verdicts" (a judge's, of two others)
    yields: tuple[str, ...]
    notes: tuple[str, ...] = ()  # what was dropped while building, for the reader
    # further (opening, closing) tags around what models think aloud
    think: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.prompts:
            raise DistillbenchError(
                f"task {self.task}: no prompts; expected at least one row of data"
            )
        ids = {p.id for p in self.prompts}
        if len(ids) != len(self.prompts):
            raise ValueError(f"task {self.task}: prompt ids are not unique")
        if any(not 0 <= r.prompt < len(self.prompts) for r in self.requests):
            raise ValueError(f"task {self.task}: a request points outside the prompts")
        for i, request in enumerate(self.requests):
            if any(j >= i or self.requests[j].kind != "generate" for j in request.replies):
                raise ValueError(f"task {self.task}: a slot has no earlier request for text")


# --- how answers are drawn, and the answers -----------------------------------------------------


@dataclass(frozen=True)
class Decoding:
    """How text is drawn. One Outputs holds one sample; a second sample is another Decoding."""

    temperature: float = 0.0  # 0 = greedy
    top_p: float = 1.0  # tokens of the most likely share of probability; 1 = all
    max_new_tokens: int = 256  # tokens; for requests that state none
    seed: int = 0  # of everything that is drawn; the run's where none is given
    # 0 is the first sample, 1 the second ...; seeds every request together with its prompt id
    sample: int = 0
    top_logprobs: int = 0  # K alternatives stored for every token; 0 = no token columns

    def __post_init__(self) -> None:
        expected = {
            "temperature": (self.temperature >= 0, "0 or more"),
            "top_p": (0 < self.top_p <= 1, "a number in (0, 1]"),
            "max_new_tokens": (self.max_new_tokens >= 1, "1 or more"),
            "top_logprobs": (self.top_logprobs >= 0, "0 or more"),
        }
        faults = [
            f"key {key}: expected {words}, got {vars(self)[key]}"
            for key, (holds, words) in expected.items()
            if not holds
        ]
        if faults:
            raise DistillbenchError("\n".join(faults))


@dataclass(frozen=True)
class TokenColumns:
    """Per-token columns of N rows, flat with offsets: row i is [offsets[i], offsets[i + 1])."""

    offsets: Annotated[Ints, "N1"]  # N + 1 of them
    token_ids: Annotated[Ints, "T"]
    logprobs: Annotated[NDArray[np.float32], "T"]  # nats
    top_ids: Annotated[NDArray[np.int32], "T K"]  # most probable first
    top_logprobs: Annotated[NDArray[np.float32], "T K"]  # nats
    byte_ends: Annotated[Ints, "T"] | None = None  # ends of tokens in its text's UTF-8, where known
    vocabulary: str = ""  # digest of the tokenizer's: ids mean the same where it is equal
    # id -> token as its tokenizer writes it, for all ids above; empty where nobody said
    names: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outputs:
    """What one model answered to N requests, in their order. A field is full for the rows of its kind."""

    request: Annotated[Ints, "N"]  # index into RequestSet.requests
    kind: tuple[Kind, ...]  # (N,)
    n_tokens: Annotated[Ints, "N"]  # generated, or scored; 0 where recorded answers do not say
    text: tuple[str | None, ...]  # generate
    # generate: "eos", "length", "stop", "unknown"; of servers also "content_filter", "tool_calls"
    stop: tuple[str | None, ...]
    logprob_nats: Annotated[Floats, "N"]  # score and read (-inf: probability 0); else NaN
    greedy: tuple[bool | None, ...]  # score: the continuation is what greedy decoding would give
    choice: tuple[int | None, ...]  # choose: option; None = no answer could be extracted
    # False = a file or a server has no answer to this request; the row is empty
    answered: tuple[bool, ...]
    tokens: TokenColumns | None = None
    # tokens of the prompt that were left out because it did not fit; None = all were whole
    n_cut: Annotated[Ints, "N"] | None = None

    def __post_init__(self) -> None:
        columns = [v for k, v in vars(self).items() if k != "tokens" and v is not None]
        if any(len(c) != len(self.request) for c in columns):
            raise ValueError(f"Outputs: columns differ in length from {len(self.request)} requests")
        for i, kind in enumerate(self.kind):
            if not self.answered[i]:
                continue
            if kind == "generate" and self.text[i] is None:
                raise ValueError(f"Outputs: row {i} has no text")
            if kind in ("score", "read") and not self.logprob_nats[i] < np.inf:
                raise ValueError(
                    f"Outputs: row {i} has log-probability {self.logprob_nats[i]}; expected a number of nats, or -inf"
                )


@dataclass(frozen=True)
class GradeColumn:
    """lm-eval's own value per prompt for one (leaf, metric, filter), and its aggregate."""

    leaf: str
    metric: str
    filter: str
    better: Better
    # (P,) index into RequestSet.prompts; empty where lm-eval's aggregate is no mean of prompts
    prompt: Annotated[Ints, "P"]
    value: Annotated[Floats, "P"]
    aggregate: float | None  # lm-eval's own number; None where lm-eval gives none (reason says why)
    reason: str = ""
    # (P,) what was graded, equal where the grader takes it for the same; None = none extracted; () = not known
    answers: tuple[str | None, ...] = ()


@dataclass(frozen=True)
class Grades:
    """Per (model, task): one column for every number that lm-eval reports."""

    columns: tuple[GradeColumn, ...]


# --- what is known of a prompt beyond its text --------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """How a prompt stands in a model's training text, where it does."""

    exact: bool  # word for word
    ngrams: float  # share of its n-grams, above 0 and up to 1


# --- what a measure found, before statistics ----------------------------------------------------


@dataclass(frozen=True)
class Mean:
    """A mean over prompts."""

    values: Annotated[Floats, "P"]
    prompts: tuple[str, ...]  # (P,) Prompt.id
    clusters: tuple[str, ...]  # (P,) Prompt.cluster


@dataclass(frozen=True)
class Ratio:
    """A ratio of two sums of paired means; every stratum has its own prompts (one task each, say)."""

    strata: tuple[RatioStratum, ...]


@dataclass(frozen=True)
class RatioStratum:
    """Numerator and denominator of a ratio, paired by prompt."""

    numerator: Annotated[Floats, "P"]
    denominator: Annotated[Floats, "P"]
    prompts: tuple[str, ...]  # (P,)
    clusters: tuple[str, ...]  # (P,)
    # (2, 2) covariance that the spread of pseudo-values counts twice
    surplus: Annotated[Floats, "2 2"] | None = None


@dataclass(frozen=True)
class Smooth:
    """A smooth function of means of sufficient statistics; `combine` is vectorised over leading axes."""

    parts: Annotated[Floats, "P K"]
    combine: Callable[[Floats], Floats]  # (..., K) means -> (...)
    prompts: tuple[str, ...]  # (P,)
    clusters: tuple[str, ...]  # (P,)
    kinds: Annotated[Floats, "M K"] | None = None
    # kinds: (M, K) every row that parts can have, where they are few (right or wrong of two models:
    # 4). The interval, not the value, is then made with one more prompt of each: without it a kind
    # that happened not to come up (both wrong, of two good models) is taken to be impossible, and
    # the interval is far too narrow.


@dataclass(frozen=True)
class Given:
    """A number whose interval the measure itself had to make (model-level, or lm-eval's own aggregate)."""

    value: float
    low: float | None
    high: float | None
    n: int
    level: Level = "prompts"
    note: str = ""  # says why there is no interval, where there is none


Statistic = Mean | Ratio | Smooth | Given


@dataclass(frozen=True)
class Finding:
    """One number that a measure found: a statistic, or the reason why there is none."""

    statistic: Statistic | str  # str = the reason
    name: str = ""  # the part of the metric that it is ("lists"); shown as metric/name
    leaf: str = ""  # the task inside a group; shown as task/leaf
    unit: str | None = None  # None = the metric's
    better: Better | None = None  # None = the metric's


# --- what comes out -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Score:
    """One number with its interval, or the reason why there is none: exactly one of them."""

    metric: str  # metric, or metric/part
    task: str  # task, or task/leaf; several tasks joined by "+" for headlines
    student: str  # the model that is measured
    teacher: str  # "" for measures of one model alone
    base: str
    value: float | None
    low: float | None
    high: float | None
    n: int  # prompts (level "prompts") or control lineages (level "models")
    unit: str
    better: Better
    reason: str  # "" where there is a value
    inputs: tuple[str, ...]  # store keys
    level: Level = "prompts"
    variant: tuple[tuple[str, str], ...] = ()  # swept keys and their values
    influence: Mapping[str, float] = field(default_factory=dict, compare=False)
    # influence: Prompt.id -> pseudo-value, their mean is the value; for paired comparisons of scores
    # Prompt.id -> cluster, where they differ
    clusters: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason == ""):
            raise ValueError(f"Score {self.metric}: expected a value or a reason, exactly one")
        if self.value is not None and not np.isfinite(self.value):
            raise ValueError(
                f"Score {self.metric}: value {self.value} is not finite; give a reason instead"
            )


# --- what has to be done ------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    """A student and the teacher that it is compared with."""

    teacher: str  # name of a model of the matrix
    student: str  # name of another one
    base: str | None = None  # where the way to the teacher begins; None = no gap has a number
    base_kind: Literal["before", "sibling"] = "before"  # sibling: the recipe, without the teacher
    ceiling: str | None = "second_sample"  # or the name of another version of the teacher, or None


@dataclass(frozen=True)
class Control:
    """A model known or assumed not to have learned from the teachers it is a control for."""

    model: str  # its name in the matrix
    # siblings share one and count once; "" = what the model's YAML says, else its name (a run has it filled in)
    lineage: str = ""
    teachers: tuple[str, ...] = ()  # () = for all teachers
