/* The operations of vec.h for compilers without vector extensions: a `vec` is one float.
 *
 * The kernels do the same arithmetic in the same order, one number at a time. The results have the bits of the baseline
 * of x86, which has no fused multiply-add either.
 */
#ifndef FASTNET_PLAIN_H
#define FASTNET_PLAIN_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(_MSC_VER)
#pragma fp_contract(off) /* a * b + c rounds twice */
#endif

#define LANES 1
#define TILE_ROWS 3
#define TILE_PANELS 1
#define CSR_ROWS 3
#define CSR_PANELS 1
#define CSR_TILE 2

typedef float vec;

static inline vec vec_set1(float a) { return a; }
static inline vec vec_load(const float *p) { return *p; }
static inline void vec_store(float *p, vec a) { *p = a; }
static inline vec vec_fma(vec a, vec b, vec c) { return a * b + c; }
static inline vec vec_sqrt(vec a) { return sqrtf(a); }

static inline vec vec_relu(vec a) { return a < 0 ? 0 : a; }
static inline vec vec_where_positive(vec a, vec b) { return b <= 0 ? 0 : a; }
static inline vec vec_select_less(vec a, vec b, vec yes, vec no) { return a < b ? yes : no; }
static inline vec vec_zero_below(vec a, vec value, vec low) { return a < low ? 0 : value; }

static inline uint32_t vec_bits(vec a) {
    uint32_t bits;
    memcpy(&bits, &a, sizeof bits);
    return bits;
}
static inline vec vec_from_bits(uint32_t bits) {
    vec a;
    memcpy(&a, &bits, sizeof a);
    return a;
}

static inline vec vec_abs(vec a) { return vec_from_bits(vec_bits(a) & 0x7fffffffu); }
static inline vec vec_copysign(vec a, vec b) {
    return vec_from_bits((vec_bits(a) & 0x7fffffffu) | (vec_bits(b) & 0x80000000u));
}
static inline vec vec_exponent(vec a) { return (float)((int32_t)(vec_bits(a) >> 23) - 126); }
static inline vec vec_mantissa(vec a) { return vec_from_bits((vec_bits(a) & 0x7fffffu) | (126u << 23)); }
static inline vec vec_power_of_two(vec shifted) { return vec_from_bits((vec_bits(shifted) << 23) + (127u << 23)); }

/* One number has no halves to zip. The kernels name these functions, but do not call them. */
static inline vec vec_zip_low(vec a, vec b) { return (void)b, a; }
static inline vec vec_zip_high(vec a, vec b) { return (void)b, a; }

#endif
