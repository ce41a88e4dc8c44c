# tape: records the kernels of a step while Python calls them, and plays them again, step after step, without Python.
#
# tape.h has the recording itself; training/tape.py decides what can be recorded, and for how long it is valid.

from libc.stdlib cimport calloc, free

cdef extern from "tape.h" nogil:
    ctypedef struct tape_entry:
        pass
    ctypedef struct tape:
        tape_entry* entries
        char* arguments
        Py_ssize_t count
        bint failed
        Py_ssize_t mark
        const double* total
    ctypedef struct tape_play_entry:
        tape_entry entry
        void* args
    ctypedef struct tape_cell:
        char* target
        const char* source
        size_t size
    ctypedef struct tape_job:
        tape_play_entry* entries
        Py_ssize_t count, mark
        const double* total
        tape_cell* cells
        Py_ssize_t cell_count, threads, epoch, sum_count
        double** sums
        double* logs
        bint watch, resume
        double* seconds
    tape* recording
    size_t tape_place(const tape_entry* entry)
    void tape_find_groups(tape_play_entry* entries, Py_ssize_t count, Py_ssize_t mark)
    Py_ssize_t tape_play(const tape_job* job, Py_ssize_t first, Py_ssize_t steps)


cdef class Tape:
    """The recorded kernels of one step. Whoever plays it keeps all arrays that the kernels were given.

    The thread that calls `start` records until it calls `stop`. Other threads are not recorded.
    """

    cdef tape t
    cdef tape_job job
    cdef list kept

    def __cinit__(self):
        memset(&self.t, 0, sizeof(self.t))
        memset(&self.job, 0, sizeof(self.job))
        self.t.mark = -1
        self.kept = []

    def __dealloc__(self):
        free(self.t.entries)
        free(self.t.arguments)
        self.free_job()

    cdef void free_job(self) noexcept:
        free(self.job.entries)
        free(self.job.cells)
        free(self.job.sums)
        memset(&self.job, 0, sizeof(self.job))

    def __len__(self):
        return self.t.count

    def start(self):
        """Records the kernels that this thread calls from now on."""
        global recording
        recording = &self.t

    def stop(self):
        """Ends the recording. Raises MemoryError if there was not enough memory for it."""
        global recording
        recording = NULL
        if self.t.failed:
            raise MemoryError("there is not enough memory to record a step")

    def prepare(self, Tape front, list targets, list sums):
        """Prepares to play the recording.

        front    records what gathers the batch of a step, which is then played before each step; None: nothing does
        targets  arrays that `play` fills before each step, each uint8 (size,)
        sums     arrays that `play` empties after each epoch, each float64 (2,)
        """
        cdef unsigned char[::1] target
        cdef double[::1] two
        cdef tape* one
        cdef Py_ssize_t i, before = 0 if front is None else front.t.count, count = before + self.t.count
        self.free_job()
        self.job.entries = <tape_play_entry*>calloc(count + 1, sizeof(tape_play_entry))
        self.job.cells = <tape_cell*>calloc(len(targets) + 1, sizeof(tape_cell))
        self.job.sums = <double**>calloc(len(sums) + 1, sizeof(double*))
        if self.job.entries == NULL or self.job.cells == NULL or self.job.sums == NULL:
            self.free_job()
            raise MemoryError()
        self.kept = [front, targets, sums]
        self.job.count = count
        self.job.mark = -1 if self.t.mark < 0 else before + self.t.mark
        self.job.total = self.t.total
        for i in range(count):
            one = &self.t if i >= before else &front.t
            self.job.entries[i].entry = one.entries[i - before if i >= before else i]
            self.job.entries[i].args = one.arguments + tape_place(&self.job.entries[i].entry)
        tape_find_groups(self.job.entries, count, self.job.mark)
        for i in range(len(targets)):
            target = targets[i]
            self.job.cells[i].target = <char*>&target[0]
            self.job.cells[i].size = target.shape[0]
        for i in range(len(sums)):
            two = sums[i]
            self.job.sums[i] = &two[0]
        self.job.cell_count = len(targets)
        self.job.sum_count = len(sums)

    def play(
        self, list sources, Py_ssize_t first, Py_ssize_t steps, Py_ssize_t threads, bint watch=False, bint resume=False,
        Py_ssize_t epoch=0, double[:, :, ::1] logs=None, double[::1] seconds=None,
    ):
        """Plays steps [first, steps) on at most `threads` threads. Returns `steps`, or the step in which it stopped.

        sources  for each target of `prepare`, what it holds in each step: uint8 (steps, size); an empty list if the targets
                 hold the numbers of the step already
        watch    whether to stop, before weights change, in a step whose loss is not finite
        resume   whether it has stopped in step `first` and goes on there
        epoch    number of steps in an epoch; 0: there are no epochs, and `logs` is not used
        logs     (epochs, sums, 2)   float64: the sums of each epoch that ends here, written
        seconds  (entries,)          float64: the seconds of each entry, those of `front` first, are added; None: they are
                                     not measured
        """
        cdef const unsigned char[:, ::1] source
        cdef Py_ssize_t i, stopped
        cdef tape_job job = self.job
        job.cell_count = len(sources)
        for i in range(len(sources)):
            source = sources[i]
            job.cells[i].source = <const char*>&source[0, 0]
        job.threads, job.epoch = threads, epoch
        job.watch, job.resume = watch, resume
        if epoch and logs.shape[1]:
            job.logs = &logs[0, 0, 0]
        if seconds is not None and seconds.shape[0]:
            job.seconds = &seconds[0]
        with nogil:
            pool_limit_threads(threads)
            stopped = tape_play(&job, first, steps)
            pool_limit_threads(0)
        return stopped


def mark_update(const double[::1] total):
    """Tells a recording that the kernels after this call change weights, and where the loss of the step is.

    total  (n,)   float64: total[0] is the loss
    """
    if recording != NULL:
        recording.mark = recording.count
        recording.total = &total[0]
