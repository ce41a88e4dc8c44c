/* The SIMD vocabulary of the kernels: one vector type `vec` of LANES floats, and a dozen operations on it.
 *
 * The compiler's flags decide how wide it is, so one source serves every instruction set. There is no algorithm in here.
 * A compiler without vector extensions, such as MSVC, or one with -DFASTNET_PLAIN, gets the operations of plain.h.
 * Promises: loads and stores need no alignment; vec_fma rounds once wherever the machine can (AVX2, AVX-512, NEON) and
 * twice where it cannot (SSE2); every other operation is exactly rounded IEEE arithmetic, the same at every width.
 */
#ifndef FASTNET_VEC_H
#define FASTNET_VEC_H

#include <stdint.h>
#include <string.h>

#if !defined(__clang__) && !(defined(__GNUC__) && __GNUC__ >= 5) && !defined(FASTNET_PLAIN)
#define FASTNET_PLAIN
#endif
#if defined(FASTNET_PLAIN)
#include "plain.h"
#else

#if defined(__AVX512F__)
#define LANES 16
#define TILE_ROWS 12 /* of 32 registers: 12 x 2 sums, 2 of weights, a broadcast */
#define TILE_PANELS 2
#define CSR_ROWS 4 /* of 32 registers: 4 x 4 sums, a broadcast; the weights come from memory */
#define CSR_PANELS 4
#define CSR_TILE 4 /* panels of a row of dW: as many chains of additions as one takes cycles, or more */
#elif defined(__AVX2__) && defined(__FMA__)
#define LANES 8
#define TILE_ROWS 6 /* of 16 registers: 6 x 2 sums, 2 of weights, 1 broadcast */
#define TILE_PANELS 1
#define CSR_ROWS 3 /* 3 x 4 sums */
#define CSR_PANELS 2
#define CSR_TILE 4
#else
#define LANES 4
#define TILE_ROWS 3 /* of 16 registers: 3 x 4 sums; NEON has 32 but the same tile keeps it busy */
#define TILE_PANELS 1
#define CSR_ROWS 3
#define CSR_PANELS 1
#define CSR_TILE 2
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
typedef uint32_t uvec __attribute__((vector_size(4 * LANES))); /* wraps where a signed sum may not */

static inline vec vec_set1(float a) { return a - (vec){0}; }

static inline vec vec_load(const float *p) {
    vec a;
    memcpy(&a, p, sizeof a);
    return a;
}

static inline void vec_store(float *p, vec a) { memcpy(p, &a, sizeof a); }

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

/* yes where a < b, else no (also where one of them is NaN). */
static inline vec vec_select_less(vec a, vec b, vec yes, vec no) {
    ivec less = a < b;
    return (vec)(((ivec)yes & less) | ((ivec)no & ~less));
}

/* |a|, and a with the sign of b. */
static inline vec vec_abs(vec a) { return (vec)((ivec)a & 0x7fffffff); }
static inline vec vec_copysign(vec a, vec b) {
    return (vec)(((ivec)a & 0x7fffffff) | ((ivec)b & (int32_t)0x80000000));
}

/* value where a >= low or a is NaN, else 0. */
static inline vec vec_zero_below(vec a, vec value, vec low) { return (vec)((ivec)value & ~(a < low)); }

/* a0 b0 a1 b1 ... of the lower and of the upper halves of a and b. */
#if defined(__clang__) || __GNUC__ >= 12
#define VEC_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define VEC_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (ivec){__VA_ARGS__})
#endif
#if LANES == 16
static inline vec vec_zip_low(vec a, vec b) {
    return VEC_SHUFFLE(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
static inline vec vec_zip_high(vec a, vec b) {
    return VEC_SHUFFLE(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
#elif LANES == 8
static inline vec vec_zip_low(vec a, vec b) { return VEC_SHUFFLE(a, b, 0, 8, 1, 9, 2, 10, 3, 11); }
static inline vec vec_zip_high(vec a, vec b) { return VEC_SHUFFLE(a, b, 4, 12, 5, 13, 6, 14, 7, 15); }
#else
static inline vec vec_zip_low(vec a, vec b) { return VEC_SHUFFLE(a, b, 0, 4, 1, 5); }
static inline vec vec_zip_high(vec a, vec b) { return VEC_SHUFFLE(a, b, 2, 6, 3, 7); }
#endif

/* The parts of a = m 2^e with 0.5 <= m < 1: e as a number, and m. For normal a > 0 only. */
static inline vec vec_exponent(vec a) { return __builtin_convertvector(((ivec)a >> 23) - 126, vec); }
static inline vec vec_mantissa(vec a) { return (vec)(((ivec)a & 0x7fffff) | (126 << 23)); }

/* 2^n, n an integer in [-126, 127] given as 1.5 * 2^23 + n: its low bits are moved to the exponent's place. */
static inline vec vec_power_of_two(vec shifted) { return (vec)(((uvec)shifted << 23) + (127u << 23)); }

#endif
#endif
