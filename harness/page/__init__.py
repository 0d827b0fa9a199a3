"""The page's private parts; `harness.report` is the way in."""
