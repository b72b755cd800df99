"""The picture of a pruning search: what it shows, and that it can always be drawn."""

import itertools

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from tenas_jax.errors import UserError
from tenas_jax.report import cell_picture, pruning_plot, style
from tenas_jax.report.picture import save_png, to_svg

NB201 = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
NB201_EDGES = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
DARTS = ["none", "max_pool_3x3", "avg_pool_3x3", "skip_connect"]
DARTS += ["sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"]
BOTH = ("condition_number", "linear_regions")
DARTS_EDGES = [(j, i) for i in range(2, 6) for j in range(i)]


def search(operations, edges, cells, seed=0, **fields):
    """Rounds that prune one operation of each edge, until each edge has one."""
    rng = np.random.default_rng(seed)
    mask = np.ones((cells, len(edges), len(operations)), int)
    rounds = []
    for number in range(len(operations)):
        values = {"condition_number": 4000.0 / (number + 1), "linear_regions": 900.0 + number}
        entry = {"round": number, "mask": mask.tolist(), "pruned": [], **values, **fields}
        rounds.append(entry)
        if number < len(operations) - 1:
            for cell, edge in np.ndindex(mask.shape[:2]):
                op = int(rng.choice(np.flatnonzero(mask[cell, edge])))
                mask[cell, edge, op] = 0
                entry["pruned"].append([cell, edge, op])
    return rounds


def drawn_texts(artist):
    return [t for t in artist.findobj(Text) if t.get_visible() and t.get_text().strip()]


def ticks_out_of_view(figure):
    """The texts of ticks beyond their axis's end, which are there but are not drawn."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for label, at in zip(axis.get_ticklabels(), axis.get_ticklocs(), strict=True):
                if not low <= at <= high:
                    yield label


def words(artist):
    return [text.get_text() for text in drawn_texts(artist)]


@pytest.mark.parametrize(
    ("operations", "edges", "cells"),
    [(NB201, NB201_EDGES, 1), (DARTS, DARTS_EDGES, 2)],
    ids=["nb201", "darts"],
)
def test_writes_a_png_of_the_stated_size(tmp_path, operations, edges, cells):
    path = tmp_path / "search.png"
    rounds = search(operations, edges, cells)
    save_png(pruning_plot.pruning_figure(operations, edges, BOTH, rounds, title="t"), path)
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    with Image.open(path) as image:
        assert image.size == (1600, 900)
        assert len(image.convert("L").getcolors()) > 20  # It is not blank.
    assert path.stat().st_size < 300_000
    assert [p.name for p in tmp_path.iterdir()] == ["search.png"]


@pytest.mark.parametrize("cells", [1, 2])
def test_names_every_operation_edge_and_the_title(cells):
    figure = pruning_plot.pruning_figure(
        NB201, NB201_EDGES, BOTH, search(NB201, NB201_EDGES, cells), title="costs $5 a_b$"
    )
    shown = words(figure)
    assert "costs $5 a_b$" in shown
    grids = [axes for axes in figure.axes if "kept" in words(axes)]
    assert len(grids) == cells
    for axes in grids:
        assert set(NB201) <= set(words(axes))
        assert {f"{a}→{b}" for a, b in NB201_EDGES} <= set(words(axes))
    assert all(f"cell {i}" in shown for i in range(cells)) == (cells > 1)


def test_grid_shows_the_round_each_operation_went_in():
    rounds = search(NB201, NB201_EDGES, 1)
    figure = pruning_plot.pruning_figure(NB201, NB201_EDGES, BOTH, rounds, title="t")
    (grid,) = [axes for axes in figure.axes if "kept" in words(axes)]
    at = {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in grid.texts}
    for entry in rounds:
        for _, edge, op in entry["pruned"]:
            assert at[edge, op] == str(entry["round"])
    final = np.argwhere(np.asarray(rounds[-1]["mask"])[0])
    assert {square for square, text in at.items() if text == "kept"} == {tuple(p) for p in final}


def test_rounds_that_masks_alone_tell_and_operations_never_there():
    masks = [[[[1, 1, 0], [1, 0, 1]]], [[[1, 0, 0], [0, 0, 0]]]]
    rounds = [{"round": 7, "mask": masks[0], "pruned": [[0, 0, 1]]}]
    rounds.append({"round": 8, "mask": masks[1], "pruned": []})
    when = pruning_plot.pruning_rounds(rounds, 2, 3)
    kept, absent = pruning_plot.KEPT, pruning_plot.ABSENT
    assert when.tolist() == [[[kept, 7, absent], [7, absent, 7]]]


def test_cell_labels_its_edges_and_dots_none():
    mask = np.zeros((1, 6, 5), int)
    mask[0, range(6), [0, 1, 2, 3, 4, 3]] = 1
    mask[0, 1] = 0  # This edge is gone.
    mask[0, 5, 1] = 1  # This one has two operations.
    rounds = search(NB201, NB201_EDGES, 1)
    rounds[-1]["mask"] = mask.tolist()
    figure = pruning_plot.pruning_figure(NB201, NB201_EDGES, BOTH, rounds, title="t")
    cell = figure.axes[-1]
    labels = [w for w in words(cell) if not w.isdigit()]
    assert sorted(labels) == sorted(
        [*(NB201[i] for i in (0, 2, 3, 4)), "skip_connect + " + NB201[3]]
    )
    assert [w for w in words(cell) if w.isdigit()] == ["0", "1", "2", "3"]
    arrows = [p for p in cell.patches if type(p).__name__ == "FancyArrowPatch"]
    assert [p.get_linestyle() != "solid" for p in arrows] == [True, False, False, False, False]


def test_series_leave_gaps_for_missing_values():
    rounds = search(NB201, NB201_EDGES, 1)
    rounds[1]["condition_number"] = None
    rounds[2]["condition_number"] = -3.0  # A log axis cannot show it.
    rounds[3]["linear_regions"] = float("inf")
    figure = pruning_plot.pruning_figure(NB201, NB201_EDGES, BOTH, rounds, title="t")
    kappa, regions = (axes for axes in figure.axes if axes.lines)
    assert kappa.get_yscale() == "log" and regions.get_yscale() == "linear"
    assert np.isnan(kappa.lines[0].get_ydata()).tolist() == [False, True, True, False, False]
    assert np.isnan(regions.lines[0].get_ydata()).tolist() == [False] * 3 + [True, False]
    assert regions.lines[1].get_ydata().tolist() == [904.0]


@pytest.mark.parametrize("metrics", [("a_score",), ("condition_number", "a_score", "b")])
def test_any_metrics_are_drawn_by_name(metrics):
    values = {name: 3.0 for name in metrics}
    rounds = search(NB201, NB201_EDGES, 1, **values)
    figure = pruning_plot.pruning_figure(NB201, NB201_EDGES, metrics, rounds, title="t")
    drawn = [axes for axes in figure.axes if axes.lines]
    assert [axes.get_yscale() for axes in drawn] == [
        "log" if name == "condition_number" else "linear" for name in metrics
    ]
    assert [axes.get_title("left") for axes in drawn][-1] == metrics[-1].replace("_", " ")


def test_nothing_measured_says_so(tmp_path):
    rounds = search(NB201, NB201_EDGES, 1, condition_number=None, linear_regions=None)
    figure = pruning_plot.pruning_figure(NB201, NB201_EDGES, BOTH, rounds, title="t")
    assert words(figure).count("not recorded") == 2
    only_final = [{**rounds[-1], "condition_number": 5.0}]
    save_png(
        pruning_plot.pruning_figure(NB201, NB201_EDGES, BOTH, only_final, title="t"),
        tmp_path / "a.png",
    )
    assert (tmp_path / "a.png").is_file()


def test_texts_do_not_overlap_nor_leave_the_figure():
    for operations, edges, cells in [(NB201, NB201_EDGES, 1), (DARTS, DARTS_EDGES, 2)]:
        rounds = search(operations, edges, cells)
        title = "A long title with all that a run has to say " * 5
        figure = pruning_plot.pruning_figure(operations, edges, BOTH, rounds, title=title)
        figure.canvas.draw()
        hidden = set(ticks_out_of_view(figure))
        texts = [t for t in drawn_texts(figure) if t not in hidden]
        boxes = {t.get_text() + f" #{i}": t.get_window_extent() for i, t in enumerate(texts)}
        for name, box in boxes.items():
            assert 0 <= box.x0 and box.x1 <= 1600 and 0 <= box.y0 and box.y1 <= 900, name
        for (a, one), (b, two) in itertools.combinations(boxes.items(), 2):
            assert not one.overlaps(two), (a, b)


def test_shades_keep_their_order_in_black_and_white():
    def lightness(colour):
        return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]

    shades = [lightness(style.pruned_shade(i / 6)) for i in range(7)]
    assert all(a - b > 0.03 for a, b in itertools.pairwise(shades))
    assert shades[-1] > 0.45  # The dark numbers on it stay legible.


def test_arcs_cross_on_neither_side():
    sides = dict(zip(NB201_EDGES, cell_picture.arc_sides(NB201_EDGES), strict=True))
    assert sides[0, 1] == sides[1, 2] == sides[2, 3] == 0
    assert sides[0, 2] * sides[1, 3] == -1
    assert sides[0, 3] in (1, -1)


def test_rounds_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "a.png"
    with pytest.raises(UserError, match="no rounds"):
        save_png(pruning_plot.pruning_figure(NB201, NB201_EDGES, BOTH, [], title="t"), path)
    rounds = search(DARTS, NB201_EDGES, 1)
    with pytest.raises(UserError, match=r"round 0: the mask is \(1, 6, 8\), not \(1, 6, 5\)"):
        save_png(pruning_plot.pruning_figure(NB201, NB201_EDGES, BOTH, rounds, title="t"), path)
    assert not path.exists()


def test_leaves_the_global_settings_alone(tmp_path):
    import matplotlib

    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"font.size": 40.0, "axes.grid": True}):
        rounds = search(NB201, NB201_EDGES, 1)
        save_png(
            pruning_plot.pruning_figure(NB201, NB201_EDGES, BOTH, rounds, title="t"),
            tmp_path / "a.png",
        )
        assert matplotlib.rcParams["font.size"] == 40.0
    assert dict(matplotlib.rcParams) == before


def test_later_rounds_are_darker_in_the_grid():
    rounds = search(NB201, NB201_EDGES, 1)
    figure = pruning_plot.pruning_figure(NB201, NB201_EDGES, BOTH, rounds, title="t")
    shades = {}
    for patch, text in zip(figure.axes[0].patches, figure.axes[0].texts, strict=True):
        shades.setdefault(text.get_text(), set()).add(sum(patch.get_facecolor()[:3]))
    of_rounds = [shade for number in "0123" for shade in shades[number]]
    assert len(of_rounds) == 4 and of_rounds == sorted(of_rounds, reverse=True)


def test_every_cell_is_shown_under_its_own_name():
    rounds = search(NB201, NB201_EDGES, 2)
    figure = pruning_plot.pruning_figure(NB201, NB201_EDGES, BOTH, rounds, title="t")
    final = np.asarray(rounds[-1]["mask"])
    assert not np.array_equal(final[0], final[1])
    for i, (grid, graph) in enumerate(zip(figure.axes[:2], figure.axes[-2:], strict=True)):
        kept = [t.get_position() for t in grid.texts if t.get_text() == "kept"]
        assert [[int(y), int(x)] for x, y in kept] == np.argwhere(final[i]).tolist()
        assert grid.get_xlabel() == f"cell {i}"
        names = [NB201[op] for op in final[i].argmax(-1)]
        assert sorted(w for w in words(graph) if not w.isdigit()) == sorted([*names, f"cell {i}"])


def test_cells_may_be_given_names():
    rounds, cells = search(NB201, NB201_EDGES, 2), ["normal", "reduce"]
    figure = pruning_plot.pruning_figure(NB201, NB201_EDGES, BOTH, rounds, title="t", cells=cells)
    assert [axes.get_xlabel() for axes in figure.axes[:2]] == cells
    assert set(cells) <= {text.get_text() for text in drawn_texts(figure)}


def test_the_mark_of_the_result_is_explained_where_it_is_drawn():
    rounds = search(NB201, NB201_EDGES, 1)
    figure = pruning_plot.pruning_figure(NB201, NB201_EDGES, BOTH, rounds, title="t")
    assert "resulting architecture" in words(figure)
    empty = search(NB201, NB201_EDGES, 1, condition_number=None, linear_regions=None)
    figure = pruning_plot.pruning_figure(NB201, NB201_EDGES, BOTH, empty, title="t")
    assert "resulting architecture" not in words(figure)


def test_every_place_of_the_grids_has_its_text():
    rounds = search(NB201, NB201_EDGES, 2)
    picture = pruning_plot.pruning_picture(NB201, NB201_EDGES, BOTH, rounds, title="T")
    assert len(picture.hovers) == 2 * len(NB201_EDGES) * len(NB201)
    cell, edge, op = rounds[1]["pruned"][0]
    source, target = NB201_EDGES[edge]
    expected = f"{source}→{target}: {NB201[op]}\npruned in round 1"
    assert picture.hovers[f"operation-{cell}-{edge}-{op}"] == [expected]
    kept = [text for [text] in picture.hovers.values() if text.endswith("kept")]
    assert len(kept) == 2 * len(NB201_EDGES)
    assert to_svg(picture, "p").count("data-hover") == len(picture.hovers)
