"""NAS-Bench-201's network for training, against NumPy."""

import jax
import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.networks.nas_bench_201.trained import Cell
from tenas_jax.networks.trained import derived

SPACE = spaces.get("nas_bench_201")
# Every operation, a source that is zero for one reader, and an edge that leads nowhere.
ARCH = SPACE.parse(
    "|nor_conv_3x3~0|+|avg_pool_3x3~0|none~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_1x1~2|"
)
DEAD = SPACE.parse("|none~0|+|none~0|nor_conv_1x1~1|+|nor_conv_3x3~0|none~1|none~2|")


@pytest.fixture(scope="module", autouse=True)
def _quick(quick_compilation):
    pass


def reference_cell(layers, arch, x, name):
    nodes = [x, 0 * x, 0 * x, 0 * x]
    for (target, source), number in zip(SPACE.edges, arch[0], strict=True):
        operation, edge = SPACE.operations[number], f"edge_{target}_{source}"
        if operation == "avg_pool_3x3":
            nodes[target] = nodes[target] + layers.average_pool(nodes[source])
        elif operation == "skip_connect":
            nodes[target] = nodes[target] + nodes[source]
        elif operation != "none":
            nodes[target] = nodes[target] + layers.conv_norm(nodes[source], name, edge)
    return nodes[3]


def reference(layers, arch, images):
    """The network with one cell a stage."""
    x = layers.conv_norm(images, "stem", relu=False)
    for stage in range(3):
        if stage:
            name = f"residual_{stage}"
            y = layers.conv_norm(x, name, "first", stride=2)
            y = layers.conv_norm(y, name, "second")
            pooled = layers.average_pool(x, size=2, stride=2, padding=0)
            x = y + layers.conv(pooled, name, "shortcut")
        x = reference_cell(layers, arch, x, f"cell_{stage}_0")
    return layers.classifier(np.maximum(layers.norm(x, "norm"), 0), "classifier")


@pytest.mark.parametrize("train", [True, False], ids=["train", "inference"])
def test_it_computes_what_numpy_does(train, layers, variables_of, images_of):
    module = derived("nas_bench_201", ARCH, classes=5, channels=2, depth=1)
    images = images_of(3, 12)
    variables = variables_of(module, images)
    run = jax.jit(lambda v, x: module.apply(v, x, train=train, mutable=["batch_stats"]))
    (logits, auxiliary), state = run(variables, images)
    numpy = layers(variables, train)
    np.testing.assert_allclose(logits, reference(numpy, ARCH, images), rtol=1e-3, atol=1e-4)
    assert logits.shape == (3, 5) and auxiliary is None
    if train:
        numpy.check_updates(state["batch_stats"])
    else:
        same = jax.tree.map(np.array_equal, dict(state["batch_stats"]), variables["batch_stats"])
        assert all(jax.tree.leaves(same))


def test_a_cell_without_any_way_gives_zero_and_keeps_its_weights():
    x = np.ones((2, 4, 4, 3), np.float32)
    none = Cell((0,) * 6, 3, np.float32)
    np.testing.assert_array_equal(none.apply({}, x, train=True), 0 * x)
    shapes = jax.eval_shape(
        lambda: Cell(tuple(DEAD[0].tolist()), 3, np.float32).init(jax.random.key(0), x, train=True)
    )
    assert set(shapes["params"]) == {"edge_2_1", "edge_3_0"}


def test_its_size_is_what_is_asked_for():
    module = derived("nas_bench_201", ARCH, classes=7, channels=4, depth=2)
    shapes = jax.eval_shape(
        lambda: module.init(jax.random.key(0), np.ones((1, 8, 8, 3), np.float32), train=True)
    )["params"]
    cells = sorted(name for name in shapes if name.startswith("cell"))
    assert cells == [f"cell_{stage}_{number}" for stage in range(3) for number in range(2)]
    for stage, channels in enumerate((4, 8, 16)):
        kernel = shapes[f"cell_{stage}_1"]["edge_1_0"]["conv"]["kernel"]
        assert kernel.shape == (3, 3, channels, channels)
    assert shapes["classifier"]["dense"]["kernel"].shape == (16, 7)
