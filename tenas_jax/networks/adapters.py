"""Any model as a function of parameters and inputs: linen, NNX, Equinox, or a plain function.

What a metric is given is `model(params, inputs)`, `params` a dict of dicts whose last names say
what a parameter is (`kernel`, `scale`, `weight`, `bias`). Whatever else a model has, statistics and
other state, keys, whole numbers, is held constant inside it: as leaves where it is arrays, so that
the model passes through `jax.jit` as an argument, and hashed where it is not. A call changes
nothing: what a module updates is dropped. Neither NNX nor Equinox is imported for other models.
"""

import functools
import inspect
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from flax import struct

from tenas_jax.errors import UserError
from tenas_jax.networks.model import Model, Network, Params
from tenas_jax.networks.names import Names, chosen, floating, join, named, path_names, split
from tenas_jax.tracing.drawing import lazy_init

# A model's parameters in its own form, its `body` and `held`, and parameters in place of its own.
Parts = tuple[Any, Any, Any, Any]


@struct.dataclass
class Adapted:
    """Holds what is fixed of an NNX module, an Equinox module or a function; see `as_model`.

    Attributes:
        names: lead from parameters by name to the tree that the model takes.
        body: is the function, the graph of an NNX module, or what of an Equinox module is no
            array, with the name of its batch axis.
        run: `(model, tree of parameters, inputs) -> outputs` calls a model of this kind.
        held: holds the arrays that are no parameters.
        key: is drawn from by models that ask for one when they are called.
        options: are keyword arguments of the call, as a tuple of pairs.
        coupled: says whether an example's output may depend on other examples.
    """

    names: Names = struct.field(pytree_node=False)
    body: Any = struct.field(pytree_node=False)
    run: Callable = struct.field(pytree_node=False)
    held: Any
    key: jax.Array
    options: tuple = struct.field(pytree_node=False)
    coupled: bool = struct.field(pytree_node=False)

    def __call__(self, params: Params, inputs: jax.Array) -> jax.Array:
        """Returns the model's outputs, [N, ...], for inputs [N, ...]."""
        return self.run(self, self.names.build(params), inputs)

    def takes(self, call: Callable, name: str) -> bool:
        """Says whether a call takes an argument of that name which the options do not give."""
        return name in inspect.signature(call).parameters and name not in dict(self.options)


def as_model(
    network: Any, params_or_key: Any, inputs: jax.Array, *, key: jax.Array, options: tuple = ()
) -> tuple[Network | Adapted, Params]:
    """Makes one kind of model of four; its outputs' shape is looked at, nothing is run.

    A module or function whose outputs for an example do not depend on other examples may say so by
    an attribute `coupled` that is false; kernels are cheaper then.

    Args:
        network: a Flax linen module; an NNX module, which draws random numbers from its own
            streams, or from `key` if its call takes `rngs`; an Equinox module, which is called for
            one example at a time under the name of its batch axis (the `axis_name` of its layers,
            else "batch"), with `key=` a key for each example if its call takes one; a pair of an
            Equinox module and its state, as `equinox.nn.make_with_state` gives; or a function
            `f(params, inputs)`.
        params_or_key: for linen a key to draw parameters with, parameters or all variables; for NNX
            and Equinox None, which stands for the module's own, or others by name, as an
            `nnx.State` or as another Equinox module; for a function any tree with floating-point
            arrays, which are the parameters.
        inputs: [N, ...], of which shape and dtype alone matter.
        key: for models that draw random numbers when they are called; dropout is held.
        options: keyword arguments of the call, as a tuple of pairs.

    Returns:
        The model, callable as `(params, inputs) -> outputs`, a tree of arrays with a property
        `coupled`; and its parameters, a dict of dicts.

    Raises:
        UserError: a model of no such kind, parameters that are not its own, a model that has none,
            cannot be run on such inputs or does not return one floating-point array [N, ...], or
            an option that cannot be hashed.
    """
    try:
        for name, value in options:
            hash((name, value))
    except TypeError as error:
        raise UserError(f"option {name} cannot be a part of a program: {error}") from error
    try:
        draws = jax.random.fold_in(key, 1)
        model, params = _adapted(network, params_or_key, inputs, draws, tuple(options))
        out = jax.eval_shape(lambda m, p, x: m(p, x), model, params, inputs)
    except UserError:
        raise
    except Exception as error:  # of the user's own code, whatever it is
        first = (str(error).splitlines() or [""])[0] or type(error).__name__
        shapes = [f"{tuple(leaf.shape)} of {leaf.dtype}" for leaf in jax.tree.leaves(inputs)]
        where = f"inputs {', '.join(shapes)}"
        line = textwrap.shorten(f"the network cannot be run on {where}: {first}", 230)
        raise UserError(line) from error
    _check_outputs(out, len(jax.tree.leaves(inputs)[0]))
    return model, params


def ready(network: Any, params: Any, inputs: Any) -> tuple[Callable[..., jax.Array], Params]:
    """Returns what can be called as `(params, inputs)`, and its parameters.

    Models and functions are taken as they are, modules as `as_model` makes them, by a fixed key.
    """
    module = isinstance(network, nn.Module) or any(
        _is_module(network, package) for package in ("flax.nnx", "equinox")
    )
    a_model = isinstance(network, Model) and not module and not inspect.isclass(network)
    if a_model or inspect.isroutine(network):
        return network, params
    return as_model(network, params, inputs, key=jax.random.key(0))


def _adapted(
    network: Any, given: Any, inputs: jax.Array, key: jax.Array, options: tuple
) -> tuple[Network | Adapted, Params]:
    """Makes a model, unlooked at, and its parameters; arguments and errors as for `as_model`."""
    if inspect.isclass(network):
        raise UserError(f"{network.__name__} is a class, not a network: give an instance of it")
    if isinstance(network, nn.Module):
        return _linen(network, given, inputs, key, options)
    first = network[0] if isinstance(network, tuple) and len(network) == 2 else network
    if _is_module(network, "flax.nnx"):
        parts, run = _nnx(network, given), _run_nnx
    elif _is_module(first, "equinox"):
        parts, run = _equinox(network, given), _run_equinox
    elif inspect.isroutine(network) or isinstance(network, functools.partial):
        parts, run = _function(network, given), _run_function
    else:
        raise UserError(
            "a network is a Flax module (linen or NNX), an Equinox module or a function "
            f"f(params, inputs), not of type {type(network).__name__}"
        )
    tree, body, held, others = parts
    names, own = named(tree)
    coupled = getattr(first, "coupled", True)
    return Adapted(names, body, run, held, key, options, coupled), chosen(own, others)


def _is_module(value: Any, package: str) -> bool:
    """Says whether it is a `Module` of a package, without importing that."""
    return any(
        base.__name__ == "Module" and f"{base.__module__}.".startswith(f"{package}.")
        for base in type(value).__mro__
    )


def _check_outputs(out: Any, count: int) -> None:
    """Raises a `UserError` unless they are one array of floats, a row an input."""
    single = isinstance(out, jax.ShapeDtypeStruct)
    if not single or out.shape[:1] != (count,) or not floating(out):
        what = f"{out.dtype} of shape {out.shape}" if single else f"a {type(out).__name__}"
        raise UserError(
            "the network must return one floating-point array, a row an input, "
            f"not {what} for {count} inputs"
        )


def _linen(
    module: nn.Module, given: Any, inputs: jax.Array, key: jax.Array, options: tuple
) -> tuple[Network, Params]:
    """Makes a `Network` of a linen module, and draws its parameters if they are not given."""
    rngs = {"dropout": key}
    if isinstance(given, Mapping):
        variables = given if "params" in given else {"params": given}
    elif isinstance(given, jax.Array | np.ndarray) and not floating(given):  # a key
        variables = lazy_init(module, {"params": given, **rngs}, inputs, **dict(options))
    else:
        raise UserError(
            "a linen module needs a key, its parameters or its variables, "
            f"not a {type(given).__name__}"
        )
    state = {name: tree for name, tree in variables.items() if name != "params"}
    if not variables.get("params"):
        raise UserError("the network has no parameters")
    return Network(module, state=state, rngs=rngs, options=options), variables["params"]


def _nnx(module: Any, given: Any) -> Parts:
    from flax import nnx  # brings optax

    trained = nnx.All(nnx.Param, lambda path, leaf: floating(leaf))
    graph, params, rest = nnx.split(module, trained, ...)
    given = nnx.to_pure_dict(given) if isinstance(given, nnx.State) else given
    return nnx.to_pure_dict(params), graph, nnx.to_pure_dict(rest), given


def _run_nnx(model: Adapted, tree: Any, inputs: jax.Array) -> jax.Array:
    from flax import nnx

    module = nnx.merge(model.body, tree, model.held)  # a new one, whose updates go with it
    draws = model.takes(type(module).__call__, "rngs")
    extra = {"rngs": nnx.Rngs(model.key)} if draws else {}
    return module(inputs, **extra, **dict(model.options))


def _equinox(network: Any, given: Any) -> Parts:
    import equinox as eqx  # optional

    module, state = network if isinstance(network, tuple) else (network, None)
    if state is None:
        try:
            state = eqx.nn.State(module)
        except ValueError as error:  # it was taken out of the module
            raise UserError("the module's state is apart: give the pair (module, state)") from error
    if not isinstance(state, eqx.nn.State):
        raise UserError(f"an Equinox module goes with its State, not a {type(state).__name__}")
    tree, rest = split(eqx.nn.delete_init_state(module), floating)
    arrays, static = split(rest, lambda leaf: isinstance(leaf, jax.Array | np.ndarray))
    leaves = jax.tree_util.tree_flatten_with_path(static)[0]
    axes = {a for path, a in leaves if "axis_name" in path_names(path) and isinstance(a, str)}
    axis = axes.pop() if len(axes) == 1 else "batch"
    given = eqx.nn.delete_init_state(given) if _is_module(given, "equinox") else given
    return tree, (static, axis), (arrays, state), given


def _run_equinox(model: Adapted, tree: Any, inputs: jax.Array) -> jax.Array:
    (static, axis), (arrays, state) = model.body, model.held
    module = join(tree, arrays, static)
    call = type(module).__call__
    wanted = inspect.signature(call).parameters.get("state")
    stateful = jax.tree.leaves(state) or (wanted is not None and wanted.default is wanted.empty)
    copy = jax.tree.map(lambda x: x, state)  # a state that was updated cannot be used again
    args = (copy,) if stateful and wanted is None else ()
    extra = {"state": copy} if stateful and wanted is not None else {}

    def one(example: jax.Array, key: jax.Array | None) -> jax.Array:
        drawn = {} if key is None else {"key": key}
        out = module(example, *args, **extra, **drawn, **dict(model.options))
        return out[0] if stateful else out

    keys = jax.random.split(model.key, len(inputs)) if model.takes(call, "key") else None
    return jax.vmap(one, axis_name=axis)(inputs, keys)


def _function(function: Callable, given: Any) -> Parts:
    tree, held = split(given, floating)
    if not jax.tree.leaves(tree):
        raise UserError(
            "a function f(params, inputs) needs its parameters, a tree of floating-point arrays; "
            f"a {type(given).__name__} was given, which holds none"
        )
    return tree, function, held, None


def _run_function(model: Adapted, tree: Any, inputs: jax.Array) -> jax.Array:
    return model.body(join(tree, model.held), inputs, **dict(model.options))
