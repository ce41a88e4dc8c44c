"""What the network sees of a drawing: MNIST's own digits come back, wherever and however large they are drawn."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fastnet import datasets
from fastnet.models import Sequential
from fastnet.playground.preprocess import BOX, CENTRE, SIDE, look_at

Ink = NDArray[np.float64]
PAPER = 560  # the page's sheet, in pixels


def box(image: NDArray[np.uint8]) -> tuple[int, int]:
    """Height and width of what is not blank."""
    rows, columns = np.nonzero(image)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def smooth(image: NDArray[np.uint8], side: int) -> Ink:
    """An image enlarged as by a soft pen: linear between the middles of its pixels."""
    at = np.clip((np.arange(side) + 0.5) * SIDE / side - 0.5, 0, SIDE - 1)
    weights = np.maximum(1 - np.abs(at[:, None] - np.arange(SIDE)), 0)
    return weights @ image @ weights.T


def test_real_digits_drawn_on_the_sheet_are_read_as_well_as_they_were(mnist_folder: str, model: Sequential) -> None:
    _, (x, y) = datasets.mnist.load_data(mnist_folder)
    drawn = np.stack([look_at(np.kron(image, np.ones((8, 8)))) for image in x])
    assert (model.predict(drawn, verbose=0).argmax(axis=1) == y).mean() >= 0.97


def test_real_digits_drawn_smaller_softly_and_off_the_middle_are_read(mnist_folder: str, model: Sequential) -> None:
    _, (x, y) = datasets.mnist.load_data(mnist_folder)
    x, y = x[::5], y[::5]
    rng = np.random.default_rng(0)
    drawn = []
    for image in x:
        side = int(rng.integers(200, 400))
        top, left = rng.integers(0, PAPER - side, 2)
        sheet = np.zeros((PAPER, PAPER))
        sheet[top : top + side, left : left + side] = smooth(image, side)
        sheet[sheet < 40] = 0  # a pen's edge is sharper
        drawn.append(look_at(sheet))
    assert (model.predict(np.stack(drawn), verbose=0).argmax(axis=1) == y).mean() >= 0.97


def test_an_enlarged_digit_of_mnist_comes_back_to_the_bit(mnist_folder: str) -> None:
    _, (x, _) = datasets.mnist.load_data(mnist_folder)
    for image in x[:300]:
        np.testing.assert_array_equal(look_at(np.kron(image, np.ones((PAPER // SIDE, PAPER // SIDE)))), image)


@given(
    top=st.integers(0, 60),
    left=st.integers(0, 60),
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    ink=st.integers(1, 255),
)
def test_a_block_is_scaled_to_20_pixels_and_centred(top: int, left: int, height: int, width: int, ink: int) -> None:
    drawing = np.zeros((120, 120))
    drawing[top : top + height, left : left + width] = ink
    image = look_at(drawing)
    longer, shorter = max(height, width), min(height, width)
    expected = -(-BOX * shorter // longer)
    if ink * (BOX * shorter / longer % 1 or 1) >= 1:  # else the last row or column is too faint for a byte
        assert sorted(box(image)) == sorted((BOX, expected))
    assert image.max() <= ink
    rows, columns = image.sum(axis=1), image.sum(axis=0)
    for mass in (rows, columns):
        assert not mass.any() or abs((mass * (np.arange(SIDE) + 0.5)).sum() / mass.sum() - CENTRE) <= 0.5 + 0.1


def test_ink_is_the_mean_of_what_a_pixel_covers() -> None:
    drawing = np.zeros((40, 40))
    drawing[::2] = 200  # stripes of half a pixel
    drawing[-1] = 200
    image = look_at(drawing)
    inner = image[image.any(axis=1)][:-1][:, image.any(axis=0)]
    np.testing.assert_array_equal(inner, np.full((19, 20), 100))


def test_a_digit_that_is_all_at_one_end_is_not_cut_off() -> None:
    drawing = np.zeros((100, 100))
    drawing[:5, :], drawing[5:, 45:55] = 255, 20  # nearly all of its mass is at the upper edge
    assert box(look_at(drawing)) == box(look_at(drawing[::-1])) == (BOX, BOX)
    assert box(look_at(drawing.T)) == (BOX, BOX)


@pytest.mark.parametrize("shape", [(28, 28), (1, 1), (560, 560), (0, 0), (0, 5)])
def test_a_blank_sheet_is_a_blank_image(shape: tuple[int, int]) -> None:
    image = look_at(np.zeros(shape))
    assert (image.dtype, image.shape, image.any()) == (np.uint8, (SIDE, SIDE), False)


@pytest.mark.parametrize(
    ("drawing", "error", "says"),
    [
        (np.zeros(784), ValueError, "drawing has shape (784,); expected (height, width)"),
        (np.full((9, 9), -1), ValueError, "not from 0 to 255"),
        (np.full((9, 9), 256), ValueError, "not from 0 to 255"),
        (np.full((9, 9), np.nan), ValueError, "not from 0 to 255"),
        ([["a"]], TypeError, "drawing"),
    ],
)
def test_what_is_no_drawing_is_refused(drawing: object, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=re.escape(says)):
        look_at(drawing)
