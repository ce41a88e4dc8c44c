# dropout: sets random numbers of a batch to zero. The random mask is computed, and never stored.
#
#   B  rows of a batch     C  columns     n, c  a row and a column     ldx, ldy  floats from row to row
#
#   y[n, c] = x[n, c] / (1 - rate)  where  hash(n C + c, seed) >= 2^32 rate,  else 0
#
# The random number of a place is a hash of the place and the seed. So it is the same on any thread, and the backward
# pass computes the mask again from the seed. Source of the hash: C. Wellons, "Prospecting for hash functions", 2018
# (lowbias32). The first half of the seed is added before its first round, the second half after it.

cdef struct Dropout:
    const float* x
    float* y
    Py_ssize_t columns, ldx, ldy
    unsigned int threshold
    const unsigned long long* seed
    float scale


cdef inline unsigned int hash_of(unsigned int h, unsigned int first, unsigned int second) noexcept nogil:
    h = h * 0x9E3779B9U + first
    h ^= h >> 16
    h *= 0x7FEB352DU
    h ^= second
    h ^= h >> 15
    h *= 0x846CA68BU
    h ^= h >> 16
    h *= 0x7FEB352DU
    h ^= h >> 15
    return h


cdef void dropout_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Dropout* q = <Dropout*>args
    cdef Py_ssize_t n, c
    cdef unsigned int place
    cdef const float* x
    cdef float* y
    cdef unsigned int threshold = q.threshold
    cdef unsigned int first = <unsigned int>(q.seed[0] & 0xFFFFFFFFU), second = <unsigned int>(q.seed[0] >> 32)
    cdef float scale = q.scale
    for n in range(begin, end):
        x = q.x + n * q.ldx
        y = q.y + n * q.ldy
        place = <unsigned int>(n * q.columns)
        for c in range(q.columns):
            y[c] = x[c] * scale if hash_of(place + <unsigned int>c, first, second) >= threshold else 0


def dropout(const float[:, ::1] x, float[:, ::1] y, Py_ssize_t columns, double rate, const unsigned long long[::1] seed):
    """y = x / (1 - rate), or 0 with probability `rate`. The scale keeps the mean. y may be x.

    x        (B, ldx)   input; in the backward pass, the gradient with respect to the output
    y        (B, ldy)   output, written; in the backward pass, the gradient with respect to the input
    columns             C: numbers in a row; floats of y behind them are left alone
    rate                share that becomes 0, in [0, 1)
    seed     (1,)       uint64; the same number in the backward pass
    """
    cdef Dropout q
    if x.shape[0] == 0 or columns == 0:
        return
    q.x = &x[0, 0]
    q.y = &y[0, 0]
    q.columns = columns
    q.ldx = x.shape[1]
    q.ldy = y.shape[1]
    q.threshold = <unsigned int>(rate * 4294967296.0)
    q.seed = &seed[0]
    q.scale = <float>(1 / (1 - rate))
    with nogil:
        run_rows(dropout_task, &q, sizeof(q), x.shape[0], 1 + 20_000 // columns)
