"""Recorded predictions: the options that a model's labels name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from harness.files.answers import Answer
from harness.text.labels import SAY, Label, first_number, in_words
from harness.types import DistillbenchError, Request

# of a model's predictions: more than so many that name no option are a fault of the file, not of the model
_MOST_OUTSIDE = 0.05


@dataclass(frozen=True)
class Chosen:
    """What a model's predictions name."""

    options: tuple[
        int | None, ...
    ]  # one a request; None = no option could be read, or it is not a choice
    words: (
        str  # how the labels were read, for the reader; "" where letters name options, all of them
    )


def chosen(requests: Sequence[Request], rows: Sequence[Answer | None]) -> Chosen:
    """The option of every request of one task.

    Raises DistillbenchError where it cannot be told from where numbers count, and where more than a few predictions
    name no option of their question.
    """
    given = [_labelled(*pair) for pair in zip(requests, rows, strict=True)]
    labels = [prediction.label for prediction in given if prediction]
    told = next(
        (prediction.first for prediction in given if prediction), None
    )  # by the task: the same for all of its requests
    first = told
    if first is None:
        try:
            first = first_number(labels)
        except ValueError as error:
            raise DistillbenchError(f"predictions are numbers {error}") from None
    options = tuple(prediction.label.option(first) if prediction else None for prediction in given)
    outside = [
        prediction
        for prediction, option in zip(given, options, strict=True)
        if prediction and option is None
    ]
    guessed = [
        prediction for prediction in outside if prediction.label.number is not None and told is None
    ]
    if guessed or len(outside) > _MOST_OUTSIDE * len(labels):
        prediction = (guessed or outside)[0]
        cure = (
            f"if numbers count from {1 - (first or 0)}, {SAY}"
            if told is None
            else f"numbers count from {told} in this task, as its right answers or its `labels` say"
        )
        label = prediction.label
        raise DistillbenchError(
            f"{prediction.place}: prediction {label.text!r} of {label.n_options} options names none of them "
            f"({len(outside)} of {len(labels)} predictions do not); {cure}"
        )
    return Chosen(options, _words(labels, first, len(outside)))


class _Labelled(NamedTuple):
    """One prediction that names an option."""

    label: Label
    first: int | None  # the number of the first option, where the task says it
    place: str


def _labelled(request: Request, row: Answer | None) -> _Labelled | None:
    if request.kind != "choose" or row is None or not isinstance(row.value, str):
        return None
    if request.n_options is None:
        raise ValueError("the task does not say how many options its questions have (n_options)")
    return _Labelled(Label(row.value, request.n_options), request.first_number, row.place)


def _words(labels: Sequence[Label], first: int | None, outside: int) -> str:
    parts = []
    if any(label.number is not None for label in labels):
        parts.append(f"predictions {in_words(labels)}, numbers counted from {first}")
    if outside:
        parts.append(f"{outside} of {len(labels)} predictions name no option and count as wrong")
    return "; ".join(parts)
