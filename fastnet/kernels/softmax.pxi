# softmax: probabilities from logits, their crossentropy with the targets, and its gradient in one pass.
#
#   B  rows of a batch     C  classes     n, c  a row, a class     ld  floats from row to row: C rounded up to P, or more
#   z  logits     p  probabilities     t  targets     dz, dp  gradients of the loss with respect to z and p
#
#   p[n, c]  = exp(z[n, c] - max_n) / sum_n           sum_n = sum over c of exp(z[n, c] - max_n)
#   loss[n]  = - sum over c of t[n, c] log p[n, c]    log p[n, c] = z[n, c] - max_n - log sum_n,
#                                                     kept in [log 1e-7, log(1 - 1e-7)] if `clip` says so
#   dz[n, c] = (p[n, c] sum_c t[n, c] - t[n, c]) / B  the gradient of the mean loss; the logarithm's 1/p has cancelled
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
    float* dz
    float* loss
    Py_ssize_t classes, ld, ldt
    float one_over_batch
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
            crossentropy_row(s, first + r, most[r], sums[r])
        first += rows


cdef inline void crossentropy_row(Softmax* s, Py_ssize_t n, float most, float log_sum) noexcept nogil:
    """The loss of row n and its gradient, from the probabilities."""
    cdef const float* z = s.z + n * s.ld
    cdef const float* p = s.p + n * s.ld
    cdef const float* t = s.t + n * s.ldt
    cdef float* dz = s.dz + n * s.ld
    cdef float log_p, loss = 0, weight = 0
    cdef Py_ssize_t c
    for c in range(s.classes):
        log_p = z[c] - most - log_sum
        if s.clip:
            log_p = LOG_MIN if log_p < LOG_MIN else LOG_MAX if log_p > LOG_MAX else log_p
        if s.clip or t[c] != 0:  # a logit that is far below the others makes log p infinite, and 0 * inf is NaN
            loss -= t[c] * log_p
        weight += t[c]
    s.loss[n] = loss
    for c in range(s.classes):
        dz[c] = (p[c] * weight - t[c]) * s.one_over_batch
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
    s.z = &z[0, 0]
    s.p = &p[0, 0]
    s.classes = classes
    s.ld = z.shape[1]
    with nogil:
        parallel_for(softmax_task, &s, z.shape[0], 1 + 4096 // classes)


def softmax_crossentropy(
    const float[:, ::1] z, const float[:, ::1] t, float[:, ::1] p, float[:, ::1] dz, float[::1] loss,
    bint clip=True,
):
    """Probabilities, crossentropy, and its gradient with respect to the logits. Returns the sum of all losses.

    z     (B, ld)   logits
    t     (B, C)    targets: one-hot rows, or any distribution
    p     (B, ld)   probabilities, written; may not be z
    dz    (B, ld)   gradient of the mean loss, written, zeros in its padding
    loss  (B,)      loss of each row, written
    clip            whether log p is kept in [log 1e-7, log(1 - 1e-7)] for the loss; the gradient never is
    """
    cdef Softmax s
    cdef double total = 0
    cdef Py_ssize_t n
    if z.shape[0] == 0:
        return 0.0
    s.z = &z[0, 0]
    s.t = &t[0, 0]
    s.p = &p[0, 0]
    s.dz = &dz[0, 0]
    s.loss = &loss[0]
    s.classes = t.shape[1]
    s.ld = z.shape[1]
    s.ldt = t.shape[1]
    s.clip = clip
    s.one_over_batch = <float>(1.0 / z.shape[0])
    with nogil:
        parallel_for(softmax_crossentropy_task, &s, z.shape[0], 1 + 600 // s.classes)
        for n in range(z.shape[0]):
            total += loss[n]
    return total


def softmax_backward(const float[:, ::1] p, Py_ssize_t classes, float[:, ::1] dp):
    """dz = p * (dp - sum over classes of dp * p), written over dp: the gradient with respect to the logits.

    p        (B, ld)   probabilities
    classes            C, 1 <= C <= ld
    dp       (B, ld)   gradient with respect to p; becomes the gradient with respect to z, with zeros in the padding
    """
    cdef Py_ssize_t n, c
    cdef float total
    with nogil:
        for n in range(p.shape[0]):
            total = 0
            for c in range(classes):
                total += dp[n, c] * p[n, c]
            for c in range(classes):
                dp[n, c] = p[n, c] * (dp[n, c] - total)
            for c in range(classes, dp.shape[1]):
                dp[n, c] = 0


def count_correct(const float[:, ::1] p, const float[:, ::1] t):
    """The number of rows whose greatest prediction and greatest target are at the same class (the first, if equal).

    p  (B, ld)   predictions
    t  (B, C)    targets
    """
    cdef Py_ssize_t n, c, best_p, best_t, count = 0
    with nogil:
        for n in range(t.shape[0]):
            best_p = best_t = 0
            for c in range(1, t.shape[1]):
                if p[n, c] > p[n, best_p]:
                    best_p = c
                if t[n, c] > t[n, best_t]:
                    best_t = c
            count += best_p == best_t
    return count
