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
#   gemm_nt         dX = dZ . W^T, or at once the gradient by the pre-activation of the layer before: dX act'(.)
#   gemm_tn         dW = X^T . dZ, db = column sums of dZ; gemm_tn_update updates with them and never writes them
#
# All three are one tile: TILE_ROWS x TILE_PANELS panels of sums in registers, to which each step of the depth adds one
# row of b, loaded once and used TILE_ROWS times. That reuse is why a tile runs at the speed of the multipliers and not of
# the memory. A sum always runs over the whole depth in index order, in one chain of fused multiply-adds that starts from
# zero: whichever tile height, thread or vector width computes an element, its bits are the same.

cdef enum Epilogue:
    STORE  # c = sums
    ACTIVATE  # c = act(sums + bias)
    DIFFERENTIATE  # c = sums act'(y)
    UPDATE  # c and its state take one step of an optimizer along sums

cdef enum:
    LOW_ROWS = 1 + TILE_ROWS // 4  # of the tiles for the rows that are left: 4, 2 or 1

cdef struct Tile:
    # sums[r, j] = sum over d of a[r * a_row + d * a_col] * b[d * b_row + j]
    const float* a
    Py_ssize_t a_row, a_col
    const float* b
    Py_ssize_t b_row, b_panel
    Py_ssize_t depth
    bint resume  # go on from the sums in c
    float* c
    Py_ssize_t c_row, c_panel
    const float* bias
    int activation
    const float* y  # laid out as c, as are s and t
    int rule
    float* s
    float* t
    Rates rates


cdef inline void compute_tile(
    const int rows, const int panels, const Epilogue epilogue, const Tile* t
) noexcept nogil:
    """One tile of `rows` x `panels` * P sums and its epilogue; all arguments but `t` are constants of the caller."""
    cdef vec sums[TILE_ROWS * TILE_PANELS * VECTORS]
    cdef vec side[TILE_PANELS * VECTORS]
    cdef vec x
    cdef int r, p, j
    cdef Py_ssize_t d, at
    cdef const float* a = t.a
    cdef const float* b = t.b
    for r in range(rows):
        for p in range(panels):
            for j in range(VECTORS):
                if t.resume:
                    x = vec_load(t.c + r * t.c_row + p * t.c_panel + j * LANES)
                else:
                    x = vec_set1(0)
                sums[(r * panels + p) * VECTORS + j] = x
    for d in range(t.depth):
        for p in range(panels):
            for j in range(VECTORS):
                side[p * VECTORS + j] = vec_load(b + p * t.b_panel + j * LANES)
        for r in range(rows):
            x = vec_set1(a[r * t.a_row])
            for p in range(panels * VECTORS):
                sums[r * panels * VECTORS + p] = vec_fma(x, side[p], sums[r * panels * VECTORS + p])
        a += t.a_col
        b += t.b_row
    for r in range(rows):
        for p in range(panels):
            for j in range(VECTORS):
                x = sums[(r * panels + p) * VECTORS + j]
                at = r * t.c_row + p * t.c_panel + j * LANES
                if epilogue == UPDATE:
                    update_step(t.rule, t.c + at, x, t.s + at, t.t + at, &t.rates)
                    continue
                if epilogue == ACTIVATE:
                    x = activate(t.activation, x + vec_load(t.bias + p * P + j * LANES))
                elif epilogue == DIFFERENTIATE:
                    x = differentiate(t.activation, vec_load(t.y + at), x)
                vec_store(t.c + at, x)


cdef inline void move_down(const Epilogue epilogue, Tile* t, Py_ssize_t rows) noexcept nogil:
    t.a += rows * t.a_row
    t.c += rows * t.c_row
    if epilogue == DIFFERENTIATE:
        t.y += rows * t.c_row
    elif epilogue == UPDATE:
        t.s += rows * t.c_row
        t.t += rows * t.c_row


cdef inline void move_right(const Epilogue epilogue, Tile* t, Py_ssize_t panels) noexcept nogil:
    t.b += panels * t.b_panel
    t.c += panels * t.c_panel
    if epilogue == ACTIVATE:
        t.bias += panels * P
    elif epilogue == DIFFERENTIATE:
        t.y += panels * t.c_panel
    elif epilogue == UPDATE:
        t.s += panels * t.c_panel
        t.t += panels * t.c_panel


cdef inline void compute_rows(const int panels, const Epilogue epilogue, Tile t, Py_ssize_t rows) noexcept nogil:
    """`rows` rows of `panels` panels, in tiles of TILE_ROWS rows and lower ones for the rest."""
    while rows >= TILE_ROWS:
        compute_tile(TILE_ROWS, panels, epilogue, &t)
        move_down(epilogue, &t, TILE_ROWS)
        rows -= TILE_ROWS
    while rows >= LOW_ROWS:
        compute_tile(LOW_ROWS, panels, epilogue, &t)
        move_down(epilogue, &t, LOW_ROWS)
        rows -= LOW_ROWS
    while rows > 0:
        compute_tile(1, panels, epilogue, &t)
        move_down(epilogue, &t, 1)
        rows -= 1


cdef inline void compute_columns(
    const Epilogue epilogue, Tile t, Py_ssize_t rows, Py_ssize_t panels
) noexcept nogil:
    """`rows` rows of at most TILE_PANELS panels."""
    if panels == TILE_PANELS:
        compute_rows(TILE_PANELS, epilogue, t, rows)
    else:
        compute_rows(1, epilogue, t, rows)


cdef struct Gemm:
    Tile tile
    Py_ssize_t rows, panels  # of c
    Py_ssize_t blocks, groups  # how many blocks of TILE_ROWS x TILE_PANELS are below, and how many beside each other


cdef inline Gemm gemm_of(const Tile t, Py_ssize_t rows, Py_ssize_t panels) noexcept:
    cdef Gemm g
    g.tile = t
    g.rows = rows
    g.panels = panels
    g.blocks = (rows + TILE_ROWS - 1) // TILE_ROWS
    g.groups = (panels + TILE_PANELS - 1) // TILE_PANELS
    return g


cdef inline Py_ssize_t grain_of(const Gemm* g) noexcept nogil:
    """Blocks that are worth a thread."""
    return FLOPS_A_SLICE // (2 * TILE_ROWS * TILE_PANELS * P * (g.tile.depth + 1)) + 1


cdef inline void compute_blocks(
    const Epilogue epilogue, const Gemm* g, Py_ssize_t begin, Py_ssize_t end
) noexcept nogil:
    """Blocks [begin, end) of the product, counted down a group of panels first, so that a thread keeps to few panels."""
    cdef Tile t
    cdef Py_ssize_t panel, first, last
    while begin < end:
        panel = begin // g.blocks * TILE_PANELS
        first = begin % g.blocks
        last = min(g.blocks, first + end - begin)
        t = g.tile
        move_right(epilogue, &t, panel)
        move_down(epilogue, &t, first * TILE_ROWS)
        compute_columns(
            epilogue, t, min(g.rows, last * TILE_ROWS) - first * TILE_ROWS, min(<Py_ssize_t>TILE_PANELS, g.panels - panel)
        )
        begin += last - first


cdef void gemm_bias_act_task(void* g, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    compute_blocks(ACTIVATE, <Gemm*>g, begin, end)


def gemm_bias_act(
    const float[:, ::1] x, const float[:, :, ::1] w, const float[::1] bias, int activation, float[:, ::1] y,
):
    """Y = act(X . W + bias): a dense layer's output, in one pass.

    x           (B, ldx)      input, ldx >= K
    w           (N/P, K, P)   kernel in panels
    bias        (N/P * P,)    bias, padded as the panels are
    activation  LINEAR, RELU, SIGMOID or TANH
    y           (B, ldy)      output, written whole panel by whole panel; ldy >= N/P * P
    """
    cdef Tile t
    cdef Gemm g
    if y.shape[0] == 0 or w.shape[0] == 0:
        return
    memset(&t, 0, sizeof(t))
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
    g = gemm_of(t, y.shape[0], w.shape[0])
    with nogil:
        parallel_for(gemm_bias_act_task, &g, g.groups * g.blocks, grain_of(&g))


cdef enum:
    NT_DEPTH = 128  # units transposed at a time: half of a small first-level cache

cdef struct GemmNT:
    const float* z
    Py_ssize_t ldz
    const float* w
    Py_ssize_t inputs, panels, rows
    float* x
    Py_ssize_t ldx
    int activation
    const float* y


cdef inline void transpose(const float* source, float* target) noexcept nogil:
    """LANES x LANES numbers, in rows P apart: each round zips the upper half of the rows into the lower."""
    cdef vec a[LANES]
    cdef vec b[LANES]
    cdef int i, rounds = LANES
    for i in range(LANES):
        a[i] = vec_load(source + i * P)
    while rounds > 1:
        for i in range(LANES // 2):
            b[2 * i] = vec_zip_low(a[i], a[i + LANES // 2])
            b[2 * i + 1] = vec_zip_high(a[i], a[i + LANES // 2])
        for i in range(LANES):
            a[i] = b[i]
        rounds //= 2
    for i in range(LANES):
        vec_store(target + i * P, a[i])


cdef inline void transpose_panel(const GemmNT* g, Py_ssize_t first, Py_ssize_t unit, float* panel) noexcept nogil:
    """The weights of P units from `unit` on for P inputs from `first` on, as rows of a panel of inputs."""
    cdef const float* w = g.w + (unit // P * g.inputs + first) * P
    cdef float rest[P * P]
    cdef int i, j
    cdef Py_ssize_t count = g.inputs - first
    if count < P:  # the last inputs: what lies behind them is not theirs
        for i in range(P * P):
            rest[i] = w[i] if i < count * P else 0
        w = rest
    for i in range(VECTORS):
        for j in range(VECTORS):
            transpose(w + i * LANES * P + j * LANES, panel + j * LANES * P + i * LANES)


cdef void gemm_nt_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """Columns [begin, end) * P of dX: the weights of some inputs are transposed into panels, then multiplied."""
    cdef GemmNT* g = <GemmNT*>args
    cdef float panel[TILE_PANELS * NT_DEPTH * P]
    cdef Py_ssize_t u, i, block, p, units = g.panels * P
    cdef Py_ssize_t panels
    cdef Tile t
    memset(&t, 0, sizeof(t))
    t.a_row = g.ldz
    t.a_col = 1
    t.b = panel
    t.b_row = P
    t.b_panel = NT_DEPTH * P
    t.c_row = g.ldx
    t.c_panel = P
    t.activation = g.activation
    block = begin
    while block < end:
        panels = min(<Py_ssize_t>TILE_PANELS, end - block)
        t.c = g.x + block * P
        t.y = g.y + block * P
        u = 0
        while u < units:
            t.depth = min(<Py_ssize_t>NT_DEPTH, units - u)
            for p in range(panels):
                for i in range(t.depth // P):
                    transpose_panel(g, (block + p) * P, u + i * P, panel + (p * NT_DEPTH + i * P) * P)
            t.a = g.z + u
            t.resume = u > 0
            u += t.depth
            if u < units or g.activation == LINEAR:
                compute_columns(STORE, t, g.rows, panels)
            else:
                compute_columns(DIFFERENTIATE, t, g.rows, panels)
        block += panels


def gemm_nt(const float[:, ::1] dz, const float[:, :, ::1] w, float[:, ::1] dx, int activation, const float[:, ::1] y):
    """dX = dZ . W^T: the gradient that a dense layer hands to the layer before it.

    dz          (B, ldz)      gradient by the pre-activation, ldz >= N/P * P; zeros in columns N to N/P * P
    w           (N/P, K, P)   kernel in panels
    dx          (B, ldx)      written whole panel by whole panel, zeros in the padding; ldx >= K rounded up to P
    activation  the one whose output y is: dx = (dZ . W^T) act'(.), gradient by its pre-activation; or LINEAR
    y           (B, ldx)      the output of the layer before; not read if LINEAR
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
    g.activation = activation
    g.y = &y[0, 0]
    with nogil:
        parallel_for(
            gemm_nt_task, &g, (g.inputs + P - 1) // P, FLOPS_A_SLICE // (2 * P * g.panels * P * (g.rows + 1)) + 1
        )


cdef struct BiasUpdate:
    const float* z
    Py_ssize_t ldz, rows
    bint store  # the sums are the result, not a step's gradient
    float* bias
    int rule
    float* s
    float* t
    Rates rates


cdef inline void compute_bias(const BiasUpdate* q, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """Panels [first, last) of db, the column sums of dZ added row by row, and what becomes of them."""
    cdef vec sums[VECTORS]
    cdef Py_ssize_t at, n, panel
    cdef int j
    for panel in range(first, last):
        for j in range(VECTORS):
            sums[j] = vec_set1(0)
        for n in range(q.rows):
            for j in range(VECTORS):
                sums[j] += vec_load(q.z + n * q.ldz + panel * P + j * LANES)
        for j in range(VECTORS):
            at = panel * P + j * LANES
            if q.store:
                vec_store(q.bias + at, sums[j])
            else:
                update_step(q.rule, q.bias + at, sums[j], q.s + at, q.t + at, &q.rates)


cdef struct GemmTN:
    Gemm gemm
    BiasUpdate bias


cdef inline void compute_bias_of_blocks(const GemmTN* q, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """Who has the first block of a group of panels has their biases too."""
    cdef Py_ssize_t blocks = q.gemm.blocks
    cdef Py_ssize_t first = (begin + blocks - 1) // blocks * TILE_PANELS
    cdef Py_ssize_t last = (end + blocks - 1) // blocks * TILE_PANELS
    compute_bias(&q.bias, first, min(last, q.gemm.panels))


cdef void gemm_tn_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef GemmTN* q = <GemmTN*>args
    compute_blocks(STORE, &q.gemm, begin, end)
    compute_bias_of_blocks(q, begin, end)


cdef void gemm_tn_update_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef GemmTN* q = <GemmTN*>args
    compute_blocks(UPDATE, &q.gemm, begin, end)
    compute_bias_of_blocks(q, begin, end)


cdef GemmTN gemm_tn_of(
    const float[:, ::1] x, const float[:, ::1] dz, float[:, :, ::1] w, float[::1] bias
) noexcept:
    cdef GemmTN q
    cdef Tile t
    memset(&q, 0, sizeof(q))
    memset(&t, 0, sizeof(t))
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
    q.gemm = gemm_of(t, w.shape[1], w.shape[0])
    q.bias.z = &dz[0, 0]
    q.bias.ldz = dz.shape[1]
    q.bias.rows = dz.shape[0]
    q.bias.bias = &bias[0]
    q.bias.store = True
    return q


def gemm_tn(const float[:, ::1] x, const float[:, ::1] dz, float[:, :, ::1] dw, float[::1] db):
    """dW = X^T . dZ and db = column sums of dZ: a dense layer's gradient, written out for whoever needs the array.

    x   (B, ldx)       the layer's input, ldx >= K
    dz  (B, ldz)       gradient by the pre-activation, ldz >= N/P * P
    dw  (N/P, K, P)    gradient by the kernel, in panels
    db  (N/P * P,)     gradient by the bias
    """
    if dz.shape[0] == 0 or dw.shape[0] == 0 or dw.shape[1] == 0:
        return
    cdef GemmTN q = gemm_tn_of(x, dz, dw, db)
    with nogil:
        parallel_for(gemm_tn_task, &q, q.gemm.groups * q.gemm.blocks, grain_of(&q.gemm))


def gemm_tn_update(
    const float[:, ::1] x, const float[:, ::1] dz, int rule,
    float[:, :, ::1] w, float[:, :, ::1] s, float[:, :, ::1] t, float[::1] bias, float[::1] bias_s, float[::1] bias_t,
    double learning_rate, double m, double n, double epsilon, double k=0,
):
    """The product of `gemm_tn` and the step of `update` in one: the gradient is in registers and never written.

    x, dz    as for `gemm_tn`
    rule     as for `update`
    w, s, t  (N/P, K, P)   kernel and its state, updated in place
    bias, bias_s, bias_t   (N/P * P,)   bias and its state, updated in place
    learning_rate, m, n, epsilon, k   as for `update`
    """
    if dz.shape[0] == 0 or w.shape[0] == 0 or w.shape[1] == 0:
        return
    cdef GemmTN q = gemm_tn_of(x, dz, w, bias)
    q.gemm.tile.rule = q.bias.rule = rule
    q.gemm.tile.rates = q.bias.rates = rates_of(learning_rate, m, n, epsilon, k)
    q.gemm.tile.s = &s[0, 0, 0]
    q.gemm.tile.t = &t[0, 0, 0]
    q.bias.s = &bias_s[0]
    q.bias.t = &bias_t[0]
    q.bias.store = False
    with nogil:
        parallel_for(gemm_tn_update_task, &q, q.gemm.groups * q.gemm.blocks, grain_of(&q.gemm))
