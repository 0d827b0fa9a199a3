"""distillbench: how much of a teacher came across to a student, and what can be shown of it."""

__version__ = "0.1.0"
