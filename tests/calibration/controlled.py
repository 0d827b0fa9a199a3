"""A controlled experiment: which training sets are told apart where nothing else differs?

python tests/calibration/controlled.py DATA_DIR > tests/calibration/controlled.md

DATA_DIR holds alpaca_eval and lineages_extra. One base in four sizes and one recipe, eight training sets (QLoRA,
Dettmers et al. 2023): each model is weighed as a suspect, and the models of the other sizes stand for the sets.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.stats.means import clopper_pearson
from harness.text.attribution import Candidate, Member, Signals, Suspect, attribute, name_teacher
from harness.text.corpus import Corpus
from tests.calibration.lineages import Model, read_corpus, read_models

SIZES = ("7b", "13b", "30b", "65b")
SETS = {
    "flan": "FLAN v2, by people",
    "longform": "LongForm, by people",
    "guanaco": "OASST1, by people",
    "hh-rlhf": "HH-RLHF, by Anthropic's models of 2022",
    "chip2": "OIG chip2, mixed",
    "self-instruct": "self-instruct, by GPT-3",
    "unnatural-instructions": "unnatural instructions, by text-davinci-002",
    "alpaca": "Alpaca, by text-davinci-003",
}
_INTRODUCTION = """\
LLaMA in four sizes, one recipe, eight training sets; 80 prompts (Vicuna's). Each of the 32 models is weighed by the
procedure of `text/attribution`, with the models of the other three sizes as the versions of each set, and everybody
else who answered these prompts as the background. A model of the same set has the same teacher, where the set has one,
and the same prompts in training.
"""


def weigh(corpus: Corpus, models: Sequence[Model]) -> dict[tuple[str, str], list[Signals]]:
    """(size, set) -> what the model of that size and set has in common with each set at the other sizes."""
    own = {f"qlora-{size}-{name}": (size, name) for size in SIZES for name in SETS}
    background = [
        Member(m.name, m.lineage, m.kin)
        for m in models
        if m.role in ("control", "student") and not m.name.startswith("qlora-")
    ]
    made: dict[tuple[str, str], list[Signals]] = {}
    for size in SIZES:
        suspects = [Suspect(n, n) for n, (own_size, _) in own.items() if own_size == size]
        rest = [Candidate(n, name) for n, (other, name) in own.items() if other != size]
        for one in attribute(corpus, background, suspects, rest):
            made.setdefault(own[one.suspect], []).append(one)
    return made


def confusion_table(made: Mapping[tuple[str, str], Sequence[Signals]]) -> None:
    """Of the four models of each set, how many are named as which set."""
    print("## Which set is named\n")
    print("Rows: the set a model was trained on; columns: the set that is named, of four sizes.\n")
    print("| trained on | " + " | ".join(SETS) + " |\n|---|" + "---|" * len(SETS))
    right = 0
    for name, words in SETS.items():
        named = Counter(name_teacher(made[size, name]) for size in SIZES)
        right += named[name]
        cells = [f"**{named[o]}**" if o == name and named[o] else str(named[o] or "") for o in SETS]
        print(f"| {name} ({words}) | {' | '.join(cells)} |")
    n = len(SIZES) * len(SETS)
    low, high = clopper_pearson(right, n)
    share = f"{100 * low:.0f} to {100 * high:.0f} %"
    print(f"\n{right} of {n} are named rightly ({share}); chance is 1 in {len(SETS)}.\n")


def pair_table(made: Mapping[tuple[str, str], Sequence[Signals]]) -> None:
    """For each two sets, how many of their eight models resemble their own set more, by each signal."""
    signals = {"function_words": "function words", "content_words": "content words"}
    print("## Each two sets\n")
    print(
        "Of the eight models of two sets, how many resemble their own set more than the other: by function words / by "
        "content words. Those below 7 of 8 by both are not told apart.\n"
    )
    print("| | " + " | ".join(list(SETS)[1:]) + " |\n|---|" + "---|" * (len(SETS) - 1))
    counts = {
        (a, b): [_own_nearer(made, a, b, s) for s in signals] for a, b in combinations(SETS, 2)
    }
    for i, a in enumerate(list(SETS)[:-1]):
        cells = [
            "" if j <= i else " / ".join(map(str, counts[a, b])) for j, b in enumerate(SETS) if j
        ]
        print(f"| {a} | {' | '.join(cells)} |")
    blurred = [f"{a} and {b}" for (a, b), own in counts.items() if max(own) < 7]
    print(f"\nNot told apart: {'; '.join(blurred) or 'none'}.\n")


def _own_nearer(
    made: Mapping[tuple[str, str], Sequence[Signals]], first: str, second: str, signal: str
) -> int:
    nearer = 0
    for own, other in ((first, second), (second, first)):
        for size in SIZES:
            by_set = {s.family: s.values.get(signal, float("nan")) for s in made[size, own]}
            nearer += bool(by_set[own] > by_set[other])
    return nearer


def angle_table(made: Mapping[tuple[str, str], Sequence[Signals]]) -> None:
    """Mean function-word angle of the models of each set with each set."""
    print("## How much\n")
    print(
        "Mean cosine of function words, over the four sizes, of models trained on the row's set with the nearest model "
        "of the column's set at another size.\n"
    )
    print("| trained on | " + " | ".join(SETS) + " |\n|---|" + "---|" * len(SETS))
    for name in SETS:
        by_size = [
            {s.family: s.values.get("function_words", np.nan) for s in made[size, name]}
            for size in SIZES
        ]
        cells = [f"{np.mean([one[other] for one in by_size]):.2f}" for other in SETS]
        print(f"| {name} | {' | '.join(cells)} |")


def main() -> None:
    """Prints the tables."""
    data = Path(sys.argv[1])
    models = read_models(data)
    corpus = read_corpus(data, [m for m in models if m.role in ("control", "student")])
    made = weigh(corpus, models)
    print(f"# Training sets told apart\n\n{_INTRODUCTION}")
    confusion_table(made)
    pair_table(made)
    angle_table(made)


if __name__ == "__main__":
    main()
