"""fastnet.datasets.synthetic: digits like MNIST's in shape, type and ink, and the same for the same seed."""

import numpy as np
import pytest
from numpy.typing import NDArray

from fastnet.datasets import synthetic

Digits = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


def load(*seed: int) -> Digits:
    (x_train, y_train), (x_test, y_test) = synthetic.load_data(*seed)
    return x_train, y_train, x_test, y_test


@pytest.fixture(scope="module")
def digits() -> Digits:
    return load()


@pytest.fixture(scope="module", params=[0, 2], ids=["training images", "test images"])
def images(digits: Digits, request: pytest.FixtureRequest) -> NDArray[np.uint8]:
    return digits[request.param]


def test_shapes_and_types_are_mnists(digits: Digits) -> None:
    assert [array.shape for array in digits] == [(60000, 28, 28), (60000,), (10000, 28, 28), (10000,)]
    assert all(array.dtype == np.uint8 for array in digits)
    assert all(array.flags.writeable for array in digits)


def test_the_same_seed_draws_the_same_digits_and_0_is_the_default(digits: Digits) -> None:
    assert all(np.array_equal(a, b) for a, b in zip(digits, load(0), strict=True))


def test_another_seed_draws_others(digits: Digits) -> None:
    others = load(1)
    assert not np.array_equal(digits[1], others[1])
    assert np.mean(np.all(digits[0] == others[0], axis=(1, 2))) < 1e-3


def test_as_many_pixels_have_ink_as_in_mnist(images: NDArray[np.uint8]) -> None:
    assert 0.17 < np.count_nonzero(images) / images.size < 0.21


def test_ink_has_all_shades_up_to_black(images: NDArray[np.uint8]) -> None:
    assert len(np.unique(images)) == 256


def test_every_image_shows_something(images: NDArray[np.uint8]) -> None:
    assert np.count_nonzero(images, axis=(1, 2)).min() >= 20
    assert images.max(axis=(1, 2)).min() > 100


@pytest.mark.parametrize("which", [1, 3], ids=["training labels", "test labels"])
def test_all_ten_digits_are_about_equally_frequent(which: int, digits: Digits) -> None:
    share = np.bincount(digits[which], minlength=10) / len(digits[which])
    assert share.shape == (10,)
    assert np.all(np.abs(share - 0.1) < 0.015)


def test_no_image_is_drawn_twice(digits: Digits) -> None:
    images = np.concatenate([digits[0], digits[2]])
    assert len({image.tobytes() for image in images}) == len(images)


@pytest.mark.parametrize(
    ("seed", "error"),
    [("1", TypeError), (1.5, TypeError), (None, TypeError), (True, TypeError), ([1], TypeError), (-1, ValueError)],
)
def test_a_bad_seed_is_refused(seed: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="seed"):
        synthetic.load_data(seed)  # type: ignore[arg-type]
