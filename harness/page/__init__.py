"""The page's private parts; `harness.stages.report` is the way in."""
