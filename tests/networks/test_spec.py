"""What metrics ask of a network, what spaces build of it, and what they have not."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from tenas_jax import spaces
from tenas_jax.errors import UserError
from tenas_jax.networks import (
    Blueprint,
    Network,
    NetworkSpec,
    blueprints,
    built,
    complete,
    scored_network,
)
from tenas_jax.networks.costs import costs
from tenas_jax.networks.nas_bench_201.scored import NasBench201
from tenas_jax.networks.spec import NORMS, OUTPUTS
from tenas_jax.networks.trained import derived
from tenas_jax.spaces import SPACES

SPACE = SPACES["nas_bench_201"]
KEY = jax.random.key(0)

pytestmark = pytest.mark.usefixtures("quick_compilation")
by_space = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)


def completed(space, *args, **fields):
    return complete(NetworkSpec(*args, **fields), blueprints(space), space=space.name)


@by_space
def test_open_fields_are_the_spaces_own_and_others_stay(space):
    own = blueprints(space)["scored"]
    initialiser = "pytorch_default"
    open_spec = NetworkSpec("scored", own.outputs[0], own.norms[0], False, initialiser)
    assert completed(space) == open_spec
    assert completed(space, smooth=True) == dataclasses.replace(open_spec, smooth=True)
    given = NetworkSpec("testing", own.outputs[-1], own.norms[-1], True, "lecun_normal")
    defaults = {"name": "published", "initialiser": "orthogonal"}
    assert complete(given, blueprints(space), space="any", **defaults) == given
    named = complete(NetworkSpec(), {"other": own}, space="any", name="other", initialiser="zeros")
    assert (named.name, named.initialiser) == ("other", "zeros")


@pytest.mark.parametrize(
    ("name", "asked", "words"),
    [
        ("nas_bench_201", {"name": "wide"}, "has no network 'wide'; it has scored, patch, publish"),
        ("darts", {"name": "published"}, "darts has no network 'published'; it has scored, patch"),
        ("as_vit", {"name": "patch"}, "as_vit has no network 'patch'; it has scored, published"),
        ("nas_bench_201", {"outputs": "features"}, "no outputs 'features'; it has logits"),
        ("darts", {"outputs": "features"}, "no outputs 'features'; it has logits"),
        ("as_vit", {"outputs": "logits"}, "no outputs 'logits'; it has features"),
        ("as_vit", {"norms": "on"}, "no norms 'on'; it has sample, identity"),
        (
            "as_vit",
            {"norms": "frozen"},
            "'scored' of as_vit has no norms 'frozen'; it has sample, identity",
        ),
    ],
)
def test_what_a_space_has_not_is_refused_in_one_line(name, asked, words):
    with pytest.raises(UserError, match=words) as caught:
        completed(SPACES[name], **asked)
    assert "\n" not in str(caught.value)


def test_what_no_network_has_is_refused_at_once():
    with pytest.raises(UserError, match="unknown outputs of a network 'logit'.*mean 'logits'"):
        NetworkSpec(outputs="logit")
    with pytest.raises(UserError, match="unknown norms of a network 'of'.*valid: on, frozen, sam"):
        NetworkSpec(norms="of")
    with pytest.raises(UserError, match="unknown network 'scord'.*mean 'scored'"):
        built(NetworkSpec("scord"), blueprints(SPACE), 10)
    for blueprint in [b for space in SPACES.values() for b in blueprints(space).values()]:
        assert set(blueprint.outputs) <= set(OUTPUTS) and set(blueprint.norms) <= set(NORMS)


def test_networks_of_equal_specs_are_one():
    """So that metrics that ask for the same are compiled together."""
    one, same = scored_network(SPACE), scored_network(SPACE, NetworkSpec("scored", norms="on"))
    assert one == same and hash(one) == hash(same)
    changes = [{"name": "published"}, {"norms": "frozen"}, {"smooth": True}]
    others = [scored_network(SPACE, NetworkSpec(**c)) for c in changes]
    others.append(scored_network(SPACE, initialiser="lecun_normal"))
    assert len({one, same, *others}) == 5


@by_space
def test_every_network_runs_on_what_it_says(space):
    networks = blueprints(space)
    assert {"scored", "testing"} <= set(networks)
    assert ("patch" in networks) == space.has_supernet
    encoding = jnp.asarray(space.example(), jnp.float32)
    for name, blueprint in networks.items():
        network = scored_network(space, NetworkSpec(name, initialiser="lecun_normal"), classes=7)
        model = network.of(encoding)
        side = 3 if blueprint.patches else 2 * blueprint.side_multiple
        inputs = jax.ShapeDtypeStruct((5, side, side, 1 if blueprint.patches else 3), jnp.float32)
        params = jax.eval_shape(lambda m=model, x=inputs: m.init(KEY, x))
        out = jax.eval_shape(lambda p, x, m=model: m(p, x), params, inputs)
        assert out.shape == (5, 7 if "logits" in blueprint.outputs else 256)


def test_an_architectures_own_parameters():
    """Those that are drawn for all, or what a blueprint makes of them."""
    plain = scored_network(SPACE)
    assert plain.initial({"a": 1}, None, 3) == {"a": 1}

    def adapt(module, params, encoding, channels):
        return {"a": params["a"] * encoding * channels, "module": module}

    made = Blueprint(lambda spec, classes: Network(NasBench201(classes=classes)), adapt=adapt)
    network = built(NetworkSpec("made"), {"made": made}, 4)
    wanted = {"a": 30, "module": NasBench201(classes=4)}
    assert network.initial({"a": 2}, 5, 3) == wanted


def parameter_shapes(network, side=32):
    inputs = jax.ShapeDtypeStruct((2, side, side, 3), jnp.float32)
    params = jax.eval_shape(lambda: network.init(KEY, inputs))
    return {k: v.shape for k, v in traverse_util.flatten_dict(params, sep="/").items()}


def test_the_testing_network_is_small():
    encoding = jnp.asarray(SPACE.example(), jnp.float32)
    counts = [
        len(parameter_shapes(scored_network(SPACE, NetworkSpec(name)).of(encoding)))
        for name in ("testing", "scored")
    ]
    assert counts == [43, 129]


@pytest.mark.parametrize("index", [0, 1462, 9930, 15624])
def test_the_published_network_has_the_weights_of_the_trained_one(index):
    """Of an architecture, less those of operations that it has not: C = 16, five cells a stage."""
    arch = SPACE.from_index(index)
    encoding = jnp.asarray(SPACE.encode(arch), jnp.float32)
    published = scored_network(SPACE, NetworkSpec("published")).of(encoding)
    kept = {
        f"{target}<-{source}/{SPACE.operations[number]}"
        for (target, source), number in zip(SPACE.edges, arch[0], strict=True)
    }
    own = []
    for path, shape in parameter_shapes(published).items():
        of_edge = re.search(r"/edges_([^/]+/[^/]+)/", path)
        if of_edge is None or of_edge[1] in kept:
            own.append(shape)
    trained = derived("nas_bench_201", arch, classes=10)
    inputs = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)
    params = jax.eval_shape(lambda x: trained.init(KEY, x, train=False)["params"], inputs)
    assert sorted(own) == sorted(leaf.shape for leaf in jax.tree.leaves(params))


def random_params(network, inputs):
    shapes = jax.eval_shape(lambda: network.init(KEY, inputs))
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), shapes)


@pytest.mark.parametrize(
    ("name", "norms"),
    [*(("nas_bench_201", norms) for norms in NORMS), ("darts", "frozen"), ("darts", "sample")],
)
def test_what_an_example_sees_of_the_others(name, norms, x64):
    """Values and derivatives of a small network with each norm: ∂ out_n / ∂ x_m, m ≠ n."""
    encoding = jnp.asarray(SPACES[name].example(), jnp.float32)
    network = scored_network(SPACES[name], NetworkSpec("testing", norms=norms)).of(encoding)
    inputs = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4, 4, 3)))
    params = random_params(network, inputs)
    first = jax.jit(lambda x: network(params, x)[0])
    others = inputs.at[1:].multiply(-2.0)
    moved = float(jnp.abs(first(others) - first(inputs)).max())
    slopes = np.abs(jax.jit(jax.grad(lambda x: first(x).sum()))(inputs)).max((1, 2, 3))
    assert slopes[0] > 1e-3
    assert (moved > 1e-3) == (norms in ("on", "frozen"))
    assert (slopes[1:] > 1e-3).all() if norms == "on" else (slopes[1:] == 0).all()


def test_frozen_norms_have_the_values_of_those_that_are_on(x64):
    encoding = jnp.asarray(SPACE.example(), jnp.float32)
    inputs = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4, 4, 3)))
    networks = [
        scored_network(SPACE, NetworkSpec("testing", norms=norms)).of(encoding)
        for norms in ("on", "frozen")
    ]
    params = random_params(networks[0], inputs)
    run = jax.jit(lambda network: network(params, inputs))
    on, frozen = (run(network) for network in networks)
    np.testing.assert_allclose(frozen, on, rtol=1e-9, atol=1e-12)


def test_the_parameters_that_an_architecture_has_are_those_of_its_trained_network():
    space = spaces.get("nas_bench_201")
    spec = NetworkSpec("published")
    built = scored_network(space, spec, classes=10)
    archs = space.sample(np.random.default_rng(0), 3)
    counts = costs(space, [space.to_string(arch) for arch in archs])["parameters"]
    network = built.of(jnp.asarray(space.supernet(), jnp.float32))
    shapes = jax.eval_shape(lambda x: network.init(KEY, x), jnp.zeros((2, 8, 8, 3)))
    params = jax.tree.map(lambda shape: np.zeros(shape.shape, np.float32), shapes)
    for arch, count in zip(archs, counts, strict=True):
        used = built.used(params, jnp.asarray(space.encode(arch), jnp.float32))
        assert sum(int(leaf.sum()) for leaf in jax.tree.leaves(used)) == count


@pytest.mark.parametrize("name", ["nas_bench_201", "darts"])
def test_a_parameter_that_an_architecture_has_not_changes_nothing(name):
    space = spaces.get(name)
    built = scored_network(space, NetworkSpec("testing", norms="identity"))
    x = jax.random.normal(jax.random.key(1), (2, 8, 8, 3))
    network, rng = built.of(jnp.asarray(space.supernet(), jnp.float32)), np.random.default_rng(0)
    shapes = jax.eval_shape(lambda x: network.init(KEY, x), x)
    params = jax.tree.map(lambda s: jnp.asarray(rng.normal(size=s.shape), s.dtype), shapes)
    logits = jax.jit(lambda mask, params: built.of(mask)(params, x))
    skip, rng = space.operations.index("skip_connect"), np.random.default_rng(2)
    # On an input of DARTS's reduction cell, an identity has weights: one must be there.
    inputs = [edge for edge, (_, source) in enumerate(space.edges) if source < 2]
    archs = (space.sample(rng) for _ in range(1000))
    arch = next(arch for arch in archs if (arch[-1][inputs] == skip).any())
    mask = jnp.asarray(space.encode(arch), jnp.float32)
    used = built.used(params, mask)
    others = jax.tree.map(lambda p, has: p + (1 - has), params, used)
    np.testing.assert_array_equal(logits(mask, others), logits(mask, params))
    counts = [int(has.size - has.sum()) for has in jax.tree.leaves(used)]
    assert any(counts) and set(map(int, np.unique(jax.tree.leaves(used)[0]))) <= {0, 1}
    everything = built.used(params, jnp.ones(space.mask_shape))
    assert all(bool(has.all()) for has in jax.tree.leaves(everything))


def test_of_a_transformer_all_parameters_count():
    space = spaces.get("as_vit")
    built = scored_network(space)
    assert built.used({}, space.supernet()) is None
