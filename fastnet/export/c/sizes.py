"""How many bytes of code each function has: compiled for a Cortex-M4 by Clang 14 with -Os.

The estimate in a header adds them up. `tests/export/c/test_programs.py` compares it with what a compiler makes.
"""

FLOATING = {
    "affine": 166, "celu": 46, "class": 42, "class_of_one": 20, "clip": 30, "clipped_relu": 42, "dense": 452, "elu": 42,
    "embedding": 118, "gather": 20, "gelu": 44, "gelu_tanh": 64, "glu": 134, "hard_shrink": 52, "hard_sigmoid": 48,
    "hard_silu": 26, "leaky_relu": 28, "log_sigmoid": 56, "log_softmax": 244, "mean": 84, "mish": 30, "normalize": 308,
    "prelu": 112, "relu": 28, "sigmoid": 56, "silu": 26, "soft_shrink": 34, "softmax": 232, "softplus": 56,
    "softsign": 34, "sparse_plus": 64, "sparse_sigmoid": 28, "sparsemax": 284, "squareplus": 76, "tanh_shrink": 26,
    "threshold": 20,
}  # fmt: skip
INTEGER = {
    "affine": 342, "class": 28, "class_of_one": 14, "clip": 40, "dense": 126, "embedding": 118, "gather": 20,
    "glu": 116, "input_shift": 12, "looked_up": 54, "mean": 82, "normalize": 522, "pointwise": 44, "power": 108,
    "prelu": 118, "rescaled": 120, "root": 110, "softmax": 286,
}  # fmt: skip
A_CALL = 24  # a call with its arguments
