"""Training of a NAS-Bench-201 architecture as in the benchmark (C = 16, N = 5, 200 epochs).

Dong and Yang, 2020, arXiv:2001.00326, table 1: SGD with Nesterov momentum 0.9, learning rate 0.1
falling along a cosine to 0, weight decay 5e-4, batches of 256, random flips, crops after padding by
4 pixels.

    python -m experiments.train --config=configs/train_nas_bench_201.py --workdir=runs/net \
        --config.arch=ARCH --config.data_dir=DIR

Cost: made for accelerators, and not run to its end here. On 2 cores (fifth-generation EPYC) a step
took 3.3 s and compiling 7 s, so that 200 epochs of 50,000 images would take a day and a half.
"""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder


def get_config() -> ConfigDict:
    """The default configuration; every other one of a training has the same fields."""
    config = ConfigDict()
    config.space = "nas_bench_201"  # of the architecture: a name in tenas_jax.spaces.SPACES
    config.arch = placeholder(str)  # as its space writes it; None with --from_search
    config.network = ConfigDict({"channels": 16, "depth": 5})  # how large: see networks/trained.py
    config.seed = 0  # of weights, order and augmentation
    config.data = "cifar10"  # photos, cifar10, any TFDS name, a file.npz, a folder
    config.split = "train"  # which part is trained on
    config.test_split = "test"  # which part it is evaluated on
    config.data_dir = placeholder(str)  # TFDS folder; None is TFDS's own default
    config.size = placeholder(int)  # side that images are resized to; None leaves them
    config.limit = placeholder(int)  # examples read to train on; None reads all
    config.test_limit = placeholder(int)  # examples read to evaluate on; None reads all
    config.epochs = 200  # passes over the training images
    config.batch_size = 256  # images of a step, over all devices
    config.optimizer = "sgd"  # any of Optax's that needs gradients alone: adamw, …
    config.optimizer_options = "momentum=0.9,nesterov=True"  # its keyword options
    config.learning_rate = 0.1  # at its highest; it falls to 0 along a cosine
    config.warmup_epochs = 0.0  # over which it first rises from 0
    config.weight_decay = 5e-4  # on all parameters
    config.clip_norm = placeholder(float)  # global norm of the gradients; None leaves them
    config.label_smoothing = 0.0  # share of a label that is spread over all classes
    config.auxiliary_weight = 0.0  # of the auxiliary head's loss, where the network has one
    config.drop_path = 0.0  # probability of dropping a branch, at its highest
    config.drop_path_rises = True  # from 0 by the epoch; False: the same in all epochs
    config.flip = True  # random flips left to right
    config.pad = 4  # zeros around an image before a random crop; 0: no crops
    config.cutout = 0  # side of the erased square; 0: none
    config.mixup = 0.0  # α of the weights with which images are mixed; 0: none
    config.cutmix = 0.0  # α of the share that a box of another image leaves; 0: none
    config.coarse = ()  # (factor, epochs) of stages of coarse tokens, in vision transformers
    config.dtype = "float32"  # of the computation, or bfloat16
    config.evaluate_every = 1  # epochs
    config.checkpoint_every = placeholder(int)  # steps, besides at each epoch's end
    config.tensorboard = False  # whether event files are written too
    config.cpu_devices = 2  # devices that share a batch on CPU
    return config.lock()
