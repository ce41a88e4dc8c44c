/* The SIMD vocabulary of the kernels: one vector type `vec` of LANES floats, and a dozen operations on it.
 *
 * The compiler's flags decide how wide it is, so one source serves every instruction set. There is no algorithm in here.
 * Promises: loads and stores need no alignment; vec_fma rounds once wherever the machine can (AVX2, AVX-512, NEON) and
 * twice where it cannot (SSE2); every other operation is exactly rounded IEEE arithmetic, the same at every width.
 */
#ifndef FASTNET_VEC_H
#define FASTNET_VEC_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#define LANES 16
#define TILE_ROWS 14 /* of 32 registers: 14 sums, a row of weights, and room for two broadcasts */
#elif defined(__AVX2__) && defined(__FMA__)
#define LANES 8
#define TILE_ROWS 6 /* of 16 registers: 6 x 2 sums, 2 of weights, 1 broadcast */
#else
#define LANES 4
#define TILE_ROWS 3 /* of 16 registers: 3 x 4 sums; NEON has 32 but the same tile keeps it busy */
#endif

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#else
#include <math.h>
#endif

/* Vector extensions of GCC and Clang: + - * / and comparisons work lane by lane. */
typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int32_t ivec __attribute__((vector_size(4 * LANES)));

static inline vec vec_set1(float a) { return a - (vec){0}; }

static inline vec vec_load(const float *p) {
    vec a;
    memcpy(&a, p, sizeof a);
    return a;
}

static inline void vec_store(float *p, vec a) { memcpy(p, &a, sizeof a); }

static inline vec vec_add(vec a, vec b) { return a + b; }
static inline vec vec_sub(vec a, vec b) { return a - b; }
static inline vec vec_mul(vec a, vec b) { return a * b; }
static inline vec vec_div(vec a, vec b) { return a / b; }

/* a * b + c */
static inline vec vec_fma(vec a, vec b, vec c) {
#if defined(__AVX512F__)
    return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__) && defined(__FMA__)
    return _mm256_fmadd_ps(a, b, c);
#elif defined(__ARM_NEON)
    return vfmaq_f32(c, a, b);
#else
    return a * b + c;
#endif
}

static inline vec vec_sqrt(vec a) {
#if defined(__AVX512F__)
    return _mm512_sqrt_ps(a);
#elif defined(__AVX2__)
    return _mm256_sqrt_ps(a);
#elif defined(__SSE2__)
    return _mm_sqrt_ps(a);
#elif defined(__ARM_NEON) && defined(__aarch64__)
    return vsqrtq_f32(a);
#else
    for (int i = 0; i < LANES; i++) a[i] = sqrtf(a[i]);
    return a;
#endif
}

/* a where a >= 0 or a is NaN, else 0: the NaN of a broken training stays visible. */
static inline vec vec_relu(vec a) { return (vec)((ivec)a & ~(a < (vec){0})); }

/* a where b > 0 or b is NaN, else 0. */
static inline vec vec_where_positive(vec a, vec b) { return (vec)((ivec)a & ~(b <= (vec){0})); }

/* value where a >= low or a is NaN, else 0. */
static inline vec vec_zero_below(vec a, vec value, vec low) { return (vec)((ivec)value & ~(a < low)); }

/* 2^n, n an integer in [-126, 127] given as 1.5 * 2^23 + n: its low bits are moved to the exponent's place. */
static inline vec vec_power_of_two(vec shifted) { return (vec)(((ivec)shifted << 23) + (127 << 23)); }

#endif
