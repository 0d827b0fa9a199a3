"""`distillbench verify DIR`: whether a bundle is as it was written, and says what its answers lead to."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from harness.cli.tools import Parser
from harness.console.invisible import in_one_line
from harness.plugins import use_folders
from harness.stages.bundle import PLAN, changed_bytes, read_file, sha256
from harness.stages.run import DONE
from harness.stages.verifying import (
    ROUNDING,
    consistency,
    differences,
    is_rounding,
    opened,
    other_code,
    weighed_again,
)
from harness.types import DistillbenchError

_UNLIKE = 1
_MOST = 20  # lines of one kind


def verify(words: Sequence[str]) -> int:
    """Prints what was changed and what comes out otherwise; 0 where nothing is, else 1.

    Raises DistillbenchError where the folder holds no bundle.
    """
    asked = _parser().parse_args(words)
    use_folders([Path(f).absolute() for f in asked.plugins])
    folder = Path(asked.folder)
    digest, changed = changed_bytes(folder)
    print(f"digest of manifest.json: {digest}")
    told = [*_unlike_written_down(folder, digest, asked), *changed]
    _print(told or ["every byte is as the manifest says"])
    again = _again(folder)
    _print(again or ["weighed again: every verdict and every rate is the same"])
    return _UNLIKE if told or again else DONE


def _again(folder: Path) -> list[str]:
    """What comes out otherwise when the answers are weighed again; where they cannot be, why."""
    try:
        said = opened(folder)
        _print([*other_code(said.exhibit)])
        verdicts = weighed_again(folder, said.exhibit)
        told = [*consistency(folder, said.exhibit), *differences(folder, said, verdicts)]
        if told and verdicts != list(said.verdicts) and is_rounding(said, verdicts):
            print(
                f"every outcome is the same, and no number of a verdict differs by more than {ROUNDING:g} of itself: "
                "two machines may round otherwise"
            )
        return told
    except DistillbenchError as error:
        return str(error).splitlines()


def _unlike_written_down(folder: Path, digest: str, asked: argparse.Namespace) -> list[str]:
    """Digests that were written down elsewhere and are others here."""
    lines = []
    if asked.digest and asked.digest.lower() != digest:
        lines.append(
            f"manifest.json: expected the digest {asked.digest}, got {digest}: this is another bundle"
        )
    if asked.plan:
        try:
            own = sha256(read_file(folder, PLAN))
        except ValueError:
            own = "none"
        if asked.plan.lower() != own:
            lines.append(
                f"{PLAN}: expected the digest {asked.plan}, got {own}: this is another plan"
            )
    return lines


def _print(lines: Sequence[str]) -> None:
    """Lines with names out of a bundle, whose control characters must not reach a terminal."""
    for line in lines[:_MOST]:
        print(in_one_line(line))
    if len(lines) > _MOST:
        print(f"and {len(lines) - _MOST} more")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="distillbench verify",
        description="Checks every byte of a bundle that exhibit=DIR wrote, weighs its answers again, and compares "
        "every verdict and rate. Exit codes: 0 all the same, 1 something is not, 2 no bundle.",
    )
    parser.add_argument("folder", metavar="DIR")
    parser.add_argument(
        "--digest", metavar="SHA256", help="of manifest.json, as it was written down"
    )
    parser.add_argument("--plan", metavar="SHA256", help="of plan.json, as it was written down")
    parser.add_argument(
        "--plugins", action="append", default=[], metavar="DIR", help="methods of your own besides"
    )
    return parser
