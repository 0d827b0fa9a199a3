"""Every stored value comes back as it went in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.store import tables
from harness.types import (
    GradeColumn,
    Grades,
    Message,
    Outputs,
    Prompt,
    ReplyTo,
    Request,
    RequestSet,
    Score,
    TokenColumns,
)


def _requests() -> RequestSet:
    prompts = (
        Prompt("p0", "What?", "p0", "", n_options=2, gold=1),
        Prompt("p1", "你好 \u202e rtl \x07", "passage", "write"),
    )
    requests = (
        Request(0, "score", "Q:", leaf="leaf", slot=1, continuation=" b"),
        Request(
            1,
            "generate",
            (Message("system", "s"), Message("user", "u")),
            until=("\n\n",),
            temperature=0.5,
            open=False,
        ),
        Request(1, "generate", "", repeat=2, max_new_tokens=7),
        Request(1, "generate", (Message("user", "u"), Message("assistant", ReplyTo(1)))),
    )
    return RequestSet("task", prompts, requests, True, "1.0", ("grades", "text"), ("dropped 3",))


def test_requests_round_trip() -> None:
    assert tables.requests_from_table(tables.requests_to_table(_requests())) == _requests()


def _outputs(tokens: TokenColumns | None = None) -> Outputs:
    return Outputs(
        request=np.array([0, 1, 2]),
        kind=("score", "generate", "generate"),
        n_tokens=np.array([1, 2, 0]),
        text=(None, "hi 🙂", None),
        stop=(None, "eos", None),
        logprob_nats=np.array([-1.25, np.nan, np.nan]),
        greedy=(True, None, None),
        choice=(None, None, None),
        answered=(True, True, False),
        tokens=tokens,
    )


def test_shortened_prompts_are_stored_and_older_answers_have_none() -> None:
    cut = np.array([0, 3, 0])
    table = tables.outputs_to_table(replace(_outputs(), n_cut=cut))
    back = tables.outputs_from_table(table).n_cut
    assert back is not None
    assert back.tolist() == [0, 3, 0]
    assert tables.outputs_from_table(tables.outputs_to_table(_outputs())).n_cut is None
    older = table.drop_columns(["n_cut"])
    assert tables.outputs_from_table(older).n_cut is None
    joined = tables.outputs_from_table(tables.join_outputs([older, table])).n_cut
    assert joined is not None
    assert sorted(joined.tolist()) == [0, 0, 0, 0, 0, 3]
    with pytest.raises(ValueError, match="columns differ in length"):
        replace(_outputs(), n_cut=cut[:2])


@pytest.mark.parametrize("with_ends", [True, False])
def test_outputs_round_trip(with_ends: bool) -> None:
    tokens = TokenColumns(
        offsets=np.array([0, 1, 3, 3]),
        token_ids=np.array([5, 6, 7]),
        logprobs=np.array([-1, -2, -3], np.float32),
        top_ids=np.array([[5, 1], [6, 2], [7, 3]], np.int32),
        top_logprobs=np.array([[-1, -9], [-2, -9], [-3, -9]], np.float32),
        byte_ends=np.array([1, 2, 4]) if with_ends else None,
        vocabulary="v",
        names={5: "▁a", 7: "é"},
    )
    back = tables.outputs_from_table(tables.outputs_to_table(_outputs(tokens)))
    assert back.text == (None, "hi 🙂", None)
    assert back.answered == (True, True, False)
    np.testing.assert_array_equal(back.logprob_nats, [-1.25, np.nan, np.nan])
    assert back.tokens is not None
    for name in ("offsets", "token_ids", "logprobs", "top_ids", "top_logprobs"):
        np.testing.assert_array_equal(getattr(back.tokens, name), getattr(tokens, name))
    assert (back.tokens.byte_ends is not None) == with_ends
    assert (back.tokens.vocabulary, back.tokens.names) == ("v", {5: "▁a", 7: "é"})
    more = replace(_outputs(tokens), tokens=replace(tokens, names={6: "b"}))
    parts = [tables.outputs_to_table(x) for x in (_outputs(tokens), more)]
    joined = tables.outputs_from_table(tables.join_outputs(parts)).tokens
    assert joined is not None
    assert joined.names == {5: "▁a", 6: "b", 7: "é"}


def test_parts_join_in_the_order_of_requests() -> None:
    whole = tables.outputs_to_table(_outputs())
    joined = tables.join_outputs([whole.slice(2, 1), whole.slice(0, 2)])
    assert joined.column("request").to_pylist() == [0, 1, 2]


def test_grades_round_trip() -> None:
    column = GradeColumn(
        "leaf", "acc", "none", "higher", np.array([0, 1]), np.array([1.0, 0.0]), 0.5
    )
    hole = GradeColumn(
        "leaf", "mcc", "none", "higher", np.array([], np.int64), np.array([]), None, "no mean"
    )
    back = tables.grades_from_table(tables.grades_to_table(Grades((column, hole))))
    assert [(c.leaf, c.metric, c.aggregate, c.reason) for c in back.columns] == [
        ("leaf", "acc", 0.5, ""),
        ("leaf", "mcc", None, "no mean"),
    ]
    np.testing.assert_array_equal(back.columns[0].value, [1.0, 0.0])


def test_scores_round_trip() -> None:
    hole = Score(
        "m", "t", "s", "te", "b", None, None, None, 0, "share", "higher", "no base", ("k1", "k2")
    )
    influence, clusters = {"a": 1.0, "b": 0.0}, {"a": "c"}
    score = replace(
        hole, value=0.5, low=0.4, high=0.6, n=2, reason="", influence=influence, clusters=clusters
    )
    back = tables.scores_from_rows(tables.scores_to_table([score, hole]).to_pylist())
    assert back == (score, hole)
    assert back[0].influence == influence
    assert back[0].clusters == {"a": "c", "b": "b"}


def test_nan_is_refused_where_a_log_probability_is_wanted() -> None:
    with pytest.raises(ValueError, match="row 0 has log-probability nan"):
        Outputs(
            np.array([0]),
            ("score",),
            np.array([1]),
            (None,),
            (None,),
            np.array([np.nan]),
            (True,),
            (None,),
            (True,),
        )


def test_a_score_has_a_value_or_a_reason() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        Score("m", "t", "s", "", "", None, None, None, 0, "share", "higher", "", ())
