# update: the optimizers' rules, for LANES weights at once.
#
#   w  a weight     g  its gradient     s, t  its state (zeros at first)     r  the learning rate
#
#   SGD        w <- w - r g
#   MOMENTUM   s <- m s - r g                    w <- w + s
#   NESTEROV   s <- m s - r g                    w <- w + (m s - r g)
#   RMSPROP    s <- m s + (1 - m) g^2            w <- w - r g / sqrt(s + epsilon)
#   ADAGRAD    s <- s + g^2                      w <- w - r g / sqrt(s + epsilon)
#   ADAM       s <- s + (1 - m)(g - s)           t <- t + (1 - n)(g^2 - t)       w <- w - r s / (sqrt(t) + epsilon)
#   NADAM      s and t as ADAM's                 w <- w - r (g + k s) / (sqrt(t) + epsilon)
#
# m and n are the decays: momentum, rho, or beta_1 and beta_2. Adam's r is corrected for its state's start at zero by the
# caller: r = rate sqrt(1 - n^step) / (1 - m^step); so are Nadam's r and epsilon, and k weighs the mean against the
# gradient (`Nadam` in optimizers). Where epsilon stands is Keras's choice. Sources: T. Tieleman and G. Hinton,
# Lecture 6.5 of "Neural Networks for Machine Learning", 2012; I. Sutskever et al., "On the importance of initialization
# and momentum in deep learning", 2013; D. Kingma and J. Ba, "Adam", 2015; those of Adagrad and Nadam are in optimizers.
#
# The products of gemm.pxi and csr.pxi take these steps while a gradient is still in registers; `update` takes them from
# a gradient that is an array.

cdef enum:
    SGD = 0
    MOMENTUM = 1
    NESTEROV = 2
    RMSPROP = 3
    ADAM = 4
    ADAGRAD = 5
    NADAM = 6


cdef struct Rates:
    float rate, m, one_minus_m, one_minus_n, epsilon, k


cdef inline Rates rates_of(double learning_rate, double m, double n, double epsilon, double k) noexcept nogil:
    cdef Rates r
    r.rate = <float>learning_rate
    r.m = <float>m
    r.one_minus_m = <float>(1 - m)
    r.one_minus_n = <float>(1 - n)
    r.epsilon = <float>epsilon
    r.k = <float>k
    return r


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


cdef inline void update_step(const int rule, float* w, vec g, float* s, float* t, const Rates* r) noexcept nogil:
    """The step of a rule. `rule` is a constant of the caller where that is faster."""
    if rule == RMSPROP:
        rmsprop_step(w, s, g, r)
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


cdef struct Update:
    int rule
    float* w
    const float* g
    float* s
    float* t
    Rates rates


cdef void update_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """Panel rows [begin, end): P weights each."""
    cdef Update* q = <Update*>args
    cdef Py_ssize_t i = begin * P
    while i < end * P:
        update_step(q.rule, q.w + i, vec_load(q.g + i), q.s + i, q.t + i, &q.rates)
        i += LANES


def update(
    int rule, float[::1] w, const float[::1] g, float[::1] s, float[::1] t,
    double learning_rate, double m, double n, double epsilon, double k=0,
):
    """One step of every weight, from a gradient that is an array.

    rule  SGD, MOMENTUM, NESTEROV, RMSPROP, ADAM, ADAGRAD or NADAM
    w     (n,)   weights, updated in place; n is a multiple of P
    g     (n,)   gradient
    s, t  (n,)   state, updated in place; any array for a rule that has none
    learning_rate, m, n, epsilon, k   as above; what a rule has not is not read
    """
    cdef Update q
    if w.shape[0] == 0:
        return
    q.rule = rule
    q.w = &w[0]
    q.g = &g[0]
    q.s = &s[0]
    q.t = &t[0]
    q.rates = rates_of(learning_rate, m, n, epsilon, k)
    with nogil:
        parallel_for(update_task, &q, w.shape[0] // P, 1024)
