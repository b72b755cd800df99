"""What things cost on this machine: named cases, and for each rows of seconds and memory."""

from experiments.measure.cases import CASES, Case, tasks
from experiments.measure.rows import FIELDS, measure
from experiments.measure.work import Task, Work

__all__ = ["CASES", "FIELDS", "Case", "Task", "Work", "measure", "tasks"]
