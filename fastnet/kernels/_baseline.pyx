"""The kernels of fastnet, compiled for every processor of this architecture."""
include "kernels.pxi"
