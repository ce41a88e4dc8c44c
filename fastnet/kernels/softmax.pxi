# softmax: probabilities from logits, their crossentropy with the targets, and its gradient in one pass.
#
#   B  rows of a batch     C  classes     n, c  a row, a class     ld  floats from row to row: C rounded up to P, or more
#   z  logits     p  probabilities     t  targets     dz, dp  gradients of the loss with respect to z and p
#   w  weights of the rows, all 1 if there are none
#
#   p[n, c]  = exp(z[n, c] - max_n) / sum_n           sum_n = sum over c of exp(z[n, c] - max_n)
#   rows[n]  = - sum over c of t[n, c] log p[n, c]    log p[n, c] = z[n, c] - max_n - log sum_n,
#                                                     kept in [log 1e-7, log(1 - 1e-7)] if `clip` says so
#   dz[n, c] = (p[n, c] sum_c t[n, c] - t[n, c]) / B w[n]   the logarithm's 1/p has cancelled
#
# Subtracting the maximum of the row keeps exp from overflowing, and does not change p. Sums over classes run in index
# order, one number after the other, so that their bits do not depend on the width of a vector. log is our own
# polynomial, for the same reasons as exp in activation.pxi.

cdef float LOG_MIN = -16.11809565095832  # log 1e-7
cdef float LOG_MAX = -1.1920929665620834e-07  # log(1 - 1e-7), with 1 - 1e-7 rounded to float32


cdef inline vec vec_log(vec x) noexcept nogil:
    """log(x) for finite x >= 1.18e-38, within 2 units in the last place; NaN for NaN.

    x = m 2^e with sqrt(1/2) <= m < sqrt(2), and log m = f - f^2/2 + f^3 q(f) for f = m - 1.
    Source of q and of the split of ln 2: S. Moshier, Cephes Mathematical Library, logf.
    """
    cdef vec m = vec_mantissa(x)
    cdef vec root = vec_set1(0.707106781186547524)
    cdef vec e = vec_exponent(x) - vec_select_less(m, root, vec_set1(1), vec_set1(0))
    cdef vec f = vec_select_less(m, root, m + m, m) - 1
    cdef vec square = f * f
    cdef vec q = vec_set1(7.0376836292e-2)
    q = q * f - vec_set1(1.1514610310e-1)
    q = q * f + vec_set1(1.1676998740e-1)
    q = q * f - vec_set1(1.2420140846e-1)
    q = q * f + vec_set1(1.4249322787e-1)
    q = q * f - vec_set1(1.6668057665e-1)
    q = q * f + vec_set1(2.0000714765e-1)
    q = q * f - vec_set1(2.4999993993e-1)
    q = q * f + vec_set1(3.3333331174e-1)
    q = q * f * square + e * vec_set1(-2.12194440e-4)
    q -= 0.5 * square
    return f + q + e * 0.693359375 + (x - x)  # x - x is NaN if x is, else 0


cdef struct Softmax:
    const float* z
    float* p
    const float* t
    const int* labels
    const float* weights
    float* dz
    double* rows
    Py_ssize_t classes, ld
    float keep, add, one_over_batch
    bint clip


cdef inline float row_max(const float* z, Py_ssize_t classes) noexcept nogil:
    cdef float most = z[0]
    cdef Py_ssize_t c
    for c in range(1, classes):
        if z[c] > most:
            most = z[c]
    return most


cdef inline float softmax_row(const float* z, float* p, Py_ssize_t classes, Py_ssize_t ld, float most) noexcept nogil:
    """p = softmax(z), with zeros in the padding. Returns the sum by which p was divided. p may be z."""
    cdef vec shift = vec_set1(most)
    cdef float total = 0
    cdef Py_ssize_t c = 0
    while c < classes:
        vec_store(p + c, vec_exp(vec_load(z + c) - shift))
        c += LANES
    for c in range(classes):
        total += p[c]
    c = 0
    while c < classes:
        vec_store(p + c, vec_load(p + c) / vec_set1(total))
        c += LANES
    for c in range(classes, ld):
        p[c] = 0
    return total


cdef void softmax_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Softmax* s = <Softmax*>args
    cdef Py_ssize_t n
    for n in range(begin, end):
        softmax_row(s.z + n * s.ld, s.p + n * s.ld, s.classes, s.ld, row_max(s.z + n * s.ld, s.classes))


cdef void few_classes_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """For at most P classes: LANES rows at a time, and a vector for each class of theirs. The bits are the same."""
    cdef Softmax* s = <Softmax*>args
    cdef float z[P * LANES]
    cdef float p[P * LANES]
    cdef float t[P * LANES]
    cdef float weights[LANES]
    cdef Py_ssize_t first = begin, n, c
    cdef int r, rows
    memset(z, 0, sizeof(z))
    memset(t, 0, sizeof(t))
    while first < end:
        rows = <int>min(<Py_ssize_t>LANES, end - first)
        for r in range(rows):
            n = first + r
            weights[r] = 1 if s.weights == NULL else s.weights[n]
            for c in range(s.classes):
                z[c * LANES + r] = s.z[n * s.ld + c]
                t[c * LANES + r] = (1 if s.labels[n] == c else 0) if s.t == NULL else s.t[n * s.classes + c]
        crossentropy_lanes(s, z, p, t, weights, s.rows + first, rows)
        for r in range(rows):
            n = first + r
            c = 0
            while c < s.ld:  # the padding
                vec_store(s.p + n * s.ld + c, vec_set1(0))
                vec_store(s.dz + n * s.ld + c, vec_set1(0))
                c += LANES
            for c in range(s.classes):
                s.p[n * s.ld + c] = p[c * LANES + r]
                s.dz[n * s.ld + c] = t[c * LANES + r]
        first += LANES


cdef inline void crossentropy_lanes(
    const Softmax* s, const float* z, float* p, float* t, const float* weights, double* losses, int rows
) noexcept nogil:
    """Writes the probabilities to p, the gradient to t, and the losses of the first `rows` lanes."""
    cdef vec most = vec_load(z), total = vec_set1(0), whole = vec_set1(0), log_sum, log_p, target
    cdef float terms[LANES]
    cdef float targets[LANES]
    cdef double loss[LANES]
    cdef Py_ssize_t c
    cdef int r
    memset(loss, 0, sizeof(loss))
    for c in range(1, s.classes):
        most = vec_select_less(most, vec_load(z + c * LANES), vec_load(z + c * LANES), most)
    for c in range(s.classes):
        target = vec_exp(vec_load(z + c * LANES) - most)
        vec_store(p + c * LANES, target)
        total += target
    log_sum = vec_log(total)
    for c in range(s.classes):
        vec_store(p + c * LANES, vec_load(p + c * LANES) / total)
        target = vec_load(t + c * LANES) * s.keep + s.add
        log_p = vec_load(z + c * LANES) - most - log_sum
        if s.clip:
            log_p = vec_select_less(vec_set1(LOG_MAX), log_p, vec_set1(LOG_MAX), log_p)
            log_p = vec_select_less(log_p, vec_set1(LOG_MIN), vec_set1(LOG_MIN), log_p)
        vec_store(terms, target * log_p)
        vec_store(targets, target)
        for r in range(LANES):
            loss[r] -= terms[r] if s.clip or targets[r] != 0 else 0
        whole += target
    for r in range(rows):
        losses[r] = loss[r]
    for c in range(s.classes):
        target = vec_load(t + c * LANES) * s.keep + s.add
        vec_store(t + c * LANES, (vec_load(p + c * LANES) * whole - target) * s.one_over_batch * vec_load(weights))


cdef void softmax_crossentropy_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """LANES rows at a time: one vector then holds their sums, and one `vec_log` computes all their logarithms."""
    cdef Softmax* s = <Softmax*>args
    cdef float most[LANES]
    cdef float sums[LANES]
    cdef Py_ssize_t first = begin, n
    cdef int r, rows
    vec_store(sums, vec_set1(1))
    while first < end:
        rows = <int>min(LANES, end - first)
        for r in range(rows):
            n = first + r
            most[r] = row_max(s.z + n * s.ld, s.classes)
            sums[r] = softmax_row(s.z + n * s.ld, s.p + n * s.ld, s.classes, s.ld, most[r])
        vec_store(sums, vec_log(vec_load(sums)))
        for r in range(rows):
            if s.t == NULL:
                label_row(s, first + r, most[r], sums[r])
            else:
                crossentropy_row(s, first + r, most[r], sums[r])
        first += rows


cdef inline float kept(float log_p) noexcept nogil:
    """log p, kept in [log 1e-7, log(1 - 1e-7)]; NaN for NaN."""
    return LOG_MIN if log_p < LOG_MIN else LOG_MAX if log_p > LOG_MAX else log_p


cdef inline void crossentropy_row(Softmax* s, Py_ssize_t n, float most, float log_sum) noexcept nogil:
    """The loss of row n and its gradient, from the probabilities."""
    cdef const float* z = s.z + n * s.ld
    cdef const float* p = s.p + n * s.ld
    cdef const float* t = s.t + n * s.classes
    cdef float* dz = s.dz + n * s.ld
    cdef float target, log_p, whole = 0, weight = 1 if s.weights == NULL else s.weights[n]
    cdef double loss = 0
    cdef Py_ssize_t c
    for c in range(s.classes):
        target = t[c] * s.keep + s.add
        log_p = z[c] - most - log_sum
        if s.clip:
            log_p = kept(log_p)
        if s.clip or target != 0:  # a logit that is far below the others makes log p infinite, and 0 * inf is NaN
            loss -= target * log_p
        whole += target
    s.rows[n] = loss
    for c in range(s.classes):
        dz[c] = (p[c] * whole - (t[c] * s.keep + s.add)) * s.one_over_batch * weight
    for c in range(s.classes, s.ld):
        dz[c] = 0


cdef inline void label_row(Softmax* s, Py_ssize_t n, float most, float log_sum) noexcept nogil:
    """`crossentropy_row` for a target that is 1 at the label and 0 elsewhere; the same bits."""
    cdef const float* p = s.p + n * s.ld
    cdef float* dz = s.dz + n * s.ld
    cdef int label = s.labels[n]
    cdef float log_p = s.z[n * s.ld + label] - most - log_sum
    cdef float one = 1, weight = 1 if s.weights == NULL else s.weights[n]
    cdef Py_ssize_t c
    s.rows[n] = 0 - (kept(log_p) if s.clip else log_p)  # not -0
    for c in range(s.classes):
        dz[c] = p[c] * s.one_over_batch * weight
    dz[label] = (p[label] - one) * s.one_over_batch * weight
    for c in range(s.classes, s.ld):
        dz[c] = 0


def softmax(const float[:, ::1] z, Py_ssize_t classes, float[:, ::1] p):
    """p = softmax(z), row by row. p may be z.

    z        (B, ld)   logits
    classes            C, 1 <= C <= ld
    p        (B, ld)   probabilities, written, zeros in the padding
    """
    cdef Softmax s
    if z.shape[0] == 0:
        return
    memset(&s, 0, sizeof(s))
    s.z = &z[0, 0]
    s.p = &p[0, 0]
    s.classes = classes
    s.ld = z.shape[1]
    with nogil:
        run_rows(softmax_task, &s, sizeof(s), z.shape[0], 1 + 4096 // classes)


def softmax_crossentropy(
    const float[:, ::1] z, const float[:, ::1] t, const float[::1] weights, float[:, ::1] p, float[:, ::1] dz,
    double[::1] rows, double smoothing=0, bint clip=True,
):
    """Probabilities, crossentropy, and its gradient with respect to the logits.

    z          (B, ld)   logits
    t          (B, C)    targets: one-hot rows, or any distribution
    weights    (B,)      factors of the rows' gradients; (0,) if all are 1
    p          (B, ld)   probabilities, written, zeros in its padding; may not be z
    dz         (B, ld)   gradient of the batch's mean loss, written, zeros in its padding
    rows       (B,)      float64 loss of each row, without its weight, written
    smoothing            share s of each target that all classes divide among them, from 0 to 1: t (1 - s) + s / C
    clip                 whether log p is kept in [log 1e-7, log(1 - 1e-7)] for the loss; the gradient never is
    """
    cdef Softmax s
    if z.shape[0] == 0:
        return
    memset(&s, 0, sizeof(s))
    s.z = &z[0, 0]
    s.t = &t[0, 0]
    s.weights = &weights[0] if weights.shape[0] else NULL
    s.p = &p[0, 0]
    s.dz = &dz[0, 0]
    s.rows = &rows[0]
    s.classes = t.shape[1]
    s.ld = z.shape[1]
    s.keep = <float>(1 - smoothing)
    s.add = <float>(smoothing / t.shape[1])
    s.clip = clip
    s.one_over_batch = <float>(1.0 / z.shape[0])
    with nogil:
        run_rows(
            few_classes_task if s.classes <= P else softmax_crossentropy_task, &s, sizeof(s), z.shape[0],
            1 + 600 // s.classes,
        )


def sparse_softmax_crossentropy(
    const float[:, ::1] z, Py_ssize_t classes, const int[:, ::1] labels, const float[::1] weights, float[:, ::1] p,
    float[:, ::1] dz, double[::1] rows, bint clip=True,
):
    """`softmax_crossentropy` for targets that are labels. It gives the bits of one-hot rows, and needs none.

    z        (B, ld)   logits
    classes            C, 1 <= C <= ld
    labels   (B, 1)    int32, from 0 to C - 1
    weights  (B,)      factors of the rows' gradients; (0,) if all are 1
    p        (B, ld)   probabilities, written, zeros in its padding; may not be z
    dz       (B, ld)   gradient of the batch's mean loss, written, zeros in its padding
    rows     (B,)      float64 loss of each row, without its weight, written
    clip               whether log p is kept in [log 1e-7, log(1 - 1e-7)] for the loss; the gradient never is
    """
    cdef Softmax s
    if z.shape[0] == 0:
        return
    memset(&s, 0, sizeof(s))
    s.z = &z[0, 0]
    s.labels = &labels[0, 0]
    s.weights = &weights[0] if weights.shape[0] else NULL
    s.p = &p[0, 0]
    s.dz = &dz[0, 0]
    s.rows = &rows[0]
    s.classes = classes
    s.keep = 1
    s.ld = z.shape[1]
    s.clip = clip
    s.one_over_batch = <float>(1.0 / z.shape[0])
    with nogil:
        run_rows(
            few_classes_task if s.classes <= P else softmax_crossentropy_task, &s, sizeof(s), z.shape[0],
            1 + 600 // s.classes,
        )


cdef void softmax_backward_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Softmax* s = <Softmax*>args
    cdef Py_ssize_t n, c
    cdef const float* p
    cdef float* dp
    cdef float total
    for n in range(begin, end):
        p = s.p + n * s.ld
        dp = s.dz + n * s.ld
        total = 0
        for c in range(s.classes):
            total += dp[c] * p[c]
        for c in range(s.classes):
            dp[c] = p[c] * (dp[c] - total)
        for c in range(s.classes, s.ld):
            dp[c] = 0


def softmax_backward(const float[:, ::1] p, Py_ssize_t classes, float[:, ::1] dp):
    """dz = p * (dp - sum over classes of dp * p), written over dp: the gradient with respect to the logits.

    p        (B, ld)   probabilities
    classes            C, 1 <= C <= ld
    dp       (B, ld)   gradient with respect to p; becomes the gradient with respect to z, with zeros in the padding
    """
    cdef Softmax s
    if p.shape[0] == 0:
        return
    memset(&s, 0, sizeof(s))
    s.p = <float*>&p[0, 0]
    s.dz = &dp[0, 0]
    s.classes = classes
    s.ld = p.shape[1]
    with nogil:
        run_rows(softmax_backward_task, &s, sizeof(s), p.shape[0], 1 + 4096 // classes)
