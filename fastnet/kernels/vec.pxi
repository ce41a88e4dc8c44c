# The names of vec.h and threads.h for the kernels, and the sizes that every kernel shares.

from libc.string cimport memset

cdef extern from "vec.h" nogil:
    ctypedef struct vec:
        pass
    enum:
        LANES
        TILE_ROWS
        TILE_PANELS
        CSR_ROWS
        CSR_PANELS
        CSR_TILE
    vec vec_set1(float a)
    vec vec_load(const float* p)
    void vec_store(float* p, vec a)
    vec vec_add(vec a, vec b)
    vec vec_sub(vec a, vec b)
    vec vec_mul(vec a, vec b)
    vec vec_div(vec a, vec b)
    vec vec_fma(vec a, vec b, vec c)
    vec vec_sqrt(vec a)
    vec vec_relu(vec a)
    vec vec_where_positive(vec a, vec b)
    vec vec_select_less(vec a, vec b, vec yes, vec no)
    vec vec_abs(vec a)
    vec vec_copysign(vec a, vec b)
    vec vec_zero_below(vec a, vec value, vec low)
    vec vec_zip_low(vec a, vec b)
    vec vec_zip_high(vec a, vec b)
    vec vec_exponent(vec a)
    vec vec_mantissa(vec a)
    vec vec_power_of_two(vec shifted)

cdef extern from "threads.h" nogil:
    ctypedef void (*task_fn)(void* args, Py_ssize_t begin, Py_ssize_t end) noexcept nogil
    void parallel_for(task_fn fn, void* args, Py_ssize_t n, Py_ssize_t grain)
    void pool_set_threads(int wanted, int cores)
    int pool_threads()
    int pool_failed()

cdef enum:
    P = 16  # columns of a panel: 64 bytes, one cache line, one AVX-512 register
    VECTORS = P // LANES  # registers a row of a panel fills
    FLOPS_A_SLICE = 200_000  # work worth waking a thread for: some microseconds
