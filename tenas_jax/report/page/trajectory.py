"""The course of a search by single architectures on the page."""

from collections.abc import Mapping, Sequence

from tenas_jax.report.page.blocks import Block, Figure, Table, code, table
from tenas_jax.report.page.run import Run
from tenas_jax.report.page.space_plot import trajectory_space
from tenas_jax.report.page.words import plural, words
from tenas_jax.report.trajectory import Trajectory, has_trajectory, of_records, of_rounds
from tenas_jax.report.trajectory_course import course_rows
from tenas_jax.report.trajectory_plot import costs_picture, trajectory_picture
from tenas_jax.spaces import Space

BY_RECORDS = ("random",)  # strategies of which the records are all that is known


def trajectory_of(run: Run, space: Space, metrics: Sequence[str]) -> Trajectory | None:
    """Says what a run has seen; None where it scores no single architectures, or fewer than two.

    Raises:
        UserError: what is recorded does not fit itself.
    """
    if has_trajectory(run.rounds):
        own = (run.checkpoint or {}).get("state", {}).get("own", {})
        found = of_rounds(run.scores, run.rounds, space, metrics, own.get("front", ()))
    elif run.config["strategy"] in BY_RECORDS:
        found = of_records(run.scores, space, metrics, (run.result or {}).get("incumbents") or ())
    else:
        return None
    return found if len(found.archs) > 1 and found.metrics else None


def course(run: Run, found: Trajectory) -> list[Block]:
    """Its answers so far as a table, all that it scored as pictures, and its Pareto front."""
    header, rows = course_rows(found)
    names = [words(name) for name in header]
    blocks: list[Block] = []
    if found.entries or len(found.path):
        blocks.append(table(names, rows, "The answer so far, at steps spread over the search."))
    what = f"{words(run.config['strategy'])}, preset {run.config['preset']}"
    caption = f"{plural(len(found.archs), 'architecture')} by their values, darker the later they "
    caption += "were scored, and the path of the answer so far."
    bad = f" {found.bad:,} with a bad value: left out of the panels that need it."
    archs = list(found.archs)
    title = f"What was scored on the way: {what}"
    blocks.append(
        Figure(trajectory_picture(found, title=title), caption + bad * (found.bad > 0), archs)
    )
    turned = trajectory_space(found, f"{caption} It can be turned.")
    blocks += [turned] if turned else []
    if found.front:
        blocks.append(front_table(found))
    if found.front and found.costs:
        about = "The Pareto front, ringed, and all that was scored, by metrics and costs."
        picture = costs_picture(found, title=f"Metrics against costs: {what}")
        blocks.append(Figure(picture, about, archs))
    return blocks


def front_table(found: Trajectory) -> Table:
    """The architectures of the Pareto front with their objectives, a row each."""
    objectives: Mapping = {name: found.values[name] for name in (*found.metrics, *found.costs)}
    rows = [
        (
            at + 1,
            *(float(column[at]) for column in objectives.values()),
            code(found.archs[at]),
        )
        for at in found.front
    ]
    header = ("scored as number", *map(words, objectives), "architecture")
    note = "None of all that was scored is better in one of them and as good in the others."
    return table(header, rows, "The Pareto front.", note)
