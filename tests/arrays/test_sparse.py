"""Skipping the zeros of the input: when it is done, and that nobody sees it but in time."""

import copy
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential
from fastnet.arrays import sparse
from fastnet.arrays.sparse import Csr, is_sparse
from fastnet.initializers import GlorotUniform
from fastnet.layers import Dense, Flatten, Input, Rescaling
from fastnet.optimizers import SGD
from fastnet.utils import set_random_seed

scipy_sparse = pytest.importorskip("scipy.sparse", reason="needs SciPy: it is in the extra 'test'")


def images(n: int, density: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.random((n, 300)) * (rng.random((n, 300)) < density)).astype(np.float32)


@pytest.mark.parametrize(
    ("n", "density", "units", "expected"),
    [(999, 0.2, 512, True), (999, 0.9, 512, False), (1, 0.2, 512, True), (999, 0.2, 10, False), (0, 0.2, 512, False)],
)  # fmt: skip
def test_sparse_is_what_is_mostly_zeros_and_worth_it(n: int, density: float, units: int, expected: bool) -> None:
    assert is_sparse(images(n, density), units) == expected


@pytest.mark.parametrize("optimizer", ["rmsprop", "sgd", "adam", SGD(0.1, momentum=0.9, nesterov=True)])
@pytest.mark.parametrize("batch_size", [1, 2, 50, 64])
def test_a_whole_training_has_the_same_bits_sparse_and_dense(batch_size: int, optimizer: Any) -> None:
    x, y = images(151, 0.2), np.eye(4)[np.arange(151) % 4]
    outcomes = []
    for skip in (True, False):
        set_random_seed(1)
        model = Sequential([Input((300,)), Dense(100, activation="relu"), Dense(4, activation="softmax")])
        model.compile(copy.deepcopy(optimizer), "categorical_crossentropy", ["accuracy"])
        history = model.fit(x, y, batch_size=batch_size, epochs=2, verbose=0, sparse=skip).history
        weights = b"".join(w.tobytes() for w in model.get_weights())
        predictions = model.predict(x, verbose=0, sparse=skip).tobytes()
        outcomes.append((history, weights, predictions, model.evaluate(x, y, verbose=0, sparse=skip)))
    assert outcomes[0] == outcomes[1]


def test_each_data_set_is_judged_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Sequential([Input((300,)), Dense(100)])
    compressed = []
    monkeypatch.setattr(Csr, "from_dense", lambda x, scale, make=Csr.from_dense: compressed.append(x) or make(x, scale))
    for density, expected in ((0.2, 1), (1.0, 1), (0.1, 2)):
        model.predict(images(9, density), verbose=0)
        assert len(compressed) == expected


def test_images_in_bytes_give_the_bits_of_scaled_floats_and_are_not_copied() -> None:
    x, y = (images(90, 0.2) * 255).astype(np.uint8).reshape(90, 15, 20), np.eye(4)[np.arange(90) % 4]
    outcomes = []
    for data, skip in ((x, True), (x, False), (x.astype(np.float32), True), (x.astype(np.float64), False)):
        set_random_seed(1)
        model = Sequential([Input((15, 20)), Flatten(), Rescaling(1 / 255), Dense(100, "relu"), Dense(4, "softmax")])
        model.compile("rmsprop", "categorical_crossentropy")
        loss = model.fit(data, y, verbose=0, sparse=skip).history
        outcomes.append((loss, model.predict(data, verbose=0, sparse=skip).tobytes()))
    assert outcomes[1:] == outcomes[:-1]


def test_the_first_layers_scale_is_that_of_the_floats_they_make() -> None:
    x = (images(50, 0.2) * 255).astype(np.uint8)
    dense = Sequential([Input((300,)), Dense(64, "relu", kernel_initializer=GlorotUniform(seed=3))])
    scaled = Sequential(
        [Input((300,)), Rescaling(1 / 255), Dense(64, "relu", kernel_initializer=GlorotUniform(seed=3))]
    )
    floats = x.astype(np.float32) * np.float32(1 / 255)
    np.testing.assert_array_equal(dense.predict(floats, verbose=0), scaled.predict(x, verbose=0))


def test_an_offset_keeps_the_layer_in_its_place() -> None:
    x = images(50, 0.2)
    model = Sequential([Input((300,)), Rescaling(2, offset=-1), Dense(64)])
    kernel, _ = model.get_weights()
    np.testing.assert_allclose(model.predict(x, verbose=0, sparse=True), (2 * x - 1) @ kernel, atol=1e-5)


@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
def test_scipy_matrices_go_in_as_they_are(form: str) -> None:
    x, y = images(60, 0.1), np.eye(4)[np.arange(60) % 4]
    outcomes = []
    for data in (x, scipy_sparse.csr_matrix(x).asformat(form)):
        set_random_seed(1)
        model = Sequential([Dense(100, "relu"), Dense(4, "softmax")])
        model.compile("rmsprop", "categorical_crossentropy")
        history = model.fit(data, y, epochs=2, verbose=0, validation_data=(data, y)).history
        batch = model.train_on_batch(data, y)
        outcomes.append((history, batch, model.evaluate(data, y, verbose=0), model.predict(data, verbose=0).tobytes()))
    assert outcomes[0] == outcomes[1]


def test_a_scipy_matrix_may_be_changed_while_its_rows_are_used() -> None:
    matrix = scipy_sparse.csr_matrix(images(60, 0.1))
    csr = Csr.from_scipy("x", matrix)
    assert not np.shares_memory(csr.indices, matrix.indices)
    assert not np.shares_memory(csr.indptr, matrix.indptr)
    assert np.shares_memory(csr.values, matrix.data)  # a number cannot point outside
    assert Csr.from_scipy("x", matrix.astype(np.float64)).values.dtype == np.float32
    for columns, kind in ((2**16, np.uint16), (2**16 + 1, np.int32)):
        wide = scipy_sparse.random(9, columns, density=0.01, format="csr", dtype=np.float32, random_state=0)
        wide.sort_indices()
        indices = Csr.from_scipy("x", wide).indices
        assert indices.dtype == Csr.from_dense(wide.toarray()).indices.dtype == kind
        np.testing.assert_array_equal(indices, wide.indices)
        assert not np.shares_memory(indices, wide.indices)


def test_a_scipy_matrix_is_scaled_by_a_rescaling() -> None:
    x = images(60, 0.1)
    model = Sequential([Input((300,)), Rescaling(0.5), Dense(100)])
    sparse_result = model.predict(scipy_sparse.csr_array(x), verbose=0)
    np.testing.assert_array_equal(sparse_result, model.predict(x, verbose=0))


def test_more_columns_than_16_bits_can_tell_apart() -> None:
    x = scipy_sparse.random(20, 70_000, density=0.001, format="csr", dtype=np.float32, random_state=0)
    model = Sequential([Dense(3)])
    kernel, _ = (model.build((None, 70_000)), model.get_weights())[1]
    np.testing.assert_allclose(model.predict(x, verbose=0), x @ kernel, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda x: x[:, :9], ValueError, "x has 9 features"),
        (lambda x: x * np.nan, ValueError, "not finite"),
        (lambda x: x.astype(complex), TypeError, "complex"),
    ],
)
def test_bad_scipy_matrices_are_refused(change: Any, error: type[Exception], message: str) -> None:
    model = Sequential([Input((300,)), Dense(100)])
    with pytest.raises(error, match=message):
        model.predict(change(scipy_sparse.csr_matrix(images(9, 0.5))), verbose=0)


def _set(name: str, at: int, value: int) -> Any:
    def change(x: Any) -> None:
        getattr(x, name)[at] = value

    return change


def _as(name: str, dtype: Any, at: int = 0, value: Any = None) -> Any:
    def change(x: Any) -> None:
        array = getattr(x, name).astype(dtype)
        if value is not None:
            array[at] = value
        setattr(x, name, array)

    return change


def _cut(name: str) -> Any:
    return lambda x: setattr(x, name, getattr(x, name)[:-1])


COMPRESSED = [
    *((_set("indices", 3, value), ValueError, f"x.indices holds {value} at index 3") for value in (60000, -1, 20)),
    (_as("indices", np.int64, 3, 2**40 + 3), ValueError, "x.indices holds 1099511627779"),
    (_as("indices", np.uint64, 3, 2**63), ValueError, "x.indices holds 9223372036854775808"),
    (_as("indices", np.float64), TypeError, "x.indices has dtype float64"),
    (_cut("indices"), ValueError, "indptr ends with 20, but x.indices has 19"),
    (_cut("data"), ValueError, "indptr ends with 20, but x.data has 19"),
    (_cut("indptr"), ValueError, "x.indptr has 20 entries; expected 21"),
    (_as("indptr", np.float64), TypeError, "x.indptr has dtype float64"),
    (_set("indptr", 3, 9), ValueError, "x.indptr falls from 9 to 4 at index 4"),
    (_as("indptr", np.uint32, 3, 9), ValueError, "x.indptr falls from 9 to 4 at index 4"),
    (_set("indptr", 0, 1), ValueError, "x.indptr begins with 1"),
    (_set("indptr", 0, -5), ValueError, "x.indptr begins with -5"),
    (_set("indptr", -1, 21), ValueError, "x.indptr ends with 21"),
    (_as("data", complex), TypeError, "x has dtype complex128"),
    (_as("data", object), TypeError, "x has dtype object"),
    (_as("data", np.float64, 3, 1e300), ValueError, r"1e\+300 at row 3, column 3, which does not fit float32"),
    (_as("data", np.float32, 3, -np.inf), ValueError, "x holds -inf at row 3, column 3, which is not finite"),
    (lambda x: setattr(x, "data", x.data[:, None]), ValueError, "x.data has shape"),
]
BROKEN = [
    *(("csr", *case) for case in COMPRESSED),
    *(("csc", *case) for case in COMPRESSED),
    *(("coo", _set("row", 3, value), ValueError, f"x.row holds {value}") for value in (60000, -1, 20)),
    *(("coo", _set("col", 3, value), ValueError, f"x.col holds {value}") for value in (60000, -1, 20)),
    ("coo", _cut("data"), ValueError, "x.row has 20 entries, but x.data has 19"),
    ("bsr", _set("indices", 0, 600), ValueError, "x.indices holds 600"),
    ("bsr", _set("indptr", 1, 600), ValueError, "x.indptr falls from 600"),
    ("bsr", _cut("data"), ValueError, "indptr ends with 20, but x.data has 19"),
    ("bsr", lambda x: setattr(x, "data", x.data.reshape(-1, 1, 1, 1)), ValueError, "x.data has shape"),
    ("dia", _as("offsets", np.int64, 0, 2**32 + 1), ValueError, "x.offsets holds 4294967297"),
    ("dia", lambda x: setattr(x, "data", np.ones((2, 20))), ValueError, "x.data has shape"),
    ("lil", _set("rows", 3, [60000]), ValueError, "x.rows holds 60000"),  # type: ignore[arg-type]
    ("lil", _set("rows", 3, [-1]), ValueError, "x.rows holds -1"),  # type: ignore[arg-type]
    ("lil", _set("rows", 3, [1, 2]), ValueError, "x.rows and x.data differ in length"),  # type: ignore[arg-type]
    ("lil", _set("rows", 3, None), ValueError, "x is a SciPy matrix that cannot be read"),  # type: ignore[arg-type]
    ("dok", lambda x: x._dict.update({(0, 60000): 1.0}), ValueError, "x.keys holds 60000"),
]  # fmt: skip


@pytest.mark.parametrize("method", ["predict", "fit", "evaluate", "train_on_batch"])
@pytest.mark.parametrize("kind", ["array", "matrix"])
@pytest.mark.parametrize(("form", "change", "error", "message"), BROKEN)
def test_a_scipy_matrix_that_points_outside_of_itself_is_refused(
    form: str, change: Any, error: type[Exception], message: str, kind: str, method: str
) -> None:
    x = getattr(scipy_sparse, f"{form}_{kind}")(np.eye(20, dtype=np.float32))
    change(x)
    model = Sequential([Input((20,)), Dense(3)])
    model.compile("sgd", "mse")
    with pytest.raises(error, match=message):
        getattr(model, method)(*([x] if method == "predict" else [x, np.zeros((20, 3))]))


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
@pytest.mark.parametrize("kind", ["array", "matrix"])
def test_every_format_and_type_is_the_dense_array(form: str, kind: str, dtype: type) -> None:
    dense = (images(30, 0.3)[:, :60] * 9).astype(dtype)
    x = getattr(scipy_sparse, f"{form}_{kind}")(dense)
    model = Sequential([Input((60,)), Dense(5)])
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(dense, verbose=0))


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
def test_columns_that_come_twice_or_in_disorder_add_up_and_stay_as_they_are(form: str, index: type) -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.sort(rng.integers(0, 9, 200)).astype(index), rng.integers(0, 30, 200).astype(index)
    values = rng.integers(1, 9, 200).astype(np.float32)
    dense = np.zeros((9, 30), np.float32)
    np.add.at(dense, (rows, columns), values)
    indptr = np.searchsorted(rows, np.arange(10)).astype(index)
    if form == "coo":
        x = scipy_sparse.coo_array((values, (rows, columns)), shape=(9, 30))
    else:
        x = scipy_sparse.csr_array((values, columns, indptr), shape=(9, 30))
    if form == "csc":
        x, dense = x.T, np.ascontiguousarray(dense.T)
    arrays = (x.row, x.col, x.data) if form == "coo" else (x.indptr, x.indices, x.data)
    before = [array.tobytes() for array in arrays]
    model = Sequential([Dense(5)])
    model.build((None, dense.shape[1]))
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(dense, verbose=0))
    after = (x.row, x.col, x.data) if form == "coo" else (x.indptr, x.indices, x.data)
    assert [array.tobytes() for array in after] == before


def test_what_scipy_remembers_of_the_order_is_not_believed() -> None:
    x = scipy_sparse.csr_array(np.ones((4, 5), np.float32))
    assert x.has_canonical_format
    x.indices[5:10] = [4, 4, 1, 0, 1]
    dense = np.ones((4, 5), np.float32)
    dense[1] = [1, 2, 0, 0, 2]
    model = Sequential([Input((5,)), Dense(3)])
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(dense, verbose=0))


def test_room_for_more_numbers_is_not_looked_at() -> None:
    x = scipy_sparse.csr_array(np.eye(4, dtype=np.float32))
    dense = x.toarray()
    x.indices, x.data = np.append(x.indices, 99), np.append(x.data, np.float32(np.nan))
    model = Sequential([Input((4,)), Dense(3)])
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(dense, verbose=0))


def test_a_class_derived_from_scipys_is_a_scipy_matrix() -> None:
    class Mine(scipy_sparse.csr_array):  # type: ignore[misc, name-defined]
        pass

    model, x = Sequential([Input((4,)), Dense(3)]), np.eye(4, dtype=np.float32)
    np.testing.assert_array_equal(model.predict(Mine(x), verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("form", ["coo_array", "csr_array", "dok_array"])
def test_a_sparse_array_of_one_dimension_is_refused_as_a_dense_one_is(form: str) -> None:
    model, x = Sequential([Input((5,)), Dense(3)]), np.array([1.0, 0, 2, 0, 3])
    for bad in (x, getattr(scipy_sparse, form)(x)):
        with pytest.raises(ValueError, match=r"x has 1 dimensions, shape \(5,\).*for one example use x\[None\]"):
            model.predict(bad, verbose=0)
    one = getattr(scipy_sparse, form)(x)[None]  # what the message says
    np.testing.assert_array_equal(model.predict(one, verbose=0), model.predict(x[None], verbose=0))


def test_a_sparse_array_of_three_dimensions_is_refused() -> None:
    with pytest.raises(ValueError, match="x has 3 dimensions; a sparse matrix of examples has 2"):
        Sequential([Input((5,)), Dense(3)]).predict(scipy_sparse.coo_array(np.ones((2, 5, 1))), verbose=0)


@pytest.mark.parametrize("columns", [30, 70_000])
def test_a_generator_of_sparse_batches_is_predicted(columns: int) -> None:
    x = scipy_sparse.random_array((50, columns), density=0.1, format="csr", dtype=np.float32, random_state=0)
    model = Sequential([Input((columns,)), Dense(3)])
    parts = (x[i : i + 20] for i in range(0, 50, 20))
    np.testing.assert_array_equal(model.predict(parts, verbose=0), model.predict(x, verbose=0))
    with pytest.raises(ValueError, match="a batch's x has 9 features"):
        model.predict(iter([x[:5], x[:5, :9]]), verbose=0)
    with pytest.raises(ValueError, match="sparse and dense batches"):
        model.predict(iter([x[:5], x[:5].toarray()]), verbose=0)


def test_a_model_that_does_not_begin_with_dense_refuses_a_scipy_matrix() -> None:
    model = Sequential([Input((300,)), Rescaling(1, offset=1), Dense(100)])
    with pytest.raises(ValueError, match="begins with a Dense layer"):
        model.predict(scipy_sparse.csr_matrix(images(9, 0.5)), verbose=0)


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_sparse_is_true_false_or_auto(value: Any) -> None:
    with pytest.raises(ValueError, match="sparse must be True, False or 'auto'"):
        Sequential([Input((3,)), Dense(2)]).predict(np.ones((1, 3)), sparse=value)


def test_the_sample_covers_the_whole_set() -> None:
    x = images(10 * sparse._SAMPLE, 0.05)
    x[len(x) // 4 :] = 1
    assert not is_sparse(x, 512)
