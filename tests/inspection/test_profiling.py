"""model.profile: where the time goes, and that nothing of it stays behind."""

import pickle

import numpy as np
import pytest

from fastnet import Sequential, kernels, rng
from fastnet.layers import Dense, Input

X, Y = np.random.default_rng(0).random((100, 30), np.float32), np.eye(4)[np.arange(100) % 4]


def test_the_rows_are_the_kernels_of_a_step() -> None:
    model = Sequential([Input((30,)), Dense(20, "relu"), Dense(4, "softmax")])
    model.compile("rmsprop", "categorical_crossentropy", ["accuracy"])
    before = {name: getattr(kernels, name) for name in kernels.NAMES}
    weights = [w.tobytes() for w in model.get_weights()]
    profile = model.profile(X, Y, batch_size=25, epochs=2)
    calls = {row.kernel: row.calls for row in profile}
    assert profile.steps == 8
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
