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

from tenas_jax.metrics.batch import Batch
from tenas_jax.networks.network import Network, Params
from tenas_jax.ntk import Conditioning, conditioning, ntk


def condition_number(
    network: Network,
    params: Params,
    batch: Batch,
    key: jax.Array | None = None,
    *,
    engine: str = "auto",
    chunk: int | None = None,
) -> Conditioning:
    """κ of the kernel on the images of a batch.

    Args:
        network: `(params, images) -> logits`.
        params: its parameters.
        batch: images [N, H, W, C], N at least 2.
        key: unused; every metric takes one.
        engine: see `tenas_jax.ntk.ntk`.
        chunk: see `tenas_jax.ntk.ntk`.

    Returns:
        The scalar κ ≥ 1 in the parameters' dtype (NaN if flagged), and the flag.
    """
    del key
    return conditioning(ntk(network, params, batch.images, engine=engine, chunk=chunk))
