/* What this processor and its operating system can run, asked at run time, and what compiled this file. */
#ifndef FASTNET_CPU_H
#define FASTNET_CPU_H

#include "vec.h"

#if defined(FASTNET_PLAIN)
#define PLAIN " (plain C, without vectors)"
#else
#define PLAIN ""
#endif
#define TEXT_OF(number) #number
#define TEXT(macro) TEXT_OF(macro)
#if defined(_MSC_VER) && !defined(__clang__)
#define COMPILER_VERSION "MSVC " TEXT(_MSC_FULL_VER) PLAIN
#elif defined(__clang__)
#define COMPILER_VERSION "Clang " __clang_version__ PLAIN
#elif defined(__TINYC__)
#define COMPILER_VERSION "TCC " TEXT(__TINYC__) PLAIN
#elif defined(__GNUC__)
#define COMPILER_VERSION "GCC " __VERSION__ PLAIN
#else
#define COMPILER_VERSION "unknown" PLAIN
#endif
#ifndef COMPILER_FLAGS /* setup.py gives the whole list of options */
#define COMPILER_FLAGS ""
#endif

/* 4 for AVX-512 (F, VL, DQ, BW), 3 for AVX2 with FMA, else 0. Plain C has no vectors, so 0 there too. */
static int cpu_x86_level(void) {
#if defined(__x86_64__) && !defined(FASTNET_PLAIN)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw"))
        return 4;
    return 3;
#else
    return 0;
#endif
}

#endif
