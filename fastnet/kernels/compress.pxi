# compress: makes compressed sparse rows (CSR) from rows that are mostly zeros.
#
#   n  rows of a data set     K  columns     nnz  nonzeros in all rows
#
#   csr_count      counts[i] = number of nonzeros in row i. Their running sums are `indptr`
#   csr_compress   the nonzeros of row i, times a scale, and their columns, from place indptr[i] to indptr[i + 1]
#
# The rows are float32, or bytes as the pixels of an image. Bytes become float32 here, without a dense copy.

ctypedef fused number:
    float
    unsigned char


cdef struct Compress:
    const float* floats  # the rows are in one of the two
    const unsigned char* octets
    Py_ssize_t columns
    Py_ssize_t* counts
    float scale
    const Py_ssize_t* indptr
    unsigned short* narrow  # the columns go into one of the two
    int* wide
    float* values


cdef inline int count_row(const number* x, Py_ssize_t columns) noexcept nogil:
    cdef Py_ssize_t k
    cdef int count = 0
    for k in range(columns):
        count += x[k] != 0
    return count


cdef void csr_count_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Compress* q = <Compress*>args
    cdef Py_ssize_t i
    for i in range(begin, end):
        if q.floats != NULL:
            q.counts[i] = count_row(q.floats + i * q.columns, q.columns)
        else:
            q.counts[i] = count_row(q.octets + i * q.columns, q.columns)


cdef inline void compress_row(const number* x, const Compress* q, Py_ssize_t at, Py_ssize_t end) noexcept nogil:
    """Writes the nonzeros of row x to the places [at, end).

    Every number is written, but `at` moves on only after a nonzero. So no branch depends on the numbers, which
    the processor could not predict.
    """
    cdef int k = 0
    while at < end:
        if q.wide != NULL:
            q.wide[at] = k
        else:
            q.narrow[at] = <unsigned short>k
        q.values[at] = x[k] * q.scale
        at += x[k] != 0
        k += 1


cdef void csr_compress_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Compress* q = <Compress*>args
    cdef Py_ssize_t i
    for i in range(begin, end):
        if q.floats != NULL:
            compress_row(q.floats + i * q.columns, q, q.indptr[i], q.indptr[i + 1])
        else:
            compress_row(q.octets + i * q.columns, q, q.indptr[i], q.indptr[i + 1])


cdef inline Compress compress_of(const float[:, ::1] floats, const unsigned char[:, ::1] octets) noexcept:
    cdef Compress q
    memset(&q, 0, sizeof(q))
    q.floats = NULL if floats is None else &floats[0, 0]
    q.octets = NULL if octets is None else &octets[0, 0]
    q.columns = octets.shape[1] if floats is None else floats.shape[1]
    return q


def csr_count(const float[:, ::1] floats, const unsigned char[:, ::1] octets, Py_ssize_t[::1] counts):
    """counts[i] = the number of nonzeros in row i.

    floats  (n, K)   the rows, if they are float32; else None
    octets  (n, K)   the rows, if they are bytes; else None. Neither n nor K is 0
    counts  (n,)     written
    """
    cdef Compress q = compress_of(floats, octets)
    q.counts = &counts[0]
    with nogil:
        parallel_for(csr_count_task, &q, counts.shape[0], 1 + 100_000 // q.columns)


def csr_compress(
    const float[:, ::1] floats, const unsigned char[:, ::1] octets, float scale, const Py_ssize_t[::1] indptr,
    indices, float[::1] values,
):
    """The nonzeros of the rows, each times `scale`, and their columns.

    floats   (n, K)     as for `csr_count`
    octets   (n, K)     as for `csr_count`
    scale               a factor
    indptr   (n + 1,)   0, then the running sums of the counts
    indices  (nnz,)     columns, written: uint16, or int32 if K > 65,536
    values   (nnz,)     numbers, written
    """
    cdef Compress q = compress_of(floats, octets)
    cdef unsigned short[::1] narrow
    cdef int[::1] wide
    if indptr[indptr.shape[0] - 1] == 0:
        return
    q.scale = scale
    q.indptr = &indptr[0]
    if indices.itemsize == 2:
        narrow = indices
        q.narrow = &narrow[0]
    else:
        wide = indices
        q.wide = &wide[0]
    q.values = &values[0]
    with nogil:
        parallel_for(csr_compress_task, &q, indptr.shape[0] - 1, 1 + 50_000 // q.columns)
