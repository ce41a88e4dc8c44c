# update: the optimizers' rules, for LANES weights at once.
#
#   w  a weight     g  its gradient     s, t  its state (zeros at first)     r  the learning rate
#   m, n  decays: momentum, rho, or beta_1 and beta_2     k  weight of NADAM's mean     epsilon  keeps roots from 0
#
#   SGD        w <- w - r g
#   MOMENTUM   s <- m s - r g                    w <- w + s
#   NESTEROV   s <- m s - r g                    w <- w + (m s - r g)
#   RMSPROP    s <- m s + (1 - m) g^2            w <- w - r g / sqrt(s + epsilon)
#   ADAGRAD    s <- s + g^2                      w <- w - r g / sqrt(s + epsilon)
#   ADAM       s <- s + (1 - m)(g - s)           t <- t + (1 - n)(g^2 - t)       w <- w - r s / (sqrt(t) + epsilon)
#   NADAM      s and t as ADAM's                 w <- w - r (g + k s) / (sqrt(t) + epsilon)
#
# The state of ADAM starts at zero, so its means are too small at first. The caller corrects that in r: it is
# rate sqrt(1 - n^step) / (1 - m^step). For NADAM the caller corrects r, epsilon and k (see `Nadam` in optimizers).
# Epsilon stands where Keras has it.
#
# Sources: T. Tieleman and G. Hinton, Lecture 6.5 of "Neural Networks for Machine Learning", 2012; I. Sutskever et al.,
# "On the importance of initialization and momentum in deep learning", 2013; D. Kingma and J. Ba, "Adam", 2015. Those of
# Adagrad and Nadam are in optimizers.
#
# The products of gemm.pxi and csr.pxi take these steps while a gradient is still in registers. `update` takes them from
# a gradient that is an array.

from libc.math cimport fabs, pow, sqrt

cdef enum:
    WRITE = -1  # no rule: the gradient itself is written to w
    SGD = 0
    MOMENTUM = 1
    NESTEROV = 2
    RMSPROP = 3
    ADAM = 4
    ADAGRAD = 5
    NADAM = 6


cdef struct Rates:
    float rate, m, one_minus_m, one_minus_n, epsilon, k


cdef struct Update:
    int rule
    float* w
    float* s  # the state, laid out as w
    float* t
    const double* numbers  # learning rate, m, n, epsilon, k of the step under way
    Rates rates  # the same for the kernels, once a task has called `read_rates`


cdef inline Update update_of(int rule, float* w, float* s, float* t, const double[::1] rates) noexcept nogil:
    """`rates` is float64 (6,), as for `update`."""
    cdef Update u
    memset(&u, 0, sizeof(u))
    u.rule = rule
    u.w = w
    u.s = s
    u.t = t
    u.numbers = &rates[0]
    return u


cdef inline void read_rates(Update* u) noexcept nogil:
    """Converts the rates of this step. Tasks do it themselves, since a recorded step is played with other rates."""
    if u.numbers == NULL:  # no update: a gradient is only written
        return
    u.rates.rate = <float>u.numbers[0]
    u.rates.m = <float>u.numbers[1]
    u.rates.one_minus_m = <float>(1 - u.numbers[1])
    u.rates.one_minus_n = <float>(1 - u.numbers[2])
    u.rates.epsilon = <float>u.numbers[3]
    u.rates.k = <float>u.numbers[4]


cdef inline Update write_to(float* w) noexcept nogil:
    cdef Update u
    memset(&u, 0, sizeof(u))
    u.rule = WRITE
    u.w = u.s = u.t = w
    return u


cdef inline Update no_update() noexcept nogil:
    """For a layer without a bias: w is NULL."""
    cdef Update u
    memset(&u, 0, sizeof(u))
    return u


# One function a rule: the LANES weights at w, with the state at s and t, take one step along their gradient g.

cdef inline void sgd_step(float* w, vec g, const Rates* r) noexcept nogil:
    vec_store(w, vec_load(w) + -r.rate * g)


cdef inline void momentum_step(float* w, float* s, vec g, const Rates* r) noexcept nogil:
    cdef vec velocity = vec_fma(vec_set1(r.m), vec_load(s), -r.rate * g)
    vec_store(s, velocity)
    vec_store(w, vec_load(w) + velocity)


cdef inline void nesterov_step(float* w, float* s, vec g, const Rates* r) noexcept nogil:
    cdef vec step = -r.rate * g
    cdef vec velocity = vec_fma(vec_set1(r.m), vec_load(s), step)
    vec_store(s, velocity)
    vec_store(w, vec_load(w) + vec_fma(vec_set1(r.m), velocity, step))


cdef inline void rmsprop_step(float* w, float* s, vec g, const Rates* r) noexcept nogil:
    cdef vec mean_square = vec_fma(vec_set1(r.m), vec_load(s), g * g * r.one_minus_m)
    vec_store(s, mean_square)
    vec_store(w, vec_load(w) - r.rate * g / vec_sqrt(mean_square + r.epsilon))


cdef inline void adagrad_step(float* w, float* s, vec g, const Rates* r) noexcept nogil:
    cdef vec sum_of_squares = vec_fma(g, g, vec_load(s))
    vec_store(s, sum_of_squares)
    vec_store(w, vec_load(w) - r.rate * g / vec_sqrt(sum_of_squares + r.epsilon))


cdef inline void adam_step(const bint look_ahead, float* w, float* s, float* t, vec g, const Rates* r) noexcept nogil:
    """ADAM, or NADAM if `look_ahead`."""
    cdef vec mean = vec_load(s), mean_square = vec_load(t)
    mean = vec_fma(g - mean, vec_set1(r.one_minus_m), mean)
    mean_square = vec_fma(g * g - mean_square, vec_set1(r.one_minus_n), mean_square)
    vec_store(s, mean)
    vec_store(t, mean_square)
    if look_ahead:
        mean = vec_fma(vec_set1(r.k), mean, g)
    vec_store(w, vec_load(w) - r.rate * mean / (vec_sqrt(mean_square) + r.epsilon))


cdef inline void update_step(const int rule, const Update* u, Py_ssize_t at, vec g) noexcept nogil:
    """The LANES weights from place `at` on take a step along g. `rule` is u.rule, or a constant where that is faster."""
    cdef float* w = u.w + at
    cdef float* s = u.s + at
    cdef float* t = u.t + at
    cdef const Rates* r = &u.rates
    if rule == RMSPROP:
        rmsprop_step(w, s, g, r)
    elif rule == WRITE:
        vec_store(w, g)
    elif rule == ADAM:
        adam_step(False, w, s, t, g, r)
    elif rule == NADAM:
        adam_step(True, w, s, t, g, r)
    elif rule == ADAGRAD:
        adagrad_step(w, s, g, r)
    elif rule == NESTEROV:
        nesterov_step(w, s, g, r)
    elif rule == MOMENTUM:
        momentum_step(w, s, g, r)
    else:
        sgd_step(w, g, r)


cdef struct UpdateArrays:
    Update update
    const float* g


cdef void update_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """Panel rows [begin, end): P weights each."""
    cdef UpdateArrays q = (<UpdateArrays*>args)[0]
    cdef Py_ssize_t i = begin * P
    read_rates(&q.update)
    while i < end * P:
        update_step(q.update.rule, &q.update, i, vec_load(q.g + i))
        i += LANES


def update(int rule, float[::1] w, const float[::1] g, float[::1] s, float[::1] t, const double[::1] rates):
    """One step of every weight, from a gradient that is an array.

    rule   SGD, MOMENTUM, NESTEROV, RMSPROP, ADAM, ADAGRAD or NADAM
    w      (n,)   weights, updated in place; n is a multiple of P
    g      (n,)   gradient
    s      (n,)   state, updated in place; any array of this size for a rule without state
    t      (n,)   second state, updated in place; any array of this size for a rule without one
    rates  (6,)   float64: learning rate, m, n, epsilon, k; those that are not in the rule's formula are ignored. The
                  last one is for `decay`
    """
    cdef UpdateArrays q
    if w.shape[0] == 0:
        return
    q.update = update_of(rule, &w[0], &s[0], &t[0], rates)
    q.g = &g[0]
    with nogil:
        run(update_task, &q, sizeof(q), w.shape[0] // P, 1024)


# What may happen to a gradient or to weights before the step: none of it is frequent enough for a place in the products.

cdef struct Regularized:
    float* g
    const float* w
    Py_ssize_t size
    float l1, twice_l2
    double exact_l1, exact_l2, examples
    double* total


cdef void penalty_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """The sums of P columns side by side, then the sum of these, so that the order is the same for all vector widths."""
    cdef Regularized* q = <Regularized*>args
    cdef double absolute[P]
    cdef double squares[P]
    cdef double w
    cdef Py_ssize_t i
    cdef int j
    memset(absolute, 0, sizeof(absolute))
    memset(squares, 0, sizeof(squares))
    for i in range(q.size // P):
        for j in range(P):
            w = q.w[i * P + j]
            absolute[j] += fabs(w)  # a branch on the sign would be a guess
            squares[j] += w * w
    for j in range(1, P):
        absolute[0] += absolute[j]
        squares[0] += squares[j]
    q.total[0] += (q.exact_l1 * absolute[0] + q.exact_l2 * squares[0]) * q.examples


def penalty(const float[::1] w, double l1, double l2, double examples, double[::1] total):
    """total[0] += (l1 sum |w| + l2 sum w^2) * examples: what a regularizer adds to the losses of a batch.

    w         (n,)   weights; n is a multiple of P. Zeros in the padding of panels add nothing
    l1        factor of the absolute values
    l2        factor of the squares
    examples  number of rows of the batch
    total     (k,)   float64
    """
    cdef Regularized q
    if w.shape[0] == 0:
        return
    memset(&q, 0, sizeof(q))
    q.w = &w[0]
    q.size = w.shape[0]
    q.exact_l1, q.exact_l2, q.examples = l1, l2, examples
    q.total = &total[0]
    with nogil:
        run_sum(penalty_task, &q, sizeof(q))


cdef void penalty_gradient_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Regularized* q = <Regularized*>args
    cdef float w, sign
    cdef Py_ssize_t i
    for i in range(begin * P, end * P):
        w = q.w[i]
        sign = 1 if w > 0 else -1 if w < 0 else 0
        q.g[i] += q.l1 * sign + q.twice_l2 * w


def penalty_gradient(float[::1] g, const float[::1] w, double l1, double l2):
    """g += l1 sign(w) + 2 l2 w: the gradient of the penalty with respect to w.

    g   (n,)   gradient, changed in place; n is a multiple of P
    w   (n,)   weights
    l1  factor of the absolute values
    l2  factor of the squares
    """
    cdef Regularized q
    if w.shape[0] == 0:
        return
    memset(&q, 0, sizeof(q))
    q.g = &g[0]
    q.w = &w[0]
    q.l1 = <float>l1
    q.twice_l2 = <float>(2 * l2)
    with nogil:
        run(penalty_gradient_task, &q, sizeof(q), w.shape[0] // P, 1024)


cdef struct Clip:
    float* g
    float limit


cdef void clip_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Clip* q = <Clip*>args
    cdef Py_ssize_t i
    cdef float g
    for i in range(begin * P, end * P):
        g = q.g[i]
        q.g[i] = q.limit if g > q.limit else -q.limit if g < -q.limit else g


def clip(float[::1] g, double limit):
    """g = min(max(g, -limit), limit). NaN stays NaN.

    g      (n,)   gradient, changed in place; n is a multiple of P
    limit  at least 0
    """
    cdef Clip q
    if g.shape[0] == 0:
        return
    q.g = &g[0]
    q.limit = <float>limit
    with nogil:
        run(clip_task, &q, sizeof(q), g.shape[0] // P, 1024)


cdef struct Decay:
    float* w
    const double* rates


cdef void decay_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Decay* q = <Decay*>args
    cdef float factor = <float>q.rates[5]
    cdef Py_ssize_t i
    for i in range(begin * P, end * P):
        q.w[i] -= q.w[i] * factor


def decay(float[::1] w, const double[::1] rates):
    """w -= w * rates[5]: the decay of the weights, before a step.

    w      (n,)   weights, changed in place; n is a multiple of P
    rates  (6,)   float64, as for `update`; the last one is the learning rate times the weight decay
    """
    cdef Decay q
    if w.shape[0] == 0:
        return
    q.w = &w[0]
    q.rates = &rates[0]
    with nogil:
        run(decay_task, &q, sizeof(q), w.shape[0] // P, 1024)


def adam_rates(double[:, ::1] rates, Py_ssize_t first, double beta_1, double beta_2, double epsilon):
    """The numbers of ADAM's formula in some steps. The learning rate is corrected, since both means start at zero.

    rates    (steps, 6)   float64: rates[:, 0] has the learning rate of each step and is multiplied by
                          sqrt(1 - beta_2^t) / (1 - beta_1^t) in step t, counted from 1; columns 1 to 4 are written
    first    number of the first step, counted from 0
    beta_1   share of the mean gradient that a step keeps
    beta_2   share of the mean square that a step keeps
    epsilon  keeps roots from 0
    """
    cdef Py_ssize_t i
    for i in range(rates.shape[0]):
        rates[i, 0] = rates[i, 0] * sqrt(1 - pow(beta_2, first + i + 1)) / (1 - pow(beta_1, first + i + 1))
        rates[i, 1] = beta_1
        rates[i, 2] = beta_2
        rates[i, 3] = epsilon
        rates[i, 4] = 0
