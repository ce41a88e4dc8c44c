/* What this processor and its operating system can run, asked at run time, and what compiled this file. */
#ifndef FASTNET_CPU_H
#define FASTNET_CPU_H

#if defined(__clang__)
#define COMPILER_VERSION "Clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER_VERSION "GCC " __VERSION__
#else
#define COMPILER_VERSION "unknown"
#endif
#ifndef COMPILER_FLAGS /* setup.py gives the whole list of options */
#define COMPILER_FLAGS ""
#endif

/* 4 for AVX-512 (F, VL, DQ, BW), 3 for AVX2 with FMA, else 0. */
static int cpu_x86_level(void) {
#if defined(__x86_64__)
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
