# activation: activation functions, their derivatives, and exp, which they need.
#
#   z       a sum: a layer's output before the activation (the pre-activation)
#   y       the activation of z
#   dy, dz  gradients of the loss with respect to y and z
#   B, ld   rows of a batch, floats from row to row
#
#   LINEAR   y = z                      dz = dy
#   RELU     y = max(z, 0)              dz = dy where y > 0, else 0
#   SIGMOID  y = 1 / (1 + exp(-z))      dz = dy y (1 - y)
#   TANH     y = tanh(z)                dz = dy (1 - y^2)
#
# Each derivative is a function of y alone, so z need not be kept. exp is our own polynomial, for two reasons. The C
# library's exp has other last bits on other machines. And a polynomial computes all lanes of a vector at once.

cdef enum:
    LINEAR = 0
    RELU = 1
    SIGMOID = 2
    TANH = 3


cdef inline vec exp_reduced(vec x, vec* shifted, vec* r) noexcept nogil:
    """q(r) of exp(x) = 2^n exp(r), exp(r) = 1 + r + r^2 q(r); n is in the low bits of `shifted`.

    n = round(x / ln 2), |r| <= ln 2 / 2. Source of q and of the split of ln 2: S. Moshier, Cephes Mathematical Library,
    expf.
    """
    cdef vec magic = vec_set1(12582912.0)  # 1.5 * 2^23: adding it rounds to an integer, which is then in the low bits
    shifted[0] = vec_fma(x, vec_set1(1.44269504088896341), magic)
    cdef vec n = shifted[0] - magic
    r[0] = vec_fma(n, vec_set1(-0.693359375), x)
    r[0] = vec_fma(n, vec_set1(2.12194440e-4), r[0])
    cdef vec q = vec_set1(1.9875691500e-4)
    q = vec_fma(q, r[0], vec_set1(1.3981999507e-3))
    q = vec_fma(q, r[0], vec_set1(8.3334519073e-3))
    q = vec_fma(q, r[0], vec_set1(4.1665795894e-2))
    q = vec_fma(q, r[0], vec_set1(1.6666665459e-1))
    return vec_fma(q, r[0], vec_set1(5.0000001201e-1))


cdef inline vec vec_exp(vec x) noexcept nogil:
    """exp(x) for x <= 88, within 2 units in the last place; 0 below -87.33, where float32 turns subnormal; NaN for NaN."""
    cdef vec shifted, r
    cdef vec q = exp_reduced(x, &shifted, &r)
    q = vec_fma(r * r, q, r + 1)
    return vec_zero_below(x, q * vec_power_of_two(shifted), vec_set1(-87.33))


cdef inline vec vec_sigmoid(vec z) noexcept nogil:
    """1 / (1 + exp(-z)). exp is taken of -|z|, which is never positive, so nothing overflows."""
    cdef vec e = vec_exp(-vec_abs(z))
    return vec_select_less(z, vec_set1(0), e, vec_set1(1)) / (vec_set1(1) + e)


cdef inline vec vec_tanh(vec z) noexcept nogil:
    """tanh(z): a polynomial below 0.625, where 1 - exp(-2z) would cancel, else (1 - e) / (1 + e) with e = exp(-2|z|).

    Source of the polynomial: S. Moshier, Cephes Mathematical Library, tanhf.
    """
    cdef vec a = vec_abs(z)
    cdef vec s = z * z
    cdef vec q = vec_set1(-5.70498872745e-3)
    q = vec_fma(q, s, vec_set1(2.06390887954e-2))
    q = vec_fma(q, s, vec_set1(-5.37397155531e-2))
    q = vec_fma(q, s, vec_set1(1.33314422036e-1))
    q = vec_fma(q, s, vec_set1(-3.33332819422e-1))
    cdef vec near = vec_fma(q * s, z, z)
    cdef vec e = vec_exp(-(2 * a))
    cdef vec far = vec_copysign((vec_set1(1) - e) / (vec_set1(1) + e), z)
    return vec_select_less(a, vec_set1(0.625), near, far)


cdef inline vec activate(int activation, vec z) noexcept nogil:
    if activation == RELU:
        return vec_relu(z)
    if activation == SIGMOID:
        return vec_sigmoid(z)
    if activation == TANH:
        return vec_tanh(z)
    return z


cdef inline vec differentiate(int activation, vec y, vec dy) noexcept nogil:
    if activation == RELU:
        return vec_where_positive(dy, y)
    if activation == SIGMOID:
        return dy * (y * (vec_set1(1) - y))
    if activation == TANH:
        return dy * vec_fma(-y, y, vec_set1(1))
    return dy


cdef struct Activation:
    int which
    float* y
    float* dy
    Py_ssize_t ld


cdef void activation_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Activation* q = <Activation*>args
    cdef Py_ssize_t i = begin * q.ld
    while i < end * q.ld:
        vec_store(q.y + i, activate(q.which, vec_load(q.y + i)))
        i += LANES


def activation_forward(int activation, float[:, ::1] y):
    """y = act(y), in place. For layers in which no product applies the activation in its epilogue.

    activation  LINEAR, RELU, SIGMOID or TANH
    y           (B, ld)   sums; ld is a multiple of P; the padding gets act(0)
    """
    cdef Activation q
    cdef Py_ssize_t n = y.shape[0] * y.shape[1]
    if n == 0 or activation == LINEAR:
        return
    q.which = activation
    q.y = &y[0, 0]
    q.ld = y.shape[1]
    with nogil:
        run_rows(activation_task, &q, sizeof(q), y.shape[0], 1 + 256 * P // q.ld)


cdef void activation_backward_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Activation* q = <Activation*>args
    cdef Py_ssize_t i = begin * q.ld
    while i < end * q.ld:
        vec_store(q.dy + i, differentiate(q.which, vec_load(q.y + i), vec_load(q.dy + i)))
        i += LANES


def activation_backward(int activation, const float[:, ::1] y, float[:, ::1] dy):
    """dz = dy act'(z), written over dy: the gradient with respect to the sums.

    activation  LINEAR, RELU, SIGMOID or TANH
    y           (B, ld)   output of the activation; ld is a multiple of P
    dy          (B, ld)   gradient with respect to y; zeros in its padding stay zeros
    """
    cdef Activation q
    cdef Py_ssize_t n = dy.shape[0] * dy.shape[1]
    if n == 0 or activation == LINEAR:
        return
    q.which = activation
    q.y = <float*>&y[0, 0]
    q.dy = &dy[0, 0]
    q.ld = dy.shape[1]
    with nogil:
        run_rows(activation_backward_task, &q, sizeof(q), y.shape[0], 1 + 1024 * P // q.ld)
