"""The networks of NAS-Bench-201: layout, masks at run time, and cells against a plain one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from tenas_jax.errors import UserError
from tenas_jax.networks import Network, NetworkSpec, scored_network
from tenas_jax.networks.layers.maps import convolve, normalise
from tenas_jax.networks.layers.pooling import average_pool_3x3
from tenas_jax.networks.nas_bench_201.scored import EDGES, Cell, NasBench201
from tenas_jax.spaces import SPACES
from tenas_jax.tracing.kinks import kink_margins

SPACE = SPACES["nas_bench_201"]
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
SUPERNET = np.ones((1, 6, 5), np.float32)
SUPERNET[..., 0] = 0
KEY = jax.random.key(0)
PATCH = scored_network(SPACE, NetworkSpec("patch")).network.module


pytestmark = pytest.mark.usefixtures("quick_compilation")


def cell_shapes(name, channels):
    by_path = {}
    for edge in ("1<-0", "2<-0", "2<-1", "3<-0", "3<-1", "3<-2"):
        for size in (1, 3):
            op = f"{name}/edges_{edge}/nor_conv_{size}x{size}"
            by_path[f"{op}/conv/kernel"] = (size, size, channels, channels)
            by_path[f"{op}/norm/scale"] = by_path[f"{op}/norm/bias"] = (channels,)
    return by_path


def test_names_and_shapes_of_the_kernel_network(shapes):
    network = scored_network(SPACE).of(jnp.asarray(SUPERNET))
    wanted = {
        "stem/conv/kernel": (3, 3, 3, 3),
        "stem/norm/scale": (3,),
        "stem/norm/bias": (3,),
        "head/norm/scale": (12,),
        "head/norm/bias": (12,),
        "head/dense/kernel": (12, 10),
        "head/dense/bias": (10,),
    }
    for stage, channels in enumerate((3, 6, 12)):
        wanted |= cell_shapes(f"cells_{2 * stage}", channels)
    for name, channels in (("cells_1", 3), ("cells_3", 6)):
        wanted[f"{name}/downsample/conv/kernel"] = (1, 1, channels, 2 * channels)
        for conv, before in (("conv_a", channels), ("conv_b", 2 * channels)):
            wanted[f"{name}/{conv}/conv/kernel"] = (3, 3, before, 2 * channels)
            for leaf in ("scale", "bias"):
                wanted[f"{name}/{conv}/norm/{leaf}"] = (2 * channels,)
    assert len(wanted) == 129
    assert shapes(network, (2, 8, 8, 3)) == wanted


def test_names_and_shapes_of_the_network_of_patches(shapes):
    network = scored_network(SPACE, NetworkSpec("patch"), classes=7).of(jnp.asarray(SUPERNET))
    wanted = cell_shapes("cells_0", 1) | {
        "head/norm/scale": (1,),
        "head/norm/bias": (1,),
        "head/dense/kernel": (1, 7),
        "head/dense/bias": (7,),
    }
    assert shapes(network, (2, 3, 3, 1)) == wanted


def test_edges_and_operations_are_those_of_the_space():
    assert EDGES == tuple(SPACE.edges) and OPERATIONS == tuple(SPACE.operations)


def test_an_unknown_initialiser_is_one_clear_line():
    network = Network(NasBench201(initialiser="kaiming"), jnp.asarray(SUPERNET))
    with pytest.raises(UserError, match="unknown initialiser 'kaiming'"):
        network.init(KEY, jnp.zeros((2, 8, 8, 3)))


def test_parameters_are_drawn_apart_and_in_the_images_dtype(x64):
    network = Network(NasBench201(channels=2, stages=1), jnp.asarray(SUPERNET))
    for dtype in (jnp.float64, jnp.float32):
        like = jax.ShapeDtypeStruct((2, 4, 4, 3), dtype)
        params = jax.eval_shape(lambda key, like=like: network.init(key, like), KEY)
        assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype(dtype)}
    leaves = traverse_util.flatten_dict(network.init(KEY, like))
    first = [float(leaf.ravel()[0]) for path, leaf in leaves.items() if path[-1] == "kernel"]
    assert len(first) == len(set(first)) == 14


def random_mask(rng):
    """Some operations of some edges: a row may be empty, or `none` alone."""
    mask = rng.random((6, 5)) < 0.5
    mask[:, 0] = False
    mask[rng.integers(6)] = False
    mask[rng.integers(6)] = OPERATIONS.index("none") == np.arange(5)
    return mask.astype(np.float32)


def draw(sizes, dtype):
    """Path -> normal numbers, for path -> shape."""
    rng = np.random.default_rng(1)
    return {path: jnp.asarray(rng.normal(size=shape), dtype) for path, shape in sizes.items()}


def cell_params(channels):
    flat = draw(cell_shapes("cells_0", channels), jnp.float64)
    return traverse_util.unflatten_dict(flat, sep="/")["cells_0"]


def plain_cell(params, x, mask):
    """Nodes in order, edges in order, the mean of an edge's operations, all as it is said."""
    nodes = {0: x}
    for row, (target, source) in zip(mask, EDGES, strict=True):
        node = nodes[source]
        outputs = []
        for name, chosen in zip(OPERATIONS, row, strict=True):
            if not chosen:
                continue
            if name in ("nor_conv_1x1", "nor_conv_3x3"):
                weights = params[f"edges_{target}<-{source}"][name]
                y = convolve(jnp.where(node > 0, node, 0), weights["conv"]["kernel"])
                outputs.append(normalise(y, weights["norm"]["scale"], weights["norm"]["bias"]))
            else:
                output = {
                    "none": jnp.zeros_like,
                    "skip_connect": lambda a: a,
                    "avg_pool_3x3": lambda a: average_pool_3x3(a, form="plain"),
                }[name]
                outputs.append(output(node))
        mean = sum(outputs) / len(outputs) if outputs else jnp.zeros_like(x)
        nodes[target] = nodes.get(target, 0) + mean
    return nodes[3]


CHANNELS = 2
run_cell = jax.jit(
    lambda params, x, mask, form: Cell("lecun_normal", form).apply({"params": params}, x, mask),
    static_argnames="form",
)


def cell_images():
    return jnp.asarray(np.random.default_rng(0).normal(size=(CHANNELS, 4, 6, 4)))


@pytest.mark.parametrize("form", ["plain", "condensed"])
def test_cells_equal_a_plain_one(form, x64):
    x, params = cell_images(), cell_params(CHANNELS)
    rng = np.random.default_rng(2)
    for mask in [SUPERNET[0], np.zeros((6, 5)), *(random_mask(rng) for _ in range(3))]:
        got = run_cell(params, x, jnp.asarray(mask, float), form)
        assert got.dtype == jnp.float64
        wanted = plain_cell(params, x, mask)
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-10)


def test_an_edge_is_the_mean_of_its_operations(x64):
    x, params = cell_images(), cell_params(CHANNELS)

    def output(operations):
        mask = np.zeros((6, 5))
        mask[EDGES.index((3, 0)), [OPERATIONS.index(op) for op in operations]] = 1
        return np.asarray(run_cell(params, x, jnp.asarray(mask), "condensed"))

    single = {op: output([op]) for op in OPERATIONS}
    np.testing.assert_array_equal(single["none"], 0)
    np.testing.assert_array_equal(output([]), 0)
    np.testing.assert_array_equal(single["skip_connect"], x)
    for some in (OPERATIONS[1:], OPERATIONS[1:3], OPERATIONS[3:]):
        mean = sum(single[op] for op in some) / len(some)
        np.testing.assert_allclose(output(some), mean, rtol=1e-10, atol=1e-12)


def test_gradients_reach_exactly_what_the_mask_keeps(shapes):
    """One trace serves all masks, and an operation that is left out gets no gradient at all."""
    module = NasBench201(channels=2, stages=1, form="condensed")
    x = jnp.asarray(np.random.default_rng(0).normal(size=(4, 4, 4, 3)), jnp.float32)
    traces = []

    @jax.jit
    def gradients(network, params):
        traces.append(network)
        return jax.grad(lambda p: (network(p, x) ** 2).sum())(params)

    sizes = shapes(Network(module, jnp.asarray(SUPERNET)), x.shape)
    params = traverse_util.unflatten_dict(draw(sizes, jnp.float32), sep="/")
    for edge, operation in [(None, None), ("3<-1", "nor_conv_3x3"), ("1<-0", "nor_conv_1x1")]:
        mask = SUPERNET.copy()
        if edge:
            target, source = (int(node) for node in edge.split("<-"))
            mask[0, EDGES.index((target, source)), OPERATIONS.index(operation)] = 0
        got = gradients(Network(module, jnp.asarray(mask)), params)
        for path, leaf in traverse_util.flatten_dict(got, sep="/").items():
            left_out = edge is not None and path.startswith(f"cells_0/edges_{edge}/{operation}/")
            assert jnp.isfinite(leaf).all()
            assert bool((leaf == 0).all()) == left_out, path
    assert len(traces) == 1


def test_a_relu_that_no_operation_needs_is_switched_off():
    """So that it draws no boundary between linear regions."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3, 3, 1)), jnp.float32)
    mask = SUPERNET.copy()
    mask[0, EDGES.index((3, 2)), 2:4] = 0  # the one edge that leaves node 2
    params = Network(PATCH, jnp.asarray(SUPERNET)).init(KEY, x)
    run = jax.jit(lambda network: kink_margins(lambda x: network(params, x), x))
    zeros = []
    for m in (SUPERNET, mask):
        inputs = np.asarray(run(Network(PATCH, jnp.asarray(m)))).reshape(4, 4, 9)
        zeros.append((inputs == 0).all((0, 2)))  # ReLUs of nodes 0, 1, 2 and of the head
    assert zeros[0].tolist() == [False] * 4
    assert zeros[1].tolist() == [False, False, True, False]


def test_vmap_over_masks_is_a_loop():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(6, 3, 3, 1)), jnp.float32)
    rng = np.random.default_rng(3)
    masks = jnp.stack([jnp.asarray(random_mask(rng))[None] for _ in range(3)])
    params = Network(PATCH, masks[0]).init(KEY, x)
    run = jax.jit(lambda network: network(params, x))
    batched = jax.jit(jax.vmap(lambda mask: Network(PATCH, mask)(params, x)))(masks)
    for out, mask in zip(batched, masks, strict=True):
        np.testing.assert_allclose(out, run(Network(PATCH, mask)), rtol=1e-4, atol=1e-5)
