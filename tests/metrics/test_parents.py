"""Whose child is it? Same-prompt n-grams on recorded answers of real models, where the parent is documented.

A child is another prompt or another host for the same weights (variant), or preference-tuned from them (derivative).
Of 16 children, on all 805 prompts: the parent itself is closest among all 100 others for 8, since eight tunings of one
model are closest to each other; with those set aside for 13; the parent or another size of its release for all 16.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.metrics.ngram_similarity import SIZES, similarity
from harness.textstyle import read
from harness.textstyle_grams import Sparse, word_grams

PROMPTS = 250  # of 805: enough to tell, and a third of the time
BITS = 17  # fewer columns than the measure has, for the same reason


@pytest.fixture(scope="module")
def grams(shared_data: Path) -> dict[str, Sparse]:
    """Counts of n-grams of 101 models on the same prompts; a missing answer is an empty one."""
    import pandas as pd

    table = pd.read_parquet(shared_data / "alpaca_eval" / "responses.parquet")
    wide = table.drop_duplicates(["prompt", "model"]).pivot(index="prompt", columns="model", values="response")
    wide = wide.sort_index().iloc[:: len(wide) // PROMPTS].fillna("")
    # Past the memory of word_grams, which would hold a hundred models for the rest of the tests.
    return {m: word_grams.__wrapped__(read.__wrapped__(tuple(wide[m])), *SIZES, BITS) for m in wide.columns}


@pytest.mark.slow
def test_a_child_is_closest_to_its_parents_family(shared_data: Path, grams: dict[str, Sparse]) -> None:
    import pandas as pd

    lineage = pd.read_csv(shared_data / "alpaca_eval" / "lineage.csv").set_index("model")
    parents = lineage[lineage.role.isin(["variant", "derivative"])].teacher_in_dataset.to_dict()
    assert len(parents) == 16
    assert len(grams) == 101
    exact, family = {}, {}
    for child, parent in parents.items():
        # Other children of the same parent are set aside: two tunings of one model are closest to each other.
        others = [m for m in grams if m != child and parents.get(m) != parent]
        near = max(others, key=lambda m: float(similarity(grams[child], grams[m]).total.mean()))
        exact[child] = near == parent
        family[child] = near == parent or lineage.group[near] == lineage.group[parent]
    assert sum(family.values()) / len(family) >= 0.92
    # Derivatives of an 8B model may lie as near to the 70B of the same release. On these prompts one variant is a tie.
    assert sum(found for child, found in exact.items() if lineage.role[child] == "variant") >= 6
