"""Evaluation on eight devices, against counting in NumPy."""

import jax
import numpy as np
import pytest
from jax.sharding import Mesh

from tenas_jax.scoring.draws import on_devices
from tenas_jax.train import Card
from tenas_jax.train.evaluate import evaluator
from tenas_jax.train.step import AXIS

pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.mark.parametrize("count", [16, 37])  # whole batches, and a rest that devices do not share
@pytest.mark.parametrize("classes", [3, 7])
def test_loss_accuracies_and_confusion(make_images, linear, count, classes):
    images = make_images(count, classes=classes, side=4)
    card = Card("nas_bench_201", "", {}, classes, [], (4, 4, 3), images.mean, images.std)
    kernel = np.random.default_rng(0).normal(size=(3, classes)).astype(np.float32)
    mesh = Mesh(np.array(jax.devices()), (AXIS,))
    assert mesh.size == 8
    data = on_devices({"images": images.images, "labels": images.labels.astype(np.int32)}, mesh)
    weights = on_devices({"params": {"dense": {"kernel": kernel}}, "batch_stats": {}}, mesh)
    evaluation = evaluator(linear(classes), card, mesh, 16)(weights, data)

    logits = images.normalised().mean((1, 2)) @ kernel
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    own, rows = images.labels, np.arange(count)
    ranks = (logits > logits[rows, own][:, None]).sum(1)
    confusion = np.zeros((classes, classes), int)
    np.add.at(confusion, (own, logits.argmax(1)), 1)
    assert evaluation.loss == pytest.approx(-np.log(p[rows, own]).mean(), rel=1e-5)
    assert evaluation.top1 == pytest.approx((ranks == 0).mean())
    assert evaluation.top5 == pytest.approx((ranks < 5).mean())
    assert (classes > 5) == (evaluation.top5 < 1)
    np.testing.assert_array_equal(evaluation.confusion, confusion)
