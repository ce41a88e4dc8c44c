/* Hammers the pool of fastnet/kernels/threads.h, and checks every number that it computes.
 *
 * To be compiled with and without -fsanitize=thread. An item of work is one addition to one plain counter: two threads
 * that touch an item without an order between them are a data race, and an item that is left out or done twice is a
 * wrong count. Prints what it did; exits with 0 if all was right.
 *
 * Arguments: the tests to run, of: sizes meetings callers failures forks
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The pool asks for its threads here, so that some can be refused. */
static int refuse_threads = 0;
static int threads_refused = 0;
static int threads_made = 0;

static int make_thread(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg) {
    if (refuse_threads) {
        threads_refused++;
        return EAGAIN;
    }
    threads_made++;
    return pthread_create(thread, attr, start, arg);
}

#define pthread_create make_thread
#include "threads.h"
#undef pthread_create

#define MOST_ITEMS 700

typedef struct {
    long count[MOST_ITEMS]; /* how often each item has been done */
    long expected[MOST_ITEMS];
    unsigned random;
} work;

static unsigned next_random(unsigned *state) { return (*state = *state * 1664525u + 1013904223u) >> 8; }

static void add_one(void *args, ptrdiff_t begin, ptrdiff_t end) {
    work *w = args;
    for (ptrdiff_t i = begin; i < end; i++) w->count[i]++;
}

static void fail(const char *what) {
    fprintf(stderr, "pool_harness: %s\n", what);
    _exit(1);
}

static void check(const work *w) {
    if (memcmp(w->count, w->expected, sizeof w->count) != 0) fail("an item was left out, or done twice");
}

/* Calls of every size, from none to all items; now and then a pause, in which workers sleep. */
static void call_often(work *w, int calls) {
    for (int c = 0; c < calls; c++) {
        ptrdiff_t n = next_random(&w->random) % (MOST_ITEMS + 1);
        ptrdiff_t grain = next_random(&w->random) % 3 ? 1 : next_random(&w->random) % (MOST_ITEMS + 1);
        parallel_for(add_one, w, n, grain);
        for (ptrdiff_t i = 0; i < n; i++) w->expected[i]++;
        check(w); /* at once: a call returns when all is done */
        if (next_random(&w->random) % 64 == 0) usleep(1500);
    }
}

static void sizes(void) {
    static work w;
    for (int threads = 1; threads <= 9; threads++)
        for (int cores = 1; cores <= threads; cores += 1 + cores / 2) {
            pool_set_threads(threads, cores);
            if (pool_threads() != threads) fail("pool_threads is not what was set");
            call_often(&w, 200);
        }
    pool_set_threads(-3, 0);
    if (pool_threads() != 1) fail("fewer threads than one");
    pool_set_threads(1 << 20, 2);
    if (pool_threads() != POOL_MOST + 1) fail("more threads than there is room for");
    call_often(&w, 200);
}

static atomic_int arrived;

static void wait_for_all(void *all, ptrdiff_t begin, ptrdiff_t end) {
    if (end != begin + 1) fail("a slice of one item is not");
    atomic_fetch_add(&arrived, 1);
    for (int i = 0; atomic_load(&arrived) < *(int *)all; i++) {
        if (i == 20000) fail("a worker does not take part");
        usleep(1000);
    }
}

/* Every thread really runs, whether it was found spinning or asleep: each slice waits until all have begun. */
static void meetings(void) {
    for (int threads = 2; threads <= 8; threads += 3) {
        pool_set_threads(threads, threads);
        for (int c = 0; c < 20; c++) {
            atomic_store(&arrived, 0);
            parallel_for(wait_for_all, &threads, threads, 1);
            if (c % 2) usleep(10000);
        }
    }
}

static void *call_as_one_of_many(void *args) {
    call_often(args, 3000);
    return NULL;
}

static void *set_threads_meanwhile(void *stop) {
    unsigned random = 5;
    while (!atomic_load((atomic_int *)stop)) {
        int threads = 1 + (int)(next_random(&random) % 8);
        pool_set_threads(threads, 1 + threads / 2);
        usleep(200);
    }
    return NULL;
}

#define CALLERS 4

static void callers(void) {
    static work works[CALLERS];
    static atomic_int stop;
    pthread_t threads[CALLERS], setter;
    pool_set_threads(4, 4);
    pthread_create(&setter, NULL, set_threads_meanwhile, &stop);
    for (int i = 0; i < CALLERS; i++) {
        works[i].random = (unsigned)i;
        pthread_create(&threads[i], NULL, call_as_one_of_many, &works[i]);
    }
    for (int i = 0; i < CALLERS; i++) pthread_join(threads[i], NULL);
    atomic_store(&stop, 1);
    pthread_join(setter, NULL);
}

static void failures(void) {
    static work w;
    pool_set_threads(200, 200); /* no test before this one has made so many */
    refuse_threads = 1;
    call_often(&w, 200);
    if (!pool_failed()) fail("a refused thread is not reported");
    if (threads_refused != 1) fail("a thread is asked for again in every call");
    refuse_threads = 0;
    call_often(&w, 200);
    if (!pool_failed()) fail("the report is gone although nobody has set the threads again");
    pool_set_threads(6, 6);
    if (pool_failed()) fail("the report stays when the threads are set again");
    call_often(&w, 200);
    if (pool_failed()) fail("a thread is missing");
}

static void *call_until_told(void *args) {
    work *w = ((void **)args)[0];
    atomic_int *stop = ((void **)args)[1];
    while (!atomic_load(stop)) parallel_for(add_one, w, MOST_ITEMS, 1);
    return NULL;
}

/* A child computes with threads of its own, and so does its child; the parent goes on as before. */
static void fork_and_call(work *w, int depth) {
    pid_t child = fork();
    if (child < 0) fail("cannot fork");
    if (child == 0) {
        alarm(20); /* a child that hangs must not outlive the test */
        int made = threads_made;
        call_often(w, 60);
        if (threads_made != made + 3) fail("a child has not made its own threads");
        if (depth > 0) fork_and_call(w, depth - 1);
        _exit(0);
    }
    call_often(w, 20);
    int status;
    if (waitpid(child, &status, 0) != child || status != 0) fail("a child hung or computed something else");
}

static void forks(void) {
    static work own, of_another;
    static atomic_int stop;
    pool_set_threads(4, 4);
    parallel_for(add_one, &own, MOST_ITEMS, 1);
    memcpy(own.expected, own.count, sizeof own.count);
    for (int i = 0; i < 10; i++) fork_and_call(&own, 1);
    void *args[] = {&of_another, &stop}; /* forks at any moment of another thread's call */
    pthread_t thread;
    pthread_create(&thread, NULL, call_until_told, args);
    for (int i = 0; i < 40; i++) fork_and_call(&own, 0);
    atomic_store(&stop, 1);
    pthread_join(thread, NULL);
    for (ptrdiff_t i = 0; i < MOST_ITEMS; i++) of_another.expected[i] = of_another.count[0];
    check(&of_another);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } tests[] = {
        {"sizes", sizes}, {"meetings", meetings}, {"callers", callers}, {"failures", failures}, {"forks", forks},
    };
    alarm(120);
    for (int a = 1; a < argc; a++) {
        int found = 0;
        for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
            if (strcmp(argv[a], tests[i].name) == 0) {
                tests[i].run();
                printf("%s: as it should be\n", argv[a]);
                fflush(stdout);
                found = 1;
            }
        if (!found) fail("no such test");
    }
    return 0;
}
