"""Runs as one HTML page that opens from the disk: tables, pictures, and what was run on what.

The page is one file that holds all that it shows.
"""

import datetime
import itertools
import os
from collections.abc import Callable, Sequence
from importlib import resources
from typing import NamedTuple

import jinja2
from markupsafe import Markup

from tenas_jax.errors import UserError
from tenas_jax.report.page.blocks import Figure, Section, Turnable, holds
from tenas_jax.report.page.kinds import KINDS, kind_of
from tenas_jax.report.page.provenance import provenance
from tenas_jax.report.page.run import RESULT, Run, read_runs, unfinished
from tenas_jax.report.page.side_by_side import Entry, overview
from tenas_jax.report.page.space_plot import plotly_script
from tenas_jax.report.picture import to_svg
from tenas_jax.runs.files import atomic_write_text

__all__ = ["KINDS", "page", "write_page"]

PACKAGE = "tenas_jax.report.page"
TEMPLATE = "template.html.jinja"


class Chapter(NamedTuple):
    """Holds a run, or what stands above all runs, as the template shows it."""

    id: str
    title: str
    subtitle: str
    notes: list[str]
    sections: list[Section]


def write_page(workdirs: Sequence[str], output: str | os.PathLike) -> None:
    """Writes the page of the runs in some workdirs.

    Args:
        workdirs: of `experiments.search`, `correlate`, `repeat`, `train` or `compare`; runs that
            are not finished, or going on, are shown as far as they are.
        output: the HTML file.

    Raises:
        UserError: a workdir holds no run that can be shown, or the file cannot be written.
    """
    atomic_write_text(output, page(read_runs(list(workdirs))))


def page(runs: Sequence[Run]) -> str:
    """Renders some runs as HTML that needs no other file.

    Raises:
        UserError: a run is of no known kind, or its result lacks a field.
    """
    entries = [Entry(run, kind_of(run), f"run-{i}") for i, run in enumerate(runs, 1)]
    chapters = [_chapter(entry) for entry in entries]
    if len(runs) > 1:
        above = [_checked(runs[0], lambda: overview(entries))]
        chapters.insert(0, Chapter("overview", "Side by side", "", [], above))
    title = runs[0].name if len(runs) == 1 else f"{len(runs)} runs"
    pictures = _Pictures()
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(PACKAGE, ""),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(TEMPLATE).render(
        title=f"tenas_jax: {title}",
        heading=title,
        chapters=chapters,
        made=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        svg=pictures.svg,
        archs=pictures.archs,
        css=Markup(_read("page.css")),
        js=Markup(_read("page.js")),
        turning=_turning(chapters),
    )


def _chapter(entry: Entry) -> Chapter:
    """Makes what the page shows of a run."""
    run, kind = entry.run, KINDS[entry.kind]

    def sections() -> list[Section]:
        return [*kind.sections(run), provenance(run, entry.kind)]

    facts = _checked(run, lambda: kind.facts(run))
    notes = [run.cut] if run.cut else []
    subtitle = f"{kind.words}: {facts.what}"
    if run.result is None:
        subtitle += f" ({unfinished(run)})"
    return Chapter(entry.id, run.name, subtitle, notes, _checked(run, sections))


def _turning(chapters: Sequence[Chapter]) -> list[Markup]:
    """Reads the scripts that draw figures which can be turned; none on a page without them."""
    blocks = [block for c in chapters for section in c.sections for block in section.blocks]
    if not holds(blocks, Turnable):
        return []
    return [Markup(plotly_script()), Markup(_read("turnable.js"))]


def _checked(run: Run, make: Callable):
    """Returns what `make()` gives; a field that a result lacks becomes a `UserError`."""
    try:
        return make()
    except KeyError as error:
        raise UserError(f"cannot read {run.path / RESULT}: there is no field {error}") from error


class _Pictures:
    """Writes figures as SVG, with ids of their own, and each architecture's string once."""

    def __init__(self) -> None:
        """Begins with no figure."""
        self._numbers = itertools.count(1)
        self._archs: dict[str, int] = {}

    def svg(self, figure: Figure) -> Markup:
        """Writes a figure as SVG, in which `to_svg` has escaped every text."""
        hovers = figure.picture.hovers
        if figure.archs:
            known = set(figure.archs)
            hovers = {g: [self._short(t, known) for t in texts] for g, texts in hovers.items()}
        svg = to_svg(figure.picture._replace(hovers=hovers), f"picture{next(self._numbers)}")
        return Markup(svg)

    def archs(self) -> list[str]:
        """Lists the strings that are meant by `@0`, `@1`, … in texts of marks so far."""
        return list(self._archs)

    def _short(self, text: str, known: set[str]) -> str:
        """Puts a reference for the architecture that a mark's text begins with."""
        first, _, rest = text.partition("\n")
        if first not in known:
            return text
        return f"@{self._archs.setdefault(first, len(self._archs))}\n{rest}"


def _read(name: str) -> str:
    """Reads a file of this folder."""
    return resources.files(PACKAGE).joinpath(name).read_text(encoding="utf-8")
