"""model.profile: where the time goes, and that nothing of it stays behind."""

import operator
import pickle
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, datasets, kernels, optimizers, rng, utils
from fastnet.inspection.profiling import Profile
from fastnet.layers import BatchNormalization, Dense, Dropout, Input, Layer, Rescaling

X, Y = np.random.default_rng(0).random((100, 30), np.float32), np.eye(4)[np.arange(100) % 4]


def test_the_rows_are_the_kernels_of_a_step() -> None:
    model = Sequential([Input((30,)), Dense(20, "relu"), Dense(4, "softmax")])
    model.compile("rmsprop", "categorical_crossentropy", ["accuracy"])
    before = {name: getattr(kernels, name) for name in kernels.NAMES}
    weights = [w.tobytes() for w in model.get_weights()]
    profile = model.profile(X, Y, batch_size=25, epochs=2)
    calls = {row.kernel: row.calls for row in profile}
    assert profile.steps == 8
    assert profile.is_repeated
    assert calls["gather"] == 16
    assert "adam_rates" not in calls
    assert calls["gemm_bias_act"] == calls["gemm_tn_update"] == 16
    assert calls["gemm_nt"] == calls["softmax_crossentropy"] == 8
    assert next(row.flops for row in profile if row.kernel == "gemm_nt") == 8 * 2 * 25 * 20 * 16
    assert 0 < sum(row.seconds for row in profile) < profile.seconds
    assert {name: getattr(kernels, name) for name in kernels.NAMES} == before
    assert [w.tobytes() for w in model.get_weights()] == weights


def test_of_a_sparse_data_set_a_batchs_numbers_count() -> None:
    x = X * (np.arange(30) % 5 == 0)
    model = Sequential([Input((30,)), Dense(600, "relu"), Dense(4, "softmax")])
    model.compile("rmsprop", "categorical_crossentropy")
    rows = {row.kernel: row for row in model.profile(x, Y, batch_size=25, epochs=2, print_fn=None)}
    flops = 2 * 2 * np.count_nonzero(x) * 608
    assert rows["csrmm_bias_act"].flops == rows["csrmm_tn_update"].flops == flops
    numbers = 2 * np.count_nonzero(x) * (4 + 2) + 2 * 8 * 101
    others = 8 * (30 * 608 + 608 + 25 * 624) * 4 + 8 * 25 * 8
    assert rows["csrmm_bias_act"].bytes == pytest.approx(numbers + others, rel=0.01)
    assert rows["gather"].bytes == 2 * 100 * (2 * 4 * 4 + 8)  # targets read and written, row numbers


SMALL = np.random.default_rng(1).random((110, 4), np.float32)


class Adam(optimizers.Adam):
    """A step with an optimizer of a user's own runs in Python, also if it calls the same kernels."""


class RMSprop(optimizers.RMSprop):
    """As above."""


def small(optimizer: Any = "adam", *more: Layer) -> Sequential:
    model = Sequential([Input((4,)), Dense(16, "relu"), *more, Dense(3, "softmax")])
    return model.compile(optimizer, "sparse_categorical_crossentropy", ["accuracy"])


def test_a_repeated_step_has_the_rows_of_a_step_in_python() -> None:
    """Also with a short last batch, which is a recording of its own."""
    labels = np.arange(110) % 3
    repeated, in_python = (
        small(optimizer, Dropout(0.5)).profile(SMALL, labels, batch_size=25, epochs=3) for optimizer in ("adam", Adam())
    )
    assert repeated.steps == in_python.steps == 15
    assert "a step repeated without Python" in str(repeated)
    assert "each step run in Python" in str(in_python)

    def counted(profile: Profile) -> dict[tuple[str, str], float]:
        names = ("calls", "flops", "bytes")
        between = ("adam_rates", "gather")  # Python may do these between the repeated steps
        return {(row.kernel, n): getattr(row, n) for row in profile if row.kernel not in between for n in names}

    assert counted(repeated) == pytest.approx(counted(in_python))
    assert counted(repeated)["gemm_bias_act", "flops"] == 3 * 110 * 2 * (4 + 16) * 16


def test_a_sparse_step_has_these_rows_too() -> None:
    (images, labels), _ = datasets.synthetic.load_data()
    images, labels = images[:300].reshape(300, 784), labels[:300]
    model = Sequential([Input((784,)), Rescaling(1 / 255), Dense(32, "relu"), Dense(10, "softmax")])
    model.compile("rmsprop", "sparse_categorical_crossentropy")
    repeated = {row.kernel: row for row in model.profile(images, labels, batch_size=128)}
    assert repeated["csr_transpose"].calls == 3
    flops = 2 * np.count_nonzero(images) * 32
    assert repeated["csrmm_bias_act"].flops == repeated["csrmm_tn_update"].flops == pytest.approx(flops)
    model.compile(RMSprop(), "sparse_categorical_crossentropy")
    in_python = {row.kernel: row for row in model.profile(images, labels, batch_size=128)}
    assert repeated.keys() == in_python.keys()
    assert repeated["csrmm_tn_update"].flops == in_python["csrmm_tn_update"].flops


def test_a_model_with_python_in_its_step_is_measured_in_python() -> None:
    model = small("adam", BatchNormalization())
    profile = model.profile(SMALL, np.arange(110) % 3, batch_size=25)
    assert not profile.is_repeated
    assert {row.kernel: row.calls for row in profile}["gemm_bias_act"] == 2 * 5
    assert "mark_update" not in {row.kernel for row in profile}
    assert 0 < sum(row.seconds for row in profile) < profile.seconds


class Taken:
    """A lock that another thread has until someone waits for it."""

    is_taken = True

    def acquire(self, blocking: bool) -> bool:
        gets_it = blocking or not self.is_taken
        self.is_taken = True
        return gets_it

    def release(self) -> None:
        self.is_taken = False


def test_it_waits_until_no_other_thread_watches_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_observing", Taken())
    profile = small().profile(SMALL, np.arange(110) % 3)  # its step could not be recorded meanwhile
    assert not profile.is_repeated
    assert {row.kernel: row.calls for row in profile}["gemm_bias_act"] == 2 * 4


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_model_does_not_notice(optimizer: str) -> None:
    labels = np.arange(110) % 3

    def trained(profiles: bool) -> tuple[Any, ...]:
        utils.set_random_seed(3)
        model = small(optimizer, Dropout(0.3, seed=1), Dropout(0.2))
        model.fit(SMALL, labels, epochs=2, batch_size=25, verbose=0)
        kept, history = list(model._tapes._steps), model.history
        assert len(kept) == 2
        if profiles:
            assert model.profile(SMALL, labels, batch_size=25).is_repeated
        assert model.history is history
        model.fit(SMALL, labels, epochs=2, batch_size=25, verbose=0)
        assert all(map(operator.is_, kept, model._tapes._steps))
        assert not any(step.is_timed for step in kept)
        assert model.optimizer is not None
        state = [array.tobytes() for array in model.optimizer._slots.values()]
        return [w.tobytes() for w in model.get_weights()], state, model.optimizer.iterations, rng.generator().random()

    assert trained(True) == trained(False)


class Indexed:
    """Ten batches, as often as one likes."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, i: int) -> tuple[Any, Any]:
        return SMALL[10 * i : 10 * i + 10], np.arange(10) % 3


def test_batches_without_a_second_epoch_are_refused() -> None:
    batches = (Indexed()[i] for i in range(10))
    with pytest.warns(UserWarning, match="no more batches"), pytest.raises(ValueError, match="a second one"):
        small().profile(batches, None)
    profile = small().profile(Indexed(), None, epochs=2)
    assert (profile.steps, profile.is_repeated) == (20, False)


def shown(call: str, names: dict[str, object], capsys: pytest.CaptureFixture[str]) -> str:
    """What is on the screen after the line is typed at the interactive prompt."""
    capsys.readouterr()
    exec(compile(call, "<prompt>", "single"), names)
    return capsys.readouterr().out


def test_it_shows_itself_once_in_print_at_the_prompt_and_in_a_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    model = Sequential([Input((30,)), Dense(20, "relu"), Dense(4, "softmax")])
    model.compile("rmsprop", "categorical_crossentropy")
    profile = model.profile(X, Y)
    assert capsys.readouterr().out == ""
    names: dict[str, object] = {"model": model, "x": X, "y": Y, "profile": profile}
    for call in ("profile", "print(profile)"):
        assert shown(call, names, capsys) == f"{profile}\n"
    for call in ("model.profile(x, y)", "print(model.profile(x, y))"):
        text = shown(call, names, capsys)
        assert text.count("us/step") == text.count("roof: ") == text.count("around the kernels") == 1
        assert "Row(" not in text
    lines = str(profile).splitlines()
    assert [line.split()[0] for line in lines[2:-2]] == [row.kernel for row in profile] != []
    page = profile._repr_html_()
    assert page.count("<tr>") == len(profile) + 2
    assert "gemm_tn_update</th>" in page
    told: list[str] = []
    assert len(told) < len(model.profile(X, Y, print_fn=told.append)) == len(profile)
    assert "us/step" in told[0]


def test_it_is_still_a_list() -> None:
    model = Sequential([Input((30,)), Dense(4, "softmax")])
    model.compile("rmsprop", "categorical_crossentropy")
    profile = model.profile(X, Y)
    assert isinstance(profile, list)
    assert [row.seconds for row in profile] == sorted((row.seconds for row in profile), reverse=True)
    assert profile[0] == next(iter(profile)) == profile[:1][0]
    again = pickle.loads(pickle.dumps(profile))
    assert again == profile
    assert str(again) == str(profile)


def test_an_error_leaves_the_kernels_as_they_were() -> None:
    model = Sequential([Input((30,)), Dense(4, "softmax")])
    model.compile("rmsprop", "categorical_crossentropy")
    before = kernels.gemm_bias_act
    with pytest.raises(ValueError, match="features"):
        model.profile(X[:, :3], Y)
    assert kernels.gemm_bias_act is before


def test_the_random_numbers_go_on_as_if_there_had_been_no_profile() -> None:
    model = Sequential([Input((30,)), Dense(4, "softmax")])
    model.compile("rmsprop", "categorical_crossentropy")
    before = rng.generator().bit_generator.state
    model.profile(X, Y, print_fn=None)
    assert rng.generator().bit_generator.state == before
