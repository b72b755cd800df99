"""The kinds of run that a page shows, each known by what lies in its workdir."""

from collections.abc import Callable
from dataclasses import dataclass

from tenas_jax.errors import UserError
from tenas_jax.report.page import (
    correlate_page,
    growth_page,
    repeat_page,
    search_page,
    training_pages,
)
from tenas_jax.report.page.blocks import Section
from tenas_jax.report.page.run import Facts, Run


@dataclass(frozen=True)
class Kind:
    """Holds what a page knows of one kind of run.

    Attributes:
        words: what it is called.
        recognises: says whether a run is of this kind.
        facts: puts a run into a line.
        sections: makes what is shown of a run; `KeyError` where its result lacks a field.
    """

    words: str
    recognises: Callable[[Run], bool]
    facts: Callable[[Run], Facts]
    sections: Callable[[Run], list[Section]]


# The name is that of the command in experiments/ that makes such a run.
KINDS: dict[str, Kind] = {
    "compare": Kind(
        "comparison of trainings",
        training_pages.is_comparison,
        training_pages.comparison_facts,
        training_pages.comparison_sections,
    ),
    "repeat": Kind(
        "search over seeds", repeat_page.is_repeat, repeat_page.facts, repeat_page.sections
    ),
    "grow": Kind("growth", growth_page.is_growth, growth_page.facts, growth_page.sections),
    "search": Kind("search", search_page.is_search, search_page.facts, search_page.sections),
    "train": Kind(
        "training",
        training_pages.is_training,
        training_pages.training_facts,
        training_pages.training_sections,
    ),
    "correlate": Kind(
        "rank study", correlate_page.is_study, correlate_page.facts, correlate_page.sections
    ),
}


def kind_of(run: Run) -> str:
    """Recognises a run and returns the name of its kind.

    Raises:
        UserError: it is of none.
    """
    for name, kind in KINDS.items():
        if kind.recognises(run):
            return name
    raise UserError(
        f"{run.path} holds a run that a page cannot show; valid: workdirs of {', '.join(KINDS)}"
    )
