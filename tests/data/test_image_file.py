"""One image file as RGB: every kind of pixels, and files that are broken."""

import numpy as np
import pytest
from PIL import Image

from tenas_jax import data
from tenas_jax.data.image_file import is_image_name
from tenas_jax.errors import UserError

RED, HALF_RED = (255, 0, 0), (255, 0, 0, 128)


def saved(image: Image.Image, path, **options):
    image.save(path, **options)
    return data.read_image(path)


def test_rgb_comes_as_it_is(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)
    out = saved(Image.fromarray(pixels), tmp_path / "a.png")
    assert out.dtype == np.uint8 and out.flags.writeable
    np.testing.assert_array_equal(out, pixels)
    (tmp_path / "a.png").rename(tmp_path / "really_png.JPEG")
    np.testing.assert_array_equal(data.read_image(tmp_path / "really_png.JPEG"), pixels)


@pytest.mark.parametrize(
    ("mode", "colour", "wanted"),
    [
        ("L", 77, (77, 77, 77)),
        ("1", 1, (255, 255, 255)),
        ("I;16", 0x4DFF, (0x4D, 0x4D, 0x4D)),
        ("LA", (40, 0), (255, 255, 255)),
        ("RGBA", (*RED, 255), RED),
        ("RGBA", HALF_RED, (255, 127, 127)),
    ],
)
def test_other_pixels_become_rgb(tmp_path, mode, colour, wanted):
    out = saved(Image.new(mode, (4, 2), colour), tmp_path / "a.png")
    np.testing.assert_array_equal(out, np.broadcast_to(wanted, (2, 4, 3)))


def test_palettes(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, 0, 0, 255])
    image.putpixel((1, 0), 1)
    assert saved(image, tmp_path / "a.png").tolist() == [[[255, 0, 0], [0, 0, 255]]]
    for transparency in (1, b"\xff\x00"):  # one entry, and a byte for each
        out = saved(image, tmp_path / "b.png", transparency=transparency)
        assert out.tolist() == [[[255, 0, 0], [255, 255, 255]]]


def test_cmyk_jpeg(tmp_path):
    out = saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), tmp_path / "a.jpg", quality=95)
    assert out.shape == (8, 8, 3)
    np.testing.assert_allclose(out, np.broadcast_to(RED, (8, 8, 3)), atol=4)


def test_a_file_that_cannot_be_read_is_named_in_one_line(tmp_path):
    whole = tmp_path / "whole.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(whole)
    (tmp_path / "cut.jpg").write_bytes(whole.read_bytes()[:1500])
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    for name in ("cut.jpg", "text.png", "empty.jpg", "folder.png", "missing.jpg"):
        with pytest.raises(UserError) as error:
            data.read_image(tmp_path / name)
        start = f"cannot read the image {tmp_path / name}: "
        assert str(error.value).startswith(start) and len(str(error.value)) > len(start)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_damage_anywhere_gives_pixels_or_one_line(tmp_path, suffix):
    """No byte that is wrong, and no cut, ends in another error."""
    rng = np.random.default_rng(0)
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(rng.integers(0, 256, (9, 7, 3), np.uint8)).save(path)
    whole, refused = path.read_bytes(), 0
    for trial in range(200):
        damaged = bytearray(whole[: rng.integers(len(whole))] if trial % 2 else whole)
        for position in rng.integers(max(len(damaged), 1), size=3 if damaged else 0):
            damaged[position] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            out = data.read_image(path)
            assert out.dtype == np.uint8 and out.ndim == 3 and out.shape[2] == 3
        except UserError as error:
            refused += 1
            assert str(error).startswith(f"cannot read the image {path}: ")
            assert "\n" not in str(error)
    assert refused > 50


@pytest.mark.parametrize("name", ["a.JPEG", "a.jpg", "a.Png"])
def test_names_of_images(name):
    assert is_image_name(name)
    assert not is_image_name(f"._{name}") and not is_image_name(f"{name}.txt")
