"""The documentation: a reference of every key, pages that are reached, tables and questions that are true."""

from __future__ import annotations

import csv
import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from scipy.stats import binomtest

from harness.plugins import PACKAGES, kinds
from tests.calibration.prompts_needed import PAGE, PROMPTS, half_width, table
from tests.core.running import inside
from tests.readme.blocks import README, REPOSITORY

DOCS = REPOSITORY / "docs"
QUESTIONS = (DOCS / "questions.md").read_text()


def reference() -> dict[str, str]:
    """The pages that the site makes of the classes."""
    spec = importlib.util.spec_from_file_location("reference", DOCS / "site/reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: dict[str, str] = module.pages()
    return made


def test_the_reference_explains_every_key_and_has_every_plug_in() -> None:
    pages = reference()
    for name, text in pages.items():
        for line in text.splitlines():
            if line.startswith("| `"):
                assert not re.search(r"\|\s*\|$", line), f"{name}: no word about {line}"
                assert line.count("|") - line.count("\\|") in (3, 5), line
    for package in PACKAGES:
        for kind in kinds(package):
            assert f"## `{kind}`" in pages[f"reference/{package}.md"]
    assert "| `patience` | seconds, 0 or more or `null` | `null` |" in pages["reference/matrix.md"]
    assert "| `path` | text |  | folder, or repository on the hub |" in pages["reference/models.md"]


def entries(nav: Any) -> Iterator[str]:
    """The pages of a navigation, in order."""
    for entry in nav:
        for value in entry.values() if isinstance(entry, dict) else ():
            yield from entries(value) if isinstance(value, list) else [value]


def test_every_page_is_reached() -> None:
    config = (REPOSITORY / "mkdocs.yml").read_text()
    reached = list(entries(yaml.safe_load(config)["nav"]))
    made = {*reference(), "index.md", "changelog.md", "contributing.md", "recipes/notebook.md"}
    written = {str(p.relative_to(DOCS)) for p in DOCS.rglob("*.md")}
    assert sorted(reached) == sorted(made | written)


def test_links_of_the_docs_lead_somewhere() -> None:
    for path in [*DOCS.rglob("*.md"), REPOSITORY / "README.md"]:
        text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^()\s]+)\)", text):
            if re.match(r"[a-z]+:|#", target) or path.name == "tour.md":
                continue
            place = path.parent / target.partition("#")[0]
            assert place.exists() or place.name == "notebook.md", f"{path}: {target}"


@pytest.mark.slow  # the whole site: some ten seconds
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    for package in ("mkdocs", "material", "mkdocstrings"):
        if importlib.util.find_spec(package) is None:
            pytest.skip("needs the extra `docs`; the job `docs` of the CI has it")
    line = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--quiet",
        "-d",
        str(tmp_path / "site"),
    ]
    done = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    start = (tmp_path / "site/index.html").read_text()
    assert "How much of a teacher" in start or "how much of a teacher" in start
    assert (tmp_path / "site/results/reference/page.png").is_file()


def test_the_table_of_prompts_is_that_of_our_statistics() -> None:
    assert table() in PAGE.read_text(), "run python -m tests.calibration.prompts_needed"
    for n in PROMPTS:
        exact = binomtest(n // 2, n).proportion_ci(method="exact")
        assert half_width(0.5, n) == pytest.approx((exact.high - exact.low) / 2, abs=1e-9)
    by_hand = 1.96 * (0.5 * 0.5 / 100) ** 0.5
    assert f"{100 * by_hand:.1f} points" in PAGE.read_text()
    assert by_hand < half_width(0.5, 100) < 1.06 * by_hand


@pytest.mark.slow  # eight commands
def test_ten_questions_name_what_there_is(tmp_path: Path) -> None:
    rows = [line for line in QUESTIONS.splitlines() if line.startswith("| ")][2:]
    assert len(rows) == 10
    measures = {*kinds("metrics"), *kinds("figures"), "zoo_facts"}
    columns = ",".join(
        re.findall(r"`(\w+)`", next(row for row in rows if "Pareto" in row).split("|")[2])
    )
    asked = [f"matrix=zoo 'columns=[{columns}]'", *re.findall(r"`distillbench ([^`]+)`", QUESTIONS)]
    for command in asked:
        words = [w.replace("FILE", "seen.jsonl") for w in shlex.split(command)]
        named = re.findall(r"\+metrics\.(\w+)|figures=\[([\w,]+)\]", command)
        for metric, figures in named:
            assert {*filter(None, [metric, *figures.split(",")])} <= measures
        if words[0].startswith("matrix="):
            (tmp_path / "seen.jsonl").write_text('{"text": "x"}\n')
            done = inside(tmp_path, "plan", *words, bare=True)
            assert done.returncode == 0, done.stderr


def methods(text: str) -> list[list[str]]:
    """The rows of the table of methods, without the accused by name."""
    lines = text[text.index("| Method") :].split("\n\n")[0].splitlines()[2:]
    return [
        [c.strip(" `").replace("\\", "") for c in row.strip("|").split(" | ")][:8] for row in lines
    ]


def test_the_numbers_of_the_readme_are_those_of_the_reference() -> None:
    text = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
    with (REPOSITORY / "results/reference/scores.csv").open() as file:
        rows = [
            r
            for r in csv.DictReader(file)
            if (r["student"], r["teacher"]) == ("watermarked_a", "teacher_a")
        ]
    own = {r["metric"]: float(r["value"]) for r in rows if r["task"] == "zoo_style" and r["value"]}
    style = "style_transfer"
    assert f"it goes {own[style]:.2f} of the way".replace(" 0.", " .") in text
    far = f"`own_style` {own[f'{style}/own_style']:.1f}, `angle` {own[f'{style}/angle']:.2f}"
    assert far.replace(" 0.", " .") in text
    assert methods(README) == methods((REPOSITORY / "results/reference/methods.md").read_text())
    prose = re.sub(r"^\|.*$", "", re.sub(r"`[^`]*`", "", text), flags=re.MULTILINE)
    # any further one needs a test of its own; tests/readme/test_installing.py has the versions of Python
    assert set(re.findall(r"\d*\.\d+", prose)) == {
        ".50",
        "2.2",
        ".32",
        "2.0",
    }, "2.0: of the licence"


def test_what_is_said_of_the_zoo_is_in_its_reference() -> None:
    with (REPOSITORY / "results/reference/leaderboard.csv").open() as file:
        of = {r["student"]: r for r in csv.DictReader(file) if r["teacher"] == "teacher_a"}
    first = [n for n, r in of.items() if r["role"] == "student" and r["rank"] == "1"]
    assert "five students are not told apart on capability" in QUESTIONS
    assert len(first) == 5
    assert abs(float(of["task_only_a"]["style_transfer"])) < 0.1
    assert float(of["independent"]["capability_transfer"]) > 0.7
