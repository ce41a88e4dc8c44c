# losses: the other losses, their gradients, the accuracies, and the sums of both over the rows of a batch.
#
#   B  rows of a batch     C  outputs     n, c  a row, an output     ld  floats from row to row, as in softmax.pxi
#   y  predictions     t  targets     z  logits     p  probabilities     w  weights of the rows, all 1 if there are none
#   e[n, c] = y[n, c] - t[n, c]     dy, dz  gradients of the batch's loss with respect to y and z
#
#   rows[n]  = mean over c of f(e[n, c])     dy[n, c] = f'(e[n, c]) / C / B w[n]
#
#   SQUARED_ERROR   f = e^2                                                       f' = 2 e
#   ABSOLUTE_ERROR  f = |e|                                                       f' = -1, 0 or 1
#   HUBER           f = e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2)  f' = e, kept in [-delta, delta]
#
# Source of HUBER: P. Huber, "Robust Estimation of a Location Parameter", Annals of Mathematical Statistics 35, 1964.
# The loss of an output is float32, as a prediction is. Sums of losses are float64 and run in index order.

from libc.math cimport fabsf

cdef enum:
    SQUARED_ERROR = 0
    ABSOLUTE_ERROR = 1
    HUBER = 2

cdef float LOG_REST_MIN = -15.942385152878742  # log(1 - (1 - 1e-7)), with 1 - 1e-7 rounded to float32


cdef struct PointwiseLoss:
    int which
    float delta, half_square, outputs_as_float, one_over_batch
    const float* y
    const float* t
    const float* weights
    float* dy
    double* rows
    Py_ssize_t outputs, ldy, ld


cdef inline float loss_of_error(const int which, float e, const PointwiseLoss* q) noexcept nogil:
    if which == SQUARED_ERROR:
        return e * e
    if which == ABSOLUTE_ERROR:
        return fabsf(e)
    return <float>0.5 * (e * e) if fabsf(e) <= q.delta else q.delta * fabsf(e) - q.half_square


cdef inline float slope_of_error(const int which, float e, const PointwiseLoss* q) noexcept nogil:
    if which == SQUARED_ERROR:
        return e + e
    if which == ABSOLUTE_ERROR:
        return 1 if e > 0 else -1 if e < 0 else e - e  # NaN for NaN
    return -q.delta if e < -q.delta else q.delta if e > q.delta else e


cdef inline void pointwise_loss_of(
    const int which, const PointwiseLoss* q, Py_ssize_t begin, Py_ssize_t end
) noexcept nogil:
    cdef Py_ssize_t n, c
    cdef const float* y
    cdef const float* t
    cdef float* dy
    cdef float weight
    cdef double total
    for n in range(begin, end):
        y = q.y + n * q.ldy
        t = q.t + n * q.outputs
        total = 0
        for c in range(q.outputs):
            total += loss_of_error(which, y[c] - t[c], q)
        q.rows[n] = total / q.outputs
        if q.dy == NULL:
            continue
        dy = q.dy + n * q.ld
        weight = 1 if q.weights == NULL else q.weights[n]
        for c in range(q.outputs):
            dy[c] = slope_of_error(which, y[c] - t[c], q) / q.outputs_as_float * q.one_over_batch * weight
        for c in range(q.outputs, q.ld):
            dy[c] = 0


cdef void pointwise_loss_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef PointwiseLoss* q = <PointwiseLoss*>args
    if q.which == SQUARED_ERROR:
        pointwise_loss_of(SQUARED_ERROR, q, begin, end)
    elif q.which == ABSOLUTE_ERROR:
        pointwise_loss_of(ABSOLUTE_ERROR, q, begin, end)
    else:
        pointwise_loss_of(HUBER, q, begin, end)


def pointwise_loss(
    int which, double delta, const float[:, :] y, const float[:, ::1] t, const float[::1] weights, float[:, ::1] dy,
    double[::1] rows,
):
    """Loss of each row, the mean over its outputs, and the gradient of the batch's mean loss.

    which    SQUARED_ERROR, ABSOLUTE_ERROR or HUBER
    delta    the error at which Huber's square becomes a straight line; the others ignore it
    y        (B, C) or more columns   predictions; the rows may lie further apart
    t        (B, C)    targets
    weights  (B,)      factors of the rows' gradients; (0,) if all are 1
    dy       (B, ld)   gradient with respect to y, written, zeros in its padding; (0, ld) if it is not needed
    rows     (B,)      float64 loss of each row, without its weight, written
    """
    cdef PointwiseLoss q
    if t.shape[0] == 0:
        return
    memset(&q, 0, sizeof(q))
    q.which = which
    q.delta = <float>delta
    q.half_square = <float>(0.5 * delta * delta)
    q.y = &y[0, 0]
    q.t = &t[0, 0]
    q.weights = &weights[0] if weights.shape[0] else NULL
    q.dy = &dy[0, 0] if dy.shape[0] else NULL
    q.rows = &rows[0]
    q.outputs = t.shape[1]
    q.outputs_as_float = <float>t.shape[1]
    q.ldy = y.strides[0] // sizeof(float)
    q.ld = dy.shape[1]
    q.one_over_batch = <float>(1.0 / t.shape[0])
    with nogil:
        run_rows(pointwise_loss_task, &q, sizeof(q), t.shape[0], 1 + 20_000 // (16 + 4 * t.shape[1]))


cdef struct BinaryCrossentropy:
    const float* z
    const float* t
    const float* weights
    float* p
    float* dz
    double* rows
    Py_ssize_t outputs, ld
    float keep, add, share
    bint clip


cdef void binary_crossentropy_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """LANES outputs at a time, whichever rows they are in: a vector of one row with few outputs is nearly empty."""
    cdef BinaryCrossentropy* q = <BinaryCrossentropy*>args
    cdef float z[LANES]
    cdef float t[LANES]
    cdef float p[LANES]
    cdef float dz[LANES]
    cdef float loss[LANES]
    cdef Py_ssize_t i = begin * q.outputs, stop = end * q.outputs, n = begin, c = 0, row = begin, column = 0
    cdef int r, count
    cdef float weight
    cdef double total = 0
    memset(z, 0, sizeof(z))
    memset(t, 0, sizeof(t))
    while i < stop:
        count = <int>min(LANES, stop - i)
        for r in range(count):
            z[r] = q.z[row * q.ld + column]
            t[r] = q.t[i + r]
            column += 1
            if column == q.outputs:
                row, column = row + 1, 0
        binary_crossentropy_lanes(q, z, t, p, dz, loss)
        for r in range(count):
            if c == 0:
                zero_padding(q.p + n * q.ld, q.outputs, q.ld)
                zero_padding(q.dz + n * q.ld, q.outputs, q.ld)
            weight = 1 if q.weights == NULL else q.weights[n]
            q.p[n * q.ld + c] = p[r]
            q.dz[n * q.ld + c] = dz[r] * weight
            total += loss[r]
            c += 1
            if c == q.outputs:
                q.rows[n] = total / q.outputs
                n, c, total = n + 1, 0, 0
        i += count


cdef inline void zero_padding(float* row, Py_ssize_t outputs, Py_ssize_t ld) noexcept nogil:
    """Whole vectors from the last output's on; its other numbers are written later."""
    cdef Py_ssize_t c = outputs - outputs % LANES
    while c < ld:
        vec_store(row + c, vec_set1(0))
        c += LANES


cdef inline void binary_crossentropy_lanes(
    const BinaryCrossentropy* q, const float* z, const float* t, float* p, float* dz, float* loss
) noexcept nogil:
    """One vector of outputs: log p = min(z, 0) - l and log(1 - p) = -max(z, 0) - l, l = log(1 + exp(-|z|))."""
    cdef vec zero = vec_set1(0)
    cdef vec x = vec_load(z)
    cdef vec target = vec_load(t) * q.keep + q.add
    cdef vec e = vec_exp(-vec_abs(x))
    cdef vec probability = vec_select_less(x, zero, e, vec_set1(1)) / (vec_set1(1) + e)
    cdef vec common = vec_log1p(e)
    cdef vec log_p = vec_min(x, zero) - common
    cdef vec log_rest = -vec_max(x, zero) - common
    if q.clip:
        log_p = vec_min(vec_max(log_p, vec_set1(LOG_MIN)), vec_set1(LOG_MAX))
        log_rest = vec_min(vec_max(log_rest, vec_set1(LOG_REST_MIN)), vec_set1(LOG_MAX))
    vec_store(p, probability)
    vec_store(dz, (probability - target) * q.share)
    vec_store(loss, -(target * log_p + (vec_set1(1) - target) * log_rest))


def binary_crossentropy(
    const float[:, ::1] z, const float[:, ::1] t, const float[::1] weights, float[:, ::1] p, float[:, ::1] dz,
    double[::1] rows, double smoothing=0, bint clip=True,
):
    """Probabilities p = sigmoid(z), their crossentropy, and its gradient with respect to the logits.

    rows[n] = - mean over c of (s log p + (1 - s) log(1 - p))
    dz      = (p - s) / (B C) w,  s = t (1 - smoothing) + smoothing / 2

    z          (B, ld)   logits
    t          (B, C)    targets from 0 to 1
    weights    (B,)      factors of the rows' gradients; (0,) if all are 1
    p          (B, ld)   probabilities, written, zeros in its padding; may not be z
    dz         (B, ld)   gradient of the batch's mean loss, written, zeros in its padding
    rows       (B,)      float64 loss of each row, without its weight, written
    smoothing            share by which targets move towards 1/2, from 0 to 1
    clip                 whether p is kept in [1e-7, 1 - 1e-7] for the logarithms; the gradient never is
    """
    cdef BinaryCrossentropy q
    if t.shape[0] == 0:
        return
    memset(&q, 0, sizeof(q))
    q.z = &z[0, 0]
    q.t = &t[0, 0]
    q.weights = &weights[0] if weights.shape[0] else NULL
    q.p = &p[0, 0]
    q.dz = &dz[0, 0]
    q.rows = &rows[0]
    q.outputs = t.shape[1]
    q.ld = z.shape[1]
    q.keep = <float>(1 - smoothing)
    q.add = <float>(0.5 * smoothing)
    q.share = <float>(1.0 / (t.shape[0] * t.shape[1]))
    q.clip = clip
    with nogil:
        run_rows(binary_crossentropy_task, &q, sizeof(q), t.shape[0], 1 + 1500 // t.shape[1])


cdef struct Accuracy:
    const float* p
    const float* t
    const int* labels
    double* rows
    Py_ssize_t outputs, ldp
    float threshold


cdef inline Py_ssize_t first_greatest(const float* x, Py_ssize_t n) noexcept nogil:
    """The index of the greatest number, the first of equal ones; the first NaN, if there is one. As NumPy's argmax.

    The loop chooses without branches, which a processor could not predict. It only notes a NaN.
    """
    cdef Py_ssize_t i, best = 0
    cdef float most = x[0]
    cdef bint more, missing = most != most
    for i in range(1, n):
        more = x[i] > most
        best = i if more else best
        most = x[i] if more else most
        missing |= x[i] != x[i]
    if missing:
        best = 0
        while x[best] == x[best]:
            best += 1
    return best


cdef void categorical_accuracy_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Accuracy* q = <Accuracy*>args
    cdef Py_ssize_t n, right
    for n in range(begin, end):
        right = q.labels[n] if q.t == NULL else first_greatest(q.t + n * q.outputs, q.outputs)
        q.rows[n] = first_greatest(q.p + n * q.ldp, q.outputs) == right


cdef void binary_accuracy_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Accuracy* q = <Accuracy*>args
    cdef const float* p
    cdef const float* t
    cdef Py_ssize_t n, c, count
    cdef float said
    for n in range(begin, end):
        p = q.p + n * q.ldp
        t = q.t + n * q.outputs
        count = 0
        for c in range(q.outputs):
            said = 1 if p[c] > q.threshold else 0
            count += said == t[c]
        q.rows[n] = <double>count / q.outputs


def categorical_accuracy(const float[:, :] p, const float[:, ::1] t, double[::1] rows):
    """1 for each row whose greatest prediction and greatest target are at the same class, else 0.

    Of equal numbers the first is the greatest, and NaN is greater than any number, as for NumPy's argmax.

    p     (B, C) or more columns   predictions; the rows may lie further apart
    t     (B, C)   targets
    rows  (B,)     float64, written
    """
    cdef Accuracy q
    if t.shape[0] == 0:
        return
    memset(&q, 0, sizeof(q))
    q.p = &p[0, 0]
    q.t = &t[0, 0]
    q.rows = &rows[0]
    q.outputs = t.shape[1]
    q.ldp = p.strides[0] // sizeof(float)
    with nogil:
        run_rows(categorical_accuracy_task, &q, sizeof(q), t.shape[0], 1 + 10_000 // (2 + 4 * q.outputs))


def sparse_categorical_accuracy(const float[:, :] p, const int[:, ::1] labels, double[::1] rows):
    """1 for each row whose greatest prediction is that of its label, else 0; greatest as for `categorical_accuracy`.

    p       (B, C)   predictions; the rows may lie further apart
    labels  (B, 1)   int32, from 0 to C - 1
    rows    (B,)     float64, written
    """
    cdef Accuracy q
    if labels.shape[0] == 0:
        return
    memset(&q, 0, sizeof(q))
    q.p = &p[0, 0]
    q.labels = &labels[0, 0]
    q.rows = &rows[0]
    q.outputs = p.shape[1]
    q.ldp = p.strides[0] // sizeof(float)
    with nogil:
        run_rows(categorical_accuracy_task, &q, sizeof(q), labels.shape[0], 1 + 20_000 // (2 + 4 * q.outputs))


def binary_accuracy(const float[:, :] p, const float[:, ::1] t, double threshold, double[::1] rows):
    """Share of each row's outputs for which a prediction above the threshold, as 1 or 0, is the target.

    p          (B, C) or more columns   predictions; the rows may lie further apart
    t          (B, C)   targets
    threshold           predictions above it are 1, others and NaN are 0
    rows       (B,)     float64, written
    """
    cdef Accuracy q
    if t.shape[0] == 0:
        return
    memset(&q, 0, sizeof(q))
    q.p = &p[0, 0]
    q.t = &t[0, 0]
    q.rows = &rows[0]
    q.outputs = t.shape[1]
    q.ldp = p.strides[0] // sizeof(float)
    q.threshold = <float>threshold
    with nogil:
        run_rows(binary_accuracy_task, &q, sizeof(q), t.shape[0], 1 + 20_000 // (4 + 2 * q.outputs))


cdef struct Sums:
    const double* values
    const float* weights
    double* sums
    Py_ssize_t n
    bint restart, count_rows


cdef void add_rows_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Sums* q = <Sums*>args
    cdef Py_ssize_t n
    cdef double total = 0, count = 0
    if q.weights == NULL:
        count = q.n
        for n in range(q.n):
            total += q.values[n]
    else:
        for n in range(q.n):
            total += q.values[n] * q.weights[n]
            count += 1 if q.count_rows else q.weights[n]
    q.sums[0] = total if q.restart else q.sums[0] + total
    q.sums[1] = count if q.restart else q.sums[1] + count


def add_rows(
    const double[::1] rows, const float[::1] weights, double[::1] sums, bint restart=False, bint count_rows=False,
):
    """sums[0] += sum of rows * weights, sums[1] += sum of the weights. Each sum runs in index order, in float64.

    rows        (B,)   float64
    weights     (B,)   weights of the rows; (0,) if all are 1
    sums        (2,)   float64, changed in place
    restart            whether the sums are set to 0 first
    count_rows         whether each row counts as 1 in sums[1], also if it has a weight
    """
    cdef Sums q
    memset(&q, 0, sizeof(q))
    q.n = rows.shape[0]
    q.values = &rows[0] if q.n else NULL
    q.weights = &weights[0] if weights.shape[0] else NULL
    q.sums = &sums[0]
    q.restart = restart
    q.count_rows = count_rows
    with nogil:
        run_sum(add_rows_task, &q, sizeof(q))


cdef void accumulate_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Sums* q = <Sums*>args
    cdef Py_ssize_t n
    for n in range(q.n):
        q.sums[n] += q.values[n]


def accumulate(const double[::1] values, double[::1] sums):
    """sums += values.

    values  (n,)   float64
    sums    (n,)   float64, changed in place
    """
    cdef Sums q
    if values.shape[0] == 0:
        return
    memset(&q, 0, sizeof(q))
    q.n = values.shape[0]
    q.values = &values[0]
    q.sums = &sums[0]
    with nogil:
        run_sum(accumulate_task, &q, sizeof(q))
