# finite: searches an array for NaN and infinity.
#
#   x  n numbers     zeros  sums of 0 * x: all 0 if all x are finite, since 0 * NaN and 0 * infinity are NaN

cdef struct Finite:
    const float* x
    Py_ssize_t n
    char* block_is_finite


cdef enum:
    FINITE_BLOCK = 1 << 16


cdef void all_finite_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """A sum that once is NaN stays NaN. So the loop needs no branch, and one test at its end is enough."""
    cdef Finite* q = <Finite*>args
    cdef Py_ssize_t block, i, j, stop
    cdef vec zeros[4]
    cdef vec nothing = vec_set1(0)
    cdef float rest
    cdef float lanes[LANES]
    for block in range(begin, end):
        i = block * FINITE_BLOCK
        stop = min(q.n, i + FINITE_BLOCK)
        for j in range(4):
            zeros[j] = nothing
        while i + 4 * LANES <= stop:
            for j in range(4):
                zeros[j] = vec_fma(vec_load(q.x + i + j * LANES), nothing, zeros[j])
            i += 4 * LANES
        vec_store(lanes, (zeros[0] + zeros[1]) + (zeros[2] + zeros[3]))
        rest = 0
        for j in range(LANES):
            rest += lanes[j]
        while i < stop:
            rest += q.x[i] * 0
            i += 1
        q.block_is_finite[block] = rest == 0


def all_finite(const float[::1] x):
    """True if no number is NaN or infinite.

    x  (n,)   the numbers
    """
    cdef Py_ssize_t blocks = (x.shape[0] + FINITE_BLOCK - 1) // FINITE_BLOCK
    cdef Finite q
    if blocks == 0:
        return True
    cdef char verdict
    q.x = &x[0]
    q.n = x.shape[0]
    if blocks == 1:
        q.block_is_finite = &verdict
        with nogil:
            all_finite_task(&q, 0, 1)
        return bool(verdict)
    verdicts = bytearray(blocks)
    cdef char[::1] verdict_view = verdicts
    q.block_is_finite = &verdict_view[0]
    with nogil:
        parallel_for(all_finite_task, &q, blocks, 4)
    return all(verdicts)
