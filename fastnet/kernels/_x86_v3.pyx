"""The kernels of fastnet, compiled for x86-64-v3: AVX2 and FMA."""
include "kernels.pxi"
