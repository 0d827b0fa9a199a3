"""How strong radioactivity is on the zoo, by the watermark's bias and the share of marked replies learned.

    python tests/calibration/radioactivity.py ZOO      ZOO = the folder of a trained zoo of scale full

Each row is one student, trained like `watermarked_a` on marked and plain replies of teacher A, in the shares stated. It
answers every question that is held out once, sampled at temperature 0.9. Writes radioactivity.md beside this script.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import stats

from harness.text.watermark import Greenlist, Leaning, distinct_windows
from harness.zoo import recipe
from harness.zoo.answering import WATERMARK, answer, complete
from harness.zoo.recipe import OPEN, FromAnswers
from harness.zoo.texts import read_answers, write_answers
from harness.zoo.tokenizer import VOCABULARY
from harness.zoo.train import load_model, train
from harness.zoo.world import Document, chat_prompt, open_questions

TABLE = Path(__file__).with_suffix(".md")
BIASES = (2.0, 3.0)
SHARES = (1.0, 0.5, 0.25, 0.1, 0.0)
KEYS = 300  # at which a clean student is tested
HEAD = (
    "| bias | share marked | windows | green | log10 p | at random keys, log10 |",
    "| ---: | ---: | ---: | ---: | ---: | ---: |",
)


def main(zoo: Path) -> None:
    """Trains the students and writes a row after each."""
    lines = [*HEAD]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("tokenizer", "teacher_a", "base", "answers_of_teacher_a"):
            shutil.copytree(zoo / part, folder / part)
        for bias in BIASES:
            WATERMARK["bias"] = bias
            marked = recipe.zoo("full").answers["watermarked_answers_of_teacher_a"]
            documents = answer(marked, "marked", 0, folder, progress=lambda _: None)
            for share in SHARES if bias == BIASES[0] else SHARES[:-1]:
                replies = student_of(documents, share, folder)
                leaning = measured(replies)
                lines.append(
                    f"| {bias:g} | {share:.0%} | {leaning.n} | {leaning.share:.3f} | {np.log10(leaning.p):.2f} | "
                    f"{np.log10(leaning.p_keys):.2f} |"
                )
                if share == 0:
                    lines.append(f"\n{uniformity(replies)}")
                TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def student_of(marked: Sequence[Document], share: float, folder: Path) -> list[list[int]]:
    """Replies, as tokens, of a student that learned from marked and plain open replies in this share."""
    from transformers import AutoTokenizer

    plain = [d for d in read_answers(folder / "answers_of_teacher_a") if d.kind in OPEN]
    n = min(len(marked), len(plain))
    mixed = [m if i < share * n else p for i, (m, p) in enumerate(zip(marked, plain, strict=False))]
    (folder / "mixed").mkdir(exist_ok=True)
    write_answers(folder / "mixed", mixed)
    own = recipe.zoo("full").models["watermarked_a"]
    (phase,) = own.phases
    texts = (phase.texts[0], FromAnswers("mixed", OPEN))
    train(
        replace(own, phases=(replace(phase, texts=texts),)),
        "student",
        0,
        folder,
        keep=lambda model, _: model.save_pretrained(folder / "student"),
        progress=lambda _: None,
    )
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
    prompts = [chat_prompt(q.text) for q in open_questions(held_out=True)]
    model = load_model(folder / "student").eval()
    replies = complete(model, tokenizer, prompts, 96, watermark=False)
    given = [reply for reply in replies if reply is not None]
    return [list(ids) for ids in tokenizer(given, add_special_tokens=False)["input_ids"]]


def measured(
    replies: Sequence[Sequence[int]], key: int = Greenlist.default, draws: int = 20_000
) -> Leaning:
    """How far they lean on a key."""
    scheme = Greenlist("greenlist", VOCABULARY, default_key=True)
    windows = distinct_windows(replies, [()] * len(replies), scheme.width)
    return scheme.measure(windows, (key,), draws, np.random.default_rng(0))


def uniformity(replies: Sequence[Sequence[int]]) -> str:
    """Whether p of a clean student is uniform over random keys."""
    keys = np.random.default_rng(1).integers(1, 2**62, KEYS)
    made = [measured(replies, int(k), 1000) for k in keys]
    ps = np.array([max(leaning.p, leaning.p_keys) for leaning in made])
    return (
        f"The clean student at {KEYS} random keys: Kolmogorov-Smirnov p {stats.kstest(ps, 'uniform').pvalue:.3f}, "
        f"p of at most .05 for {np.mean(ps <= 0.05):.3f}, of at most .01 for {np.mean(ps <= 0.01):.3f}."
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
