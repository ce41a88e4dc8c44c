# csr: the products of a first layer whose input is mostly zeros. They multiply only the nonzeros.
#
#   B  rows of a batch     K  inputs     N  units     P  columns of a panel (16)     nnz  nonzeros of the data set
#
# A data set in compressed sparse rows (CSR): row i has the number values[q] in column indices[q], for q from indptr[i]
# to indptr[i + 1], columns ascending. A batch is a list of row numbers, so nothing is copied. Columns are uint16, since an
# epoch of the tutorial takes 2 % longer with int32. Only K > 65,536 needs int32.
#
#   csrmm_bias_act   Y  = act(X . W + bias)
#   csr_transpose    the batch by columns (CSC): the rows that have a nonzero in column k, and the nonzeros
#   csrmm_tn         dW = X^T . dZ, db = column sums; csrmm_tn_update updates with them and never writes them
#
# Each sum is one chain of fused multiply-adds, which starts from zero and runs in index order, as in gemm.pxi. Only terms
# 0 * w are left out, so the bits are those of the dense product. (With one exception: 0 times an infinite weight is NaN
# in the dense product, and is left out here.)
#
# Forward, each nonzero multiplies one row of W. CSR_ROWS rows of the batch are computed side by side, each with its own
# sums in registers. One row alone would be slower, since each of its additions must wait for the one before. Rows are
# taken in the order of their lengths, so that those side by side end at about the same place.
#
# Backward, a tile is one row of dW, CSR_TILE panels wide. It adds up the rows of dZ for which its column of the batch
# has a nonzero. Then the weights take the optimizer's step while the sums are in registers.

cdef enum:
    LENGTHS = 512  # classes in which rows are sorted by length


cdef struct Csr:
    const Py_ssize_t* indptr
    const unsigned short* narrow  # the columns are in one of the two
    const int* wide
    const float* values
    const Py_ssize_t* rows
    Py_ssize_t batch


cdef Csr csr_of(const Py_ssize_t[::1] indptr, indices, const float[::1] values, const Py_ssize_t[::1] rows) except *:
    cdef Csr x
    cdef const unsigned short[::1] narrow
    cdef const int[::1] wide
    memset(&x, 0, sizeof(x))
    x.indptr = &indptr[0]
    x.rows = &rows[0]
    x.batch = rows.shape[0]
    if values.shape[0] == 0:
        return x
    x.values = &values[0]
    if indices.itemsize == 2:
        narrow = indices
        x.narrow = &narrow[0]
    else:
        wide = indices
        x.wide = &wide[0]
    return x


cdef inline Py_ssize_t column_at(const bint is_wide, const Csr* x, Py_ssize_t q) noexcept nogil:
    return x.wide[q] if is_wide else x.narrow[q]


# By columns -------------------------------------------------------------------------------------------------------------

cdef struct Entry:  # a nonzero of a column. In two arrays, row and number would take two cache misses instead of one
    int row
    float x


cdef struct Transpose:
    Csr x
    Py_ssize_t columns
    Py_ssize_t* ends
    Entry* entries
    Py_ssize_t most


cdef inline void transpose_rows(const bint is_wide, const Transpose* t, Py_ssize_t copy) noexcept nogil:
    """Sorts the nonzeros by column: counts those of each column, then puts each nonzero in its place."""
    cdef Py_ssize_t n, k, q, at, total = 0
    cdef Entry* entries = t.entries + copy * t.most
    cdef Py_ssize_t* ends = t.ends + copy * (t.columns + 1)
    cdef Py_ssize_t* starts = ends + 1  # the place of each column's next nonzero; at the end, where the column ends
    memset(ends, 0, (t.columns + 1) * sizeof(Py_ssize_t))
    for n in range(t.x.batch):
        for q in range(t.x.indptr[t.x.rows[n]], t.x.indptr[t.x.rows[n] + 1]):
            starts[column_at(is_wide, &t.x, q)] += 1
    for k in range(t.columns):
        total += starts[k]
        starts[k] = total - starts[k]
    for n in range(t.x.batch):
        for q in range(t.x.indptr[t.x.rows[n]], t.x.indptr[t.x.rows[n] + 1]):
            at = starts[column_at(is_wide, &t.x, q)]
            entries[at].row = <int>n
            entries[at].x = t.x.values[q]
            starts[column_at(is_wide, &t.x, q)] = at + 1


cdef void csr_transpose_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Transpose* t = <Transpose*>args
    cdef Py_ssize_t copy
    for copy in range(begin, end):
        if t.x.wide != NULL:
            transpose_rows(True, t, copy)
        else:
            transpose_rows(False, t, copy)


def csr_transpose(
    const Py_ssize_t[::1] indptr, indices, const float[::1] values, const Py_ssize_t[::1] rows,
    Py_ssize_t[:, ::1] ends, int[:, :, ::1] entries,
):
    """A batch of CSR rows by columns: column k has the entries from ends[k] to ends[k + 1], rows ascending.

    indptr   (n + 1,)       as for `csrmm_bias_act`
    indices  (nnz,)         as for `csrmm_bias_act`
    values   (nnz,)         as for `csrmm_bias_act`
    rows     (B,)           as for `csrmm_bias_act`
    ends     (C, K + 1)     written
    entries  (C, most, 2)   written: the row in the batch, and the 32 bits of the number; most >= nonzeros of the batch

    C is the number of threads. Each thread makes a copy of its own, and reads that one in `csrmm_tn`. A copy that all
    threads share would have to travel between their cores, which takes longer than to make it again.
    """
    cdef Transpose t
    if rows.shape[0] == 0:
        ends[:, :] = 0
        return
    t.x = csr_of(indptr, indices, values, rows)
    t.columns = ends.shape[1] - 1
    t.ends = &ends[0, 0]
    t.entries = NULL if entries.shape[1] == 0 else <Entry*>&entries[0, 0, 0]
    t.most = entries.shape[1]
    with nogil:
        run(csr_transpose_task, &t, sizeof(t), ends.shape[0], 1)


# Forward ----------------------------------------------------------------------------------------------------------------

cdef struct Csrmm:
    Csr x
    Py_ssize_t* order  # positions in the batch, longest rows first
    const float* w
    Py_ssize_t inputs, panels, blocks, groups
    const float* bias
    int activation
    float* y
    Py_ssize_t ldy


cdef void sort_by_length_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """Sorts the rows of the batch by length, the longest first. Rows of equal length keep their order."""
    cdef const Csr* x = &(<Csrmm*>args).x
    cdef Py_ssize_t* order = (<Csrmm*>args).order
    cdef Py_ssize_t first[LENGTHS + 1]
    cdef Py_ssize_t n, length, longest = 0, at
    for n in range(x.batch):
        longest = max(longest, x.indptr[x.rows[n] + 1] - x.indptr[x.rows[n]])
    cdef Py_ssize_t width = longest // LENGTHS + 1
    memset(first, 0, sizeof(first))
    for n in range(x.batch):
        length = x.indptr[x.rows[n] + 1] - x.indptr[x.rows[n]]
        first[LENGTHS - length // width] += 1
    at = 0
    for n in range(LENGTHS + 1):
        at += first[n]
        first[n] = at - first[n]
    for n in range(x.batch):
        length = x.indptr[x.rows[n] + 1] - x.indptr[x.rows[n]]
        order[first[LENGTHS - length // width]] = n
        first[LENGTHS - length // width] += 1


cdef inline void csr_step(
    const bint is_wide, const int r, const int panels, const Csrmm* g, const float** w, Py_ssize_t q, vec* sums
) noexcept nogil:
    """Adds the q-th nonzero, times its row of W, to the sums of row r of the tile."""
    cdef vec x = vec_set1(g.x.values[q])
    cdef Py_ssize_t at = column_at(is_wide, &g.x, q) * P
    cdef int p, j
    for p in range(panels):
        for j in range(VECTORS):
            sums[(r * panels + p) * VECTORS + j] = vec_fma(
                x, vec_load(w[p] + at + j * LANES), sums[(r * panels + p) * VECTORS + j]
            )


cdef inline void csr_rest(
    const bint is_wide, const int r, const int rows, const int panels, const Csrmm* g, const float** w,
    const Py_ssize_t* next, const Py_ssize_t* stop, vec* sums,
) noexcept nogil:
    """The nonzeros of row r that are left when the shortest of the `rows` rows has ended."""
    cdef Py_ssize_t q
    if r < rows:
        for q in range(next[r], stop[r]):
            csr_step(is_wide, r, panels, g, w, q, sums)


cdef inline void csr_tile(
    const bint is_wide, const int rows, const int panels, const Csrmm* g, Py_ssize_t first, Py_ssize_t panel
) noexcept nogil:
    """Y for `rows` rows of the batch, from the `first` of the sorted order, and `panels` panels from `panel` on."""
    cdef vec sums[CSR_ROWS * CSR_PANELS * VECTORS]
    cdef Py_ssize_t next[CSR_ROWS]
    cdef Py_ssize_t stop[CSR_ROWS]
    cdef const float* w[CSR_PANELS]
    cdef Py_ssize_t i, row, least = g.inputs
    cdef vec x
    cdef int r, p, j
    cdef float* y
    for p in range(panels):
        w[p] = g.w + (panel + p) * g.inputs * P
    for r in range(rows):
        row = g.x.rows[g.order[first + r]]
        next[r] = g.x.indptr[row]
        stop[r] = g.x.indptr[row + 1]
        least = min(least, stop[r] - next[r])
        for p in range(panels * VECTORS):
            sums[r * panels * VECTORS + p] = vec_set1(0)
    for i in range(least):
        for r in range(rows):
            csr_step(is_wide, r, panels, g, w, next[r], sums)
            next[r] += 1
    # Four calls and no loop: the sums of a row stay in registers only if its number is a constant.
    csr_rest(is_wide, 0, rows, panels, g, w, next, stop, sums)
    csr_rest(is_wide, 1, rows, panels, g, w, next, stop, sums)
    csr_rest(is_wide, 2, rows, panels, g, w, next, stop, sums)
    csr_rest(is_wide, 3, rows, panels, g, w, next, stop, sums)
    for r in range(rows):
        y = g.y + g.order[first + r] * g.ldy + panel * P
        for p in range(panels):
            for j in range(VECTORS):
                x = sums[(r * panels + p) * VECTORS + j] + vec_load(g.bias + (panel + p) * P + j * LANES)
                vec_store(y + p * P + j * LANES, activate(g.activation, x))


cdef inline void csr_panels(
    const bint is_wide, const int panels, const Csrmm* g, Py_ssize_t first, Py_ssize_t last, Py_ssize_t panel
) noexcept nogil:
    """Rows [first, last) of the sorted batch times `panels` panels."""
    while last - first >= CSR_ROWS:
        csr_tile(is_wide, CSR_ROWS, panels, g, first, panel)
        first += CSR_ROWS
    while last - first >= 2:
        csr_tile(is_wide, 2, panels, g, first, panel)
        first += 2
    if first < last:
        csr_tile(is_wide, 1, panels, g, first, panel)


cdef inline void csr_blocks(const bint is_wide, const Csrmm* g, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """Blocks [begin, end), counted down a group of panels first, so that a thread keeps to few panels."""
    cdef Py_ssize_t first, last, panel, stop
    while begin < end:
        panel = begin // g.blocks * CSR_PANELS
        first = begin % g.blocks
        last = min(g.blocks, first + end - begin)
        begin += last - first
        stop = min(g.panels, panel + CSR_PANELS)
        first *= CSR_ROWS
        last = min(g.x.batch, last * CSR_ROWS)
        if stop - panel == CSR_PANELS:
            csr_panels(is_wide, CSR_PANELS, g, first, last, panel)
        else:
            while panel < stop:
                csr_panels(is_wide, 1, g, first, last, panel)
                panel += 1


cdef void csrmm_bias_act_task(void* g, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    if (<Csrmm*>g).x.wide != NULL:
        csr_blocks(True, <Csrmm*>g, begin, end)
    else:
        csr_blocks(False, <Csrmm*>g, begin, end)


def csrmm_bias_act(
    const Py_ssize_t[::1] indptr, indices, const float[::1] values, const Py_ssize_t[::1] rows,
    const float[:, :, ::1] w, const float[::1] bias, int activation, float[:, ::1] y, Py_ssize_t[::1] order,
):
    """Y = act(X . W + bias) for rows of a CSR matrix. The bits are those of `gemm_bias_act`.

    indptr      (n + 1,)      where each row begins
    indices     (nnz,)        columns of the nonzeros, ascending in a row: uint16 or int32
    values      (nnz,)        the nonzeros
    rows        (B,)          the batch: numbers of rows
    w           (N/P, K, P)   kernel in panels
    bias        (N/P * P,)    bias, padded as the panels are
    activation  LINEAR, RELU, SIGMOID or TANH
    y           (B, ldy)      output, written whole panel by whole panel; ldy >= N/P * P
    order       (B,)          workspace
    """
    cdef Csrmm g
    cdef Py_ssize_t work
    if rows.shape[0] == 0 or w.shape[0] == 0 or w.shape[1] == 0:
        return
    g.x = csr_of(indptr, indices, values, rows)
    g.order = &order[0]
    g.w = &w[0, 0, 0]
    g.inputs = w.shape[1]
    g.panels = w.shape[0]
    g.blocks = (g.x.batch + CSR_ROWS - 1) // CSR_ROWS
    g.groups = (g.panels + CSR_PANELS - 1) // CSR_PANELS
    g.bias = &bias[0]
    g.activation = activation
    g.y = &y[0, 0]
    g.ldy = y.shape[1]
    work = 1 + values.shape[0] // (indptr.shape[0] - 1)  # in a row of the data set, since batches differ
    with nogil:
        run(sort_by_length_task, &g, sizeof(g), 1, 1)
        run(
            csrmm_bias_act_task, &g, sizeof(g), g.groups * g.blocks,
            FLOPS_A_SLICE // (2 * CSR_ROWS * CSR_PANELS * P * work) + 1,
        )


cdef struct Gemv:
    Csrmm g
    const float* row
    Py_ssize_t* places
    int* columns
    float* values


cdef void find_nonzeros_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """The row's nonzeros. Every number is written, but `count` moves on only after a nonzero."""
    cdef Gemv* q = <Gemv*>args
    cdef Py_ssize_t k, count = 0
    for k in range(q.g.inputs):
        q.columns[count] = <int>k
        q.values[count] = q.row[k]
        count += q.row[k] != 0
    q.places[0] = q.places[2] = 0
    q.places[1] = count


def gemv_bias_act(
    const float[:, ::1] x, const float[:, :, ::1] w, const float[::1] bias, int activation, float[:, ::1] y,
    Py_ssize_t[::1] workspace,
):
    """y = act(x . W + bias) for a single dense row, whose zeros are skipped. The bits are those of `gemm_bias_act`.

    x           (1, ldx)      input, ldx >= K
    w           (N/P, K, P)   kernel in panels
    bias        (N/P * P,)    bias, padded as the panels are
    activation  LINEAR, RELU, SIGMOID or TANH
    y           (1, ldy)      output, written whole panel by whole panel; ldy >= N/P * P
    workspace   (3 + K,)      intp: for the nonzeros
    """
    cdef Gemv q
    if w.shape[0] == 0 or w.shape[1] == 0:
        return
    memset(&q, 0, sizeof(q))
    q.row = &x[0, 0]
    q.places = &workspace[0]
    q.columns = <int*>(q.places + 3)
    q.values = <float*>(q.columns + w.shape[1])
    q.g.x.indptr = q.places
    q.g.x.rows = q.g.order = q.places + 2
    q.g.x.wide = q.columns
    q.g.x.values = q.values
    q.g.x.batch = 1
    q.g.w = &w[0, 0, 0]
    q.g.inputs = w.shape[1]
    q.g.panels = w.shape[0]
    q.g.blocks = 1
    q.g.groups = (q.g.panels + CSR_PANELS - 1) // CSR_PANELS
    q.g.bias = &bias[0]
    q.g.activation = activation
    q.g.y = &y[0, 0]
    q.g.ldy = y.shape[1]
    with nogil:
        run(find_nonzeros_task, &q, sizeof(q), 1, 1)
        run(
            csrmm_bias_act_task, &q.g, sizeof(q.g), q.g.groups,
            FLOPS_A_SLICE // (4 * CSR_PANELS * P * q.g.inputs) + 1,
        )


# Backward ---------------------------------------------------------------------------------------------------------------

cdef struct CsrTN:
    const Py_ssize_t* ends
    const Entry* entries
    Py_ssize_t copies, most
    Py_ssize_t inputs, panels, blocks, groups
    const float* z
    Py_ssize_t ldz
    Update update
    BiasUpdate bias


cdef enum:
    TN_ROWS = 32  # rows of dW of a block: what a thread gets at least


cdef inline void csr_tn_rows(
    const int panels, const int rule, const CsrTN* g, Py_ssize_t first, Py_ssize_t last, Py_ssize_t panel
) noexcept nogil:
    """The gradient in rows [first, last) and in `panels` panels from `panel` on, and the optimizer's step along it."""
    cdef vec sums[CSR_TILE * VECTORS]
    cdef Py_ssize_t k, q, at
    cdef const float* z
    cdef int p, j
    cdef vec x, rho = vec_set1(g.update.rates.m)
    for k in range(first, last):
        if rule == RMSPROP and g.ends[k] == g.ends[k + 1]:  # a gradient of zeros: only the state decays
            for p in range(panels):
                for j in range(VECTORS):
                    at = ((panel + p) * g.inputs + k) * P + j * LANES
                    vec_store(g.update.s + at, rho * vec_load(g.update.s + at))
            continue
        for p in range(panels * VECTORS):
            sums[p] = vec_set1(0)
        for q in range(g.ends[k], g.ends[k + 1]):
            x = vec_set1(g.entries[q].x)
            z = g.z + g.entries[q].row * g.ldz + panel * P
            for p in range(panels * VECTORS):
                sums[p] = vec_fma(x, vec_load(z + p * LANES), sums[p])
        for p in range(panels):
            for j in range(VECTORS):
                at = ((panel + p) * g.inputs + k) * P + j * LANES
                update_step(rule, &g.update, at, sums[p * VECTORS + j])


cdef inline void csr_tn_rule(const int rule, const CsrTN* g, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """Blocks [begin, end) of TN_ROWS x CSR_TILE panels, counted down a group of panels first."""
    cdef Py_ssize_t first, last, panel, stop
    while begin < end:
        panel = begin // g.blocks * CSR_TILE
        first = begin % g.blocks
        last = min(g.blocks, first + end - begin)
        begin += last - first
        stop = min(g.panels, panel + CSR_TILE)
        if first == 0:
            compute_bias(&g.bias, panel, stop)
        first *= TN_ROWS
        last = min(g.inputs, last * TN_ROWS)
        if stop - panel == CSR_TILE:
            csr_tn_rows(CSR_TILE, rule, g, first, last, panel)
        else:
            while panel < stop:
                csr_tn_rows(1, rule, g, first, last, panel)
                panel += 1


cdef void csrmm_tn_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """Reads the copy of the batch that this thread has most likely written. All copies are the same."""
    cdef CsrTN g = (<CsrTN*>args)[0]
    cdef Py_ssize_t copy = begin * g.copies // (g.groups * g.blocks)
    read_rates(&g.update)
    read_rates(&g.bias.update)
    g.ends += copy * (g.inputs + 1)
    g.entries += copy * g.most
    # A copy of the code for each rule: with one for all of them, this product takes 8 to 28 % longer.
    if g.update.rule == WRITE:
        csr_tn_rule(WRITE, &g, begin, end)
    elif g.update.rule == RMSPROP:
        csr_tn_rule(RMSPROP, &g, begin, end)
    elif g.update.rule == ADAM:
        csr_tn_rule(ADAM, &g, begin, end)
    elif g.update.rule == ADAGRAD:
        csr_tn_rule(ADAGRAD, &g, begin, end)
    elif g.update.rule == NADAM:
        csr_tn_rule(NADAM, &g, begin, end)
    elif g.update.rule == NESTEROV:
        csr_tn_rule(NESTEROV, &g, begin, end)
    elif g.update.rule == MOMENTUM:
        csr_tn_rule(MOMENTUM, &g, begin, end)
    else:
        csr_tn_rule(SGD, &g, begin, end)


cdef void run_csr_tn(
    const Py_ssize_t[:, ::1] ends, const int[:, :, ::1] entries, const float[:, ::1] dz, Py_ssize_t panels,
    Update kernel, Update bias,
) noexcept:
    """The gradients of a kernel, (N/P, K, P), and of a bias, and what each `Update` does with them."""
    cdef CsrTN g
    cdef Py_ssize_t work
    g.ends = &ends[0, 0]
    g.entries = NULL if entries.shape[1] == 0 else <const Entry*>&entries[0, 0, 0]
    g.copies = ends.shape[0]
    g.most = entries.shape[1]
    g.inputs = ends.shape[1] - 1
    g.panels = panels
    g.blocks = (g.inputs + TN_ROWS - 1) // TN_ROWS
    g.groups = (panels + CSR_TILE - 1) // CSR_TILE
    g.z = &dz[0, 0]
    g.ldz = dz.shape[1]
    g.update = kernel
    g.bias = bias_update_of(dz, bias)
    work = 2 * CSR_TILE * P * (g.most // 2 + 8 * g.inputs) // g.blocks  # not of this batch alone, since batches differ
    with nogil:
        run_apart(csrmm_tn_task, &g, sizeof(g), g.groups * g.blocks, FLOPS_A_SLICE // (work + 1) + 1)


def csrmm_tn(
    const Py_ssize_t[:, ::1] ends, const int[:, :, ::1] entries, const float[:, ::1] dz,
    float[:, :, ::1] dw, float[::1] db,
):
    """dW = X^T . dZ and db = column sums of dZ, X a batch by columns. The bits are those of `gemm_tn`.

    ends     (C, K + 1)     as `csr_transpose` wrote it
    entries  (C, most, 2)   as `csr_transpose` wrote it
    dz       (B, ldz)       gradient with respect to the pre-activation, ldz >= N/P * P
    dw       (N/P, K, P)    gradient with respect to the kernel, in panels, written
    db       (N/P * P,)     gradient with respect to the bias, written
    """
    if dz.shape[0] == 0 or dw.shape[0] == 0 or dw.shape[1] == 0:
        return
    run_csr_tn(ends, entries, dz, dw.shape[0], write_to(&dw[0, 0, 0]), write_to(&db[0]))


def csrmm_tn_update(
    const Py_ssize_t[:, ::1] ends, const int[:, :, ::1] entries, const float[:, ::1] dz, int rule,
    float[:, :, ::1] w, float[:, :, ::1] s, float[:, :, ::1] t, float[::1] bias, float[::1] bias_s, float[::1] bias_t,
    const double[::1] rates,
):
    """The product of `csrmm_tn` and the step of `update` in one. The bits are those of `gemm_tn_update`.

    ends     (C, K + 1)     as for `csrmm_tn`
    entries  (C, most, 2)   as for `csrmm_tn`
    dz       (B, ldz)       as for `csrmm_tn`
    All other arguments are those of `gemm_tn_update`.
    """
    if dz.shape[0] == 0 or w.shape[0] == 0 or w.shape[1] == 0:
        return
    run_csr_tn(
        ends, entries, dz, w.shape[0], update_of(rule, &w[0, 0, 0], &s[0, 0, 0], &t[0, 0, 0], rates),
        update_of(rule, &bias[0], &bias_s[0], &bias_t[0], rates) if bias.shape[0] else no_update(),
    )
