"""The answers that lm-eval compared with the right ones, for votes among several samples of a prompt."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from typing import Any

_COMPARED = "exact_match"  # the metric that compares one text with another
_FALLBACK = "[invalid]"  # what lm-eval's filters give by default where a reply holds no answer


def graded_answers(
    task: Any, metric: str, filter_name: str, samples: Sequence[Mapping[str, Any]]
) -> tuple[str | None, ...]:
    """The answer of every sample (N,) as exact_match compares it, None where no answer could be extracted.

    () where lm-eval does not say which answer it graded: other metrics, and tasks that extract it while they grade.
    Source: `exact_match` of lm-eval 0.4.13 ignores what its options name before it compares.
    """
    if metric != _COMPARED or task.OUTPUT_TYPE != "generate_until" or task.config.process_results:
        return ()
    extracted = [sample["filtered_resps"][0] for sample in samples]
    if not all(isinstance(answer, str) for answer in extracted):
        return ()
    steps = _steps(task, filter_name)
    none = {"", _FALLBACK, *(step["fallback"] for step in steps if "fallback" in step)}
    listed: list[Mapping[str, Any]] = [*(task.config.metric_list or ())]
    ignored = next((m for m in listed if m["metric"] == metric), {})
    return tuple(None if a.strip() in none else _compared(a, ignored) for a in extracted)


def _steps(task: Any, filter_name: str) -> list[Mapping[str, Any]]:
    """The steps of a filter as the task's file has them."""
    filters = task.config.filter_list or ()
    return [step for f in filters if f["name"] == filter_name for step in f["filter"]]


def _compared(answer: str, ignored: Mapping[str, Any]) -> str:
    """An answer without what its comparison ignores; `ignored`: the metric's entry in the task's file."""
    for pattern in ignored.get("regexes_to_ignore") or ():
        answer = re.sub(pattern, "", answer)
    if ignored.get("ignore_case"):
        answer = answer.lower()
    dropped = string.punctuation if ignored.get("ignore_punctuation") else ""
    dropped += string.digits if ignored.get("ignore_numbers") else ""
    return answer.translate(str.maketrans("", "", dropped))
