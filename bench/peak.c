/* What the processor can do at most, for peak.py: multiply-adds from registers, walks through memory, and a word's way
 * from core to core.
 *
 * The compiler's -march decides the width of a vector. Nothing here is read by fastnet itself.
 */
#include <stddef.h>

#if defined(__AVX512F__)
#define LANES 16
#define SUMS 24 /* of 32 registers */
#elif defined(__AVX__)
#define LANES 8
#define SUMS 12 /* of 16 registers */
#elif defined(__aarch64__)
#define LANES 4
#define SUMS 24
#else
#define LANES 4
#define SUMS 12
#endif

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef float vec_anywhere __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

/* Registers have no index: loops over them must be unrolled. Clang does it unasked. */
#if defined(__clang__)
#define UNROLLED
#else
#define UNROLLED _Pragma("GCC unroll 32")
#endif

int lanes(void) { return LANES; }

/* Floating-point operations of one turn of multiply_add. */
int operations(void) { return 2 * SUMS * LANES; }

/* Enough independent sums to hide the latency of a multiply-add. Everything stays in registers. */
float multiply_add(long turns, float factor) {
    vec sums[SUMS], a = factor - (vec){0}, b = (1 - factor) - (vec){0}, total = {0};
    UNROLLED for (int i = 0; i < SUMS; i++) sums[i] = (float)i - (vec){0};
    for (long t = 0; t < turns; t++) {
        UNROLLED for (int i = 0; i < SUMS; i++) sums[i] = sums[i] * a + b;
        /* Tells the compiler that a has changed, so that it cannot work out the loop's result beforehand. */
#if defined(__aarch64__)
        __asm__ volatile("" : "+w"(a));
#else
        __asm__ volatile("" : "+x"(a));
#endif
    }
    UNROLLED for (int i = 0; i < SUMS; i++) total += sums[i];
    return total[0] + total[LANES - 1];
}

/* Reads n floats, `turns` times. n is a multiple of 8 * LANES. */
float walk_read(const float *x, size_t n, long turns) {
    vec sums[8] = {{0}}, total = {0};
    for (long t = 0; t < turns; t++)
        for (size_t i = 0; i < n; i += 8 * LANES)
            UNROLLED for (int j = 0; j < 8; j++) sums[j] += *(const vec_anywhere *)(x + i + j * LANES);
    UNROLLED for (int j = 0; j < 8; j++) total += sums[j];
    return total[0];
}

/* The traffic of an optimizer with one state: reads three arrays of n floats and writes two of them back. */
float walk_update(float *w, const float *g, float *v, size_t n, long turns) {
    for (long t = 0; t < turns; t++)
        for (size_t i = 0; i < n; i += LANES) {
            vec gradient = *(const vec_anywhere *)(g + i);
            vec state = *(vec_anywhere *)(v + i) * 0.5f + gradient;
            *(vec_anywhere *)(v + i) = state;
            *(vec_anywhere *)(w + i) = *(vec_anywhere *)(w + i) * 0.5f + state;
        }
    return w[0];
}

/* One of two threads that write a word in turns. `first` is 0 for one thread and 1 for the other. A thread waits for its
 * number and writes the next one. The word begins with 0.
 */
void ping_pong(long *word, long turns, long first) {
    for (long i = first; i < 2 * turns; i += 2) {
        while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != i) {}
        __atomic_store_n(word, i + 1, __ATOMIC_RELEASE);
    }
}
