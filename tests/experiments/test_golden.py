"""The recorded numbers of TE-NAS's own program, and that a departure from them would be seen."""

import copy
import json
import math
import pathlib
import zlib

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import golden
from tenas_jax.errors import UserError
from tenas_jax.networks import Network
from tenas_jax.ntk import ENGINES

FOLDER = pathlib.Path(__file__).parents[1] / "golden"
CASES = {
    (
        kind,
        case.get("space", "as_vit"),
        case.get("name", case.get("arch")),
        case.get("input", case.get("images"))["shape"][0],
    ): case
    for kind, case in golden.read(str(FOLDER))[0]
}
MINUS, RESNET = "supernet minus nor_conv_3x3 on 2<-1", "resnet-like"
REGIONS = [key[1:3] for key in CASES if key[0] == "linear_regions"]
# engine and precision -> cases of DARTS. Each pair is a program to compile; `experiments.verify`
# runs the other two.
DARTS = {
    ("jacobian", "float64"): ("one op an edge", "genotype A"),
    ("neural_tangents", "float32"): (
        "supernet",
        "supernet minus sep_conv_3x3 on normal edge 3",
    ),
}


pytestmark = pytest.mark.usefixtures("quick_compilation")


def rows(kind, name, n, dtype, engine="jacobian", space="nas_bench_201"):
    with jax.enable_x64(dtype == "float64"):
        return list(golden.CHECKS[kind](CASES[kind, space, name, n], dtype, engine))


def assert_golden(rows, dtype, count):
    assert len(rows) == count
    for row in rows:
        assert np.isfinite(row.error), row
        if row.at_kink:
            continue  # float32's rounding decides it
        assert row.error < golden.TOLERANCES[dtype], row


# Cases of one engine and dtype follow each other, and share a compiled program.
@pytest.mark.parametrize("name", [MINUS, RESNET])
@pytest.mark.parametrize("dtype", golden.TOLERANCES)
@pytest.mark.parametrize("engine", ENGINES)
def test_kernels_of_16_images(engine, dtype, name):
    assert_golden(rows("ntk", name, 16, dtype, engine), dtype, 5)


@pytest.mark.parametrize(("engine", "dtype"), DARTS)
def test_kernels_of_darts(engine, dtype):
    for name in DARTS[engine, dtype]:
        assert_golden(rows("ntk", name, 14, dtype, engine, "darts"), dtype, 5)


def test_kernel_of_72_images_in_float32():
    """As many as a search on NAS-Bench-201 uses, in the program that a search runs."""
    jax.config.update("jax_disable_most_optimizations", False)
    assert_golden(rows("ntk", "supernet", 72, "float32"), "float32", 6)


@pytest.mark.parametrize("dtype", golden.TOLERANCES)
@pytest.mark.parametrize(("space", "name"), REGIONS)
def test_linear_regions_are_exact(space, name, dtype):
    (row,) = rows("linear_regions", name, 1000, dtype, space=space)
    assert row.value == row.reference and row.error == 0


# Both cases of a dtype and an engine share a program; the other engine's kernels are tested above.
@pytest.mark.parametrize("name", ["supernet", RESNET])
@pytest.mark.parametrize("dtype", golden.TOLERANCES)
def test_kernel_regression(dtype, name):
    assert_golden(rows("kernel_regression", name, 16, dtype), dtype, 1)


# Seven cases share a program; two have nodes that nothing reaches, or cells that give nothing.
@pytest.mark.parametrize("dtype", golden.TOLERANCES)
def test_snip(dtype):
    names = [key[2] for key in CASES if key[0] == "snip"]
    assert len(names) == 8 and {"dead_node", "dead_cell", "wide"} < set(names)
    for name in names:
        if name != "wide" or dtype == "float64":  # `verify` runs it in float32
            assert_golden(rows("snip", name, 16, dtype), dtype, 2)


# A topology is a program of its own; an engine and a dtype meet one each, `verify` runs all.
@pytest.mark.parametrize(
    ("dtype", "engine", "arch"),
    [
        ("float64", "jacobian", "8,2,3|4,1,2|4,1,4|4,1,6|32"),
        ("float32", "neural_tangents", "4,4,2|2,2,5|3,1,3|2,1,2|16"),
    ],
)
def test_as_vit(dtype, engine, arch):
    checked = rows("asvit", arch, 8, dtype, engine, space="as_vit")
    assert_golden(checked, dtype, 8)
    assert checked[0].value == checked[0].reference  # parameters are whole numbers


def test_the_recipe_of_parameters():
    key = "cells/0/edges/1<-0/nor_conv_3x3/conv/kernel"
    assert zlib.crc32(key.encode()) == 1711901525
    z = np.random.default_rng(1711901525).standard_normal((3, 3, 2, 5))
    np.testing.assert_allclose(golden.parameter(key, (3, 3, 2, 5)), z * math.sqrt(2 / 45))
    for name, wanted in {"a/scale": lambda z: 1 + z / 10, "a/bias": lambda z: z / 10}.items():
        z = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(4)
        np.testing.assert_allclose(golden.parameter(name, (4,)), wanted(z))
    dense = golden.parameter("head/dense/kernel", (3, 8))
    z = np.random.default_rng(zlib.crc32(b"head/dense/kernel")).standard_normal((3, 8))
    np.testing.assert_allclose(dense, z / 2)


def test_names_of_parameters_are_folders_in_the_recipe():
    keys = golden.golden_keys("cells_0/edges_1<-0/nor_conv_3x3/conv/kernel")
    assert keys == ["cells/0/edges/1<-0/nor_conv_3x3/conv/kernel"]
    assert golden.golden_keys("stem/conv/kernel") == ["stem/conv/kernel"]


def test_stacked_parameters_have_a_name_for_each_edge():
    keys = golden.golden_keys("cells_1/edges/dil_conv_3x3/norm/bias")
    assert len(set(keys)) == 14 and keys[0] == "cells/1/edges/0<-0/dil_conv_3x3/norm/bias"
    assert keys[-1] == "cells/1/edges/3<-4/dil_conv_3x3/norm/bias"
    keys = golden.golden_keys("cells_1/input_edges/conv_0/kernel")
    assert len(set(keys)) == 8 and keys[4] == "cells/1/edges/0<-1/skip_connect/conv_0/kernel"


class Small(nn.Module):
    """A network that compiles in no time."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3, name="dense")(x.reshape(len(x), -1))


@pytest.fixture
def small_case(monkeypatch, x64):
    """A case of a small network with a kernel that is given: only the comparison is in question."""
    monkeypatch.setattr(golden, "network", lambda case, name, form: Network(Small()))
    case = {
        "name": "small",
        "space": "nas_bench_201",
        "input": {"seed": 5, "shape": [4, 2, 2, 1]},
    }
    kernel = np.diag([2.0, 3.0, 5.0, 8.0])
    kernel[0, 1] = kernel[1, 0] = 0.5
    eigenvalues = np.linalg.eigvalsh(kernel)
    x = np.random.default_rng(5).standard_normal((4, 4))
    weights = golden.parameter("dense/kernel", (4, 3)), golden.parameter("dense/bias", (3,))
    case["logits_first"] = (x[0] @ weights[0] + weights[1]).tolist()
    case["ntk_row0"] = kernel[0].tolist()
    case["eig_min"], case["eig_max"] = float(eigenvalues[0]), float(eigenvalues[-1])
    case["condition_number"] = case["eig_max"] / case["eig_min"]
    monkeypatch.setattr(golden, "_ntk", lambda *args, engine: jnp.asarray(kernel))
    return case


def test_a_wrong_reference_is_seen(small_case):
    def beyond(case):
        checked = list(golden.check_ntk(case, "float64", "jacobian"))
        return [row.quantity for row in checked if row.error > golden.TOLERANCES["float64"]]

    assert beyond(small_case) == []
    for field, quantity in {
        "logits_first": "logits of the first image",
        "ntk_row0": "kernel's first row",
        "eig_min": "smallest eigenvalue",
        "eig_max": "largest eigenvalue",
        "condition_number": "condition number",
    }.items():
        case = copy.deepcopy(small_case)
        if isinstance(case[field], list):
            largest = max(map(abs, case[field]))
            case[field][1] += 1e-5 * largest
        else:
            case[field] *= 1 + 1e-5
        assert beyond(case) == [quantity]


def test_images_at_a_kink_stand_apart_in_float32_alone(small_case, monkeypatch):
    small_case["ntk_row0"][1] += 1
    monkeypatch.setattr(golden, "kinks", lambda case, form: np.array([1]))
    checked = list(golden.check_ntk(small_case, "float32", "jacobian"))
    assert [row.at_kink for row in checked] == [False, False, True, False, False, False]
    assert checked[1].error < golden.TOLERANCES["float32"]
    assert checked[2].value == 0.5 and checked[2].error == pytest.approx(1 / 2)  # of the largest, 2
    checked = list(golden.check_ntk(small_case, "float64", "jacobian"))
    assert not any(row.at_kink for row in checked) and checked[1].error == pytest.approx(1 / 2)


def test_a_kink_is_an_image_near_a_zero_of_some_relu(small_case, monkeypatch):
    inputs = jnp.asarray([[1.0, -2.0], [1.0, 1e-7], [0.0, 3.0], [-1e-7, 1.0], [1e-5, 1.0]])
    monkeypatch.setattr(golden, "kink_margins", lambda f, x: inputs.astype(x.dtype))
    assert golden.kinks(small_case).tolist() == [1, 3]


def test_wrong_regions_are_seen():
    key = "linear_regions", "nas_bench_201"
    case, mixed = CASES[*key, RESNET, 1000], CASES[*key, "mixed", 1000]
    other = {**case, "mask": mixed["mask"]}
    (row,) = golden.check_linear_regions(other, "float32", "jacobian")
    assert row.value == mixed["regions"]
    assert row.error > golden.TOLERANCES["float32"]


def test_every_case_of_the_folder_is_read():
    cases, skipped = golden.read(str(FOLDER))
    assert len(cases) == len(CASES) == 33 and skipped == []
    assert {kind for kind, _ in cases} == set(golden.CHECKS)


def test_what_is_not_built_is_named(tmp_path):
    (tmp_path / "ntk.json").write_text(
        json.dumps([{"space": "rnn", "name": "big"}, {"space": "nas_bench_201", "name": "ours"}])
    )
    (tmp_path / "rnn.json").write_text(json.dumps([{"arch": "abc"}]))
    (tmp_path / "parameters.json").write_text("{}")
    cases, skipped = golden.read(str(tmp_path))
    assert [(kind, case["name"]) for kind, case in cases] == [("ntk", "ours")]
    assert skipped == ["ntk: rnn, big", "rnn: rnn, abc"]


def test_a_folder_without_cases_is_one_clear_line(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UserError, match="holds no golden cases"):
            golden.read(str(folder))
    (tmp_path / "ntk.json").write_text("[{")
    with pytest.raises(UserError, match=r"cannot read .*ntk\.json: ") as caught:
        golden.read(str(tmp_path))
    assert "\n" not in str(caught.value)
