"""Neural architecture search without training, in JAX.

From a network at initialisation it computes the condition number of the neural tangent kernel (how
well it will train) and the number of linear regions the input is cut into (how much it can
express), and it searches with them. `score` takes any model, `Evaluator` many architectures.
"""

from tenas_jax.errors import UserError
from tenas_jax.metrics import METRICS, Batch, Metric
from tenas_jax.networks import Network
from tenas_jax.ntk import conditioning, ntk, spectrum
from tenas_jax.scoring.any_model import score
from tenas_jax.scoring.evaluator import Evaluator, Score
from tenas_jax.scoring.presets import PRESETS, Protocol, protocol
from tenas_jax.spaces import SPACES

__version__ = "0.2.0"

__all__ = [
    "METRICS",
    "PRESETS",
    "SPACES",
    "Batch",
    "Evaluator",
    "Metric",
    "Network",
    "Protocol",
    "Score",
    "UserError",
    "conditioning",
    "ntk",
    "protocol",
    "score",
    "spectrum",
]
