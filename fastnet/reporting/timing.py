"""Section on time: the kernels of a profile, and what each of them does."""

from __future__ import annotations

from fastnet.inspection.markup import Section, bar, details, join, note, percent, plural, rounded, table, tag
from fastnet.reporting.subject import Subject

LEAD = (
    "The time of a training step, divided among the compiled functions (kernels) that it calls. The products of "
    "matrices usually take most of it. A step of kernels alone is repeated without Python. In any other step of "
    "a small network, the Python code around the kernels takes most of the time."
)

# What each kernel does, in words; fastnet/kernels/reference.py has the mathematics.
_DOES = {
    "accumulate": "adds the batch's loss to that of the epoch",
    "activation_backward": "gradient of an activation",
    "activation_forward": "an activation",
    "add_rows": "adds up the losses of the batch's examples, or what a metric counts",
    "all_finite": "looks for NaN and infinity in the batch",
    "binary_accuracy": "says which answers are correct",
    "binary_crossentropy": "sigmoid, loss and the gradient of both",
    "categorical_accuracy": "says which answers are correct",
    "csr_transpose": "sorts the batch's nonzeros by columns",
    "csrmm_bias_act": "input × weights + bias, and the activation, without the zeros of the input",
    "csrmm_tn": "gradient of the weights, without the zeros of the input",
    "csrmm_tn_update": "gradient of the weights, without the zeros of the input, and the optimizer's step",
    "clip": "limits the numbers of a gradient",
    "decay": "the optimizer's weight decay",
    "dropout": "sets random numbers to 0",
    "gather": "copies the batch's rows from the data set",
    "penalty": "adds a regularizer's penalty to the loss",
    "penalty_gradient": "adds a regularizer's part to the gradient",
    "pointwise_backward": "gradient of an activation",
    "pointwise_forward": "an activation",
    "pointwise_loss": "loss and its gradient, or the errors that a metric counts",
    "gemm_bias_act": "input × weights + bias, and the activation",
    "gemm_nt": "gradient with respect to the layer's input",
    "gemm_tn": "gradient of the weights",
    "gemm_tn_update": "gradient of the weights, and the optimizer's step",
    "gemv_bias_act": "input × weights + bias for one example",
    "softmax": "softmax",
    "softmax_backward": "gradient of softmax",
    "softmax_crossentropy": "softmax, loss and the gradient of both",
    "sparse_categorical_accuracy": "says which answers are correct",
    "sparse_softmax_crossentropy": "softmax, loss and the gradient of both, for labels",
    "update": "the optimizer's step",
}


def section(subject: Subject) -> Section:
    profile = subject.profile
    title = "Where the time went"
    if profile is None or not profile.steps or not profile.seconds:
        return Section("time", title, "", note("No profile was taken: it needs x and y, or one that was made before."))
    rest = max(0.0, profile.seconds - sum(row.seconds for row in profile))
    parts = [(row.kernel, row.seconds, _DOES.get(row.kernel, "")) for row in profile]
    parts.append(("around the kernels", rest, "Python, the start of each kernel, and the clock"))
    parts.sort(key=lambda part: -part[1])
    rows = [
        (
            join(name if name.startswith("around") else tag("code", name), tag("span", does, class_="does")),
            bar(seconds / profile.seconds, percent(seconds / profile.seconds)),
            f"{seconds / profile.steps * 1e6:,.1f}",
        )
        for name, seconds, does in parts
    ]
    whole = table(("kernel", "share", "µs/step"), rows, "Where the time went")
    rates = [
        (
            tag("code", row.kernel),
            f"{row.calls / profile.steps:,.1f}",
            rounded(row.flops / row.seconds / 1e9 if row.seconds else 0.0, 3),
            percent(row.flops / row.seconds / profile.peak) if row.seconds else "",
            rounded(row.bytes / profile.steps / 1e6, 3),
        )
        for row in profile
    ]
    head = ("kernel", "calls/step", "GFLOP/s", "of the roof", "MB/step")
    more = details(
        "How fast the kernels were",
        table(head, rates, "How fast the kernels were"),
        note(f"The roof, {profile.peak / 1e9:,.0f} GFLOP/s, is what a large dense product reached at the same time."),
    )
    each = profile.seconds / profile.steps
    took = f"{each * 1e3:,.2f} ms" if each >= 1e-3 else f"{each * 1e6:,.0f} µs"
    how = "A step is repeated without Python." if profile.is_repeated else "Each step runs in Python."
    said = tag("p", f"{plural(profile.steps, 'step')} of a copy of the model were timed; each took {took}. {how}")
    return Section("time", title, LEAD, join(said, whole, more))
