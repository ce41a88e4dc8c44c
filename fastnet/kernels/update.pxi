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


cdef inline vec mean_square(vec g, float* s, const Rates* r) noexcept nogil:
    """s <- m s + (1 - m) g^2, which is also returned."""
    cdef vec mean = vec_fma(vec_set1(r.m), vec_load(s), g * g * r.one_minus_m)
    vec_store(s, mean)
    return mean


cdef inline void update_step(const int rule, float* w, vec g, float* s, float* t, const Rates* r) noexcept nogil:
    """LANES weights at w take one step along g."""
    cdef vec step, mean, square
    if rule == RMSPROP:
        step = r.rate * g / vec_sqrt(mean_square(g, s, r) + r.epsilon)
        vec_store(w, vec_load(w) - step)
    elif rule == ADAGRAD:
        square = vec_fma(g, g, vec_load(s))
        vec_store(s, square)
        step = r.rate * g / vec_sqrt(square + r.epsilon)
        vec_store(w, vec_load(w) - step)
    elif rule == ADAM or rule == NADAM:
        mean = vec_load(s)
        mean = vec_fma(g - mean, vec_set1(r.one_minus_m), mean)
        vec_store(s, mean)
        square = vec_load(t)
        square = vec_fma(g * g - square, vec_set1(r.one_minus_n), square)
        vec_store(t, square)
        if rule == NADAM:
            mean = vec_fma(vec_set1(r.k), mean, g)
        step = r.rate * mean / (vec_sqrt(square) + r.epsilon)
        vec_store(w, vec_load(w) - step)
    else:
        step = -r.rate * g
        if rule != SGD:
            mean = vec_fma(vec_set1(r.m), vec_load(s), step)
            vec_store(s, mean)
            step = vec_fma(vec_set1(r.m), mean, step) if rule == NESTEROV else mean
        vec_store(w, vec_load(w) + step)


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


cdef struct RMSpropVariant:
    float* w
    const float* g
    float* v
    float* mean
    float* velocity
    float momentum
    Rates rates


cdef void rmsprop_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """Panel rows [begin, end): P weights each."""
    cdef RMSpropVariant* q = <RMSpropVariant*>args
    cdef const Rates* r = &q.rates
    cdef Py_ssize_t i = begin * P
    cdef vec g, mean, variance, step
    while i < end * P:
        g = vec_load(q.g + i)
        variance = mean_square(g, q.v + i, r)
        if q.mean != NULL:
            mean = vec_fma(vec_set1(r.m), vec_load(q.mean + i), g * r.one_minus_m)
            vec_store(q.mean + i, mean)
            variance -= mean * mean
        step = r.rate * g / vec_sqrt(variance + r.epsilon)
        if q.velocity != NULL:
            step = vec_fma(vec_set1(q.momentum), vec_load(q.velocity + i), step)
            vec_store(q.velocity + i, step)
        vec_store(q.w + i, vec_load(q.w + i) - step)
        i += LANES


def rmsprop(
    float[::1] w, const float[::1] g, float[::1] v, float[::1] mean, float[::1] velocity,
    double learning_rate, double rho, double momentum, double epsilon,
):
    """One RMSprop step of every weight, with the options that `update` has not.

    v <- rho v + (1 - rho) g^2;  s = v, or with `mean`: m <- rho m + (1 - rho) g and s = v - m^2;
    d = learning_rate g / sqrt(s + epsilon), or with `velocity`: b <- momentum b + d and d = b;  w <- w - d

    w         (n,)   weights, updated in place; n is a multiple of P
    g         (n,)   gradient
    v         (n,)   running mean square, updated in place
    mean      (n,)   running mean of the gradient, or None: not centered
    velocity  (n,)   running step, or None: no momentum
    """
    cdef RMSpropVariant q
    if w.shape[0] == 0:
        return
    q.w = &w[0]
    q.g = &g[0]
    q.v = &v[0]
    q.mean = NULL if mean is None else &mean[0]
    q.velocity = NULL if velocity is None else &velocity[0]
    q.momentum = <float>momentum
    q.rates = rates_of(learning_rate, rho, 0, epsilon, 0)
    with nogil:
        parallel_for(rmsprop_task, &q, w.shape[0] // P, 1024)
