# gemm: the three dense products of a layer, each with what follows it while the result is still in registers.
#
#   B  rows of a batch          K  inputs of the layer          N  its units          P  columns of a panel (16)
#
#   X  (B, K)         the layer's input, rows of `ldx` >= K floats
#   W  (N/P, K, P)    its kernel in panels: W[p, k, j] multiplies input k for unit p * P + j; the last panel is padded
#   Y  (B, ldy)       its output; whole panels are written, so ldy >= N rounded up to P
#   dZ (B, ldz)       the gradient of the loss by the layer's pre-activation, laid out as Y
#
#   gemm_bias_act   Y  = act(X . W + bias)
#   gemm_nt         dX = dZ . W^T
#   gemm_tn         dW = X^T . dZ, db = column sums of dZ; gemm_tn_rmsprop updates with them and never writes them
#
# All three are one tile: TILE_ROWS x P sums in registers, to which each step of the depth adds one row of b, loaded
# once and used TILE_ROWS times. That reuse is why a tile runs at the speed of the multipliers and not of the memory. A
# sum always runs over the whole depth in index order, in one chain of fused multiply-adds that starts from zero:
# whichever tile height, thread or vector width computes an element, its bits are the same.
#
# Where X is mostly zeros, as an image's pixels are, a tile need not take every step: sparsity.pxi lists, for each few
# rows of a tile's left side, the steps at which at least one of them is not zero. The others would have added 0 * w to
# every sum, which changes no bit of it (but for the sign of a sum that is itself zero). Such a tile is low and wide,
# SKIP_ROWS x SKIP_PANELS panels: the fewer rows, the fewer steps that only some of them need.

cdef enum:
    LINEAR = 0
    RELU = 1

cdef enum Epilogue:
    STORE  # c = sums
    ACTIVATE  # c = act(sums + bias)
    RMSPROP  # c and its state take one RMSprop step along sums

cdef enum:
    SKIP_PANELS = LANES // 4  # SKIP_ROWS x 4 registers of sums at any width

cdef struct Tile:
    # sums[r, j] = sum over d of a[r * a_row + d * a_col] * b[d * b_row + j]
    const float* a
    Py_ssize_t a_row, a_col
    const float* b
    Py_ssize_t b_row, b_panel
    Py_ssize_t depth
    const int* steps  # skipping: the only d that count, `depth` of them, and a holds just theirs, one after the other
    bint resume  # go on from the sums in c
    float* c
    Py_ssize_t c_row, c_panel
    const float* bias
    int activation
    float* v  # the optimizer's state, laid out as c
    RMSpropRates rates


cdef inline void compute_tile(
    const int rows, const int panels, const bint skip, const Epilogue epilogue, const Tile* t
) noexcept nogil:
    """One tile of `rows` x `panels` * P sums and its epilogue; all arguments but `t` are constants of the caller."""
    cdef vec sums[TILE_ROWS * VECTORS]
    cdef vec side[TILE_ROWS]
    cdef vec x
    cdef int r, p, j
    cdef Py_ssize_t i, d, at
    cdef const float* a
    cdef const float* b
    for r in range(rows):
        for p in range(panels):
            for j in range(VECTORS):
                if t.resume:
                    x = vec_load(t.c + r * t.c_row + p * t.c_panel + j * LANES)
                else:
                    x = vec_set1(0)
                sums[(r * panels + p) * VECTORS + j] = x
    for i in range(t.depth):
        d = t.steps[i] if skip else i
        a = t.a + i * t.a_col
        b = t.b + d * t.b_row
        # The sums fill all registers but a few: the shorter side of the tile stays in those, the longer passes by.
        if rows <= panels * VECTORS:
            for r in range(rows):
                side[r] = vec_set1(a[r * t.a_row])
            for p in range(panels):
                for j in range(VECTORS):
                    x = vec_load(b + p * t.b_panel + j * LANES)
                    for r in range(rows):
                        sums[(r * panels + p) * VECTORS + j] = vec_fma(side[r], x, sums[(r * panels + p) * VECTORS + j])
        else:
            for p in range(panels):
                for j in range(VECTORS):
                    side[p * VECTORS + j] = vec_load(b + p * t.b_panel + j * LANES)
            for r in range(rows):
                x = vec_set1(a[r * t.a_row])
                for p in range(panels * VECTORS):
                    sums[r * panels * VECTORS + p] = vec_fma(x, side[p], sums[r * panels * VECTORS + p])
    for r in range(rows):
        for p in range(panels):
            for j in range(VECTORS):
                x = sums[(r * panels + p) * VECTORS + j]
                at = r * t.c_row + p * t.c_panel + j * LANES
                if epilogue == ACTIVATE:
                    x = vec_add(x, vec_load(t.bias + p * P + j * LANES))
                    if t.activation == RELU:
                        x = vec_relu(x)
                if epilogue == RMSPROP:
                    rmsprop_step(t.c + at, x, t.v + at, &t.rates)
                else:
                    vec_store(t.c + at, x)


cdef inline void compute_rows(const Epilogue epilogue, Tile t, Py_ssize_t rows) noexcept nogil:
    """`rows` rows of one panel, in tiles of TILE_ROWS and, for the rest, of 8, 4, 2 and 1."""
    cdef Py_ssize_t height
    while rows > 0:
        if rows >= TILE_ROWS:
            height = TILE_ROWS
            compute_tile(TILE_ROWS, 1, False, epilogue, &t)
        elif TILE_ROWS > 8 and rows >= 8:
            height = 8
            compute_tile(8, 1, False, epilogue, &t)
        elif TILE_ROWS > 4 and rows >= 4:
            height = 4
            compute_tile(4, 1, False, epilogue, &t)
        elif rows >= 2:
            height = 2
            compute_tile(2, 1, False, epilogue, &t)
        else:
            height = 1
            compute_tile(1, 1, False, epilogue, &t)
        rows -= height
        t.a += height * t.a_row
        t.c += height * t.c_row
        if epilogue == RMSPROP:
            t.v += height * t.c_row


cdef inline void compute_skipping(const Epilogue epilogue, Tile t, Py_ssize_t rows, Py_ssize_t panels) noexcept nogil:
    """At most SKIP_ROWS rows of at most SKIP_PANELS panels, taking only the steps listed in t."""
    cdef Py_ssize_t width
    while panels > 0:
        if panels == SKIP_PANELS:
            width = SKIP_PANELS
            if rows == 3:
                compute_tile(3, SKIP_PANELS, True, epilogue, &t)
            elif rows == 2:
                compute_tile(2, SKIP_PANELS, True, epilogue, &t)
            else:
                compute_tile(1, SKIP_PANELS, True, epilogue, &t)
        else:
            width = 1
            if rows == 3:
                compute_tile(3, 1, True, epilogue, &t)
            elif rows == 2:
                compute_tile(2, 1, True, epilogue, &t)
            else:
                compute_tile(1, 1, True, epilogue, &t)
        panels -= width
        t.b += width * t.b_panel
        t.c += width * t.c_panel
        if epilogue == RMSPROP:
            t.v += width * t.c_panel
        if epilogue == ACTIVATE:
            t.bias += width * P


cdef struct Gemm:
    Tile tile
    Py_ssize_t rows, panels  # of c
    Py_ssize_t block_rows, blocks  # rows of a block, and how many blocks are below each other
    Py_ssize_t group_panels, groups  # panels of a block, and how many blocks are beside each other
    const int* steps  # the blocks' lists, `most` entries for each, of which `counts` are filled; NULL: take all steps
    const int* counts
    const float* values
    Py_ssize_t most


cdef inline Gemm gemm_of(
    const Tile t, Py_ssize_t rows, Py_ssize_t panels,
    const int[:, ::1] steps, const int[::1] counts, const float[:, :, ::1] values,
) noexcept:
    cdef Gemm g
    g.tile = t
    g.rows = rows
    g.panels = panels
    g.steps = NULL if steps is None else &steps[0, 0]
    g.most = 0 if steps is None else steps.shape[1]
    g.counts = NULL if steps is None else &counts[0]
    g.values = NULL if steps is None else &values[0, 0, 0]
    g.block_rows = TILE_ROWS if steps is None else SKIP_ROWS
    g.group_panels = 1 if steps is None else SKIP_PANELS
    g.blocks = (rows + g.block_rows - 1) // g.block_rows
    g.groups = (panels + g.group_panels - 1) // g.group_panels
    return g


cdef inline Py_ssize_t grain_of(const Gemm* g) noexcept nogil:
    """Blocks that are worth a thread."""
    return FLOPS_A_SLICE // (2 * g.block_rows * g.group_panels * P * (g.tile.depth + 1)) + 1


cdef inline void compute_blocks(
    const Epilogue epilogue, const Gemm* g, Py_ssize_t begin, Py_ssize_t end
) noexcept nogil:
    """Blocks [begin, end) of the product, counted panel by panel, so that a thread keeps to few panels."""
    cdef Tile t
    cdef Py_ssize_t panel, first, last, row
    while begin < end:
        panel = begin // g.blocks * g.group_panels
        first = begin % g.blocks
        last = min(g.blocks, first + end - begin) if g.steps == NULL else first + 1
        row = first * g.block_rows
        t = g.tile
        t.a += row * t.a_row
        t.b += panel * t.b_panel
        t.c += panel * t.c_panel + row * t.c_row
        if epilogue == RMSPROP:
            t.v += panel * t.c_panel + row * t.c_row
        if epilogue == ACTIVATE:
            t.bias += panel * P
        if g.steps == NULL:
            compute_rows(epilogue, t, min(g.rows, last * g.block_rows) - row)
        else:
            t.steps = g.steps + first * g.most
            t.depth = g.counts[first]
            t.a = g.values + first * g.most * SKIP_ROWS
            t.a_row = 1
            t.a_col = SKIP_ROWS
            compute_skipping(epilogue, t, min(g.rows - row, g.block_rows), min(g.panels - panel, g.group_panels))
        begin += last - first


cdef void gemm_bias_act_task(void* g, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    compute_blocks(ACTIVATE, <Gemm*>g, begin, end)


def gemm_bias_act(
    const float[:, ::1] x, const float[:, :, ::1] w, const float[::1] bias, int activation, float[:, ::1] y,
    const int[:, ::1] steps=None, const int[::1] counts=None, const float[:, :, ::1] values=None,
):
    """Y = act(X . W + bias): a dense layer's output, in one pass.

    x           (B, ldx)      input, ldx >= K
    w           (N/P, K, P)   kernel in panels
    bias        (N/P * P,)    bias, padded as the panels are
    activation  LINEAR (0) or RELU (1)
    y           (B, ldy)      output, written whole panel by whole panel; ldy >= N/P * P
    steps, counts, values     what `nonzero_columns` wrote for x, or None to multiply zeros too; the bits are the same
    """
    cdef Tile t
    cdef Gemm g
    if y.shape[0] == 0 or w.shape[0] == 0:
        return
    t.a = &x[0, 0]
    t.a_row = x.shape[1]
    t.a_col = 1
    t.b = &w[0, 0, 0]
    t.b_row = P
    t.b_panel = w.shape[1] * P
    t.depth = w.shape[1]
    t.resume = False
    t.c = &y[0, 0]
    t.c_row = y.shape[1]
    t.c_panel = P
    t.bias = &bias[0]
    t.activation = activation
    t.v = NULL
    g = gemm_of(t, y.shape[0], w.shape[0], steps, counts, values)
    with nogil:
        parallel_for(gemm_bias_act_task, &g, g.groups * g.blocks, grain_of(&g))


cdef enum:
    NT_DEPTH = 256  # units transposed at a time: 16 KB, half of a small first-level cache

cdef struct GemmNT:
    const float* z
    Py_ssize_t ldz
    const float* w
    Py_ssize_t inputs, panels, rows
    float* x
    Py_ssize_t ldx


cdef void gemm_nt_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """Columns [begin * P, end * P) of dX: P inputs' weights are transposed into a panel, then multiplied."""
    cdef GemmNT* g = <GemmNT*>args
    cdef float panel[NT_DEPTH * P]
    cdef Py_ssize_t block, first_k, count, u, units = g.panels * P, depth
    cdef const float* w
    cdef int i, j
    cdef Tile t
    t.a_row = g.ldz
    t.a_col = 1
    t.b_row = P
    t.b_panel = 0
    t.c_row = g.ldx
    t.c_panel = 0
    t.bias = NULL
    t.v = NULL
    for block in range(begin, end):
        first_k = block * P
        count = min(<Py_ssize_t>P, g.inputs - first_k)
        u = 0
        while u < units:
            depth = min(<Py_ssize_t>NT_DEPTH, units - u)
            for j in range(<int>depth):
                w = g.w + (((u + j) // P) * g.inputs + first_k) * P + (u + j) % P
                for i in range(P):
                    panel[j * P + i] = w[i * P] if i < count else 0
            t.a = g.z + u
            t.b = panel
            t.depth = depth
            t.resume = u > 0
            t.c = g.x + first_k
            compute_rows(STORE, t, g.rows)
            u += depth


def gemm_nt(const float[:, ::1] dz, const float[:, :, ::1] w, float[:, ::1] dx):
    """dX = dZ . W^T: the gradient that a dense layer hands to the layer before it.

    dz  (B, N/P * P)   gradient by the pre-activation; its padding must be zero, as every kernel here leaves it
    w   (N/P, K, P)    kernel in panels
    dx  (B, ldx)       written whole panel by whole panel, zeros in the padding; ldx >= K rounded up to P
    """
    cdef GemmNT g
    if dx.shape[0] == 0 or w.shape[0] == 0 or w.shape[1] == 0:
        return
    g.z = &dz[0, 0]
    g.ldz = dz.shape[1]
    g.w = &w[0, 0, 0]
    g.inputs = w.shape[1]
    g.panels = w.shape[0]
    g.rows = dx.shape[0]
    g.x = &dx[0, 0]
    g.ldx = dx.shape[1]
    with nogil:
        parallel_for(
            gemm_nt_task, &g, (g.inputs + P - 1) // P, FLOPS_A_SLICE // (2 * P * g.panels * P * (g.rows + 1)) + 1
        )


cdef inline void sum_columns(const float* z, Py_ssize_t ldz, Py_ssize_t rows, vec* sums) noexcept nogil:
    """sums = the column sums of P columns of z, added row by row."""
    cdef int j
    cdef Py_ssize_t n
    for j in range(VECTORS):
        sums[j] = vec_set1(0)
    for n in range(rows):
        for j in range(VECTORS):
            sums[j] = vec_add(sums[j], vec_load(z + n * ldz + j * LANES))


cdef struct GemmTN:
    Gemm gemm
    float* bias  # the bias (RMSPROP) or where its gradient goes (STORE)
    float* bias_v


cdef inline void compute_bias(
    const Epilogue epilogue, const GemmTN* q, Py_ssize_t begin, Py_ssize_t end
) noexcept nogil:
    """The biases' part of blocks [begin, end): who has the first block of a group of panels has their biases too."""
    cdef const Gemm* g = &q.gemm
    cdef Py_ssize_t panel, first = (begin + g.blocks - 1) // g.blocks, last = (end + g.blocks - 1) // g.blocks
    cdef vec sums[VECTORS]
    cdef Py_ssize_t at
    cdef int j
    for panel in range(first * g.group_panels, min(last * g.group_panels, g.panels)):
        sum_columns(g.tile.b + panel * P, g.tile.b_row, g.tile.depth, sums)
        for j in range(VECTORS):
            at = panel * P + j * LANES
            if epilogue == RMSPROP:
                rmsprop_step(q.bias + at, sums[j], q.bias_v + at, &g.tile.rates)
            else:
                vec_store(q.bias + at, sums[j])


cdef void gemm_tn_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef GemmTN* q = <GemmTN*>args
    compute_blocks(STORE, &q.gemm, begin, end)
    compute_bias(STORE, q, begin, end)


cdef void gemm_tn_rmsprop_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef GemmTN* q = <GemmTN*>args
    compute_blocks(RMSPROP, &q.gemm, begin, end)
    compute_bias(RMSPROP, q, begin, end)


cdef GemmTN gemm_tn_of(
    const float[:, ::1] x, const float[:, ::1] dz, float[:, :, ::1] w, float[::1] bias,
    const int[:, ::1] steps, const int[::1] counts, const float[:, :, ::1] values,
) noexcept:
    cdef GemmTN q
    cdef Tile t
    t.a = &x[0, 0]
    t.a_row = 1
    t.a_col = x.shape[1]
    t.b = &dz[0, 0]
    t.b_row = dz.shape[1]
    t.b_panel = P
    t.depth = dz.shape[0]
    t.resume = False
    t.c = &w[0, 0, 0]
    t.c_row = P
    t.c_panel = w.shape[1] * P
    t.bias = NULL
    t.activation = LINEAR
    t.v = NULL
    q.gemm = gemm_of(t, w.shape[1], w.shape[0], steps, counts, values)
    q.bias = &bias[0]
    q.bias_v = NULL
    return q


def gemm_tn(
    const float[:, ::1] x, const float[:, ::1] dz, float[:, :, ::1] dw, float[::1] db,
    const int[:, ::1] steps=None, const int[::1] counts=None, const float[:, :, ::1] values=None,
):
    """dW = X^T . dZ and db = column sums of dZ: a dense layer's gradient, written out for whoever needs the array.

    x   (B, ldx)       the layer's input, ldx >= K
    dz  (B, ldz)       gradient by the pre-activation, ldz >= N/P * P
    dw  (N/P, K, P)    gradient by the kernel, in panels
    db  (N/P * P,)     gradient by the bias
    steps, counts, values   what `nonzero_rows` wrote for x, or None to multiply zeros too; the bits are the same
    """
    if dz.shape[0] == 0 or dw.shape[0] == 0 or dw.shape[1] == 0:
        return
    cdef GemmTN q = gemm_tn_of(x, dz, dw, db, steps, counts, values)
    with nogil:
        parallel_for(gemm_tn_task, &q, q.gemm.groups * q.gemm.blocks, grain_of(&q.gemm))


def gemm_tn_rmsprop(
    const float[:, ::1] x, const float[:, ::1] dz,
    float[:, :, ::1] w, float[::1] bias, float[:, :, ::1] v, float[::1] bias_v,
    double learning_rate, double rho, double epsilon,
    const int[:, ::1] steps=None, const int[::1] counts=None, const float[:, :, ::1] values=None,
):
    """The product of `gemm_tn` and the update of `rmsprop` in one: the gradient is in registers and never written.

    x, dz      as for `gemm_tn`
    w, bias    (N/P, K, P), (N/P * P,)   kernel and bias, updated in place
    v, bias_v  as w and bias             their running mean squares, updated in place
    steps, counts, values                as for `gemm_tn`
    """
    if dz.shape[0] == 0 or w.shape[0] == 0 or w.shape[1] == 0:
        return
    cdef GemmTN q = gemm_tn_of(x, dz, w, bias, steps, counts, values)
    q.gemm.tile.v = &v[0, 0, 0]
    q.bias_v = &bias_v[0]
    q.gemm.tile.rates = rmsprop_rates(learning_rate, rho, epsilon)
    with nogil:
        parallel_for(gemm_tn_rmsprop_task, &q, q.gemm.groups * q.gemm.blocks, grain_of(&q.gemm))
