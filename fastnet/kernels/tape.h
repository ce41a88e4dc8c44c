/* A tape: the work of one step, noted while Python calls the kernels, and then repeated without Python.
 *
 * A kernel hands its work to `run`. While a thread records, `run` also notes the function, a copy of its arguments, and
 * the range. `tape_play` runs the noted work again, in the same order and with the same results.
 *
 * Arguments hold addresses of arrays, so these arrays must stay where they are: training/tape.py keeps them. Arguments
 * must not hold an address on the stack. What differs from step to step is read from arrays, which `tape_play` fills
 * before each step: the batch's rows, the optimizer's rates, the seeds of dropout.
 */
#ifndef FASTNET_TAPE_H
#define FASTNET_TAPE_H

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "threads.h"

/* How a kernel's work may be spread over threads together with that of its neighbours. */
typedef enum {
    ALONE, /* it needs the results of all threads, and all threads need its results */
    ROWS,  /* [begin, end) are rows of the batch, and need only the same rows of the work before */
    APART, /* it needs nothing from other APART work next to it: updates of different weights */
    SUM    /* one thread does it, after the threads' common work; only later SUMs and updates need it */
} tape_kind;

/* The work of one call of a kernel. */
typedef struct {
    task_fn fn;
    ptrdiff_t n, grain;
    size_t at; /* place of its arguments */
    tape_kind kind;
} tape_entry;

typedef struct {
    tape_entry *entries;
    char *arguments;
    ptrdiff_t count, room;
    size_t used, space;
    int failed;          /* there was not enough memory */
    ptrdiff_t mark;      /* the first entry that changes weights; -1: none does */
    const double *total; /* the loss that is known there */
} tape;

static THREAD_LOCAL tape *recording; /* the tape of this thread; NULL: it does not record */

static inline size_t tape_place(const tape_entry *entry) { return entry->at; }

/* Makes room for one more entry and its arguments. Returns 0 if there is no memory. */
static int tape_grow(tape *t, size_t size) {
    if (t->count == t->room) {
        ptrdiff_t room = t->room ? 2 * t->room : 32;
        tape_entry *entries = (tape_entry *)realloc(t->entries, (size_t)room * sizeof *entries);
        if (!entries) return 0;
        t->entries = entries;
        t->room = room;
    }
    if (t->used + size > t->space) {
        size_t space = 2 * t->space + size + 4096;
        char *arguments = (char *)realloc(t->arguments, space);
        if (!arguments) return 0;
        t->arguments = arguments;
        t->space = space;
    }
    return 1;
}

static void tape_note(task_fn fn, const void *args, size_t size, ptrdiff_t n, ptrdiff_t grain, tape_kind kind) {
    tape *t = recording;
    if (t->failed || !tape_grow(t, size)) {
        t->failed = 1;
        return;
    }
    memcpy(t->arguments + t->used, args, size);
    t->entries[t->count++] = (tape_entry){fn, n, grain, t->used, kind};
    t->used += (size + 15) / 16 * 16; /* so that all arguments are aligned */
}

/* These run fn over [0, n), as parallel_for does, and note it if this thread records. `size` is that of the arguments. */
static inline void run_as(tape_kind kind, task_fn fn, void *args, size_t size, ptrdiff_t n, ptrdiff_t grain) {
    if (recording) tape_note(fn, args, size, n, grain, kind);
    parallel_for(fn, args, n, grain);
}
static inline void run(task_fn fn, void *args, size_t size, ptrdiff_t n, ptrdiff_t grain) {
    run_as(ALONE, fn, args, size, n, grain);
}
static inline void run_rows(task_fn fn, void *args, size_t size, ptrdiff_t n, ptrdiff_t grain) {
    run_as(ROWS, fn, args, size, n, grain);
}
static inline void run_apart(task_fn fn, void *args, size_t size, ptrdiff_t n, ptrdiff_t grain) {
    run_as(APART, fn, args, size, n, grain);
}
static inline void run_sum(task_fn fn, void *args, size_t size) { run_as(SUM, fn, args, size, 1, 1); }

/* Entries in the order in which they are played. Each points to its tape, since a step may be on two. */
typedef struct {
    tape_entry entry;
    void *args;
    ptrdiff_t end; /* the first entry after this one's group, if it begins one */
} tape_play_entry;

/* Entries that threads share out together. A thread does its slices of all of them without waiting for the others. */
typedef struct {
    const tape_play_entry *entries;
    ptrdiff_t count, slices;
} tape_group;

#define TAPE_ROWS 128 /* rows of a slice at most: the layers' outputs for so many rows stay in a cache */

static void tape_group_task(void *args, ptrdiff_t begin, ptrdiff_t end) {
    const tape_group *g = (const tape_group *)args;
    for (ptrdiff_t i = begin; i < end; i++)
        for (ptrdiff_t j = 0; j < g->count; j++) {
            const tape_entry *e = &g->entries[j].entry;
            if (e->kind == SUM) continue;
            /* Updates that are too small for all slices go to a different one each. Rows stay in theirs. */
            ptrdiff_t slice = e->kind == APART && e->n < g->slices ? (i + j) % g->slices : i;
            ptrdiff_t first = e->n * slice / g->slices, last = e->n * (slice + 1) / g->slices;
            if (first < last) e->fn(g->entries[j].args, first, last);
        }
}

/* The number of slices of a group: one a thread, or more if all of it are rows, which are then fewer in a slice. */
static ptrdiff_t tape_slices(const tape_play_entry *entries, ptrdiff_t count, ptrdiff_t threads) {
    ptrdiff_t most = threads * TAPE_ROWS;
    for (ptrdiff_t j = 0; j < count; j++) {
        if (entries[j].entry.kind == APART) return threads;
        if (entries[j].entry.kind == ROWS && entries[j].entry.n > most) most = entries[j].entry.n;
    }
    return (most + threads * TAPE_ROWS - 1) / (threads * TAPE_ROWS) * threads;
}

/* Finds groups: ROWS that follow each other, and APART work with the ROWS after it. SUMs wait until their group is done. */
static void tape_find_groups(tape_play_entry *entries, ptrdiff_t count, ptrdiff_t mark) {
    for (ptrdiff_t begin = 0; begin < count;) {
        int rows = entries[begin].entry.kind == ROWS;
        ptrdiff_t end = begin + 1;
        if (entries[begin].entry.kind != ALONE)
            for (; end < count && end != mark && entries[end].entry.kind != ALONE; end++) {
                if (entries[end].entry.kind == APART && rows) break;
                rows |= entries[end].entry.kind == ROWS;
            }
        entries[begin].end = end;
        begin = end;
    }
}

static double tape_clock(void) {
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void tape_run(const tape_play_entry *entries, ptrdiff_t begin, ptrdiff_t end, ptrdiff_t threads) {
    while (begin < end) {
        const tape_play_entry *p = &entries[begin];
        if (p->entry.kind == ALONE) {
            parallel_for(p->entry.fn, p->args, p->entry.n, p->entry.grain);
        } else {
            ptrdiff_t count = p->end - begin, slices = tape_slices(p, count, threads);
            tape_group group = {p, count, slices};
            parallel_for(tape_group_task, &group, slices, 1);
            for (ptrdiff_t i = begin; i < p->end; i++)
                if (entries[i].entry.kind == SUM) entries[i].entry.fn(entries[i].args, 0, 1);
        }
        begin = p->end;
    }
}

/* Runs the entries one by one, and adds the seconds of each to `seconds`. */
static void tape_run_timed(const tape_play_entry *entries, ptrdiff_t begin, ptrdiff_t end, double *seconds) {
    for (ptrdiff_t i = begin; i < end; i++) {
        double start = tape_clock();
        parallel_for(entries[i].entry.fn, entries[i].args, entries[i].entry.n, entries[i].entry.grain);
        seconds[i] += tape_clock() - start;
    }
}

/* Numbers that differ from step to step: before step i, `size` bytes from source + i * size are copied to target. */
typedef struct {
    char *target;
    const char *source;
    size_t size;
} tape_cell;

/* What to play. The number of steps in an epoch is `epoch`; 0: there are no epochs. After each epoch the sums, two numbers
 * each, are moved to `logs` and set to 0. With `watch`, playing stops in a step whose loss is not finite, before the weights
 * change. `resume` says that it has stopped so in the first step, and goes on there. */
typedef struct {
    tape_play_entry *entries;
    ptrdiff_t count, mark;
    const double *total;
    tape_cell *cells;
    ptrdiff_t cell_count, threads, epoch, sum_count;
    double **sums;
    double *logs;
    int watch, resume;
    double *seconds;
} tape_job;

/* Plays steps [first, steps). Returns `steps`, or the number of the step in which it stopped. */
static ptrdiff_t tape_play(const tape_job *job, ptrdiff_t first, ptrdiff_t steps) {
    ptrdiff_t mark = job->mark < 0 ? job->count : job->mark, parts[3] = {0, mark, job->count};
    double *logs = job->epoch ? job->logs + first / job->epoch * 2 * job->sum_count : NULL;
    for (ptrdiff_t step = first; step < steps; step++) {
        int resumes = job->resume && step == first;
        if (!resumes)
            for (ptrdiff_t i = 0; i < job->cell_count; i++) {
                const tape_cell *c = &job->cells[i];
                memcpy(c->target, c->source + (size_t)step * c->size, c->size);
            }
        for (int part = resumes; part < 2; part++) {
            if (job->seconds)
                tape_run_timed(job->entries, parts[part], parts[part + 1], job->seconds);
            else
                tape_run(job->entries, parts[part], parts[part + 1], job->threads);
            if (part == 0 && job->watch && job->total && !isfinite(*job->total)) return step;
        }
        if (job->epoch && (step + 1) % job->epoch == 0) {
            for (ptrdiff_t i = 0; i < job->sum_count; i++, logs += 2) {
                memcpy(logs, job->sums[i], 2 * sizeof(double));
                memset(job->sums[i], 0, 2 * sizeof(double));
            }
        }
    }
    return steps;
}

#endif
