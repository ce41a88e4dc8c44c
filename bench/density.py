"""From which density on it pays to multiply zeros too: a layer's forward product and fused update, skipping and not.

    python bench/density.py [--rounds 15]

Random positions are the worst case for skipping, since neighbours share nothing; real images do better.
"""

import argparse
import statistics
import time

import numpy as np

from fastnet import kernels
from fastnet.kernels.panels import pack
from fastnet.sparsity import NonzeroLists


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=15)
    rounds = p.parse_args().rounds
    batch, inputs, units = 128, 784, 512
    rng = np.random.default_rng(0)
    w = pack(rng.standard_normal((inputs, units)).astype(np.float32))
    bias, v = np.zeros(units, np.float32), np.zeros_like(w)
    y, dz = np.zeros((batch, units + 16), np.float32), rng.standard_normal((batch, units + 16), np.float32)
    lists = NonzeroLists(inputs)

    def step(x: np.ndarray, skip: bool) -> float:
        start = time.perf_counter()
        kernels.gemm_bias_act(x, w, bias, kernels.RELU, y, *(lists.of_columns(x) if skip else ()))
        kernels.gemm_tn_rmsprop(x, dz, w, bias, v, bias, 0.0, 0.9, 1e-7, *(lists.of_rows(x) if skip else ()))
        return time.perf_counter() - start

    print(f"{batch} x {inputs} x {units}, {kernels.isa}, {kernels.get_num_threads()} threads\ndensity  skipping / not")
    for density in (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0):
        x = (rng.random((batch, inputs)) * (rng.random((batch, inputs)) < density)).astype(np.float32)
        ratios = [step(x, True) / step(x, False) for _ in range(rounds)]
        print(f"{density:7.2f}  {statistics.median(ratios):6.2f}")


if __name__ == "__main__":
    main()
