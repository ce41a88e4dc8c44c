# The names of vec.h and threads.h for the kernels, and the sizes that every kernel shares.
#
# Cython takes a vec for a float and hands its arithmetic to the C compiler, which does it lane by lane. What the compiler
# cannot do so it refuses; nothing is silently computed for one lane only.
#
#   a * b + c          rounds twice, vec_fma(a, b, c) once. The bits differ: never write one for the other
#   1 - a, rate * a    a number beside a vector stands for a vector of equal numbers
#   vec_set1(0.1)      is needed for a literal that float32 cannot hold exactly, for a negative one, for a divisor, and
#                      where a vector is assigned, passed or returned. It is also needed where the expression goes on: in
#                      plain.h a vec is a float, and 1 / (1 + e) is computed in double precision
#   vec_select_less    and its like compare: a < b is no vector of floats

from libc.string cimport memcpy, memset

cdef extern from "vec.h" nogil:
    ctypedef float vec
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
    void pool_limit_threads(Py_ssize_t threads)
    void pool_enter()
    void pool_leave()
    int pool_share()
    int pool_threads()
    int pool_failed()

cdef extern from "tape.h" nogil:
    void run(task_fn fn, void* args, size_t size, Py_ssize_t n, Py_ssize_t grain)
    void run_rows(task_fn fn, void* args, size_t size, Py_ssize_t n, Py_ssize_t grain)
    void run_apart(task_fn fn, void* args, size_t size, Py_ssize_t n, Py_ssize_t grain)
    void run_sum(task_fn fn, void* args, size_t size)

cdef enum:
    P = 16  # columns of a panel: 64 bytes, one cache line, one AVX-512 register
    VECTORS = P // LANES  # registers a row of a panel fills
    FLOPS_A_SLICE = 200_000  # work worth waking a thread for: some microseconds
