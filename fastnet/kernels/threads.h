/* A small pool of POSIX threads for the kernels: parallel_for, and nothing else.
 *
 * A range is cut into fixed, contiguous slices, one a thread; none is stolen or handed on. Each output element therefore
 * belongs to one thread, and a result cannot depend on how many threads there are.
 *
 * Why not OpenMP: a forked child hangs in it, it ends the process when a thread cannot be made, and two runtimes in one
 * process collide. Here a fork drops the pool and the child builds its own; a thread that cannot be made means one less;
 * a second caller, while the pool is busy, computes alone.
 *
 * A worker spins for a while after its last slice, since the next kernel usually comes within microseconds, then sleeps.
 * Where there are no POSIX threads everything runs on the caller's.
 */
#ifndef FASTNET_THREADS_H
#define FASTNET_THREADS_H

#include <stddef.h>

/* Computes items [begin, end) of a kernel's work. */
typedef void (*task_fn)(void *args, ptrdiff_t begin, ptrdiff_t end);

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#define POOL_MOST 256
#define POOL_SPINS 20000 /* about 50 to 100 microseconds of `pause` */
#define POOL_STACK (512 * 1024)

typedef struct {
    _Alignas(64) atomic_uint posted; /* counts the slices given to this worker */
    atomic_int asleep;
    task_fn fn;
    void *args;
    ptrdiff_t begin, end;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
} pool_worker;

static struct {
    atomic_int wanted; /* threads a kernel may use, the caller's among them */
    atomic_int spins;  /* before a worker sleeps */
    atomic_int failed; /* a worker could not be started */
    int started;       /* workers that run; belongs to the holder of `busy` */
    atomic_flag busy;
    _Alignas(64) atomic_int unfinished;
    pool_worker workers[POOL_MOST];
} pool = {.wanted = 1, .spins = POOL_SPINS, .busy = ATOMIC_FLAG_INIT};

static inline void pool_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

static void *pool_work(void *self) {
    pool_worker *w = self;
    unsigned seen = 0;
    for (;;) {
        int spins = atomic_load_explicit(&pool.spins, memory_order_relaxed);
        while (spins-- > 0 && atomic_load_explicit(&w->posted, memory_order_acquire) == seen) pool_pause();
        if (atomic_load(&w->posted) == seen) {
            pthread_mutex_lock(&w->mutex);
            atomic_store(&w->asleep, 1);
            while (atomic_load(&w->posted) == seen) pthread_cond_wait(&w->wake, &w->mutex);
            atomic_store(&w->asleep, 0);
            pthread_mutex_unlock(&w->mutex);
        }
        seen++;
        w->fn(w->args, w->begin, w->end);
        atomic_fetch_sub_explicit(&pool.unfinished, 1, memory_order_release);
    }
    return NULL;
}

/* A child has none of its parent's threads: forget them, so that the next kernel starts its own. */
static void pool_forget(void) {
    pool.started = 0;
    pool.failed = 0;
    atomic_flag_clear(&pool.busy);
}

/* Starts the workers that are missing; called by the one who holds `busy`. */
static void pool_start(void) {
    static int at_fork_registered = 0;
    if (pool.started >= pool.wanted - 1 || pool.failed) return;
    if (!at_fork_registered) at_fork_registered = pthread_atfork(NULL, NULL, pool_forget) == 0;
    pthread_attr_t attr;
    sigset_t all, old;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, POOL_STACK);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all); /* signals belong to the interpreter's thread */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (pool.started < pool.wanted - 1) {
        pool_worker *w = &pool.workers[pool.started];
        pthread_t thread;
        atomic_init(&w->posted, 0);
        atomic_init(&w->asleep, 0);
        pthread_mutex_init(&w->mutex, NULL);
        pthread_cond_init(&w->wake, NULL);
        if (pthread_create(&thread, &attr, pool_work, w) != 0) {
            pool.failed = 1;
            break;
        }
        pool.started++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
}

/* Runs fn over [0, n), in at most one slice a thread and at least `grain` items a slice; returns when all are done. */
static void parallel_for(task_fn fn, void *args, ptrdiff_t n, ptrdiff_t grain) {
    ptrdiff_t slices = n / (grain > 0 ? grain : 1);
    if (slices > pool.wanted) slices = pool.wanted;
    if (slices < 2 || atomic_flag_test_and_set_explicit(&pool.busy, memory_order_acquire)) {
        fn(args, 0, n);
        return;
    }
    pool_start();
    if (slices > pool.started + 1) slices = pool.started + 1;
    atomic_store_explicit(&pool.unfinished, (int)slices - 1, memory_order_relaxed);
    for (ptrdiff_t i = 1; i < slices; i++) {
        pool_worker *w = &pool.workers[i - 1];
        w->fn = fn;
        w->args = args;
        w->begin = n * i / slices;
        w->end = n * (i + 1) / slices;
        atomic_fetch_add(&w->posted, 1);
        if (atomic_load(&w->asleep)) {
            pthread_mutex_lock(&w->mutex);
            pthread_cond_signal(&w->wake);
            pthread_mutex_unlock(&w->mutex);
        }
    }
    fn(args, 0, n / slices);
    for (int i = 0; atomic_load_explicit(&pool.unfinished, memory_order_acquire) != 0; i++) {
        if (i < pool.spins) pool_pause();
        else sched_yield();
    }
    atomic_flag_clear_explicit(&pool.busy, memory_order_release);
}

/* Sets the number of threads; `cores` is how many can run at once: with more threads than that, spinning only steals
   the time of those who work. */
static void pool_set_threads(int wanted, int cores) {
    pool.wanted = wanted < 1 ? 1 : wanted > POOL_MOST + 1 ? POOL_MOST + 1 : wanted;
    pool.spins = pool.wanted > cores ? 0 : POOL_SPINS;
    pool.failed = 0;
}

static int pool_threads(void) { return pool.wanted; }
static int pool_failed(void) { return pool.failed; }

#else

static void parallel_for(task_fn fn, void *args, ptrdiff_t n, ptrdiff_t grain) {
    (void)grain;
    fn(args, 0, n);
}
static void pool_set_threads(int wanted, int cores) { (void)wanted, (void)cores; }
static int pool_threads(void) { return 1; }
static int pool_failed(void) { return 0; }

#endif
#endif
