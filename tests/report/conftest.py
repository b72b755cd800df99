"""What the tests of several pictures look at."""

import pytest


def shown_texts(figure):
    """(text, box) of what is written beside the axes and inside of them; not ticks out of view."""
    texts = [figure._suptitle, *(t for legend in figure.legends for t in legend.get_texts())]
    for axes in figure.axes:
        if not axes.axison:
            continue
        texts += [axes.xaxis.label, axes.yaxis.label, axes.title, axes._left_title]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
            texts += [label for at, label in ticks if low <= at <= high]
    return [(t.get_text(), t.get_window_extent()) for t in texts if t and t.get_text().strip()]


@pytest.fixture
def check_texts():
    """A function that fails where two texts of a figure meet, or one lies outside."""

    def check(figure):
        figure.canvas.draw()
        boxes = shown_texts(figure)
        width, height = figure.bbox.width, figure.bbox.height
        for i, (text, box) in enumerate(boxes):
            inside = 0 <= box.x0 and box.x1 <= width and 0 <= box.y0 and box.y1 <= height
            assert inside, (text, box)
            for other, second in boxes[i + 1 :]:
                assert not box.overlaps(second), (text, other)

    return check
