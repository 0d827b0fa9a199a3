"""Imported first by the server that worker processes are forked from: it looks for no cycles among what it imports.

Among the objects of torch and transformers there are hardly any, and each search looks through all of them: a quarter
of the time that importing them took, and most of the time in which the server ended.
"""

from __future__ import annotations

import atexit
import gc

from harness.console.processes import collect_seldom

gc.disable()  # a worker looks for them again,
collect_seldom()  # though as seldom as the command itself
atexit.register(gc.freeze)
