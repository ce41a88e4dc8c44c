# pointwise: the activations that are not in activation.pxi: those with parameters, and those whose derivative needs z.
#
#   z        a sum: a layer's output before the activation
#   a, b, c  parameters of the activation
#   Phi, phi distribution function and density of the standard normal distribution
#   B, ld    rows of a batch, floats from row to row
#
#   CLIPPED_RELU  a (z - c) where z <= c, else min(z, b)             slope a below c, 0 from b on, else 1
#   ELU           b z where z > 0, else a (exp(z) - 1)               slope b where z > 0, else a exp(z)
#   SOFTPLUS      log(1 + exp(z))                                    slope sigmoid(z)
#   SILU          z sigmoid(z)                                       slope s (1 + z (1 - s)), s = sigmoid(z)
#   GELU          z Phi(z)                                           slope Phi(z) + z phi(z)
#   GELU_TANH     z sigmoid(2 u), u = sqrt(2/pi) (z + 0.044715 z^3)  slope s + z s (1 - s) 2 u', s = sigmoid(2 u)
#
# The slope is the derivative with respect to z. No product computes these in its epilogue: they take longer than
# loading and storing the numbers. NaN stays NaN, and the value at infinity is the limit.

cdef enum:
    CLIPPED_RELU = 0
    ELU = 1
    SOFTPLUS = 2
    SILU = 3
    GELU = 4
    GELU_TANH = 5

cdef float SQRT_2_OVER_PI = 0.7978845608028654
cdef float FURTHEST = 40  # for |z| above this, Phi(z) is 0 or 1 in float32


cdef inline vec vec_min(vec a, vec b) noexcept nogil:
    """The smaller of a and b. If a is NaN, a."""
    return vec_select_less(b, a, b, a)


cdef inline vec vec_max(vec a, vec b) noexcept nogil:
    """The greater of a and b. If a is NaN, a."""
    return vec_select_less(a, b, b, a)


cdef inline vec vec_within(vec a, float limit) noexcept nogil:
    return vec_max(vec_min(a, vec_set1(limit)), vec_set1(-limit))


cdef inline vec vec_expm1(vec x) noexcept nogil:
    """exp(x) - 1 for x <= 0, precise also near 0: 2^n p + (2^n - 1), p = exp(r) - 1, with n and r of `exp_reduced`."""
    cdef vec shifted, r
    x = vec_max(x, vec_set1(-80))  # below it, exp(x) - 1 rounds to -1
    cdef vec q = exp_reduced(x, &shifted, &r)
    cdef vec power = vec_power_of_two(shifted)
    return vec_fma(vec_fma(r * r, q, r), power, power - 1)


cdef inline vec vec_log1p(vec x) noexcept nogil:
    """log(1 + x) for 0 <= x <= 1. The rounding error of u = 1 + x is added, times the derivative 1 / u."""
    cdef vec u = 1 + x
    return vec_log(u) + (x - (u - vec_set1(1))) / u


cdef inline vec vec_normal_density(vec x, float scale, vec exponent) noexcept nogil:
    """scale exp(exponent - x^2 / 2). x^2 is computed in two parts, since exp would enlarge its rounding error.

    Source of the parts: T. Dekker, "A floating-point technique for extending the available precision", 1971.
    """
    cdef vec high = x * 4097  # its upper 12 bits, whose square is exact
    high -= high - x
    cdef vec low = x - high
    cdef vec square = x * x
    cdef vec rest = (high + high) * low + (high * high - square)
    rest += low * low
    exponent = vec_fma(vec_set1(-0.5), rest, exponent)
    return scale * vec_exp(exponent) * vec_exp(-(0.5 * square))


cdef inline vec vec_normal_cdf(vec x) noexcept nogil:
    """Phi(x) = erfc(-x / sqrt(2)) / 2 for |x| <= 40. It subtracts no numbers near 1, so small results are precise too.

    For z >= 0, erfc(z) = t exp(p(t) - z^2) with t = 1 / (1 + z / 2); the relative error is at most 1.2e-7.
    Source: W. Press et al., "Numerical Recipes in C", 2nd ed., 1992, section 6.2, erfcc.
    """
    cdef vec one = vec_set1(1)
    cdef vec far = vec_abs(x)
    cdef vec t = 1 / vec_fma(far, vec_set1(0.3535533905932738), one)
    cdef vec p = vec_set1(0.17087277)
    p = vec_fma(p, t, vec_set1(-0.82215223))
    p = vec_fma(p, t, vec_set1(1.48851587))
    p = vec_fma(p, t, vec_set1(-1.13520398))
    p = vec_fma(p, t, vec_set1(0.27886807))
    p = vec_fma(p, t, vec_set1(-0.18628806))
    p = vec_fma(p, t, vec_set1(0.09678418))
    p = vec_fma(p, t, vec_set1(0.37409196))
    p = vec_fma(p, t, vec_set1(1.00002368))
    p = vec_fma(p, t, vec_set1(-1.26551223))
    cdef vec tail = t * vec_normal_density(far, 0.5, p)
    return vec_select_less(vec_set1(0), x, 1 - tail, tail)


cdef inline vec gelu_inner(vec z) noexcept nogil:
    cdef vec cube = z * z * z
    return SQRT_2_OVER_PI * vec_fma(vec_set1(0.044715), cube, z)


cdef inline vec pointwise_value(const int which, vec z, float a, float b, float c) noexcept nogil:
    cdef vec zero = vec_set1(0)
    cdef vec low
    if which == CLIPPED_RELU:
        if a == 0:  # 0 times minus infinity would be NaN
            low = vec_min(z, vec_set1(c))
            low = vec_select_less(low, vec_set1(c), zero, low - low)
        else:
            low = a * (z - c)
        return vec_select_less(vec_set1(c), z, vec_min(z, vec_set1(b)), low)
    if which == ELU:
        low = a * vec_expm1(vec_min(z, zero))
        return vec_select_less(zero, z, b * z, low)
    if which == SOFTPLUS:
        return vec_max(z, zero) + vec_log1p(vec_exp(-vec_abs(z)))
    if which == SILU:
        return vec_max(z, vec_set1(-200)) * vec_sigmoid(z)
    if which == GELU:
        return vec_max(z, vec_set1(-FURTHEST)) * vec_normal_cdf(vec_within(z, FURTHEST))
    low = gelu_inner(vec_within(z, FURTHEST))
    return vec_max(z, vec_set1(-FURTHEST)) * vec_sigmoid(low + low)


cdef inline vec pointwise_slope(const int which, vec z, float a, float b, float c) noexcept nogil:
    cdef vec zero = vec_set1(0)
    cdef vec one = vec_set1(1)
    cdef vec s, u, du
    if which == CLIPPED_RELU:
        return vec_select_less(vec_set1(c), z, vec_select_less(z, vec_set1(b), one, zero), vec_set1(a))
    if which == ELU:
        return vec_select_less(zero, z, vec_set1(b), a * vec_exp(vec_min(z, zero)))
    if which == SOFTPLUS:
        return vec_sigmoid(z)
    if which == SILU:
        z = vec_within(z, 200)
        return vec_sigmoid(z) * vec_fma(z, vec_sigmoid(-z), one)
    z = vec_within(z, FURTHEST)
    if which == GELU:
        return vec_fma(z, vec_normal_density(z, 0.3989422804014327, zero), vec_normal_cdf(z))
    u = gelu_inner(z)
    du = SQRT_2_OVER_PI * vec_fma(z * z, vec_set1(3 * 0.044715), one)
    u += u
    s = vec_sigmoid(u)
    u = s * vec_sigmoid(-u) * (du + du)
    return vec_fma(z, u, s)


cdef struct Pointwise:
    int which
    float a, b, c
    Py_ssize_t ld
    float* y
    const float* z
    float* dy


cdef inline void pointwise_forward_of(const int which, const Pointwise* f, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    while begin < end:
        vec_store(f.y + begin, pointwise_value(which, vec_load(f.y + begin), f.a, f.b, f.c))
        begin += LANES


cdef inline void pointwise_backward_of(const int which, const Pointwise* f, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef vec slope
    while begin < end:
        slope = pointwise_slope(which, vec_load(f.z + begin), f.a, f.b, f.c)
        vec_store(f.dy + begin, vec_load(f.dy + begin) * slope)
        begin += LANES


cdef void pointwise_forward_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Pointwise* f = <Pointwise*>args
    if f.which == CLIPPED_RELU:
        pointwise_forward_of(CLIPPED_RELU, f, begin * f.ld, end * f.ld)
    elif f.which == ELU:
        pointwise_forward_of(ELU, f, begin * f.ld, end * f.ld)
    elif f.which == SOFTPLUS:
        pointwise_forward_of(SOFTPLUS, f, begin * f.ld, end * f.ld)
    elif f.which == SILU:
        pointwise_forward_of(SILU, f, begin * f.ld, end * f.ld)
    elif f.which == GELU:
        pointwise_forward_of(GELU, f, begin * f.ld, end * f.ld)
    else:
        pointwise_forward_of(GELU_TANH, f, begin * f.ld, end * f.ld)


cdef void pointwise_backward_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Pointwise* f = <Pointwise*>args
    if f.which == CLIPPED_RELU:
        pointwise_backward_of(CLIPPED_RELU, f, begin * f.ld, end * f.ld)
    elif f.which == ELU:
        pointwise_backward_of(ELU, f, begin * f.ld, end * f.ld)
    elif f.which == SOFTPLUS:
        pointwise_backward_of(SOFTPLUS, f, begin * f.ld, end * f.ld)
    elif f.which == SILU:
        pointwise_backward_of(SILU, f, begin * f.ld, end * f.ld)
    elif f.which == GELU:
        pointwise_backward_of(GELU, f, begin * f.ld, end * f.ld)
    else:
        pointwise_backward_of(GELU_TANH, f, begin * f.ld, end * f.ld)


def pointwise_forward(int which, double a, double b, double c, float[:, ::1] y):
    """y = f(y), in place.

    which  CLIPPED_RELU, ELU, SOFTPLUS, SILU, GELU or GELU_TANH
    a      first parameter; ignored if the activation has none
    b      second parameter; ignored if the activation has none
    c      third parameter; ignored if the activation has none
    y      (B, ld)   sums; ld is a multiple of P; the padding gets f(0)
    """
    cdef Pointwise f
    cdef Py_ssize_t n = y.shape[0] * y.shape[1]
    if n == 0:
        return
    memset(&f, 0, sizeof(f))
    f.which, f.a, f.b, f.c = which, <float>a, <float>b, <float>c
    f.y = &y[0, 0]
    f.ld = y.shape[1]
    with nogil:
        run_rows(pointwise_forward_task, &f, sizeof(f), y.shape[0], 1 + 256 * P // f.ld)


def pointwise_backward(int which, double a, double b, double c, const float[:, ::1] z, float[:, ::1] dy):
    """dz = dy f'(z), written over dy: the gradient with respect to the sums z.

    which  as for `pointwise_forward`
    a      as for `pointwise_forward`
    b      as for `pointwise_forward`
    c      as for `pointwise_forward`
    z      (B, ld)   sums; ld is a multiple of P
    dy     (B, ld)   gradient with respect to f(z); zeros in its padding stay zeros if the padding of z is finite
    """
    cdef Pointwise f
    cdef Py_ssize_t n = dy.shape[0] * dy.shape[1]
    if n == 0:
        return
    memset(&f, 0, sizeof(f))
    f.which, f.a, f.b, f.c = which, <float>a, <float>b, <float>c
    f.z = &z[0, 0]
    f.dy = &dy[0, 0]
    f.ld = dy.shape[1]
    with nogil:
        run_rows(pointwise_backward_task, &f, sizeof(f), dy.shape[0], 1 + 256 * P // f.ld)
