"""TE-NAS on NAS-Bench-201 with embedded photographs: a first result without any download.

The full search of `tenas_nas_bench_201.py`, every removal scored, but with N = 16 images and one
repeat in place of 72 and 3.

    python -m experiments.search --config=configs/tenas_photos.py --workdir=runs/photos
"""

from configs import tenas_nas_bench_201


def get_config():
    """`tenas_nas_bench_201` on `photos`, at a cost of minutes."""
    config = tenas_nas_bench_201.get_config()
    config.data = "photos"
    config.batch_size = 16
    config.repeats = 1
    return config
