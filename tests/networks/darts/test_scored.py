"""DARTS's networks: layout, masks at run time, both forms. Golden values judge the rest."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from tenas_jax.networks import Network, NetworkSpec, scored_network
from tenas_jax.networks.darts.edges import (
    AVERAGE,
    BY_SOURCE,
    DIL_5X5,
    EDGES,
    INPUTS,
    MAX,
    SEP_3X3,
    SKIP,
)
from tenas_jax.spaces import SPACES
from tenas_jax.tracing.kinks import kink_margins

SPACE = SPACES["darts"]
SUPERNET = SPACE.supernet()
KEY = jax.random.key(0)
PATCH = scored_network(SPACE, NetworkSpec("patch")).network.module

pytestmark = pytest.mark.usefixtures("quick_compilation")


def norm_shapes(name, *shape):
    return {f"{name}/scale": shape, f"{name}/bias": shape}


def cell_shapes(name, inputs, channels):
    """Of one cell: preprocessing, and the operations of 14 edges, stacked."""
    by_path = {}
    for i, before in enumerate(inputs):
        by_path[f"{name}/preprocess{i}/conv/kernel"] = (1, 1, before, channels)
        by_path |= norm_shapes(f"{name}/preprocess{i}/norm", channels)
    for size in (3, 5):
        operations = [f"sep_conv_{size}x{size}/sep_{half}" for half in "ab"]
        for operation in (*operations, f"dil_conv_{size}x{size}"):
            path = f"{name}/edges/{operation}"
            by_path[f"{path}/depthwise/kernel"] = (14, size, size, 1, channels)
            by_path[f"{path}/pointwise/kernel"] = (14, 1, 1, channels, channels)
            by_path |= norm_shapes(f"{path}/norm", 14, channels)
    return by_path


def test_names_and_shapes_of_the_kernel_network(shapes):
    network = scored_network(SPACE).of(jnp.asarray(SUPERNET))
    wanted = {
        "stem/conv/kernel": (3, 3, 3, 1),
        **norm_shapes("stem/norm", 1),
        **cell_shapes("cells_0", (1, 1), 1),
        **cell_shapes("cells_1", (1, 4), 2),
        "cells_1/input_edges/conv_0/kernel": (8, 1, 1, 2, 1),
        "cells_1/input_edges/conv_1/kernel": (8, 1, 1, 2, 1),
        **norm_shapes("cells_1/input_edges/norm", 8, 2),
        **norm_shapes("head/norm", 8),
        "head/dense/kernel": (8, 10),
        "head/dense/bias": (10,),
    }
    assert shapes(network, (2, 8, 8, 3)) == wanted


def test_the_network_of_patches_has_no_stem(shapes):
    network = scored_network(SPACE, NetworkSpec("patch"), classes=7).of(jnp.asarray(SUPERNET))
    own = shapes(network, (2, 3, 3, 1))
    assert not [path for path in own if path.startswith("stem")]
    assert own["head/dense/kernel"] == (8, 7)


def test_edges_and_operations_are_those_of_the_space():
    own = tuple((node + INPUTS, state) for node, state in EDGES)
    assert own == SPACE.edges and sorted(BY_SOURCE) == sorted(EDGES)
    names = {SKIP: "skip_connect", SEP_3X3: "sep_conv_3x3", DIL_5X5: "dil_conv_5x5"}
    names |= {AVERAGE: "avg_pool_3x3", MAX: "max_pool_3x3"}
    assert all(SPACE.operations[column] == name for column, name in names.items())


def test_the_weights_of_stacked_edges_are_drawn_apart():
    network = Network(PATCH, jnp.asarray(SUPERNET))
    params = network.init(KEY, jax.ShapeDtypeStruct((2, 3, 3, 1), jnp.float32))
    flat = traverse_util.flatten_dict(params["cells_1"], sep="/")
    kernels = [
        a.reshape(len(a), -1) for k, a in flat.items() if k.endswith("kernel") and "edges" in k
    ]
    assert len(kernels) == 14
    first = np.concatenate([np.asarray(kernel[:, 0]) for kernel in kernels])
    assert len(set(first.tolist())) == len(first)
    # The fan is that of one edge: PyTorch's default draws from ±1 / sqrt(fan in).
    kernel = params["cells_1"]["edges"]["sep_conv_5x5"]["sep_a"]["depthwise"]["kernel"]
    assert 0.9 / 5 < np.abs(kernel).max() <= 1 / 5


@pytest.fixture(scope="module")
def images():
    return jnp.asarray(np.random.default_rng(0).normal(size=(5, 3, 3, 1)), jnp.float32)


@pytest.fixture(scope="module")
def params(images):
    network = Network(PATCH, jnp.asarray(SUPERNET))
    flat = traverse_util.flatten_dict(network.init(KEY, images))
    rng = np.random.default_rng(1)  # norms would be 1 and 0
    drawn = {k: jnp.asarray(rng.normal(size=v.shape), jnp.float32) for k, v in flat.items()}
    return traverse_util.unflatten_dict(drawn)


def random_genotype():
    return SPACE.to_mask(SPACE.sample(np.random.default_rng(5)))


def test_both_forms_give_the_same_logits_and_gradients(images, params):
    results = {}
    for form in ("plain", "condensed"):
        module = PATCH.clone(form=form)

        @jax.jit
        def run(mask, module=module):
            network = Network(module, mask)
            logits, pullback = jax.vjp(lambda p, x: network(p, x), params, images)
            return logits, pullback(jnp.cos(logits))

        results[form] = [run(jnp.asarray(m, jnp.float32)) for m in (SUPERNET, random_genotype())]
    leaves = [jax.tree.leaves(results[form]) for form in ("plain", "condensed")]
    for plain, condensed in zip(*leaves, strict=True):
        scale = np.abs(plain).max()
        np.testing.assert_allclose(condensed, plain, rtol=0, atol=2e-4 * max(scale, 1))


@pytest.fixture(scope="module")
def relus(images, params):
    """For a mask, which ReLU outputs of the network of patches are ever given anything but zero."""
    run = jax.jit(lambda mask: kink_margins(lambda x: Network(PATCH, mask)(params, x), images))

    def count(mask) -> int:
        return int((np.asarray(run(jnp.asarray(mask, jnp.float32))) != 0).any(0).sum())

    return count


def single(*pairs, operation=MAX):
    """Both cells with two edges a node: an operation on the first of all, `operation` elsewhere."""
    mask = np.zeros((2, 14, 8), np.uint8)
    for node in range(2, 6):
        for state in (0, 1):
            mask[:, SPACE.edges.index((node, state)), operation] = 1
    for cell, node, state, own in pairs:
        mask[cell, SPACE.edges.index((node, state))] = np.eye(8, dtype=np.uint8)[own]
    return mask


def test_a_relu_that_no_operation_needs_is_off(relus):
    """3 x 3 positions in the normal cell, 2 x 2 with two channels in the reduction cell."""
    pooling = relus(single())
    preprocessing, head = 9 * (1 + 1) + 9 * (1 + 4), 4 * 8
    assert pooling == preprocessing + head
    assert relus(single((0, 2, 0, SKIP))) == pooling  # an identity
    assert relus(single((0, 2, 0, DIL_5X5))) == pooling + 9
    assert relus(single((0, 2, 0, SEP_3X3))) == pooling + 9 + 9  # its second one, too
    assert relus(single((1, 2, 0, SKIP))) == pooling + 2 * 9  # the factorised reduction's
    assert relus(single((1, 2, 0, SEP_3X3))) == pooling + 2 * 9 + 2 * 4
    # Two operations on one state read one ReLU.
    both = single((1, 2, 0, DIL_5X5), (1, 3, 0, DIL_5X5))
    assert relus(both) == relus(single((1, 2, 0, DIL_5X5)))


def most_axes(program) -> int:
    """Of any array that is summed in a program, at any depth."""
    most = 0
    for eqn in program.eqns:
        if eqn.primitive.name == "reduce_sum":
            most = max(most, eqn.invars[0].aval.ndim)
        for inner in jax.tree.leaves(list(eqn.params.values())):
            inner = getattr(inner, "jaxpr", inner)
            if hasattr(inner, "eqns"):
                most = max(most, most_axes(inner))
    return most


def test_no_array_of_seven_axes_is_summed(images, params):
    """XLA's CPU back end (jaxlib 0.10.2) crashes in some such sums that it fuses with a product.

    The axis of many cotangents counts as well.
    """
    network = Network(PATCH.clone(form="condensed"), jnp.asarray(SUPERNET))

    def backward(params, cotangents):
        logits, pullback = jax.vjp(lambda p: network(p, images).sum(-1), params)
        return jax.vmap(pullback)(cotangents)

    program = jax.make_jaxpr(backward)(params, jnp.eye(len(images)))
    assert most_axes(program.jaxpr) == 6
    seven = jax.make_jaxpr(jax.jit(lambda x: x.reshape((1,) * 6 + (-1,)).sum()))(images)
    assert most_axes(seven.jaxpr) == 7


def test_an_operation_that_is_off_has_no_part(images, params):
    """Changing its weights changes nothing, and those of one that is on do."""
    run = jax.jit(lambda params, mask: Network(PATCH, mask)(params, images))
    mask = jnp.asarray(single((0, 2, 0, SEP_3X3)), jnp.float32)
    before = run(params, mask)
    edge = BY_SOURCE.index((0, 0))

    def changed(operation):
        edges = params["cells_0"]["edges"]
        own = jax.tree.map(lambda a: a.at[edge].multiply(-3.0), edges[operation])
        return {**params, "cells_0": {**params["cells_0"], "edges": {**edges, operation: own}}}

    assert (run(changed("dil_conv_3x3"), mask) == before).all()
    assert (run(changed("sep_conv_3x3"), mask) != before).any()
