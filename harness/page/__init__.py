"""Internals of the HTML page; use `harness.stages.report` to write one."""
