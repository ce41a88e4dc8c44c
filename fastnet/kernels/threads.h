/* A small pool of POSIX threads for the kernels: parallel_for, and nothing else.
 *
 * A range is cut into fixed, contiguous slices, as many as threads were asked for, and one thread computes a slice from
 * end to end. Each output element therefore belongs to one thread, and a result cannot depend on how many there are. No
 * more threads run than there are cores: with more slices than that, each thread has several, next to one another.
 *
 * Other processes want the cores too. A worker that has not begun when the caller is done with its own share loses its
 * share to the caller, who would otherwise wait, for milliseconds, until the system lets that worker run. Which thread
 * computes a slice is thus left to chance; what it computes is not.
 *
 * Why not OpenMP: a forked child hangs in it, it ends the process when a thread cannot be made, and two runtimes in one
 * process collide. Here a fork drops the pool and the child builds its own; a thread that cannot be made means one
 * less; a second caller, while the pool is busy, computes alone.
 *
 * Threads of the program that train models side by side share the cores: while k of them do, each uses a k-th.
 *
 * A worker spins for a while after its last share, since the next kernel usually comes within microseconds, then
 * sleeps. Who spins offers the core to others every few microseconds, which costs nothing where nobody wants it.
 * Where there are no POSIX threads, as on Windows, everything runs on the caller's.
 */
#ifndef FASTNET_THREADS_H
#define FASTNET_THREADS_H

#include <stddef.h>

#if defined(_MSC_VER)
#define THREAD_LOCAL __declspec(thread)
#else
#define THREAD_LOCAL _Thread_local
#endif

/* Computes items [begin, end) of a kernel's work. */
typedef void (*task_fn)(void *args, ptrdiff_t begin, ptrdiff_t end);

#if (defined(__unix__) || defined(__APPLE__)) && !defined(__STDC_NO_ATOMICS__)
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

/* threadpoolctl knows the library by this name: see fastnet/kernels/thread_limits.py. */
__attribute__((visibility("default"))) const char fastnet_pool[] = "fastnet";

#define POOL_MOST 256
#define POOL_SPINS 20000 /* pauses of a worker before it sleeps: 0.1 to 0.5 milliseconds */
#define POOL_POLITE 256  /* pauses after which a waiting thread offers its core to others: some microseconds */
#define POOL_STACK (512 * 1024)

/* A call of parallel_for. */
typedef struct {
    task_fn fn;
    void *args;
    ptrdiff_t n, slices, threads;
} pool_job;

typedef struct {
    _Alignas(64) atomic_uint turn; /* odd: its share of the job is there, for whoever makes it even */
    atomic_int asleep;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
} pool_worker;

static struct {
    atomic_int wanted; /* threads a kernel may use, the caller's among them */
    atomic_int cores;  /* how many of them can run at once */
    atomic_int failed; /* a worker could not be started */
    atomic_int sharing; /* threads of the program that compute at present */
    atomic_flag busy;
    /* The rest belongs to the holder of `busy`, and `job` to the workers while some are unfinished. */
    int started; /* workers that run */
    pool_job job;
    _Alignas(64) atomic_int unfinished;
    pool_worker workers[POOL_MOST];
} pool = {.wanted = 1, .cores = 1, .busy = ATOMIC_FLAG_INIT};

static THREAD_LOCAL ptrdiff_t pool_limit; /* the most threads for the work of this thread; 0: no limit */
static THREAD_LOCAL int pool_depth;       /* computations of this thread, each within the one before */

/* The i-th moment of waiting in a loop. */
static inline void pool_pause(unsigned i) {
    if (i % POOL_POLITE == POOL_POLITE - 1) sched_yield();
#if defined(__x86_64__) || defined(__i386__)
    else __builtin_ia32_pause();
#elif defined(__aarch64__)
    else __asm__ __volatile__("yield");
#endif
}

/* Thread t's share of the job, slice by slice. */
static void pool_run(const pool_job *job, ptrdiff_t t) {
    ptrdiff_t last = job->slices * (t + 1) / job->threads;
    for (ptrdiff_t i = job->slices * t / job->threads; i < last; i++)
        job->fn(job->args, job->n * i / job->slices, job->n * (i + 1) / job->slices);
}

static inline int pool_has_share(pool_worker *w) { return atomic_load(&w->turn) & 1; }

/* Computes a worker's share of the job, unless it is not there or has been taken; for the worker and the caller. */
static void pool_claim_and_run(pool_worker *w) {
    unsigned turn = atomic_load_explicit(&w->turn, memory_order_relaxed);
    if (!(turn & 1)) return;
    if (!atomic_compare_exchange_strong_explicit(&w->turn, &turn, turn + 1, memory_order_acquire, memory_order_relaxed))
        return;
    pool_run(&pool.job, w - pool.workers + 1);
    atomic_fetch_sub_explicit(&pool.unfinished, 1, memory_order_release);
}

static void *pool_work(void *self) {
    pool_worker *w = self;
    for (;;) {
        for (unsigned i = 0; i < POOL_SPINS && !pool_has_share(w); i++) pool_pause(i);
        if (!pool_has_share(w)) {
            pthread_mutex_lock(&w->mutex);
            atomic_store(&w->asleep, 1);
            while (!pool_has_share(w)) pthread_cond_wait(&w->wake, &w->mutex);
            atomic_store(&w->asleep, 0);
            pthread_mutex_unlock(&w->mutex);
        }
        pool_claim_and_run(w);
    }
    return NULL;
}

/* A child has none of its parent's threads: forget them, so that the next kernel starts its own. */
static void pool_forget(void) {
    pool.started = 0;
    pool.failed = 0;
    pool.sharing = pool_depth > 0;
    atomic_flag_clear(&pool.busy);
}

static void pool_register(void) { pthread_atfork(NULL, NULL, pool_forget); }

static void pool_watch_forks(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, pool_register);
}

/* Begins a computation of this thread, which shares the cores with those of other threads until `pool_leave`. */
static inline void pool_enter(void) {
    pool_watch_forks();
    if (pool_depth++ == 0) pool.sharing++;
}

static inline void pool_leave(void) {
    if (--pool_depth == 0) pool.sharing--;
}

/* The threads that a kernel may use now. */
static inline int pool_share(void) {
    int wanted = pool.wanted, sharing = pool.sharing;
    return sharing < 2 ? wanted : wanted > sharing ? wanted / sharing : 1;
}

/* Starts the workers that `threads` threads lack; called by the one who holds `busy`. */
static void pool_start(ptrdiff_t threads) {
    if (pool.started >= threads - 1 || pool.failed) return;
    pool_watch_forks();
    pthread_attr_t attr;
    sigset_t all, old;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, POOL_STACK);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all); /* signals belong to the interpreter's thread */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (pool.started < threads - 1) {
        pool_worker *w = &pool.workers[pool.started];
        pthread_t thread;
        atomic_init(&w->turn, 0);
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
    ptrdiff_t wanted = pool_share(), threads = pool.cores; /* read once: another thread may set them meanwhile */
    if (pool_limit && wanted > pool_limit) wanted = pool_limit;
    if (slices > wanted) slices = wanted;
    if (threads > slices) threads = slices;
    if (threads < 2 || atomic_flag_test_and_set_explicit(&pool.busy, memory_order_acquire)) {
        fn(args, 0, n);
        return;
    }
    pool_start(threads);
    if (threads > pool.started + 1) threads = pool.started + 1;
    pool.job = (pool_job){fn, args, n, slices, threads};
    atomic_store_explicit(&pool.unfinished, (int)threads - 1, memory_order_relaxed);
    for (ptrdiff_t t = 1; t < threads; t++) {
        pool_worker *w = &pool.workers[t - 1];
        atomic_fetch_add(&w->turn, 1);
        if (atomic_load(&w->asleep)) {
            pthread_mutex_lock(&w->mutex);
            pthread_cond_signal(&w->wake);
            pthread_mutex_unlock(&w->mutex);
        }
    }
    pool_run(&pool.job, 0);
    for (ptrdiff_t t = threads - 1; t > 0; t--) pool_claim_and_run(&pool.workers[t - 1]);
    for (unsigned i = 0; atomic_load_explicit(&pool.unfinished, memory_order_acquire) != 0; i++) pool_pause(i);
    atomic_flag_clear_explicit(&pool.busy, memory_order_release);
}

/* Lets kernels cut their work for `wanted` threads, of which `cores` can run at once. */
static void pool_set_threads(int wanted, int cores) {
    pool.wanted = wanted < 1 ? 1 : wanted > POOL_MOST + 1 ? POOL_MOST + 1 : wanted;
    pool.cores = cores < 1 ? 1 : cores > POOL_MOST + 1 ? POOL_MOST + 1 : cores;
    pool.failed = 0;
}

/* Lets the kernels that this thread calls use at most `threads` threads; 0: as many as all others. */
static inline void pool_limit_threads(ptrdiff_t threads) { pool_limit = threads; }

static int pool_threads(void) { return pool.wanted; }
static int pool_failed(void) { return pool.failed; }

#else

static void parallel_for(task_fn fn, void *args, ptrdiff_t n, ptrdiff_t grain) {
    (void)grain;
    fn(args, 0, n);
}
static void pool_set_threads(int wanted, int cores) { (void)wanted, (void)cores; }
static inline void pool_limit_threads(ptrdiff_t threads) { (void)threads; }
static inline void pool_enter(void) {}
static inline void pool_leave(void) {}
static inline int pool_share(void) { return 1; }
static int pool_threads(void) { return 1; }
static int pool_failed(void) { return 0; }

#endif
#endif
