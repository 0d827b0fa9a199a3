"""Makes the picture of the README: the first screen of a page, as Chromium shows it.

python -m tests.readme.picture RESULTS      results/reference/page.png from RESULTS/report/index.html
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PICTURE = REPOSITORY / "results/reference/page.png"


def main(results: Path, picture: Path = PICTURE) -> None:
    """Writes the picture; 1440 x 900 pixels."""
    browser = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    )
    page = (results / "report/index.html").resolve()
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--window-size=1440,900",
        "--virtual-time-budget=5000",
    ]
    subprocess.run([browser, *flags, f"--screenshot={picture}", page.as_uri()], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
