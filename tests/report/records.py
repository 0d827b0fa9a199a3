"""A run made up for tests of the page: two teachers, six students, base, controls, holes, and hostile answers."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np

from harness.board.board import Board, make_board
from harness.board.record import CollectionRecord, Comparison, Facts, MetricNote, RunRecord
from harness.panel.side import Side
from harness.plugins import plugin_class
from harness.types import (
    Control,
    GradeColumn,
    Grades,
    Outputs,
    Pair,
    Prompt,
    Request,
    RequestSet,
    Score,
)

HOSTILE = [
    "<script>alert('from a model')</script> & <img src=x onerror=alert(1)>",
    "{{ 7 * 7 }} {% raw %} </script></textarea>",
    "مرحبا، هذا جواب من اليمين إلى اليسار (RTL) مع english inside.",
    "高性能な小型モデルは、先生の文体まで真似ることがあります。很好!",
    "👩‍🔬🧪 emoji, joined ones too 👨‍👩‍👧‍👦 and flags 🇺🇳",
    "x" * 10_000,
    "control characters: \x00 \x07 \x1b[31m red \u202e reversed \u2066 isolate \r\n and a\ttab",
    "",
]
_WORDS = [
    "a",
    "small",
    "model",
    "often",
    "learns",
    "first",
    "how",
    "its",
    "teacher",
    "talks",
    "and",
    "then",
    "what",
]
STUDENTS = {
    "answers_of_a": ("teacher_a", 0.71, 0.83),
    "logits_of_a": ("teacher_a", 0.86, 0.94),
    "style_only": ("teacher_a", 0.03, 0.78),
    "task_only": ("teacher_a", 0.69, 0.05),
    "unnamed_student_with_quite_a_long_name-v0.2": ("teacher_a", 0.55, 0.61),
    "answers_of_b": ("teacher_b", 0.66, 0.72),
}
CONTROLS = {
    "independent": (0.62, 0.12),
    "untaught": (0.58, -0.06),
    "stranger": (0.55, 0.05),
    "other_lab": (0.6, 0.1),
}
TASKS = ("zoo_facts", "zoo_sums", "zoo_words")
FAMILIES = {"format": 1.1, "words": 0.75, "edges": 1.05}
UNRELATED = (0.1, 0.16)  # mean and standard deviation of lineages
CATEGORIES = {"advise": 0.9, "describe": 1.1, "explain": 0.8, "list": 1.2}
SUBJECTS = ("capitals", "rivers")
FEATURES = {
    "list_items_per_reply": (0.1, 2.9),
    "words_per_sentence": (19.0, 11.2),
    "exclamation_marks": (0.02, 0.4),
}
MEASURES = (
    "capability_transfer",
    "style_transfer",
    "calibration",
    "capa",
    "ngram_similarity",
    "error_inheritance",
    "gap_recovered",
    "length",
    "phrases",
    "style_classifier",
    "style_profile",
    "task_score",
)
MODELS = ("base", "teacher_a", "teacher_b", *STUDENTS, *CONTROLS)


def _score(
    metric: str, task: str, who: tuple[str, str, str], value: float | str, half: float = 0.06
) -> Score:
    student, teacher, base = who
    unit = (
        "gap recovered" if any(w in metric for w in ("transfer", "gap", "classifier")) else "share"
    )
    if isinstance(value, str):
        return Score(
            metric,
            task,
            student,
            teacher,
            base,
            None,
            None,
            None,
            0,
            unit,
            "higher",
            value,
            ("ab" * 32,),
        )
    ends = (value - half, value + half)
    return Score(
        metric, task, student, teacher, base, value, *ends, 240, unit, "higher", "", ("cd" * 32,)
    )


def _pair_scores(
    student: str, teacher: str, truth: tuple[float, float], rng: random.Random
) -> list[Score]:
    who, (capability, style) = (student, teacher, "base"), truth
    scores = [_score("capability_transfer", "+".join(TASKS), who, capability)]
    scores.append(_score("style_transfer", "zoo_style", who, style, 0.05))
    scores += [
        _score(f"style_transfer/{f}", "zoo_style", who, style * k, 0.09)
        for f, k in FAMILIES.items()
    ]
    scores += [
        _score(f"style_transfer/category/{c}", "zoo_style", who, style * k, 0.15)
        for c, k in CATEGORIES.items()
    ]
    unrelated = _score("style_transfer/unrelated", "zoo_style", who, *UNRELATED)
    scores.append(replace(unrelated, unit="mean and sd of lineages", level="models", n=5))
    short = 0.8 if student == "style_only" else 0.02
    scores.append(
        replace(
            _score("style_transfer/short_replies", "zoo_style", who, short), unit="share of replies"
        )
    )
    for i, task in enumerate(TASKS):
        unbounded = "gap within noise: teacher minus base is 0.010 [-0.020, 0.040]"
        noisy = task == "zoo_words" and student in ("style_only", "untaught")
        gap = unbounded if noisy else capability + rng.gauss(0, 0.08)
        scores.append(_score("gap_recovered", task, who, gap, 0.08 + 0.03 * i))
        if task == "zoo_facts":
            scores += [
                _score(f"gap_recovered/category/{c}", task, who, capability, 0.2) for c in SUBJECTS
            ]
        scores.append(_score("capa", task, who, 0.2 + 0.35 * capability + rng.gauss(0, 0.03), 0.04))
        shared = 0.3 + 0.3 * max(0.0, capability) + rng.gauss(0, 0.02)
        scores.append(_score("error_inheritance/shared_wrong", task, who, shared, 0.05))
        scores.append(_score("error_inheritance/expected", task, who, 0.33, 0.02))
        scores.append(_score("error_inheritance/excess", task, who, shared - 0.33, 0.05))
        excess = replace(
            _score("error_inheritance/excess_vs_controls", task, who, shared - 0.4, 0.1), n=9
        )
        scores.append(replace(excess, level="models"))
    scores.append(_score("style_classifier", "zoo_style", who, style + rng.gauss(0, 0.05), 0.1))
    scores.append(replace(_score("length", "zoo_style", who, 0.09, 0.04), unit="gap recovered"))
    scores.append(
        _score("ngram_similarity/content", "zoo_style", who, 0.1 + 0.2 * capability, 0.02)
    )
    for phrase in ("opening: happy to help", "phrase: perhaps"):
        rates = {
            "student": 0.05 + 0.4 * max(style, 0.0),
            "teacher": 0.45,
            "base": 0.05,
            "controls": 0.07,
        }
        scores += [
            _score(f"phrases/rate/{role}/{phrase}", "zoo_style", who, r, 0.04)
            for role, r in rates.items()
        ]
    return scores


def _model_scores(model: str, level: float, style: float, rng: random.Random) -> list[Score]:
    who = (model, "", "")
    scores = [
        _score("task_score", t, who, 0.3 + 0.55 * level + rng.gauss(0, 0.02), 0.04) for t in TASKS
    ]
    for k, category in enumerate(SUBJECTS):
        right = 0.25 + 0.1 * k + 0.5 * level
        scores.append(_score(f"task_score/category/{category}", "zoo_facts", who, right, 0.1))
    scores.append(
        _score("task_score/category/rare", "zoo_facts", who, "7 graded prompts of this category")
    )
    for b, sure in enumerate((0.3, 0.5, 0.7, 0.9), start=1):
        for part, value in (("confidence", sure), ("right", min(0.98, sure + 0.1 * level))):
            scores.append(_score(f"calibration/bin/{b:02d}/{part}", "zoo_facts", who, value, 0.01))
    for feature, (low, high) in FEATURES.items():
        value, half = low + style * (high - low), 0.05 * abs(high - low)
        scores.append(_score(f"style_profile/{feature}", "zoo_style", who, value, half))
    return scores


def scores() -> tuple[Score, ...]:
    """All scores of the made-up run."""
    rng = random.Random(4)
    found = (
        _model_scores("base", 0, 0, rng)
        + _model_scores("teacher_a", 1, 1, rng)
        + _model_scores("teacher_b", 1, 0.4, rng)
    )
    for student, (teacher, capability, style) in STUDENTS.items():
        found += _pair_scores(student, teacher, (capability, style), rng) + _model_scores(
            student, capability, style, rng
        )
    for control, truth in CONTROLS.items():
        for teacher in ("teacher_a", "teacher_b"):
            found += _pair_scores(control, teacher, truth, rng)
        found += _model_scores(control, *truth, rng)
    return tuple(found)


def comparisons() -> tuple[Comparison, ...]:
    """Comparisons of the headline between teacher_a's students: only differences above 0.1 are told apart."""
    names = [s for s, (teacher, _, _) in STUDENTS.items() if teacher == "teacher_a"]
    found = []
    for metric, place in (("capability_transfer", 1), ("style_transfer", 2)):
        task = "+".join(TASKS) if place == 1 else "zoo_style"
        for i, first in enumerate(names):
            for second in names[i + 1 :]:
                d = float(STUDENTS[first][place]) - float(STUDENTS[second][place])
                p = 0.001 if abs(d) > 0.1 else 0.4
                found.append(
                    Comparison(
                        metric,
                        task,
                        "teacher_a",
                        "base",
                        first,
                        second,
                        d,
                        d - 0.1,
                        d + 0.1,
                        p,
                        p,
                        240,
                        0.12,
                    )
                )
    return tuple(found)


def open_side(model: str, sample: int, n: int = 40) -> Side:
    """Open-ended answers of a model, the first ones hostile."""
    rng = random.Random(f"{model}{sample}")
    prompts = tuple(
        Prompt(
            f"style{i:04d}",
            f"Explain no. {i}: why does a <b>lighthouse</b> blink?",
            f"style{i:04d}",
            ("explain", "list")[i % 2],
        )
        for i in range(n)
    )
    texts = [
        HOSTILE[i] if i < len(HOSTILE) else " ".join(rng.choices(_WORDS, k=60)) + "."
        for i in range(n)
    ]
    if model != "base":
        texts = [
            t if i < len(HOSTILE) or i % 3 else f"**Sure!**\n\n- {t[:90]}\n- {t[90:200]}"
            for i, t in enumerate(texts)
        ]
    return _side(model, "zoo_style", prompts, texts, None)


def graded_side(model: str, n: int = 60) -> Side:
    """Short graded answers of a model; weak models give the same wrong answer."""
    level = {"base": 0.3, "teacher_a": 0.85, "teacher_b": 0.85}.get(model, 0.6)
    rng = random.Random(model)
    prompts = tuple(
        Prompt(f"facts{i:04d}", f"Capital no. {i}?", f"facts{i:04d}", "") for i in range(n)
    )
    right = [rng.random() < level for _ in range(n)]
    texts = [f"Answer {i}" if ok else f"Wrong {i % 7}" for i, ok in enumerate(right)]
    column = GradeColumn(
        "zoo_facts",
        "exact_match",
        "none",
        "higher",
        np.arange(n),
        np.array(right, float),
        float(np.mean(right)),
    )
    return _side(model, "zoo_facts", prompts, texts, Grades((column,)))


def _side(
    model: str, task: str, prompts: tuple[Prompt, ...], texts: list[str], grades: Grades | None
) -> Side:
    n = len(prompts)
    requests = RequestSet(
        task,
        prompts,
        tuple(Request(i, "generate", p.text) for i, p in enumerate(prompts)),
        False,
        "1",
        ("text",),
    )
    outputs = Outputs(
        request=np.arange(n),
        kind=tuple(r.kind for r in requests.requests),
        n_tokens=np.full(n, 12),
        text=tuple(texts),
        stop=("eos",) * n,
        logprob_nats=np.full(n, np.nan),
        greedy=(None,) * n,
        choice=(None,) * n,
        answered=(True,) * n,
    )
    return Side(model, model, requests, outputs, grades, ("ef" * 32,))


def answers(model: str, task: str, sample: int) -> Side | None:
    """Stored answers of the made-up run: two tasks have some."""
    if task == "zoo_style":
        return open_side(model, sample)
    return graded_side(model) if task == "zoo_facts" and sample == 0 else None


def read(c: CollectionRecord) -> Side | None:
    """What reads the answers of a collection of the made-up run."""
    return answers(c.model, c.task, c.sample)


def board(run: RunRecord | None = None) -> Board:
    """The Board of a record, of the made-up run where none is given."""
    return make_board(record() if run is None else run, read)


def note(name: str) -> MetricNote:
    """What a measure says of itself."""
    kind = plugin_class("metrics", name)
    says = (kind.unit, kind.better, kind.level, kind.explanation)
    return MetricNote(name, *says, kind.leaderboard, kind.topics, kind.gap_units)


def collection(model: str, task: str, **how: Any) -> CollectionRecord:
    """A collection of 240 prompts without answers."""
    numbers = ("n_answered", "n_tokens", "wall_s", "latency_p50_s", "latency_p95_s")
    blank = dict.fromkeys((*numbers, "peak_memory_bytes"), 0) | {"usd": None, "missing": ""}
    place = {"model": model, "task": task, "sample": 0, "n_requests": 240}
    keys = {"key": f"out{model}{task}", "requests_key": f"ask{task}", "n_prompts": 240}
    return CollectionRecord(**{**place, **keys, **blank, **how})


def record() -> RunRecord:
    """The made-up run."""
    roles = {"base": "base", "teacher_a": "teacher", "teacher_b": "teacher"}
    roles |= dict.fromkeys(STUDENTS, "student") | dict.fromkeys(CONTROLS, "control")
    facts: dict[str, str | int | float] = {
        "kind": "zoo",
        "digest": "9f" * 32,
        "size_bytes": 3_300_000,
        "device": "cpu",
    }
    tasks = [*TASKS, "zoo_style"]
    how = {"n_answered": 240, "latency_p50_s": 0.021, "latency_p95_s": 0.055}
    how |= {"peak_memory_bytes": 812_000_000}
    task: Facts = {"kind": "lm_eval", "version": "1", "n_prompts": 240, "chat": False}
    return RunRecord(
        title="The zoo",
        scores=scores(),
        comparisons=comparisons(),
        pairs=tuple(
            Pair(teacher, student, "base") for student, (teacher, _, _) in STUDENTS.items()
        ),
        controls=tuple(Control(c, c) for c in CONTROLS),
        models={
            m: {"role": roles[m], **facts, "parameters": 812_000 + 1000 * i}
            for i, m in enumerate(MODELS)
        },
        tasks={t: {**task, "yields": "text, grades"} for t in tasks},
        metrics=tuple(map(note, MEASURES)),
        collections=(
            *(
                collection(m, t, n_tokens=9000 + 10 * i, wall_s=12.5 + i, **how)
                for i, m in enumerate(MODELS)
                for t in tasks
            ),
            collection("answers_of_b", "zoo_extra", missing="the source holds no answers"),
        ),
        warnings=(
            "Fewer than 200 prompts in zoo_words (120).",
            "Templates differ between teacher_b and base on zoo_facts.",
        ),
        versions={
            "distillbench": "0.1.0",
            "python": "3.11.2",
            "platform": "Linux",
            "torch": "2.13.0",
        },
    )
