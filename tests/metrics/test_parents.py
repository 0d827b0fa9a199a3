"""Whose child is it? Same-prompt n-grams on recorded answers of real models, where the parent is documented.

A child is another prompt or another host for the same weights (variant), or preference-tuned from them (derivative).
On all 805 prompts, nearest of all 100 other models: for 8 of 16 children the parent itself, for the other 8, all tuned
from one model, another of its children. Children of the same parent set aside: the parent for 14; the two others are
tunings of an 8B model that lie nearer to the 70B of the same release. Words alone find 12, one to three words 13;
weights for rare n-grams, the first 20 to 200 words and overlaps of sets find 8 to 14: no choice of them finds 15.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.metrics.ngram_similarity import SIZES
from harness.text.grams import Sparse, word_grams
from harness.text.likeness import row_products, unit_rows
from harness.text.segment import read

BITS = 20  # fewer columns than the measure has, to save time


@pytest.fixture(scope="module")
def grams(shared_data: Path) -> dict[str, Sparse]:
    """Counts of n-grams of 101 models on the same prompts; a missing answer is an empty one."""
    import pandas as pd

    table = pd.read_parquet(shared_data / "alpaca_eval" / "responses.parquet")
    wide = table.drop_duplicates(["prompt", "model"]).pivot(
        index="prompt", columns="model", values="response"
    )
    columns = wide.sort_index().fillna("").to_dict("list")
    # Past the memory of word_grams, which would hold a hundred models for the rest of the tests.
    return {
        str(m): unit_rows(word_grams.__wrapped__(read(x), *SIZES, BITS)) for m, x in columns.items()
    }


@pytest.mark.slow
def test_a_child_is_nearest_to_its_parent_or_to_its_parents_other_children(
    shared_data: Path, grams: dict[str, Sparse]
) -> None:
    import pandas as pd

    lineage = pd.read_csv(shared_data / "alpaca_eval" / "lineage.csv")
    made = lineage[lineage.role.isin(["variant", "derivative"])]
    parents = dict(zip(map(str, made.model), map(str, made.teacher_in_dataset), strict=True))
    assert len(parents) == 16
    assert len(grams) == 101
    nearest, without_siblings = {}, {}
    for child, parent in parents.items():
        likeness = {
            m: float(row_products(grams[child], g).mean()) for m, g in grams.items() if m != child
        }
        nearest[child] = max(likeness, key=likeness.__getitem__)
        rest = {m: x for m, x in likeness.items() if parents.get(m) != parent}
        without_siblings[child] = max(rest, key=rest.__getitem__)
    assert all(m == parents[c] or parents.get(m) == parents[c] for c, m in nearest.items())
    assert sum(m == parents[c] for c, m in nearest.items()) >= 8
    assert sum(m == parents[c] for c, m in without_siblings.items()) >= 14
