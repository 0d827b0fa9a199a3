"""How a reply is drawn, and rows as stored columns: values by hand."""

from __future__ import annotations

import numpy as np
import pytest

from harness.models._rows import Drawing, Row, drawing_of, full_tokens, outputs_of
from harness.types import Decoding, Request

RUN = Decoding(temperature=0.7, top_p=0.9, max_new_tokens=100)


@pytest.mark.parametrize(
    ("own", "drawn"),
    [
        ({}, Drawing(100, 0.7, 0.9)),
        ({"temperature": 0.0}, Drawing(100, 0.0, 0.9)),  # greedy is a setting, not its absence
        ({"top_p": 0.5, "max_new_tokens": 7}, Drawing(7, 0.7, 0.5)),
    ],
)
def test_what_a_request_states_goes_before_what_the_run_states(
    own: dict[str, float], drawn: Drawing
) -> None:
    assert drawing_of(Request(0, "generate", "Hello", **own), RUN) == drawn  # type: ignore[arg-type]


def test_every_field_of_a_row_is_in_its_column() -> None:
    written = Row("generate", "Hi", "eos", n_tokens=2, n_cut=3)
    scored = Row("score", logprob_nats=-1.5, greedy=True, n_tokens=4)
    chosen, absent = Row("choose", choice=2), Row("choose", answered=False)
    outputs = outputs_of([written, scored, chosen, absent])
    assert outputs.kind == ("generate", "score", "choose", "choose")
    assert outputs.text == ("Hi", None, None, None)
    assert outputs.stop == ("eos", None, None, None)
    assert outputs.greedy == (None, True, None, None)
    assert outputs.choice == (None, None, 2, None)
    assert outputs.answered == (True, True, True, False)
    np.testing.assert_array_equal(outputs.request, [0, 1, 2, 3])
    np.testing.assert_array_equal(outputs.n_tokens, [2, 4, 0, 0])
    np.testing.assert_array_equal(outputs.n_cut, [3, 0, 0, 0])
    np.testing.assert_array_equal(outputs.logprob_nats, [np.nan, -1.5, np.nan, np.nan])


def test_tokens_of_whole_distributions() -> None:
    logprobs = np.log([[0.5, 0.2, 0.3], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6]])
    tokens = full_tokens([["é", "ab"], ["c"]], np.array([2, 1, 0]), logprobs, 2, "three")
    np.testing.assert_array_equal(tokens.offsets, [0, 2, 3])
    np.testing.assert_array_equal(tokens.top_ids, [[0, 2], [1, 2], [2, 0]])  # of equals the first
    np.testing.assert_allclose(np.exp(tokens.logprobs), [0.3, 0.6, 0.2], rtol=1e-6)
    np.testing.assert_allclose(
        np.exp(tokens.top_logprobs), [[0.5, 0.3], [0.6, 0.3], [0.6, 0.2]], rtol=1e-6
    )
    np.testing.assert_array_equal(tokens.byte_ends, [2, 4, 1])  # é has two bytes
    assert tokens.vocabulary == "three"
