"""The results of gates for programs: `gate.xml` in the form of JUnit, and what a runner of GitHub Actions shows.

Sources: JUnit's reports as Jenkins reads them (testsuites, testsuite, testcase, failure, skipped), and GitHub's
"Workflow commands": an annotation is `::error title=T::TEXT`, with % and line ends escaped; a summary is Markdown
that is added to the file named by GITHUB_STEP_SUMMARY.
"""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as xml
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.console.secrets import redacted

FILE = "gate.xml"
# XML 1.0 has no way to write these
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Remark:
    """A remark at the end of a run: a gate's result, or that the page has no numbers."""

    about: Literal["gate", "warning"]
    text: str
    condition: str = ""  # the words of the condition that does not hold; "" = it is about none
    tier: Literal["must", "should"] = "must"

    def line(self, variant: str = "") -> str:
        """The remark as it is said; `variant` = the swept values of the job that it is about."""
        words = [variant, "should hold" if self.tier == "should" else "", self.text]
        return f"{self.about}: {': '.join(filter(None, words))}"


@dataclass(frozen=True)
class Checked:
    """The gate of one run, or of one job of a sweep."""

    setting: str  # the swept values; "" = a run alone
    conditions: Mapping[str, bool]  # in words -> whether it was looked at
    remarks: Sequence[Remark]

    def lost(self, words: str) -> list[Remark]:
        """What is said of a condition that does not hold."""
        return [r for r in self.remarks if r.condition == words]


def publish(checked: Sequence[Checked], folder: Path) -> None:
    """Writes the results beside the page, and on a runner of GitHub Actions says them where they are seen.

    Where no run has a condition, a file of an earlier run goes.
    """
    gated = [c for c in checked if c.conditions]
    if not gated:
        (folder / FILE).unlink(missing_ok=True)
        return
    if folder.is_dir():
        (folder / FILE).write_bytes(junit(gated))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in annotated(gated):
            print(line, flush=True)
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if summary:
            with open(summary, "a", encoding="utf-8") as file:
                file.write(step_summary(gated, folder / "leaderboard.md"))


def junit(checked: Sequence[Checked]) -> bytes:
    """A suite per run, a case per condition; one that only should hold is skipped where it does not."""
    root = xml.Element("testsuites", name="distillbench gate")
    for one in checked:
        cases = xml.Element("testsuite", name=_writable(one.setting or "gate"))
        counts = {"tests": 0, "failures": 0, "skipped": 0}
        for words, looked_at in one.conditions.items():
            case = xml.SubElement(cases, "testcase", classname="gate", name=_writable(words))
            counts["tests"] += 1
            lost = one.lost(words)
            text = _writable("\n".join(r.text for r in lost))
            if any(r.tier == "must" for r in lost):
                counts["failures"] += 1
                xml.SubElement(case, "failure", message=text.partition("\n")[0]).text = text
            elif lost or not looked_at:
                counts["skipped"] += 1
                why = text or "not about this run"
                xml.SubElement(case, "skipped", message=why.partition("\n")[0])
        for name, n in {**counts, "errors": 0}.items():
            cases.set(name, str(n))
        root.append(cases)
    xml.indent(root)
    whole: bytes = xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return whole + b"\n"


def annotated(checked: Sequence[Checked]) -> list[str]:
    """A line per condition that does not hold: an error where it must, a warning where it should."""
    return [
        f"::{'error' if r.tier == 'must' else 'warning'} title=distillbench gate::"
        + _escaped(redacted(f"{one.setting}: {r.text}" if one.setting else r.text))
        for one in checked
        for r in one.remarks
        if r.condition
    ]


def step_summary(checked: Sequence[Checked], leaderboard: Path) -> str:
    """The gate's results and the leaderboard, in Markdown."""
    lines = ["## distillbench"]
    for one in checked:
        words = [w for w, looked_at in one.conditions.items() if looked_at]
        held = sum(not one.lost(w) for w in words)
        name = f"{_plain(one.setting)}: " if one.setting else ""
        lines.append(f"- {name}{held} of {len(words)} conditions hold")
        lines += [
            f"  - {'must' if r.tier == 'must' else 'should'}: {_plain(redacted(r.text))}"
            for r in one.remarks
            if r.condition
        ]
    table = leaderboard.read_text("utf-8") if leaderboard.is_file() else ""
    return "\n".join([*lines, "", table, ""])


def _plain(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", text).replace("\n", " ")


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _writable(text: str) -> str:
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", redacted(text))
