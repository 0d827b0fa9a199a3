"""Tries malformed inputs and says which are not answered by one clear line.

python tests/hostile/try_them.py [FAMILY ...] [--seed N]
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.cli import exits
from harness.cli.config import packaged, typed_run
from harness.stages.run import execute
from tests.core.running import composed, matrix
from tests.hostile.inputs import FAMILIES, Input, inputs

# what lies in the place of a file
PLACES: dict[str, Callable[[Path], object]] = {
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to nothing": lambda path: path.symlink_to(path.with_name("gone")),
    "a device": lambda path: path.symlink_to("/dev/null"),
    "a device without end": lambda path: path.symlink_to("/dev/zero"),
}
_LONGEST = 1500  # characters of a line


class Answer(NamedTuple):
    """How an input was answered."""

    code: int
    said: str


def answer(given: Input, folder: Path) -> Answer:
    """The exit code of a run over the input, and what it says."""
    data = folder / "data"
    for name, content in given.files.items():
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            PLACES[content](data / name)
        else:
            (data / name).write_bytes(content.replace(b"{folder}", str(data).encode()))
    changes: Any = json.loads(json.dumps(dict(given.changes)).replace("{folder}", str(data)))

    def run() -> int:
        config = {**composed(matrix(), folder), **changes}
        return execute(typed_run(config, [packaged("conf")]), Path("none.csv"), alone=True).code

    exits._said.clear()
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = exits.coded(run)
    return Answer(int(code), said.getvalue())


def fault(given: Input, got: Answer, folder: Path) -> str:
    """What is wrong with an answer; "" where it is as it must be."""
    lines = [line for line in got.said.splitlines() if line.strip()]
    about = [line for line in lines if line.startswith(("error", "warning", "missing", "gate"))]
    if "Traceback" in got.said:
        return "a traceback"
    if got.code not in (0, 2, 3) and not (got.code == 1 and "gate: " in got.said):
        return f"exit code {got.code}"
    if (folder / "data/ran").exists():
        return "a command was run"
    if got.code == 0:
        return "accepted" if given.refused else ""
    if not about:
        return "nothing is said"
    if max(map(len, about)) > _LONGEST:
        return "a line without end"
    if not any(word in line for word in given.says for line in about):
        return f"neither of {', '.join(given.says)} is named"
    return ""


def main(words: list[str]) -> int:
    """Tries the families and prints what is wrong."""
    seed = int(words.pop(words.index("--seed") + 1)) if "--seed" in words else 0
    chosen = [w for w in words if w != "--seed"] or list(FAMILIES)
    wrong, counts = 0, Counter[int]()
    for family in chosen:
        for given in inputs(family, seed):
            with tempfile.TemporaryDirectory() as place:
                got = answer(given, Path(place))
                bad = fault(given, got, Path(place))
                counts[got.code] += 1
                if bad:
                    wrong += 1
                    first = [s for s in got.said.replace(place, "DIR").splitlines() if s][-2:]
                    print(
                        f"{given.name}: {bad} ({got.code}): {' | '.join(first)[:400]}", flush=True
                    )
    print(
        f"{sum(counts.values())} inputs, {wrong} not answered as they must be; codes {dict(counts)}"
    )
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
