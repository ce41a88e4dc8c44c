# rows: moves the rows of a batch: from a data set, to an array of results, and from layer to layer.
#
#   n  rows of a data set     B  rows of a batch     K  numbers in a row     ldx, ldy  floats from row to row

def shuffle(Py_ssize_t[::1] order, unsigned long long seed):
    """Writes the row numbers 0 to n - 1 in a random order, in which all orders are equally likely.

    Row i is put at a random place j <= i, and the row that was there moves to place i. Sources: R. Durstenfeld,
    "Algorithm 235: random permutation", 1964; for the random numbers, G. Steele et al., "Fast splittable pseudorandom
    number generators", 2014 (SplitMix64).

    order  (n,)   intp, written; n < 2^32
    seed   64 random bits
    """
    cdef Py_ssize_t i, j
    cdef unsigned long long z
    with nogil:
        for i in range(order.shape[0]):
            seed += 0x9E3779B97F4A7C15ULL
            z = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9ULL
            z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL
            j = <Py_ssize_t>(((z ^ (z >> 31)) >> 32) * <unsigned long long>(i + 1) >> 32)
            order[i] = order[j]
            order[j] = i


cdef struct Gather:
    const float* source
    const unsigned char* octets  # the source is in one of the two
    const Py_ssize_t* rows
    float* target
    Py_ssize_t columns, ldx


cdef void gather_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Gather* q = <Gather*>args
    cdef Py_ssize_t n, k
    cdef const float* x
    cdef const unsigned char* octets
    cdef float* y
    for n in range(begin, end):
        y = q.target + n * q.columns
        if q.octets != NULL:
            octets = q.octets + q.rows[n] * q.columns
            for k in range(q.columns):
                y[k] = octets[k]
        else:
            x = q.source + q.rows[n] * q.columns
            for k in range(q.columns):
                y[k] = x[k]


def gather(
    const float[:, ::1] source, const unsigned char[:, ::1] octets, const Py_ssize_t[::1] rows, float[:, ::1] target
):
    """target[n] = source[rows[n]], or octets[rows[n]]: some rows of a data set, in any order.

    source  (n, K)   data set; None if `octets` is given
    octets  (n, K)   data set of uint8; None if `source` is given
    rows    (B,)     intp: row numbers
    target  (B, K)   written
    """
    cdef Gather q
    if rows.shape[0] == 0 or target.shape[1] == 0:
        return
    memset(&q, 0, sizeof(q))
    if source is None:
        q.octets = &octets[0, 0]
    else:
        q.source = &source[0, 0]
    q.rows = &rows[0]
    q.target = &target[0, 0]
    q.columns = target.shape[1]
    with nogil:
        run_rows(gather_task, &q, sizeof(q), rows.shape[0], 1 + 20_000 // q.columns)


cdef void scatter_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Gather* q = <Gather*>args
    cdef Py_ssize_t n
    for n in range(begin, end):
        memcpy(q.target + q.rows[n] * q.columns, q.source + n * q.ldx, q.columns * sizeof(float))


def scatter(const float[:, ::1] source, const Py_ssize_t[::1] rows, float[:, ::1] target):
    """target[rows[n]] = source[n]: the results of a batch, in their places among those of a data set.

    source  (B, ldx)   ldx >= K
    rows    (B,)       intp: row numbers, all different
    target  (n, K)     these rows are written
    """
    cdef Gather q
    if rows.shape[0] == 0 or target.shape[1] == 0:
        return
    memset(&q, 0, sizeof(q))
    q.source = &source[0, 0]
    q.ldx = source.shape[1]
    q.rows = &rows[0]
    q.target = &target[0, 0]
    q.columns = target.shape[1]
    with nogil:
        run_rows(scatter_task, &q, sizeof(q), rows.shape[0], 1 + 20_000 // q.columns)


cdef struct Rescale:
    const float* x
    float* y
    Py_ssize_t columns, ldx, ldy
    float scale, offset


cdef void copy_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Rescale* q = <Rescale*>args
    cdef Py_ssize_t n
    for n in range(begin, end):
        memcpy(q.y + n * q.ldy, q.x + n * q.ldx, q.columns * sizeof(float))


def copy(const float[:, ::1] x, float[:, ::1] y, Py_ssize_t columns):
    """y = x in the first columns. The other columns of y are left alone.

    x        (B, ldx)   ldx >= columns
    y        (B, ldy)   ldy >= columns
    columns             how many
    """
    cdef Rescale q
    if x.shape[0] == 0 or columns == 0:
        return
    memset(&q, 0, sizeof(q))
    q.x = &x[0, 0]
    q.y = &y[0, 0]
    q.columns = columns
    q.ldx = x.shape[1]
    q.ldy = y.shape[1]
    with nogil:
        run_rows(copy_task, &q, sizeof(q), x.shape[0], 1 + 20_000 // columns)


cdef void rescale_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Rescale* q = <Rescale*>args
    cdef Py_ssize_t n, k
    cdef const float* x
    cdef float* y
    cdef float scale = q.scale, offset = q.offset
    for n in range(begin, end):
        x = q.x + n * q.ldx
        y = q.y + n * q.ldy
        for k in range(q.columns):
            y[k] = x[k] * scale + offset


def rescale(const float[:, ::1] x, float[:, ::1] y, Py_ssize_t columns, double scale, double offset):
    """y = x * scale + offset in the first columns. The other columns of y are left alone.

    x        (B, ldx)   ldx >= columns
    y        (B, ldy)   ldy >= columns
    columns             how many
    scale    factor
    offset   the number that is added
    """
    cdef Rescale q
    if x.shape[0] == 0 or columns == 0:
        return
    memset(&q, 0, sizeof(q))
    q.x = &x[0, 0]
    q.y = &y[0, 0]
    q.columns = columns
    q.ldx = x.shape[1]
    q.ldy = y.shape[1]
    q.scale = <float>scale
    q.offset = <float>offset
    with nogil:
        run_rows(rescale_task, &q, sizeof(q), x.shape[0], 1 + 20_000 // columns)
