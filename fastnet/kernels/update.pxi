# update: the optimizers' update rules, element by element.
#
#   w  a weight          g  its gradient          v  its running mean square          r  the rate, rho, epsilon
#
#   rmsprop   v <- rho v + (1 - rho) g^2        w <- w - r g / sqrt(v + epsilon)
#
# Source: T. Tieleman and G. Hinton, Lecture 6.5 of "Neural Networks for Machine Learning", 2012; epsilon is inside the
# root and the options are `centered` and `momentum`, as in Keras.

cdef struct RMSpropRates:
    float rate, rho, one_minus_rho, epsilon


cdef inline RMSpropRates rmsprop_rates(double learning_rate, double rho, double epsilon) noexcept nogil:
    cdef RMSpropRates r
    r.rate = <float>learning_rate
    r.rho = <float>rho
    r.one_minus_rho = <float>(1 - rho)
    r.epsilon = <float>epsilon
    return r


cdef inline vec mean_square(vec g, float* v, const RMSpropRates* r) noexcept nogil:
    """v <- rho v + (1 - rho) g^2, which is also returned."""
    cdef vec mean = vec_fma(vec_set1(r.rho), vec_load(v), vec_mul(vec_mul(g, g), vec_set1(r.one_minus_rho)))
    vec_store(v, mean)
    return mean


cdef inline void rmsprop_step(float* w, vec g, float* v, const RMSpropRates* r) noexcept nogil:
    """LANES weights at w take one step along g."""
    cdef vec root = vec_sqrt(vec_add(mean_square(g, v, r), vec_set1(r.epsilon)))
    vec_store(w, vec_sub(vec_load(w), vec_div(vec_mul(vec_set1(r.rate), g), root)))


cdef struct RMSprop:
    float* w
    const float* g
    float* v
    float* mean
    float* velocity
    float momentum
    RMSpropRates rates


cdef void rmsprop_task(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """Panel rows [begin, end): P weights each."""
    cdef RMSprop* q = <RMSprop*>args
    cdef const RMSpropRates* r = &q.rates
    cdef Py_ssize_t i = begin * P
    cdef vec g, mean, variance, step
    while i < end * P:
        g = vec_load(q.g + i)
        if q.mean == NULL and q.velocity == NULL:
            rmsprop_step(q.w + i, g, q.v + i, r)
        else:
            variance = mean_square(g, q.v + i, r)
            if q.mean != NULL:
                mean = vec_fma(vec_set1(r.rho), vec_load(q.mean + i), vec_mul(g, vec_set1(r.one_minus_rho)))
                vec_store(q.mean + i, mean)
                variance = vec_sub(variance, vec_mul(mean, mean))
            step = vec_div(vec_mul(vec_set1(r.rate), g), vec_sqrt(vec_add(variance, vec_set1(r.epsilon))))
            if q.velocity != NULL:
                step = vec_fma(vec_set1(q.momentum), vec_load(q.velocity + i), step)
                vec_store(q.velocity + i, step)
            vec_store(q.w + i, vec_sub(vec_load(q.w + i), step))
        i += LANES


def rmsprop(
    float[::1] w, const float[::1] g, float[::1] v, float[::1] mean, float[::1] velocity,
    double learning_rate, double rho, double momentum, double epsilon,
):
    """One RMSprop step of every weight, from a gradient that is an array.

    v <- rho v + (1 - rho) g^2;  s = v, or with `mean`: m <- rho m + (1 - rho) g and s = v - m^2;
    d = learning_rate g / sqrt(s + epsilon), or with `velocity`: b <- momentum b + d and d = b;  w <- w - d

    w         (n,)   weights, updated in place; n is a multiple of P
    g         (n,)   gradient
    v         (n,)   running mean square, updated in place
    mean      (n,)   running mean of the gradient, or None: not centered
    velocity  (n,)   running step, or None: no momentum
    """
    cdef RMSprop q
    if w.shape[0] == 0:
        return
    q.w = &w[0]
    q.g = &g[0]
    q.v = &v[0]
    q.mean = NULL if mean is None else &mean[0]
    q.velocity = NULL if velocity is None else &velocity[0]
    q.momentum = <float>momentum
    q.rates = rmsprop_rates(learning_rate, rho, epsilon)
    with nogil:
        parallel_for(rmsprop_task, &q, w.shape[0] // P, 1024)
