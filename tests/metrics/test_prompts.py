"""Prompts that several sides share."""

from __future__ import annotations

from harness.panel.prompts import Prompts
from harness.types import Prompt


def test_chosen_prompts_come_in_the_order_of_the_rows_with_their_clusters() -> None:
    every = Prompts(tuple(Prompt(f"p{i}", "x", f"c{i // 2}", "") for i in range(6)))
    assert every.some([4, 1]).ids == ("p4", "p1")
    assert every.some([4, 1]).clusters == ("c2", "c0")
    assert every.some([]).ids == ()
