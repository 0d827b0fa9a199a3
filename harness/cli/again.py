"""`distillbench report FOLDER ...` and `open`: the page of results that are there, without running anything."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path

from harness.board.saved import read_record, results_folder
from harness.cli import jobs
from harness.cli.gathering import conclude, results_of
from harness.cli.jobs import Job
from harness.cli.tools import Parser
from harness.console.progress import say
from harness.plugins import use_folders
from harness.stages.report import lacks_parts, stored_answers, write_report
from harness.stages.run import DONE, OUR_FAULT, worst
from harness.store.store import Store
from harness.types import DistillbenchError

_RESULTS = "paths.results="
_USAGE = (
    "distillbench report FOLDER ... [paths.results=DIR] [paths.plugins=DIR]: results of a run, such as results, each "
    "of which gets its page again; or sweeps, such as results/sweeps/DATE, which get one page together"
)
_PLUGINS = "paths.plugins="


def report_again(words: Sequence[str]) -> int:
    """The exit code after making pages again: of single results each its own, of sweeps one for all their jobs.

    Of equal jobs the last with a record counts; the code is the worst of all jobs.
    """
    if not words or {"-h", "--help"} & set(words):
        say(_USAGE)
        return 0 if words else 2
    folders = [Path(w) for w in words if not w.startswith((_RESULTS, _PLUGINS))]
    places = [Path(w.removeprefix(_RESULTS)) for w in words if w.startswith(_RESULTS)]
    use_folders([Path(w.removeprefix(_PLUGINS)) for w in words if w.startswith(_PLUGINS)])
    listed = [_jobs_in(folder) for folder in folders]
    if any(listed) and not all(listed):
        alone = folders[listed.index([])]
        raise DistillbenchError(
            f"{alone}: expected the folder of a sweep, found no list of jobs in it; {_USAGE}"
        )
    if not any(listed):
        return _page_again(folders, places)
    sweeps = jobs.joined([job for found in listed for job in found])
    results = places[-1:] or results_of(sweeps) or [Path("results")]
    return conclude(sweeps, [place.absolute() / "report" for place in results], wanted=True)


def open_page(words: Sequence[str]) -> int:
    """Opens the page of results in the browser and says where it lies; 0.

    Raises DistillbenchError where there is none.
    """
    parser = Parser(prog="distillbench open", description="The page of results, in the browser.")
    parser.add_argument("folder", nargs="?", default="results", metavar="RESULTS")
    page = results_folder(Path(parser.parse_args(words).folder)).absolute() / "index.html"
    if not page.is_file():
        raise DistillbenchError(
            f"{page}: expected a page, found none; `distillbench report {page.parent.parent}` makes it again"
        )
    say(f"the page: {page}")
    if not webbrowser.open(page.as_uri()):
        say("no browser was found here; open this file with one")
    return DONE


def _page_again(folders: Sequence[Path], places: Sequence[Path]) -> int:
    if places:
        raise DistillbenchError(
            f"{_RESULTS}{places[-1]}: expected none beside results of a run, whose page stays with them; {_USAGE}"
        )
    codes = [DONE]
    for folder in map(results_folder, folders):
        page = write_report(
            read_record(folder), folder, stored_answers([Store(folder.parent, True)])
        )
        say(f"the page: {page}")
        codes.append(OUR_FAULT if lacks_parts(folder) else DONE)
    return worst(codes)


def _jobs_in(folder: Path) -> list[Job]:
    """The jobs of a sweep's folder; none where it is the folder of something else."""
    lists = jobs.lists_in(folder) or [f for f in (folder, folder.parent) if jobs.is_list(f)][:1]
    return [job for place in lists for job in jobs.read(place)]
