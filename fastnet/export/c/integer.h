/* The functions of the integer form. `text.py` copies those that a network needs, with its name for `name`. The
   same functions in NumPy are in `quantized.py`. Only unsigned numbers are shifted, since a right shift of a negative
   number is not the same with each compiler. */

/* == name_rescaled == */
/* a m / 2^shift, rounded to the nearest, halves away from 0, and limited to +-32767. Neither a nor m is -2^31, and
   1 <= shift <= 62. */
static inline int16_t name_rescaled(int32_t a, int32_t m, int shift)
{
    const uint64_t size = (uint64_t)(uint32_t)(a < 0 ? -a : a) * (uint32_t)(m < 0 ? -m : m);
    const uint64_t rounded = (size + ((uint64_t)1 << (shift - 1))) >> shift;
    const int32_t limited = rounded < NAME_LIMIT ? (int32_t)rounded : NAME_LIMIT;
    return (int16_t)((a < 0) != (m < 0) ? -limited : limited);
}

/* == name_dense == */
/* y = x . kernel + bias for each row: a row of the kernel holds the weights of one output. Each output has its own
   factor / 2^shift, which turns the unit of the sum into the unit of y. The exporter has checked that no sum can
   leave the range of int32_t. */
static inline void name_dense(const int16_t *x, int16_t *y, size_t rows, size_t inputs, size_t units,
                              const int8_t *kernel, const int32_t *bias, const int32_t *factor, int shift)
{
    size_t r, u, i;
    for (r = 0; r < rows; r++, x += inputs) {
        const int8_t *w = kernel;
        for (u = 0; u < units; u++, w += inputs) {
            int32_t sum = NAME_READ_I32(bias + u);
            for (i = 0; i < inputs; i++)
                sum += (int32_t)x[i] * (int32_t)NAME_READ_I8(w + i);
            *y++ = name_rescaled(sum, NAME_READ_I32(factor + u), shift);
        }
    }
}

/* == name_affine == */
/* y = (x - mean) factor / 2^shift + added, with a number of each array for each feature. The mean is in units of
   x / 256. */
static inline void name_affine(const int16_t *x, int16_t *y, size_t outer, size_t features, size_t inner,
                               const int32_t *mean, const int32_t *factor, const int32_t *added, int shift)
{
    size_t o, f, i;
    for (o = 0; o < outer; o++)
        for (f = 0; f < features; f++)
            for (i = 0; i < inner; i++) {
                const int64_t centered = (int64_t)*x++ * 256 - NAME_READ_I32(mean + f);
                const int64_t m = NAME_READ_I32(factor + f);
                const uint64_t size = (uint64_t)(centered < 0 ? -centered : centered) * (uint64_t)(m < 0 ? -m : m);
                const int64_t rounded = (int64_t)((size + ((uint64_t)1 << (shift - 1))) >> shift);
                const int64_t v = ((centered < 0) != (m < 0) ? -rounded : rounded) + NAME_READ_I32(added + f);
                *y++ = (int16_t)(v > NAME_LIMIT ? NAME_LIMIT : v < -NAME_LIMIT ? -NAME_LIMIT : v);
            }
}

/* == name_prelu == */
/* y = x one where x is positive, else x alpha; both factors are divided by 2^shift. */
static inline void name_prelu(const int16_t *x, int16_t *y, size_t outer, size_t features, size_t inner,
                              const int32_t *alpha, int32_t one, int shift)
{
    size_t o, f, i;
    for (o = 0; o < outer; o++)
        for (f = 0; f < features; f++)
            for (i = 0; i < inner; i++, x++)
                *y++ = name_rescaled(*x, *x > 0 ? one : NAME_READ_I32(alpha + f), shift);
}

/* == name_gather == */
/* y[i] = x[places[i]]. */
static inline void name_gather(const int16_t *x, int16_t *y, size_t outputs, const NAME_PLACE *places)
{
    size_t i;
    for (i = 0; i < outputs; i++)
        y[i] = x[NAME_READ_PLACE(places + i)];
}

/* == name_embedding == */
/* Row x[i] of the table for each i. An index out of range is moved to the nearest row. Each row has its own factor. */
static inline void name_embedding(const int16_t *x, int16_t *y, size_t inputs, size_t rows, size_t units,
                                  const int8_t *table, const int32_t *factor, int shift)
{
    size_t i, u;
    for (i = 0; i < inputs; i++) {
        const size_t found = x[i] > 0 ? (size_t)x[i] : 0, row = found < rows ? found : rows - 1;
        for (u = 0; u < units; u++) {
            const int8_t weight = NAME_READ_I8(table + row * units + u);
            *y++ = name_rescaled(weight, NAME_READ_I32(factor + row), shift);
        }
    }
}

/* == name_mean == */
/* The mean of each row: its sum times factor / 2^shift. */
static inline void name_mean(const int16_t *x, int16_t *y, size_t rows, size_t units, int32_t factor, int shift)
{
    size_t r, i;
    for (r = 0; r < rows; r++, x += units) {
        int32_t sum = 0;
        for (i = 0; i < units; i++)
            sum += x[i];
        y[r] = name_rescaled(sum, factor, shift);
    }
}

/* == name_root == */
/* The square root, rounded down, bit by bit. */
static inline uint32_t name_root(uint64_t x)
{
    uint64_t root = 0, bit = (uint64_t)1 << 62;
    for (; bit; bit >>= 2, root >>= 1)
        if (x >= root + bit) {
            x -= root + bit;
            root += 2 * bit;
        }
    return (uint32_t)root;
}

/* == name_normalize == */
/* y = (x - mean) / sqrt(square + epsilon) for each row; the mean only if `center`, and the square divided by
   `divisor`. Differences are in units of x / 16, their quotients in units of 2^-20 before the factor. */
static inline void name_normalize(const int16_t *x, int16_t *y, size_t rows, size_t units, int center,
                                  uint32_t divisor, uint64_t epsilon, int32_t factor, int shift)
{
    size_t r, i;
    for (r = 0; r < rows; r++, x += units, y += units) {
        const int64_t count = (int64_t)units;
        int64_t mean = 0;
        uint64_t square = 0, inverse;
        int k = 0;
        if (center) {
            for (i = 0; i < units; i++)
                mean += x[i];
            mean = (32 * mean + (mean < 0 ? -count : count)) / (2 * count);
        }
        for (i = 0; i < units; i++) {
            const int64_t d = (int64_t)x[i] * 16 - mean;
            square += (uint64_t)(d * d);
        }
        square = square / divisor + epsilon;
        while (square && square < ((uint64_t)1 << 60)) {
            square <<= 2;
            k++;
        }
        inverse = square ? ((uint64_t)1 << 62) / name_root(square) : 0;
        for (i = 0; i < units; i++) {
            const int64_t d = (int64_t)x[i] * 16 - mean;
            const int32_t quotient = (int32_t)(((uint64_t)(d < 0 ? -d : d) * inverse) >> (42 - k));
            y[i] = name_rescaled(d < 0 ? -quotient : quotient, factor, shift);
        }
    }
}

/* == name_looked_up == */
/* An activation: a table with its values at every 256th x, and a straight line in between. */
static inline int16_t name_looked_up(int16_t x, const int16_t *table)
{
    const uint32_t place = (uint32_t)((int32_t)x + 32768);
    const int32_t part = (int32_t)(place & 255);
    const int16_t *at = table + (place >> 8);
    const int32_t sum = (int32_t)NAME_READ_I16(at) * (256 - part) + (int32_t)NAME_READ_I16(at + 1) * part;
    return (int16_t)((sum < 0 ? sum - 128 : sum + 128) / 256);
}

/* == name_pointwise == */
static inline void name_pointwise(const int16_t *x, int16_t *y, size_t count, const int16_t *table)
{
    size_t i;
    for (i = 0; i < count; i++)
        y[i] = name_looked_up(x[i], table);
}

/* == name_clip == */
static inline void name_clip(const int16_t *x, int16_t *y, size_t count, int16_t least, int16_t most)
{
    size_t i;
    for (i = 0; i < count; i++)
        y[i] = x[i] < least ? least : x[i] > most ? most : x[i];
}

/* == name_glu == */
/* a sigmoid(b) for each row (a, b); the table has the sigmoid. */
static inline void name_glu(const int16_t *x, int16_t *y, size_t rows, size_t half, const int16_t *table,
                            int32_t factor, int shift)
{
    size_t r, i;
    for (r = 0; r < rows; r++, x += 2 * half, y += half)
        for (i = 0; i < half; i++)
            y[i] = name_rescaled((int32_t)x[i] * name_looked_up(x[half + i], table), factor, shift);
}

/* == name_power == */
/* 65535 exp(-d) for a difference d of two x: factor / 2^shift makes it an exponent of 2, in units of 1 / 256. */
static inline uint32_t name_power(int32_t d, int32_t factor, int shift, const uint16_t *powers)
{
    const uint64_t e = ((uint64_t)d * (uint64_t)factor + ((uint64_t)1 << (shift - 1))) >> shift;
    return e < 4096 ? (uint32_t)NAME_READ_U16(powers + (e & 255)) >> (e >> 8) : 0;
}

/* == name_softmax == */
/* exp(x) / sum exp(x) for each row, in units of 2^-15. */
static inline void name_softmax(const int16_t *x, int16_t *y, size_t rows, size_t units, int32_t factor, int shift,
                                const uint16_t *powers)
{
    size_t r, i;
    for (r = 0; r < rows; r++, x += units, y += units) {
        int32_t most = x[0];
        uint32_t sum = 0;
        for (i = 1; i < units; i++)
            most = x[i] > most ? x[i] : most;
        for (i = 0; i < units; i++)
            sum += name_power(most - x[i], factor, shift, powers);
        for (i = 0; i < units; i++) {
            const uint32_t p = (name_power(most - x[i], factor, shift, powers) * 32768u + sum / 2) / sum;
            y[i] = (int16_t)(p < NAME_LIMIT ? p : NAME_LIMIT);
        }
    }
}

/* == name_input_shift == */
/* An input v of place i is given as v 2^shift, rounded. */
static inline int name_input_shift(size_t i)
{
    return NAME_READ_I8(name_input_shifts + i);
}

/* == name_class == */
/* The class that the outputs y mean: the place of the largest one, the first if there are several. */
static inline int name_class(const int16_t *y)
{
    int best = 0, i;
    for (i = 1; i < NAME_OUTPUTS; i++)
        best = y[i] > y[best] ? i : best;
    return best;
}

/* == name_class_of_one == */
/* The class that the output y means: 1 if it is above the limit, else 0. */
static inline int name_class_of_one(const int16_t *y)
{
    return y[0] > NAME_CLASS_LIMIT;
}

/* == name_test == */
/* Computes the test rows in the caller's x, y and scratch. Returns how many outputs differ from the exporter's own
   integer arithmetic by more than the tolerance: 0 if all is well. */
static inline int name_test(NAME_INPUT_TYPE *x, int16_t *y, int16_t *scratch)
{
    size_t r, i;
    int wrong = 0;
    for (r = 0; r < NAME_TEST_ROWS; r++) {
        for (i = 0; i < NAME_INPUTS; i++)
            x[i] = NAME_READ_INPUT(name_test_x + r * NAME_INPUTS + i);
        name_predict(x, y, scratch);
        for (i = 0; i < NAME_OUTPUTS; i++) {
            const int32_t right = NAME_READ_I16(name_test_y + r * NAME_OUTPUTS + i), d = y[i] - right;
            if (d > NAME_TOLERANCE || d < -NAME_TOLERANCE)
                wrong++;
        }
    }
    return wrong;
}
