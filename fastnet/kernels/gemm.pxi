# gemm: the three dense products of a layer. Each goes on with its result while that is still in registers.
#
#   B  rows of a batch     K  inputs of the layer     N  units of the layer     P  columns of a panel (16)
#
#   X  (B, K)         input of the layer, rows of `ldx` >= K floats
#   W  (N/P, K, P)    kernel in panels: W[p, k, j] multiplies input k for unit p * P + j; the last panel is padded
#   Y  (B, ldy)       output of the layer; whole panels are written, so ldy >= N rounded up to P
#   dZ (B, ldz)       gradient of the loss with respect to the pre-activation, laid out as Y
#
#   gemm_bias_act   Y  = act(X . W + bias)
#   gemm_nt         dX = dZ . W^T, and dX act'(.) if the layer before has an activation
#   gemm_tn         dW = X^T . dZ, db = column sums of dZ; gemm_tn_update updates with them and never writes them
#
# All three compute tiles: TILE_ROWS x TILE_PANELS panels of sums in registers. For each step of the depth, a row of b
# is loaded once and used TILE_ROWS times. Because of this reuse the multipliers set the pace, and not the memory.
#
# A sum is one chain of fused multiply-adds, which starts from zero and runs over the whole depth in index order. So an
# element has the same bits whichever tile height, thread or vector width computes it.

cdef enum Epilogue:
    STORE  # c = sums
    ACTIVATE  # c = act(sums + bias)
    DIFFERENTIATE  # c = sums act'(y)
    UPDATE  # c takes one step of an optimizer along sums

cdef enum:
    LOW_ROWS = 1 + TILE_ROWS // 4  # height of the tiles for the rows that are left: 4, 2 or 1

cdef struct Tile:
    # sums[r, j] = sum over d of a[r * a_row + d * a_col] * b[d * b_row + j]
    const float* a
    Py_ssize_t a_row, a_col
    const float* b
    Py_ssize_t b_row, b_panel
    Py_ssize_t depth
    bint resume  # start from the sums that are in c, not from zero
    float* c
    Py_ssize_t c_row, c_panel
    Py_ssize_t at  # place of the tile's first number in c, in y, and in the state of `update`: all are laid out as c
    const float* bias
    int activation
    const float* y
    Update update  # of c


cdef inline void update_sums(
    const int rule, const Tile* tile, const int rows, const int panels, const vec* sums
) noexcept nogil:
    """The weights of a tile take one step along its sums."""
    cdef int r, p, j
    cdef Py_ssize_t at
    for r in range(rows):
        for p in range(panels):
            for j in range(VECTORS):
                at = tile.at + r * tile.c_row + p * tile.c_panel + j * LANES
                update_step(rule, &tile.update, at, sums[(r * panels + p) * VECTORS + j])


cdef void update_sums_in_memory(const Tile* tile, int rows, int panels, const vec* sums) noexcept nogil:
    """`update_sums` as a loop. Written out for each sum, the code of all rules is so long that it is slower."""
    update_sums(tile.update.rule, tile, rows, panels, sums)


cdef inline void compute_tile(
    const int rows, const int panels, const Epilogue epilogue, const Tile* tile
) noexcept nogil:
    """One tile of `rows` x `panels` * P sums, and its epilogue. All arguments but `tile` are constants of the caller."""
    cdef vec sums[TILE_ROWS * TILE_PANELS * VECTORS]
    cdef vec side[TILE_PANELS * VECTORS]
    cdef vec in_memory[TILE_ROWS * TILE_PANELS * VECTORS]
    cdef vec x
    cdef int r, p, j
    cdef Py_ssize_t d, at
    cdef const float* a = tile.a
    cdef const float* b = tile.b
    for r in range(rows):
        for p in range(panels):
            for j in range(VECTORS):
                at = tile.at + r * tile.c_row + p * tile.c_panel + j * LANES
                sums[(r * panels + p) * VECTORS + j] = vec_load(tile.c + at) if tile.resume else vec_set1(0)
    for d in range(tile.depth):
        for p in range(panels):
            for j in range(VECTORS):
                side[p * VECTORS + j] = vec_load(b + p * tile.b_panel + j * LANES)
        for r in range(rows):
            x = vec_set1(a[r * tile.a_row])
            for p in range(panels * VECTORS):
                sums[r * panels * VECTORS + p] = vec_fma(x, side[p], sums[r * panels * VECTORS + p])
        a += tile.a_col
        b += tile.b_row
    if epilogue == UPDATE:
        if tile.update.rule == RMSPROP:
            update_sums(RMSPROP, tile, rows, panels, sums)
        else:
            for p in range(rows * panels * VECTORS):
                in_memory[p] = sums[p]  # a copy: `sums` itself stays in registers
            update_sums_in_memory(tile, rows, panels, in_memory)
        return
    for r in range(rows):
        for p in range(panels):
            for j in range(VECTORS):
                x = sums[(r * panels + p) * VECTORS + j]
                at = tile.at + r * tile.c_row + p * tile.c_panel + j * LANES
                if epilogue == ACTIVATE:
                    x = activate(tile.activation, x + vec_load(tile.bias + p * P + j * LANES))
                elif epilogue == DIFFERENTIATE:
                    x = differentiate(tile.activation, vec_load(tile.y + at), x)
                vec_store(tile.c + at, x)


cdef inline void move_down(Tile* tile, Py_ssize_t rows) noexcept nogil:
    tile.a += rows * tile.a_row
    tile.at += rows * tile.c_row


cdef inline void move_right(const Epilogue epilogue, Tile* tile, Py_ssize_t panels) noexcept nogil:
    tile.b += panels * tile.b_panel
    tile.at += panels * tile.c_panel
    if epilogue == ACTIVATE:
        tile.bias += panels * P


cdef inline void compute_rows(const int panels, const Epilogue epilogue, Tile tile, Py_ssize_t rows) noexcept nogil:
    """`rows` rows of `panels` panels: tiles of TILE_ROWS rows, and lower ones for the rows that are left."""
    while rows >= TILE_ROWS:
        compute_tile(TILE_ROWS, panels, epilogue, &tile)
        move_down(&tile, TILE_ROWS)
        rows -= TILE_ROWS
    while rows >= LOW_ROWS:
        compute_tile(LOW_ROWS, panels, epilogue, &tile)
        move_down(&tile, LOW_ROWS)
        rows -= LOW_ROWS
    while rows > 0:
        compute_tile(1, panels, epilogue, &tile)
        move_down(&tile, 1)
        rows -= 1


cdef inline void compute_columns(
    const Epilogue epilogue, Tile tile, Py_ssize_t rows, Py_ssize_t panels
) noexcept nogil:
    """`rows` rows of at most TILE_PANELS panels."""
    if panels == TILE_PANELS:
        compute_rows(TILE_PANELS, epilogue, tile, rows)
    else:
        compute_rows(1, epilogue, tile, rows)


cdef struct Gemm:
    Tile tile
    Py_ssize_t rows, panels  # of c
    Py_ssize_t blocks, groups  # blocks of TILE_ROWS x TILE_PANELS: how many in a column, and how many in a row


cdef inline Gemm gemm_of(const Tile tile, Py_ssize_t rows, Py_ssize_t panels) noexcept:
    cdef Gemm g
    g.tile = tile
    g.rows = rows
    g.panels = panels
    g.blocks = (rows + TILE_ROWS - 1) // TILE_ROWS
    g.groups = (panels + TILE_PANELS - 1) // TILE_PANELS
    return g


cdef inline Py_ssize_t grain_of(const Gemm* g) noexcept nogil:
    """The least number of blocks for which a thread is worth its start."""
    return FLOPS_A_SLICE // (2 * TILE_ROWS * TILE_PANELS * P * (g.tile.depth + 1)) + 1


cdef inline void compute_blocks(
    const Epilogue epilogue, const Gemm* g, Py_ssize_t begin, Py_ssize_t end
) noexcept nogil:
    """Blocks [begin, end) of the product, counted down a group of panels first, so that a thread keeps to few panels."""
    cdef Tile tile
    cdef Py_ssize_t panel, first, last, rows
    while begin < end:
        panel = begin // g.blocks * TILE_PANELS
        first = begin % g.blocks
        last = min(g.blocks, first + end - begin)
        tile = g.tile
        move_right(epilogue, &tile, panel)
        move_down(&tile, first * TILE_ROWS)
        rows = min(g.rows, last * TILE_ROWS) - first * TILE_ROWS
        compute_columns(epilogue, tile, rows, min(<Py_ssize_t>TILE_PANELS, g.panels - panel))
        begin += last - first


cdef void gemm_bias_act_task(void* g, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    compute_blocks(ACTIVATE, <Gemm*>g, begin, end)


cdef enum:
    SMALL = 16384  # weights of which each thread may have a copy in its first cache


cdef void gemm_bias_act_rows_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """Rows [begin, end) of the product. For few weights, which all threads then read."""
    cdef const Gemm* g = <Gemm*>args
    cdef Tile tile
    cdef Py_ssize_t panel = 0
    while panel < g.panels:
        tile = g.tile
        move_right(ACTIVATE, &tile, panel)
        move_down(&tile, begin)
        compute_columns(ACTIVATE, tile, end - begin, min(<Py_ssize_t>TILE_PANELS, g.panels - panel))
        panel += TILE_PANELS


def gemm_bias_act(
    const float[:, ::1] x, const float[:, :, ::1] w, const float[::1] bias, int activation, float[:, ::1] y,
):
    """Y = act(X . W + bias): the output of a dense layer, in one pass.

    x           (B, ldx)      input, ldx >= K
    w           (N/P, K, P)   kernel in panels
    bias        (N/P * P,)    bias, padded as the panels are
    activation  LINEAR, RELU, SIGMOID or TANH
    y           (B, ldy)      output, written whole panel by whole panel; ldy >= N/P * P
    """
    cdef Tile tile
    cdef Gemm g
    if y.shape[0] == 0 or w.shape[0] == 0:
        return
    memset(&tile, 0, sizeof(tile))
    tile.a = &x[0, 0]
    tile.a_row = x.shape[1]
    tile.a_col = 1
    tile.b = &w[0, 0, 0]
    tile.b_row = P
    tile.b_panel = w.shape[1] * P
    tile.depth = w.shape[1]
    tile.c = &y[0, 0]
    tile.c_row = y.shape[1]
    tile.c_panel = P
    tile.bias = &bias[0]
    tile.activation = activation
    g = gemm_of(tile, y.shape[0], w.shape[0])
    with nogil:
        if w.shape[0] * w.shape[1] * P <= SMALL:
            run_rows(
                gemm_bias_act_rows_task, &g, sizeof(g), g.rows,
                FLOPS_A_SLICE // (2 * g.panels * P * (g.tile.depth + 1)) + 1,
            )
        else:
            run(gemm_bias_act_task, &g, sizeof(g), g.groups * g.blocks, grain_of(&g))


cdef enum:
    NT_DEPTH = 128  # units transposed at a time: half of a small first-level cache

cdef struct GemmNT:
    const float* z
    Py_ssize_t ldz
    const float* w
    Py_ssize_t inputs, units, rows
    float* x
    Py_ssize_t ldx
    int activation
    const float* y


cdef inline void transpose(const float* source, float* target) noexcept nogil:
    """Transposes LANES x LANES numbers, in rows P floats apart. Each round zips the two halves of the rows."""
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
    """Transposes the weights of P inputs from `first` on and P units from `unit` on: a row of `panel` is a unit."""
    cdef const float* w = g.w + (unit // P * g.inputs + first) * P
    cdef float rest[P * P]
    cdef int i, j
    cdef Py_ssize_t count = g.inputs - first
    if count < P:  # fewer than P inputs are left: the memory behind them must not be read
        for i in range(P * P):
            rest[i] = w[i] if i < count * P else 0
        w = rest
    for i in range(VECTORS):
        for j in range(VECTORS):
            transpose(w + i * LANES * P + j * LANES, panel + j * LANES * P + i * LANES)


cdef inline void gemm_nt_block(
    const GemmNT* g, Py_ssize_t begin, Py_ssize_t end, Py_ssize_t first_row, Py_ssize_t rows
) noexcept nogil:
    """Panels [begin, end) of some rows of dX. The weights of their inputs are transposed, NT_DEPTH units at a time."""
    cdef float panel[TILE_PANELS * NT_DEPTH * P]
    cdef Py_ssize_t u, i, block, p, units = g.units
    cdef Py_ssize_t panels
    cdef Tile tile
    memset(&tile, 0, sizeof(tile))
    tile.a_row = g.ldz
    tile.a_col = 1
    tile.b = panel
    tile.b_row = P
    tile.b_panel = NT_DEPTH * P
    tile.c = g.x
    tile.y = g.y
    tile.c_row = g.ldx
    tile.c_panel = P
    tile.activation = g.activation
    block = begin
    while block < end:
        panels = min(<Py_ssize_t>TILE_PANELS, end - block)
        tile.at = first_row * g.ldx + block * P
        u = 0
        while u < units:
            tile.depth = min(<Py_ssize_t>NT_DEPTH, units - u)
            for p in range(panels):
                for i in range((tile.depth + P - 1) // P):
                    transpose_panel(g, (block + p) * P, u + i * P, panel + (p * NT_DEPTH + i * P) * P)
            tile.a = g.z + first_row * g.ldz + u
            tile.resume = u > 0
            u += tile.depth
            if u < units or g.activation == LINEAR:
                compute_columns(STORE, tile, rows, panels)
            else:
                compute_columns(DIFFERENTIATE, tile, rows, panels)
        block += panels


cdef void gemm_nt_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef GemmNT* g = <GemmNT*>args
    gemm_nt_block(g, begin, end, 0, g.rows)


cdef void gemm_nt_rows_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """Rows [begin, end). For few weights: all threads transpose them all."""
    cdef GemmNT* g = <GemmNT*>args
    if begin < end:
        gemm_nt_block(g, 0, (g.inputs + P - 1) // P, begin, end - begin)


def gemm_nt(
    const float[:, ::1] dz, const float[:, :, ::1] w, Py_ssize_t units, float[:, ::1] dx, int activation,
    const float[:, ::1] y,
):
    """dX = dZ . W^T: the gradient that a dense layer passes to the layer before it.

    dz          (B, ldz)      gradient with respect to the pre-activation, ldz >= N
    w           (N/P, K, P)   kernel in panels
    units                     N
    dx          (B, ldx)      written whole panel by whole panel, zeros in the padding; ldx >= K rounded up to P
    activation                that of the layer before; unless it is LINEAR, dx is multiplied by its derivative
    y           (B, ldx)      output of the layer before; not read if `activation` is LINEAR
    """
    cdef GemmNT g
    if dx.shape[0] == 0 or w.shape[0] == 0 or w.shape[1] == 0:
        return
    g.z = &dz[0, 0]
    g.ldz = dz.shape[1]
    g.w = &w[0, 0, 0]
    g.inputs = w.shape[1]
    g.units = units
    g.rows = dx.shape[0]
    g.x = &dx[0, 0]
    g.ldx = dx.shape[1]
    g.activation = activation
    g.y = &y[0, 0]
    with nogil:
        if w.shape[0] * w.shape[1] * P <= SMALL and dx.shape[0] * dx.shape[1] <= SMALL:
            run_rows(
                gemm_nt_rows_task, &g, sizeof(g), g.rows, FLOPS_A_SLICE // (2 * (g.inputs + P) * units) + 1
            )
        else:
            run(
                gemm_nt_task, &g, sizeof(g), (g.inputs + P - 1) // P, FLOPS_A_SLICE // (2 * P * units * (g.rows + 1)) + 1
            )


cdef struct BiasUpdate:
    const float* z
    Py_ssize_t ldz, rows
    Update update


cdef inline void compute_bias(const BiasUpdate* q, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """Panels [first, last) of db, the column sums of dZ added row by row, and the step along them, if there is a bias."""
    cdef vec sums[VECTORS]
    cdef Py_ssize_t n, panel
    cdef int j
    if q.update.w == NULL:
        return
    for panel in range(first, last):
        for j in range(VECTORS):
            sums[j] = vec_set1(0)
        for n in range(q.rows):
            for j in range(VECTORS):
                sums[j] += vec_load(q.z + n * q.ldz + panel * P + j * LANES)
        for j in range(VECTORS):
            update_step(q.update.rule, &q.update, panel * P + j * LANES, sums[j])


cdef inline BiasUpdate bias_update_of(const float[:, ::1] dz, Update update) noexcept:
    cdef BiasUpdate q
    q.z = &dz[0, 0]
    q.ldz = dz.shape[1]
    q.rows = dz.shape[0]
    q.update = update
    return q


cdef struct GemmTN:
    Gemm gemm
    BiasUpdate bias


cdef inline void compute_bias_of_blocks(const GemmTN* q, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """The biases of a group of panels belong to the thread that computes the first block of the group."""
    cdef Py_ssize_t blocks = q.gemm.blocks
    cdef Py_ssize_t first = (begin + blocks - 1) // blocks * TILE_PANELS
    cdef Py_ssize_t last = (end + blocks - 1) // blocks * TILE_PANELS
    compute_bias(&q.bias, first, min(last, q.gemm.panels))


cdef void gemm_tn_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef GemmTN* q = <GemmTN*>args
    compute_blocks(STORE, &q.gemm, begin, end)
    compute_bias_of_blocks(q, begin, end)


cdef void gemm_tn_update_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef GemmTN q = (<GemmTN*>args)[0]
    read_rates(&q.gemm.tile.update)
    read_rates(&q.bias.update)
    compute_blocks(UPDATE, &q.gemm, begin, end)
    compute_bias_of_blocks(&q, begin, end)


cdef void run_gemm_tn(
    const float[:, ::1] x, const float[:, ::1] dz, Py_ssize_t inputs, Py_ssize_t panels, Update kernel, Update bias
) noexcept:
    """The gradients of a kernel, (N/P, K, P), and of a bias, and what each `Update` does with them."""
    cdef GemmTN q
    cdef Tile tile
    memset(&tile, 0, sizeof(tile))
    tile.a = &x[0, 0]
    tile.a_row = 1
    tile.a_col = x.shape[1]
    tile.b = &dz[0, 0]
    tile.b_row = dz.shape[1]
    tile.b_panel = P
    tile.depth = dz.shape[0]
    tile.c = kernel.w
    tile.c_row = P
    tile.c_panel = inputs * P
    tile.update = kernel
    q.gemm = gemm_of(tile, inputs, panels)
    q.bias = bias_update_of(dz, bias)
    cdef task_fn task = gemm_tn_task if kernel.rule == WRITE else gemm_tn_update_task
    with nogil:
        run_apart(task, &q, sizeof(q), q.gemm.groups * q.gemm.blocks, grain_of(&q.gemm))


def gemm_tn(const float[:, ::1] x, const float[:, ::1] dz, float[:, :, ::1] dw, float[::1] db):
    """dW = X^T . dZ and db = column sums of dZ: the gradient of a dense layer as arrays.

    x   (B, ldx)       input of the layer, ldx >= K
    dz  (B, ldz)       gradient with respect to the pre-activation, ldz >= N/P * P
    dw  (N/P, K, P)    gradient with respect to the kernel, in panels, written
    db  (N/P * P,)     gradient with respect to the bias, written
    """
    if dz.shape[0] == 0 or dw.shape[0] == 0 or dw.shape[1] == 0:
        return
    run_gemm_tn(x, dz, dw.shape[1], dw.shape[0], write_to(&dw[0, 0, 0]), write_to(&db[0]))


def gemm_tn_update(
    const float[:, ::1] x, const float[:, ::1] dz, int rule,
    float[:, :, ::1] w, float[:, :, ::1] s, float[:, :, ::1] t, float[::1] bias, float[::1] bias_s, float[::1] bias_t,
    const double[::1] rates,
):
    """The product of `gemm_tn` and the step of `update` in one. The gradient is never written as an array.

    x       (B, ldx)      input of the layer, ldx >= K
    dz      (B, ldz)      gradient with respect to the pre-activation, ldz >= N/P * P
    rule                  as for `update`
    w       (N/P, K, P)   kernel, updated in place
    s       (N/P, K, P)   its state, updated in place
    t       (N/P, K, P)   its second state, updated in place
    bias    (N/P * P,)    bias, updated in place; (0,): the layer has none
    bias_s  (N/P * P,)    its state, updated in place
    bias_t  (N/P * P,)    its second state, updated in place
    rates   (6,)          as for `update`
    """
    if dz.shape[0] == 0 or w.shape[0] == 0 or w.shape[1] == 0:
        return
    run_gemm_tn(
        x, dz, w.shape[1], w.shape[0], update_of(rule, &w[0, 0, 0], &s[0, 0, 0], &t[0, 0, 0], rates),
        update_of(rule, &bias[0], &bias_s[0], &bias_t[0], rates) if bias.shape[0] else no_update(),
    )
