"""DARTS's networks for training, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tenas_jax import spaces
from tenas_jax.networks.darts.trained import STEMS, AuxiliaryHead
from tenas_jax.networks.trained import derived

SPACE = spaces.get("darts")
# Both cells hold every operation; the reduction cell some of them with both strides.
ARCH = SPACE.parse(
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_5x5', 1), ('dil_conv_3x3', 0),"
    " ('skip_connect', 2), ('dil_conv_5x5', 1), ('avg_pool_3x3', 3), ('max_pool_3x3', 0),"
    " ('skip_connect', 1)], normal_concat=range(2, 6), reduce=[('skip_connect', 0),"
    " ('sep_conv_3x3', 1), ('sep_conv_5x5', 0), ('dil_conv_3x3', 1), ('dil_conv_5x5', 0),"
    " ('avg_pool_3x3', 1), ('max_pool_3x3', 0), ('skip_connect', 2)],"
    " reduce_concat=range(2, 6))"
)
KERNELS = {"sep_conv_3x3": (2, 1), "sep_conv_5x5": (2, 1), "dil_conv_3x3": (1, 2)}
KERNELS["dil_conv_5x5"] = (1, 2)


@pytest.fixture(scope="module", autouse=True)
def _quick(quick_compilation):
    pass


def factorised(layers, x, *path):
    x = np.maximum(x, 0)
    even = x[:, 0::2, 0::2] @ layers._at(layers.params, path)["even"]["kernel"][0, 0]
    odd = x[:, 1::2, 1::2] @ layers._at(layers.params, path)["odd"]["kernel"][0, 0]
    return layers.norm(np.concatenate([even, odd], -1), *path, "norm")


def operate(layers, operation, x, stride, *path):
    if operation == "skip_connect":
        return x if stride == 1 else factorised(layers, x, *path)
    if operation == "avg_pool_3x3":
        return layers.average_pool(x, stride=stride)
    if operation == "max_pool_3x3":
        return layers.max_pool(x, stride)
    times, dilation = KERNELS[operation]
    for n in range(times):
        x, stride = np.maximum(x, 0), 1 if n else stride
        x = layers.conv(x, *path, f"depthwise_{n}", stride=stride, dilation=dilation)
        x = layers.norm(layers.conv(x, *path, f"pointwise_{n}"), *path, f"norm_{n}")
    return x


def reference_cell(layers, row, first, second, name, reduces):
    if first.shape[1] != second.shape[1]:
        first = factorised(layers, first, name, "first")
    else:
        first = layers.conv_norm(first, name, "first")
    states = [first, layers.conv_norm(second, name, "second"), 0, 0, 0, 0]
    for (target, source), number in zip(SPACE.edges, row, strict=True):
        if number:
            stride = 2 if reduces and source < 2 else 1
            edge = (name, f"edge_{target}_{source}")
            states[target] = states[target] + operate(
                layers, SPACE.operations[number], states[source], stride, *edge
            )
    return np.concatenate(states[2:], -1)


def reference_stem(layers, images, stem):
    if stem == "cifar":
        x = layers.conv_norm(images, "stem", "conv_0", relu=False)
        return x, x
    x = layers.conv_norm(images, "stem", "conv_0", stride=2, relu=False)
    first = layers.conv_norm(x, "stem", "conv_1", stride=2)
    return first, layers.conv_norm(first, "stem", "conv_2", stride=2)


def reference_auxiliary(layers, x, stem, *path):
    stride = {"cifar": 3, "imagenet": 2}[stem]
    x = layers.average_pool(np.maximum(x, 0), size=5, stride=stride, padding=0)
    x = np.maximum(layers.conv_norm(x, *path, "conv_0", relu=False), 0)
    x = layers.conv(x, *path, "conv_1", padding=0)
    x = layers.norm(x, *path, "norm_1") if stem == "cifar" else x
    return layers.classifier(np.maximum(x, 0), *path, "classifier")


def reference(layers, images, stem, reductions):
    """Logits, and the output of the second reduction cell."""
    before, last = reference_stem(layers, images, stem)
    middle = None
    for number, reduces in enumerate(reductions):
        row, name = ARCH[int(reduces)], f"cell_{number}"
        before, last = last, reference_cell(layers, row, before, last, name, reduces)
        middle = last if reduces else middle
    return layers.classifier(last, "classifier"), middle


def compare(module, images, train, layers, variables_of, stem, reductions):
    """The NumPy layers, after a comparison of logits and statistics, and both networks' middle."""
    variables = variables_of(module, images)
    run = jax.jit(lambda v, x: module.apply(v, x, train=train, mutable=["batch_stats"]))
    (logits, auxiliary), state = run(variables, images)
    numpy = layers(variables, train)
    wanted, middle = reference(numpy, images, stem, reductions)
    np.testing.assert_allclose(logits, wanted, rtol=1e-3, atol=1e-3)
    if auxiliary is not None:
        wanted = reference_auxiliary(numpy, middle, stem, "auxiliary")
        np.testing.assert_allclose(auxiliary, wanted, rtol=1e-3, atol=1e-3)
    if train:
        numpy.check_updates(state["batch_stats"])
    else:
        same = jax.tree.map(np.array_equal, dict(state["batch_stats"]), variables["batch_stats"])
        assert all(jax.tree.leaves(same))
    return auxiliary


def test_training_is_what_numpy_does(layers, variables_of, images_of):
    module = derived("darts", ARCH, classes=4, channels=2, depth=4, auxiliary=True)
    cells = (False, True, True, False)
    auxiliary = compare(module, images_of(2, 32), True, layers, variables_of, "cifar", cells)
    assert auxiliary.shape == (2, 4) and auxiliary.dtype == jnp.float32


def test_inference_is_what_numpy_does_and_has_no_auxiliary_logits(layers, variables_of, images_of):
    module = derived("darts", ARCH, classes=4, channels=2, depth=2, auxiliary=True)
    cells = (True, True)
    assert compare(module, images_of(2, 32), False, layers, variables_of, "cifar", cells) is None


def test_the_imagenet_stem_is_what_numpy_does(layers, variables_of, images_of):
    module = derived("darts", ARCH, classes=4, channels=2, depth=1, stem="imagenet")
    images = images_of(2, 32)
    assert compare(module, images, True, layers, variables_of, "imagenet", (True,)) is None


@pytest.mark.parametrize("stem, side", [("cifar", 8), ("imagenet", 7)])
def test_the_auxiliary_head_is_what_numpy_does(stem, side, layers, variables_of, images_of):
    module = AuxiliaryHead(3, jnp.float32, STEMS[stem])
    x = images_of(4, side)
    variables = variables_of(module, x)
    logits, _ = module.apply(variables, x, train=True, mutable=["batch_stats"])
    numpy = layers(variables, True)
    np.testing.assert_allclose(logits, reference_auxiliary(numpy, x, stem), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "depth, reductions", [(1, {0}), (2, {0, 1}), (3, {1, 2}), (14, {4, 9}), (20, {6, 13})]
)
def test_a_third_and_two_thirds_of_the_cells_reduce(depth, reductions):
    assert set(derived("darts", ARCH, classes=2, depth=depth).reductions) == reductions


def test_an_auxiliary_head_is_made_when_training_begins():
    """At full size, whose auxiliary head sees 7 x 7."""
    module = derived("darts", ARCH, classes=9, channels=4, depth=3, stem="imagenet", auxiliary=True)
    images = jax.ShapeDtypeStruct((2, 224, 224, 3), jnp.float32)
    (logits, auxiliary), variables = jax.eval_shape(
        lambda x: module.init_with_output(jax.random.key(0), x, train=True), images
    )
    assert logits.shape == auxiliary.shape == (2, 9)
    assert "norm_1" not in variables["params"]["auxiliary"]
    assert variables["params"]["auxiliary"]["conv_1"]["kernel"].shape == (2, 2, 128, 768)
