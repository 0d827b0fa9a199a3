"""What is known of the source files of our package, kept in the cache: a warm run parses none of them.

A source is known by its bytes; deleting the memo costs only time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.keys import parsed_code
from harness.store.damage import sealed, unsealed
from harness.store.drafts import write_whole


@contextmanager
def remembered_code(cache: Path) -> Iterator[None]:
    """Inside, sources that were parsed in an earlier run are known; those that are parsed are known from now on."""
    path = cache / "code" / f"{sys.implementation.cache_tag}.json"
    known = parsed_code()
    known.update(unsealed(path) or {})
    before = len(known)
    try:
        yield
    finally:
        if len(known) > before:
            with suppress(OSError):  # a cache that cannot be written costs the next run its time
                path.parent.mkdir(parents=True, exist_ok=True)
                latest = {place.rpartition(" ")[0]: place for place in known}
                write_whole(path, sealed({place: known[place] for place in latest.values()}))
