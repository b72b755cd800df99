"""The parameters of one vision transformer, cut out of those of the padded network."""

import numpy as np

from tenas_jax.spaces.as_vit.space import STAGES, STRIDES


def crop(params, topology, sizes, padded):
    """What `AsVit` takes, without norm and head."""
    cropped = {}
    for stage in range(STAGES):
        own = {name: params[key] for key in params if (name := _own(key, stage))}
        largest, seen = max(padded.kernels[stage]), topology.kernels[stage]
        first = (largest - STRIDES[stage]) // 2 - (seen - STRIDES[stage]) // 2
        taps = slice(first, first + seen)
        width, cap = sizes.widths[stage], padded.sizes.widths[stage]
        kernel = np.asarray(own["tokens"]["kernel"]).reshape(largest, largest, -1, cap)
        kernel = kernel[taps, taps, :, :width]
        if stage == 0:
            cropped["patch_embed"] = {
                "proj": {"kernel": kernel, "bias": own["tokens"]["bias"][:width]},
                "norm": {name: value[:width] for name, value in own["tokens_norm"].items()},
            }
        else:
            before = sizes.widths[stage - 1]
            kernel = kernel[:, :, :before].transpose(2, 0, 1, 3).reshape(-1, width)
            norm = {
                name: np.asarray(value)
                .reshape(largest, largest, -1)[taps, taps, :before]
                .transpose(2, 0, 1)
                .ravel()
                for name, value in own["tokens_norm"].items()
            }
            cropped[f"layers_{stage - 1}"]["downsample"] = {
                "reduction": {"kernel": kernel},
                "norm": norm,
            }
        parts = max(padded.heads) // 2 ** (STAGES - 1 - stage)
        cropped[f"layers_{stage}"] = {
            f"blocks_{block}": _block(own, block, width, width // parts, parts, topology, stage)
            for block in range(sizes.depths[stage])
        }
    return cropped


def _own(key, stage):
    prefix = f"layers_{stage}_"
    return key.removeprefix(prefix).removeprefix("blocks_") if key.startswith(prefix) else None


def _block(own, block, width, size, parts, topology, stage):
    def norm(name):
        return {kind: value[block, :width] for kind, value in own[name].items()}

    weights = {
        name: (np.asarray(own[name]["kernel"][block]), np.asarray(own[name]["bias"][block]))
        for name in ("qkv", "proj", "fc1", "fc2")
    }
    kernel, bias = weights["qkv"]
    qkv = {
        "kernel": kernel.reshape(len(kernel), 3, parts, -1)[:width, :, :, :size].reshape(width, -1),
        "bias": bias.reshape(3, parts, -1)[:, :, :size].ravel(),
    }
    kernel, bias = weights["proj"]
    inner = kernel.reshape(parts, -1, kernel.shape[-1])[:, :size, :width].reshape(-1, width)
    hidden = topology.ratios[stage] * width
    dense = {}
    for name, rows, columns in (("fc1", width, hidden), ("fc2", hidden, width)):
        kernel, bias_ = weights[name]
        dense[name] = {"kernel": kernel[:rows, :columns], "bias": bias_[:columns]}
    return {
        "norm1": norm("norm1"),
        "attn": {"qkv": qkv, "proj": {"kernel": inner, "bias": bias[:width]}},
        "mlp": {"norm": norm("norm2"), **dense},
    }
