"""The condition number of the neural tangent kernel. Lower is easier to train.

κ = λ_max / λ_min of Θ[n, m] = g_n · g_m, g_n = ∂ Σ_c f_c(x_n) / ∂θ, θ kernels and norm scales.

In the linearised network the component of the error along an eigenvector of Θ decays at the rate of
its eigenvalue; the largest rate is bounded by the step size, so 1 / κ bounds the smallest: the mode
that is learned last (Xiao, Pennington and Schoenholz, 2020, arXiv:1912.13053).

Source: Chen, Gong and Wang, 2021 (TE-NAS), arXiv:2102.11535. Where its program departs from the
paper: the batch has 72 images on NAS-Bench-201 (14 and 24 on DARTS), not 32; the weights are
PyTorch's default, not Kaiming normal; a κ made negative by round-off ranks best, NaN becomes 1e5.
Here a bad kernel carries a flag and NaN. The kernel is that of the summed logits, in both.
"""

import jax
import jax.numpy as jnp

from tenas_jax.metrics.probe import Probe
from tenas_jax.metrics.weight_gradient import Pull, weight_gradient
from tenas_jax.ntk import OK, Conditioning, conditioning

MEETING = 2  # eigenvalues at each end that are looked at for ones that meet


def condition_number(probe: Probe) -> Conditioning:
    """Computes κ of the kernel on the inputs of a batch, N at least 2.

    Returns:
        The scalar κ ≥ 1 in the parameters' dtype (NaN if flagged), and the flag.
    """
    return conditioning(probe.kernel())


def condition_number_gradient(probe: Probe) -> jax.Array:
    """Computes ∂ log κ / ∂w, w the weights of the mask's operations: [cells, edges, operations].

    An eigenvalue of Θ with unit eigenvector v moves by dλ = vᵀ dΘ v. Where eigenvalues at an end
    meet (to within the rounding of the solver, see `conditioning`) no single one has a derivative;
    the mean of up to `MEETING` of them has, and is taken. NaN where the kernel is flagged.

    Args:
        probe: of a network whose encoding is a mask.
    """
    kernel = probe.kernel()
    good = conditioning(kernel).flag == OK
    safe = jnp.where(good, (kernel + kernel.T) / 2, jnp.eye(len(kernel), dtype=kernel.dtype))
    values, vectors = jnp.linalg.eigh(safe)
    near = len(kernel) * jnp.finfo(kernel.dtype).eps * values[-1]
    count = min(MEETING, len(kernel) // 2)
    lowest, highest = values[:count], values[-count:]
    low = (lowest <= lowest[0] + near).astype(kernel.dtype)
    high = (highest >= highest[-1] - near).astype(kernel.dtype)
    shares = jnp.concatenate([-low / low.sum() / lowest[0], high / high.sum() / highest[-1]])
    ends = jnp.concatenate([vectors[:, :count], vectors[:, -count:]], axis=1)
    pulls = [Pull(probe.batch.inputs, ends)]
    gradient = weight_gradient(probe, pulls, shares[:, None, None])
    return jnp.where(good, gradient, jnp.nan)
