"""Whose mistakes do real models make? Recorded answers to MMLU-Pro, with models that continue or tune another.

python tests/calibration/inherited_errors.py DATA_DIR > tests/calibration/inherited_errors.md

DATA_DIR holds mmlu_pro. Nobody here is documented to have learned from another's answers: that a model shares its
origin's mistakes is what must be found, and a stranger's mistakes are what nobody may be accused of.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.panel.evidence import Bystander, Crowd, Opinion, Origin, without_lineage
from harness.testing.sides import LETTERS, chosen_side
from harness.types import Prompt
from harness.verdicts.inherited_errors import InheritedErrors

# model -> (lineage, what it continues or tunes)
MODELS = {
    "Meta-Llama-3-8B": ("meta", ""),
    "Meta-Llama-3-70B": ("meta", ""),
    "Meta-Llama-3_1-8B": ("meta", "Meta-Llama-3-8B"),
    "Meta-Llama-3_1-8B-Instruct": ("meta", "Meta-Llama-3-8B"),
    "Meta-Llama-3_1-70B-Instruct": ("meta", "Meta-Llama-3-70B"),
    "Yi-6B": ("01.ai", ""),
    "Yi-6b-Chat": ("01.ai", "Yi-6B"),
    "Mistral-7B-v0.1": ("mistral", ""),
    "Mistral-7B-Instruct-v0.1": ("mistral", "Mistral-7B-v0.1"),
    "gemini-1.5-flash-002": ("google", ""),
    "gemma-7b": ("google", ""),
    "Phi-3-mini-4k-instruct": ("microsoft", ""),
    "Qwen1.5-72B-Chat": ("alibaba", ""),
}
_INTRODUCTION = """\
The verdict `inherited_errors` on 13 models' recorded answers to MMLU-Pro. Every model is weighed beside every other
lineage's models, and beside what it continues or tunes; all models of other lineages stand for the strangers. t is
how far the rare errors that two share lie above strangers', in standard errors of a prediction for one pair more.
"""


def read_crowd(data: Path) -> Crowd:
    """Everybody's choices."""
    import pandas as pd

    table = pd.read_parquet(data / "mmlu_pro" / "predictions.parquet")
    letters = f"{LETTERS}IJKLMNOP"
    asked = table.drop_duplicates("question_id").sort_values("question_id")
    prompts = []
    for row in asked.itertuples():
        name, gold = str(row.question_id), letters.index(str(row.answer))
        prompts.append(Prompt(name, "", name, str(row.category), int(str(row.n_options)), gold))
    sides = {}
    for model in sorted(MODELS):
        own = table[table["model"] == model].set_index("question_id")["pred"].to_dict()
        given = [own.get(int(p.id)) for p in prompts]
        choices = [letters.index(g) if isinstance(g, str) and g in letters else None for g in given]
        sides[model] = chosen_side(model, prompts, choices)
    background = {m: Bystander(lineage, frozenset()) for m, (lineage, _) in MODELS.items()}
    return Crowd("mmlu_pro", sides, {m: (m,) for m in sorted(MODELS)}, background)


def weigh(crowd: Crowd) -> dict[tuple[str, str], Opinion]:
    """(suspect, other model) -> what is said; a model of its lineage counts only as what it continues or tunes."""
    verdict = InheritedErrors("inherited_errors", "inherited_errors")
    prepared = verdict.prepare(crowd, np.random.default_rng(0))
    made = {}
    for suspect, (lineage, origin) in MODELS.items():
        asked = [m for m, (own, _) in MODELS.items() if own != lineage or m == origin]
        for other in asked:
            known = [
                Origin(m, "control", lineage=own)
                for m, (own, _) in MODELS.items()
                if own not in (MODELS[other][0], lineage)
            ]
            one = replace(prepared, families={other: (other,)})
            (made[suspect, other],) = verdict.weigh(one, suspect, without_lineage(known, suspect))
    return made


def main() -> None:
    """Prints the tables."""
    made = weigh(read_crowd(Path(sys.argv[1])))
    print(f"# Inherited errors\n\n{_INTRODUCTION}")
    print("| model | continues or tunes | t | verdict | strangers that share as much |")
    print("|---|---|---|---|---|")
    for (suspect, other), opinion in made.items():
        if other == MODELS[suspect][1]:
            print(f"| {suspect} | {other} | {_words(opinion)} |")
    strangers = {k: o for k, o in made.items() if k[1] != MODELS[k[0]][1]}
    told = {k: o for k, o in strangers.items() if o.is_told}
    accused = [f"{s} of {o}" for (s, o), opinion in told.items() if opinion.outcome == "supports"]
    print(
        f"\nOf {len(told)} pairs of strangers that could be compared ({len(strangers) - len(told)} could not: "
        f"fewer than 4 other lineages), {len(accused)} are supported: {', '.join(accused) or 'none'}. "
        "Each pair is tried alone, at 5 %.\n"
    )
    ranked = sorted(told.items(), key=lambda item: -(item[1].score or 0))[:6]
    print("The pairs of strangers with the most in common:\n")
    print("| model | other | t | verdict | strangers that share as much |\n|---|---|---|---|---|")
    for (suspect, other), opinion in ranked:
        print(f"| {suspect} | {other} | {_words(opinion)} |")


def _words(opinion: Opinion) -> str:
    if not opinion.is_told or not opinion.tests:
        return f"| {opinion.outcome} | {opinion.reason}"
    test = opinion.tests[0]
    return f"{opinion.score:.1f} | {opinion.outcome} | {test.n_reached} of {test.n}"


if __name__ == "__main__":
    main()
