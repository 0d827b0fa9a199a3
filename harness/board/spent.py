"""Where the time of a run went, in a line."""

from __future__ import annotations

from collections.abc import Mapping

# name in RunRecord.spent -> in words
_WORDS = {
    "building_requests_s": "requests",
    "preparing_s": "training models",
    "load_s": "loading",
    "tokens_in_s": "tokens in",
    "tokens_out_s": "tokens out",
    "wait_s": "waiting for other processes",
    "grading_s": "grading",
    "page_s": "page",
}
_SCORING = "scoring_s/"
_LEAST = 0.01  # of the whole: what took less is left out


def spent_line(spent: Mapping[str, float]) -> str:
    """The line: the whole by the clock, then seconds of all processes together, the largest measures by name."""
    seconds = {words: spent[name] for name, words in _WORDS.items() if name in spent}
    inside = sum(spent.get(name, 0.0) for name in ("tokens_in_s", "tokens_out_s"))
    seconds["other answering"] = max(0.0, spent.get("answer_s", 0.0) - inside)
    scoring = {n.removeprefix(_SCORING): s for n, s in spent.items() if n.startswith(_SCORING)}
    seconds["scoring"] = sum(scoring.values())
    whole = spent.get("whole_s", 0.0)
    notes = {"tokens out": _head(spent, whole), "scoring": _longest(scoring, whole)}
    parts = [
        f"{words} {_seconds(s)}{notes.get(words, '')}"
        for words, s in seconds.items()
        if s > _LEAST * whole
    ]
    line = f"time: {_seconds(whole)}"
    line += f", of all processes: {', '.join(parts)}" if parts else ""
    n = spent.get("forward_tokens", 0)
    return f"{line}; {n:,.0f} tokens went through models" if n else line


def _head(spent: Mapping[str, float], whole: float) -> str:
    head = spent.get("head_s", 0.0)
    return f" (output layer, in and out: {_seconds(head)})" if head > _LEAST * whole else ""


def _longest(scoring: Mapping[str, float], whole: float) -> str:
    """The measures that took longest, at most two."""
    long = sorted(scoring, key=lambda name: (-scoring[name], name))[:2]
    said = [f"{name} {_seconds(scoring[name])}" for name in long if scoring[name] > _LEAST * whole]
    return f" ({', '.join(said)})" if said else ""


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:,.0f} s"
