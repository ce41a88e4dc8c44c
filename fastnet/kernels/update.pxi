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
    Rates rates


cdef inline Update update_of(int rule, float* w, float* s, float* t, const double[::1] rates) noexcept nogil:
    """`rates` is float64 (5,): learning rate, m, n, epsilon, k."""
    cdef Update u
    u.rule = rule
    u.w = w
    u.s = s
    u.t = t
    u.rates.rate = <float>rates[0]
    u.rates.m = <float>rates[1]
    u.rates.one_minus_m = <float>(1 - rates[1])
    u.rates.one_minus_n = <float>(1 - rates[2])
    u.rates.epsilon = <float>rates[3]
    u.rates.k = <float>rates[4]
    return u


cdef inline Update write_to(float* w) noexcept nogil:
    cdef Update u
    memset(&u, 0, sizeof(u))
    u.rule = WRITE
    u.w = u.s = u.t = w
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
    cdef UpdateArrays* q = <UpdateArrays*>args
    cdef Py_ssize_t i = begin * P
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
    rates  (5,)   float64: learning rate, m, n, epsilon, k; those that are not in the rule's formula are ignored
    """
    cdef UpdateArrays q
    if w.shape[0] == 0:
        return
    q.update = update_of(rule, &w[0], &s[0], &t[0], rates)
    q.g = &g[0]
    with nogil:
        parallel_for(update_task, &q, w.shape[0] // P, 1024)
