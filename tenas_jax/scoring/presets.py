"""How an architecture is scored, and the named ways of doing it.

`reference` is what the program released with TE-NAS (commit 9df78ff) does on NAS-Bench-201, `paper`
what the paper (Chen, Gong and Wang, 2021, arXiv:2102.11535) describes. They differ in more than a
detail; a result must say which it used. `as_vit` is for vision transformers, as its paper and its
program do it (Chen et al., 2022, arXiv:2202.11921), but that κ and lengths are of the same weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from tenas_jax.errors import UserError, lookup, unknown
from tenas_jax.metrics import check_options, metric
from tenas_jax.metrics.metric import SETTINGS

Options = Mapping[str, Mapping[str, Any]]  # metric -> option or setting -> value


@dataclass(frozen=True)
class Protocol:
    """Holds everything that a score depends on beside the architecture, the data and the seed.

    Attributes:
        metrics: names of the metrics, in `tenas_jax.metrics.METRICS`.
        batch_size: examples N that metrics see which ask for no number of their own.
        repeats: batches that a score is averaged over.
        redraw_weights: whether each repeat draws new weights, or a new batch alone.
        initialiser: of the kernels, in `tenas_jax.networks.INITIALISERS`.
        network: name of the space's network, for metrics that ask for none: `scored`, `published`.
        augment: whether images are flipped and shifted at random.
        decimals: decimal places that a relative change is rounded to in each repeat, or None.
        significant: significant figures at which mean changes tie, or None.
        engine: of the kernel, in `tenas_jax.ntk.ENGINES`, or `auto`.
        chunk: cotangents in memory at a time (engine `jacobian`), or None for what fits a budget.
        options: metric -> its options and `SETTINGS`, such as
            `{"linear_regions": {"batch_size": 5000}}`, also of metrics that are not computed.
    """

    metrics: tuple[str, ...] = ("condition_number", "linear_regions")
    batch_size: int = 72
    repeats: int = 3
    redraw_weights: bool = False
    initialiser: str = "pytorch_default"
    network: str = "scored"
    augment: bool = True
    decimals: int | None = 3
    significant: int | None = 3
    engine: str = "auto"
    chunk: int | None = None
    options: Options = field(default_factory=dict)

    def __post_init__(self):
        for name in ("batch_size", "repeats", "chunk"):
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not (whole and value >= 1) and (name, value) != ("chunk", None):
                raise UserError(f"{name} must be at least 1, not {value!r}")
        if isinstance(self.metrics, str):
            object.__setattr__(self, "metrics", (self.metrics,))
        if not self.metrics:
            raise UserError("metrics must name at least one metric")
        for name in self.metrics:
            if self.metrics.count(name) > 1:
                raise UserError(f"metric {name!r} is named twice")
        for name, options in self.options.items():
            check_options(name, metric(name), options)

    def setting(self, name: str, setting: str) -> Any:
        """Returns what a metric is to have of `SETTINGS`; None where nobody says.

        The protocol's options come first, then what the metric asks for, then the protocol's own.
        """
        given = self.options.get(name, {}).get(setting)
        if given is not None:
            return given
        asked = metric(name)
        if setting in ("batch_size", "repeats"):
            return getattr(asked, setting) or getattr(self, setting)
        return getattr(asked.spec, {"network": "name"}.get(setting, setting))

    def options_of(self, name: str) -> dict[str, Any]:
        """Returns the options of a metric's function that are set."""
        given = self.options.get(name, {})
        return {option: value for option, value in given.items() if option not in SETTINGS}


PRESETS: dict[str, Protocol] = {
    "reference": Protocol(),
    "paper": Protocol(
        batch_size=32,
        redraw_weights=True,
        initialiser="kaiming_normal_fan_in",
        decimals=None,
        significant=None,
        options={"linear_regions": {"batch_size": 5000}},
    ),
    "as_vit": Protocol(
        metrics=("condition_number", "length_distortion"),
        batch_size=16,
        repeats=5,
        redraw_weights=True,
        initialiser="small_normal",
        augment=False,
        decimals=None,
        significant=None,
        # Lengths are of the network whose norms are replaced by the identity, where it has such.
        options={
            name: {"norms": "identity"}
            for name in ("length_distortion", "gauss_length", "extrinsic_curvature")
        },
    ),
}


def protocol(preset: str, *, options: Options | None = None, **overrides: Any) -> Protocol:
    """Returns a preset with some fields replaced.

    Args:
        preset: in `PRESETS`.
        options: metric -> option -> value, set beside the preset's; None leaves the preset's.
        **overrides: other fields of `Protocol`; None leaves the preset's value.

    Raises:
        UserError: an unknown preset, field, metric or option, or a value that one does not take.
    """
    base = lookup("preset", PRESETS, preset)
    valid = [field.name for field in fields(Protocol)]
    for name in overrides:
        if name not in valid:
            raise unknown("field of a protocol", name, valid)
    merged = {name: dict(given) for name, given in base.options.items()}
    for name, given in (options or {}).items():
        if not isinstance(given, Mapping):
            raise UserError(f"options of {name} are {given!r}; valid: names with values")
        own = {option: value for option, value in given.items() if value is not None}
        if own:
            merged[name] = {**merged.get(name, {}), **own}
    changed = {name: value for name, value in overrides.items() if value is not None}
    return replace(base, options=merged, **changed)
