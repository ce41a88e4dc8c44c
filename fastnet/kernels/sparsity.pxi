# sparsity: lists of what is not zero in a layer's input, for the products that take only those steps.
#
#   B  rows of a batch          K  inputs of the layer          block  SKIP_ROWS rows (or columns) side by side
#
# A tile of a product multiplies a few rows of its left side at once, so a list is made for a few rows at once: the
# steps at which any of them is not zero, in order, and with each step their numbers, so that the tile reads one short stream
# instead of jumping through X.

cdef enum:
    SKIP_ROWS = 3


cdef struct Nonzero:
    const float* x
    Py_ssize_t ldx, rows, columns
    int* steps
    int* counts
    float* values
    Py_ssize_t most  # entries of a list


cdef inline int is_nonzero(float x, float y, float z) noexcept nogil:
    return (x != 0) | (y != 0) | (z != 0)


cdef void nonzero_columns_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Nonzero* q = <Nonzero*>args
    cdef Py_ssize_t block, k
    cdef const float* x
    cdef const float* y
    cdef const float* z
    cdef int* steps
    cdef float* values
    cdef int count
    for block in range(begin, end):
        # In the last block, which may be short, the last row stands in for those that are missing.
        x = q.x + block * SKIP_ROWS * q.ldx
        y = q.x + min(block * SKIP_ROWS + 1, q.rows - 1) * q.ldx
        z = q.x + min(block * SKIP_ROWS + 2, q.rows - 1) * q.ldx
        steps = q.steps + block * q.most
        values = q.values + block * q.most * SKIP_ROWS
        count = 0
        for k in range(q.columns):  # written always, counted only if not zero: no branch to mispredict
            steps[count] = <int>k
            values[count * SKIP_ROWS] = x[k]
            values[count * SKIP_ROWS + 1] = y[k]
            values[count * SKIP_ROWS + 2] = z[k]
            count += is_nonzero(x[k], y[k], z[k])
        q.counts[block] = count


cdef void nonzero_rows_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Nonzero* q = <Nonzero*>args
    cdef Py_ssize_t block, n, at, last = q.columns - 1
    cdef const float* x
    cdef float first, second, third
    for block in range(begin, end):
        q.counts[block] = 0
    for n in range(q.rows):  # row by row, as x lies in memory, each row feeding all lists
        x = q.x + n * q.ldx
        for block in range(begin, end):
            first = x[block * SKIP_ROWS]
            second = x[min(block * SKIP_ROWS + 1, last)]
            third = x[min(block * SKIP_ROWS + 2, last)]
            at = block * q.most + q.counts[block]
            q.steps[at] = <int>n
            q.values[at * SKIP_ROWS] = first
            q.values[at * SKIP_ROWS + 1] = second
            q.values[at * SKIP_ROWS + 2] = third
            q.counts[block] += is_nonzero(first, second, third)


cdef Nonzero nonzero_of(const float[:, ::1] x, int[:, ::1] steps, int[::1] counts, float[:, :, ::1] values) noexcept:
    cdef Nonzero q
    q.x = &x[0, 0]
    q.ldx = x.shape[1]
    q.rows = x.shape[0]
    q.columns = x.shape[1]
    q.steps = &steps[0, 0]
    q.counts = &counts[0]
    q.values = &values[0, 0, 0]
    q.most = steps.shape[1]
    return q


def nonzero_columns(const float[:, ::1] x, int[:, ::1] steps, int[::1] counts, float[:, :, ::1] values):
    """Lists, for each SKIP_ROWS rows of x, the columns at which at least one of them is not zero, in order.

    x       (B, K)
    steps   (blocks, K)               blocks = B / SKIP_ROWS rounded up: the columns
    counts  (blocks,)                 how many they are
    values  (blocks, K, SKIP_ROWS)    x at those columns, the block's rows side by side
    """
    cdef Nonzero q = nonzero_of(x, steps, counts, values)
    with nogil:
        parallel_for(nonzero_columns_task, &q, (q.rows + SKIP_ROWS - 1) // SKIP_ROWS, 1 + 5_000 // (q.columns + 1))


def nonzero_rows(const float[:, ::1] x, int[:, ::1] steps, int[::1] counts, float[:, :, ::1] values):
    """Lists, for each SKIP_ROWS columns of x, the rows at which at least one of them is not zero, in order.

    x       (B, K)
    steps   (blocks, most)               blocks = K / SKIP_ROWS rounded up, most >= B: the rows
    counts  (blocks,)                    how many they are
    values  (blocks, most, SKIP_ROWS)    x in those rows, the block's columns side by side
    """
    cdef Nonzero q = nonzero_of(x, steps, counts, values)
    with nogil:
        parallel_for(nonzero_rows_task, &q, (q.columns + SKIP_ROWS - 1) // SKIP_ROWS, 1 + 5_000 // (q.rows + 1))
