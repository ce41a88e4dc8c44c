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
#   gemm_tn         dW = X^T . dZ, db = column sums of dZ;   gemm_tn_rmsprop feeds them to the update and never writes them
#
# All three are one tile: TILE_ROWS x P sums in registers, to which each step of the depth adds one row of b, loaded once
# and used TILE_ROWS times. That reuse is why a tile runs at the speed of the multipliers and not of the memory. A sum
# always runs over the whole depth in index order, in one chain of fused multiply-adds that starts from zero: whichever
# tile height, thread or vector width computes an element, its bits are the same.

cdef enum:
    LINEAR = 0
    RELU = 1

cdef enum Epilogue:
    STORE  # c = sums
    ACTIVATE  # c = act(sums + bias)
    RMSPROP  # c and its state take one RMSprop step along sums

cdef struct Tile:
    # sums[r, j] = sum over d of a[r * a_row + d * a_col] * b[d * b_row + j]
    const float* a
    Py_ssize_t a_row, a_col
    const float* b
    Py_ssize_t b_row
    Py_ssize_t depth
    bint resume  # go on from the sums in c
    float* c
    Py_ssize_t c_row
    const float* bias
    int activation
    float* v  # the optimizer's state, laid out as c
    RMSpropRates rates


cdef inline void compute_tile(const int rows, const Epilogue epilogue, const Tile* t) noexcept nogil:
    """One tile of `rows` x P sums and its epilogue; `rows` and `epilogue` are constants of the caller."""
    cdef vec sums[TILE_ROWS * VECTORS]
    cdef vec b[VECTORS]
    cdef vec x
    cdef int r, j
    cdef Py_ssize_t d
    cdef const float* a = t.a
    cdef const float* b_row = t.b
    cdef Py_ssize_t a_row = t.a_row, a_col = t.a_col
    for r in range(rows):
        for j in range(VECTORS):
            sums[r * VECTORS + j] = vec_load(t.c + r * t.c_row + j * LANES) if t.resume else vec_set1(0)
    for d in range(t.depth):
        for j in range(VECTORS):
            b[j] = vec_load(b_row + j * LANES)
        for r in range(rows):
            x = vec_set1(a[r * a_row])
            for j in range(VECTORS):
                sums[r * VECTORS + j] = vec_fma(x, b[j], sums[r * VECTORS + j])
        a += a_col
        b_row += t.b_row
    if epilogue == ACTIVATE:
        for j in range(VECTORS):
            b[j] = vec_load(t.bias + j * LANES)
            for r in range(rows):
                sums[r * VECTORS + j] = vec_add(sums[r * VECTORS + j], b[j])
                if t.activation == RELU:
                    sums[r * VECTORS + j] = vec_relu(sums[r * VECTORS + j])
    for r in range(rows):
        for j in range(VECTORS):
            if epilogue == RMSPROP:
                rmsprop_step(t.c + r * t.c_row + j * LANES, sums[r * VECTORS + j], t.v + r * t.c_row + j * LANES, &t.rates)
            else:
                vec_store(t.c + r * t.c_row + j * LANES, sums[r * VECTORS + j])


cdef inline void compute_rows(const Epilogue epilogue, Tile t, Py_ssize_t rows) noexcept nogil:
    """`rows` rows of one panel, in tiles of TILE_ROWS and, for the rest, of 8, 4, 2 and 1."""
    cdef Py_ssize_t height
    while rows > 0:
        if rows >= TILE_ROWS:
            height = TILE_ROWS
            compute_tile(TILE_ROWS, epilogue, &t)
        elif TILE_ROWS > 8 and rows >= 8:
            height = 8
            compute_tile(8, epilogue, &t)
        elif TILE_ROWS > 4 and rows >= 4:
            height = 4
            compute_tile(4, epilogue, &t)
        elif rows >= 2:
            height = 2
            compute_tile(2, epilogue, &t)
        else:
            height = 1
            compute_tile(1, epilogue, &t)
        rows -= height
        t.a += height * t.a_row
        t.c += height * t.c_row
        t.v += height * t.c_row


cdef struct Gemm:
    Tile tile
    Py_ssize_t rows, blocks, panel_b, panel_c  # rows of c; blocks of rows in a panel; floats from panel to panel


cdef inline void compute_blocks(const Epilogue epilogue, const Gemm* g, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """Blocks [begin, end) of the product, counted panel by panel, so that a thread keeps to few panels."""
    cdef Tile t
    cdef Py_ssize_t panel, first, last
    while begin < end:
        panel = begin // g.blocks
        first = begin % g.blocks
        last = min(g.blocks, first + end - begin)
        t = g.tile
        t.a += first * TILE_ROWS * t.a_row
        t.b += panel * g.panel_b
        t.c += panel * g.panel_c + first * TILE_ROWS * t.c_row
        if epilogue == ACTIVATE:
            t.bias += panel * P
        if epilogue == RMSPROP:
            t.v += panel * g.panel_c + first * TILE_ROWS * t.c_row
        compute_rows(epilogue, t, min(g.rows, last * TILE_ROWS) - first * TILE_ROWS)
        begin += last - first


cdef inline Py_ssize_t blocks_of(Py_ssize_t rows) noexcept nogil:
    return (rows + TILE_ROWS - 1) // TILE_ROWS


cdef inline Py_ssize_t grain_of(Py_ssize_t depth) noexcept nogil:
    """Tiles of this depth that are worth a thread."""
    return FLOPS_A_SLICE // (2 * TILE_ROWS * P * (depth + 1)) + 1


cdef void gemm_bias_act_task(void* g, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    compute_blocks(ACTIVATE, <Gemm*>g, begin, end)


def gemm_bias_act(const float[:, ::1] x, const float[:, :, ::1] w, const float[::1] bias, int activation, float[:, ::1] y):
    """Y = act(X . W + bias): a dense layer's output, in one pass.

    x           (B, ldx)      input, ldx >= K
    w           (N/P, K, P)   kernel in panels
    bias        (N/P * P,)    bias, padded as the panels are
    activation  LINEAR (0) or RELU (1)
    y           (B, ldy)      output, written whole panel by whole panel; ldy >= N/P * P
    """
    cdef Gemm g
    if y.shape[0] == 0 or w.shape[0] == 0:
        return
    g.rows = y.shape[0]
    g.blocks = blocks_of(g.rows)
    g.panel_b = w.shape[1] * P
    g.panel_c = P
    g.tile.a = &x[0, 0]
    g.tile.a_row = x.shape[1]
    g.tile.a_col = 1
    g.tile.b = &w[0, 0, 0]
    g.tile.b_row = P
    g.tile.depth = w.shape[1]
    g.tile.resume = False
    g.tile.c = &y[0, 0]
    g.tile.c_row = y.shape[1]
    g.tile.bias = &bias[0]
    g.tile.activation = activation
    g.tile.v = NULL
    with nogil:
        parallel_for(gemm_bias_act_task, &g, w.shape[0] * g.blocks, grain_of(g.tile.depth))


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
    """Columns [begin * P, end * P) of dX. P inputs' weights are transposed into a panel of their own, then multiplied."""
    cdef GemmNT* g = <GemmNT*>args
    cdef float panel[NT_DEPTH * P]
    cdef Py_ssize_t block, first_k, count, u, units = g.panels * P, depth
    cdef const float* w
    cdef int i, j
    cdef Tile t
    t.a_row = g.ldz
    t.a_col = 1
    t.b_row = P
    t.c_row = g.ldx
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
        parallel_for(gemm_nt_task, &g, (g.inputs + P - 1) // P, FLOPS_A_SLICE // (2 * P * g.panels * P * (g.rows + 1)) + 1)


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


cdef void gemm_tn_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """Blocks [begin, end) of dW; who has a panel's first block has its bias too."""
    cdef GemmTN* g = <GemmTN*>args
    cdef Py_ssize_t panel
    cdef vec sums[VECTORS]
    cdef int j
    compute_blocks(STORE, &g.gemm, begin, end)
    for panel in range(blocks_before(begin, g.gemm.blocks), blocks_before(end, g.gemm.blocks)):
        sum_columns(g.gemm.tile.b + panel * P, g.gemm.tile.b_row, g.gemm.tile.depth, sums)
        for j in range(VECTORS):
            vec_store(g.bias + panel * P + j * LANES, sums[j])


cdef void gemm_tn_rmsprop_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef GemmTN* g = <GemmTN*>args
    cdef Py_ssize_t panel
    cdef vec sums[VECTORS]
    cdef int j
    compute_blocks(RMSPROP, &g.gemm, begin, end)
    for panel in range(blocks_before(begin, g.gemm.blocks), blocks_before(end, g.gemm.blocks)):
        sum_columns(g.gemm.tile.b + panel * P, g.gemm.tile.b_row, g.gemm.tile.depth, sums)
        for j in range(VECTORS):
            rmsprop_step(g.bias + panel * P + j * LANES, sums[j], g.bias_v + panel * P + j * LANES, &g.gemm.tile.rates)


cdef inline Py_ssize_t blocks_before(Py_ssize_t item, Py_ssize_t blocks) noexcept nogil:
    """How many panels begin before this block."""
    return (item + blocks - 1) // blocks


cdef GemmTN prepare_tn(const float[:, ::1] x, const float[:, ::1] dz, float[:, :, ::1] w, float[::1] bias) noexcept:
    cdef GemmTN g
    g.gemm.rows = w.shape[1]
    g.gemm.blocks = blocks_of(w.shape[1])
    g.gemm.panel_b = P
    g.gemm.panel_c = w.shape[1] * P
    g.gemm.tile.a = &x[0, 0]
    g.gemm.tile.a_row = 1
    g.gemm.tile.a_col = x.shape[1]
    g.gemm.tile.b = &dz[0, 0]
    g.gemm.tile.b_row = dz.shape[1]
    g.gemm.tile.depth = dz.shape[0]
    g.gemm.tile.resume = False
    g.gemm.tile.c = &w[0, 0, 0]
    g.gemm.tile.c_row = P
    g.gemm.tile.bias = NULL
    g.gemm.tile.activation = LINEAR
    g.gemm.tile.v = NULL
    g.bias = &bias[0]
    g.bias_v = NULL
    return g


def gemm_tn(const float[:, ::1] x, const float[:, ::1] dz, float[:, :, ::1] dw, float[::1] db):
    """dW = X^T . dZ and db = column sums of dZ: a dense layer's gradient, written out for whoever needs the array.

    x   (B, ldx)       the layer's input, ldx >= K
    dz  (B, ldz)       gradient by the pre-activation, ldz >= N/P * P
    dw  (N/P, K, P)    gradient by the kernel, in panels
    db  (N/P * P,)     gradient by the bias
    """
    if dz.shape[0] == 0 or dw.shape[0] == 0 or dw.shape[1] == 0:
        return
    cdef GemmTN g = prepare_tn(x, dz, dw, db)
    with nogil:
        parallel_for(gemm_tn_task, &g, dw.shape[0] * g.gemm.blocks, grain_of(g.gemm.tile.depth))


def gemm_tn_rmsprop(
    const float[:, ::1] x, const float[:, ::1] dz,
    float[:, :, ::1] w, float[::1] bias, float[:, :, ::1] v, float[::1] bias_v,
    double learning_rate, double rho, double epsilon,
):
    """The product of `gemm_tn` and the update of `rmsprop` in one: the gradient lives in registers and is never written.

    x, dz        as for `gemm_tn`
    w, bias      (N/P, K, P), (N/P * P,)   kernel and bias, updated in place
    v, bias_v    as w and bias             their running mean squares, updated in place
    """
    if dz.shape[0] == 0 or w.shape[0] == 0 or w.shape[1] == 0:
        return
    cdef GemmTN g = prepare_tn(x, dz, w, bias)
    g.gemm.tile.v = &v[0, 0, 0]
    g.bias_v = &bias_v[0]
    g.gemm.tile.rates = rmsprop_rates(learning_rate, rho, epsilon)
    with nogil:
        parallel_for(gemm_tn_rmsprop_task, &g, w.shape[0] * g.gemm.blocks, grain_of(g.gemm.tile.depth))
