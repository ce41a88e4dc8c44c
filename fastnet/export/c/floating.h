/* The functions of the float form. `text.py` copies those that a network needs, with its name for `name`. */

/* == name_dense == */
/* y = x . kernel + bias for each row: a row of the kernel holds the weights of one output. Sums run in index order,
   four outputs at a time. */
static inline void name_dense(const float *x, float *y, size_t rows, size_t inputs, size_t units,
                              const float *kernel, const float *bias)
{
    const size_t fours = units - units % 4;
    size_t r, u, i;
    for (r = 0; r < rows; r++, x += inputs, y += units) {
        const float *w = kernel;
        for (u = 0; u < fours; u += 4, w += 4 * inputs) {
            float a = 0.0f, b = 0.0f, c = 0.0f, d = 0.0f;
            for (i = 0; i < inputs; i++) {
                a += x[i] * NAME_READ_F32(w + i);
                b += x[i] * NAME_READ_F32(w + inputs + i);
                c += x[i] * NAME_READ_F32(w + 2 * inputs + i);
                d += x[i] * NAME_READ_F32(w + 3 * inputs + i);
            }
            y[u] = a;
            y[u + 1] = b;
            y[u + 2] = c;
            y[u + 3] = d;
        }
        for (; u < units; u++, w += inputs) {
            float a = 0.0f;
            for (i = 0; i < inputs; i++)
                a += x[i] * NAME_READ_F32(w + i);
            y[u] = a;
        }
        if (bias)
            for (u = 0; u < units; u++)
                y[u] += NAME_READ_F32(bias + u);
    }
}

/* == name_affine == */
/* y = (x - mean) factor + shift, with one number of each array for each feature; an array that is NULL is left out. */
static inline void name_affine(const float *x, float *y, size_t outer, size_t features, size_t inner,
                               const float *mean, const float *factor, const float *shift)
{
    size_t o, f, i;
    for (o = 0; o < outer; o++)
        for (f = 0; f < features; f++)
            for (i = 0; i < inner; i++) {
                float v = *x++;
                if (mean)
                    v -= NAME_READ_F32(mean + f);
                if (factor)
                    v *= NAME_READ_F32(factor + f);
                if (shift)
                    v += NAME_READ_F32(shift + f);
                *y++ = v;
            }
}

/* == name_prelu == */
/* y = x where it is positive, else alpha x. */
static inline void name_prelu(const float *x, float *y, size_t outer, size_t features, size_t inner,
                              const float *alpha)
{
    size_t o, f, i;
    for (o = 0; o < outer; o++)
        for (f = 0; f < features; f++)
            for (i = 0; i < inner; i++, x++)
                *y++ = *x > 0.0f ? *x : NAME_READ_F32(alpha + f) * *x;
}

/* == name_gather == */
/* y[i] = x[places[i]]. */
static inline void name_gather(const float *x, float *y, size_t outputs, const NAME_PLACE *places)
{
    size_t i;
    for (i = 0; i < outputs; i++)
        y[i] = x[NAME_READ_PLACE(places + i)];
}

/* == name_embedding == */
/* Row x[i] of the table for each i. An index out of range is moved to the nearest row. */
static inline void name_embedding(const float *x, float *y, size_t inputs, size_t rows, size_t units,
                                  const float *table)
{
    size_t i, u;
    for (i = 0; i < inputs; i++) {
        const float most = (float)(rows - 1);
        const size_t row = x[i] > 0.0f ? (size_t)(x[i] < most ? x[i] : most) : 0;
        for (u = 0; u < units; u++)
            *y++ = NAME_READ_F32(table + row * units + u);
    }
}

/* == name_mean == */
/* The mean of each row. */
static inline void name_mean(const float *x, float *y, size_t rows, size_t units)
{
    size_t r, i;
    for (r = 0; r < rows; r++, x += units) {
        float sum = 0.0f;
        for (i = 0; i < units; i++)
            sum += x[i];
        y[r] = sum / (float)units;
    }
}

/* == name_normalize == */
/* y = (x - mean) / sqrt(square + epsilon) for each row; the mean only if `center`. The square is the mean square if
   `average`, else the sum of squares. The rounding error of the mean is subtracted, too. */
static inline void name_normalize(const float *x, float *y, size_t rows, size_t units, int center, int average,
                                  float epsilon)
{
    size_t r, i;
    for (r = 0; r < rows; r++, x += units, y += units) {
        float mean = 0.0f, rest = 0.0f, square = 0.0f;
        if (center) {
            for (i = 0; i < units; i++)
                mean += x[i];
            mean /= (float)units;
            for (i = 0; i < units; i++)
                rest += x[i] - mean;
            rest /= (float)units;
        }
        for (i = 0; i < units; i++) {
            y[i] = (x[i] - mean) - rest;
            square += y[i] * y[i];
        }
        if (average)
            square /= (float)units;
        square += epsilon;
        square = square > 0.0f ? 1.0f / sqrtf(square) : 0.0f;
        for (i = 0; i < units; i++)
            y[i] *= square;
    }
}

/* == name_softmax == */
/* exp(x) / sum exp(x) for each row. The largest x is subtracted first, so that exp cannot overflow. */
static inline void name_softmax(const float *x, float *y, size_t rows, size_t units)
{
    size_t r, i;
    for (r = 0; r < rows; r++, x += units, y += units) {
        float most = x[0], sum = 0.0f;
        for (i = 1; i < units; i++)
            most = x[i] > most ? x[i] : most;
        for (i = 0; i < units; i++) {
            y[i] = expf(x[i] - most);
            sum += y[i];
        }
        for (i = 0; i < units; i++)
            y[i] /= sum;
    }
}

/* == name_log_softmax == */
/* x - log sum exp(x) for each row. */
static inline void name_log_softmax(const float *x, float *y, size_t rows, size_t units)
{
    size_t r, i;
    for (r = 0; r < rows; r++, x += units, y += units) {
        float most = x[0], sum = 0.0f;
        for (i = 1; i < units; i++)
            most = x[i] > most ? x[i] : most;
        for (i = 0; i < units; i++)
            sum += expf(x[i] - most);
        sum = logf(sum);
        for (i = 0; i < units; i++)
            y[i] = (x[i] - most) - sum;
    }
}

/* == name_sparsemax == */
/* max(x - t, 0) for each row, where t makes the sum 1. t grows until no number falls below it. */
static inline void name_sparsemax(const float *x, float *y, size_t rows, size_t units)
{
    size_t r, i;
    for (r = 0; r < rows; r++, x += units, y += units) {
        float most = x[0], t = -1.0f;
        size_t count = units + 1, above = units;
        for (i = 1; i < units; i++)
            most = x[i] > most ? x[i] : most;
        for (i = 0; i < units; i++)
            y[i] = x[i] - most;
        while (above < count) {
            float sum = 0.0f;
            count = above;
            above = 0;
            for (i = 0; i < units; i++)
                if (y[i] > t) {
                    sum += y[i];
                    above++;
                }
            t = (sum - 1.0f) / (float)above;
        }
        for (i = 0; i < units; i++)
            y[i] = y[i] > t ? y[i] - t : 0.0f;
    }
}

/* == name_glu == */
/* a sigmoid(b) for each row (a, b). */
static inline void name_glu(const float *x, float *y, size_t rows, size_t half)
{
    size_t r, i;
    for (r = 0; r < rows; r++, x += 2 * half, y += half)
        for (i = 0; i < half; i++)
            y[i] = x[i] * name_sigmoid(x[half + i]);
}

/* == name_relu == */
static inline float name_relu(float x)
{
    return x > 0.0f ? x : 0.0f;
}

/* == name_clipped_relu == */
/* x above the threshold, but at most `most`; below it a line with this slope. */
static inline float name_clipped_relu(float x, float slope, float most, float threshold)
{
    if (x > threshold)
        return x < most ? x : most;
    return slope * (x - threshold);
}

/* == name_leaky_relu == */
/* x above the threshold, and below it a line with this slope. */
static inline float name_leaky_relu(float x, float slope, float threshold)
{
    return x > threshold ? x : slope * (x - threshold);
}

/* == name_clip == */
static inline float name_clip(float x, float least, float most)
{
    return x < least ? least : x > most ? most : x;
}

/* == name_sigmoid == */
/* 1 / (1 + exp(-x)). exp is taken of -|x|, so it cannot overflow. */
static inline float name_sigmoid(float x)
{
    const float e = expf(-fabsf(x));
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

/* == name_softplus == */
/* log(1 + exp(x)). */
static inline float name_softplus(float x)
{
    return (x > 0.0f ? x : 0.0f) + log1pf(expf(-fabsf(x)));
}

/* == name_log_sigmoid == */
static inline float name_log_sigmoid(float x)
{
    return (x < 0.0f ? x : 0.0f) - log1pf(expf(-fabsf(x)));
}

/* == name_elu == */
/* b x where x is positive, else a (exp(x) - 1). */
static inline float name_elu(float x, float a, float b)
{
    return x > 0.0f ? b * x : a * expm1f(x);
}

/* == name_celu == */
static inline float name_celu(float x, float alpha)
{
    return x > 0.0f ? x : alpha * expm1f(x / alpha);
}

/* == name_gelu == */
/* x Phi(x), where Phi is the distribution function of the standard normal distribution. */
static inline float name_gelu(float x)
{
    return 0.5f * x * erfcf(-0.707106781f * x);
}

/* == name_gelu_tanh == */
static inline float name_gelu_tanh(float x)
{
    return x * name_sigmoid(1.59576912f * (x + 0.044715f * x * x * x));
}

/* == name_silu == */
static inline float name_silu(float x)
{
    return x * name_sigmoid(x);
}

/* == name_mish == */
/* x tanh(log(1 + exp(x))). */
static inline float name_mish(float x)
{
    return x * tanhf(name_softplus(x));
}

/* == name_softsign == */
static inline float name_softsign(float x)
{
    return x / (1.0f + fabsf(x));
}

/* == name_hard_sigmoid == */
static inline float name_hard_sigmoid(float x)
{
    return name_clip(x + 3.0f, 0.0f, 6.0f) / 6.0f;
}

/* == name_hard_silu == */
static inline float name_hard_silu(float x)
{
    return x * name_hard_sigmoid(x);
}

/* == name_sparse_sigmoid == */
static inline float name_sparse_sigmoid(float x)
{
    return name_clip((x + 1.0f) / 2.0f, 0.0f, 1.0f);
}

/* == name_sparse_plus == */
static inline float name_sparse_plus(float x)
{
    const float t = name_clip(x, -1.0f, 1.0f) + 1.0f;
    return x > 1.0f ? x : t * t / 4.0f;
}

/* == name_squareplus == */
/* (x + sqrt(x^2 + b)) / 2, without cancellation for negative x. */
static inline float name_squareplus(float x, float b)
{
    const float length = sqrtf(x * x + b) + fabsf(x);
    return (x < 0.0f ? b / length : length) / 2.0f;
}

/* == name_hard_shrink == */
static inline float name_hard_shrink(float x, float threshold)
{
    return fabsf(x) > threshold ? x : 0.0f;
}

/* == name_soft_shrink == */
static inline float name_soft_shrink(float x, float threshold)
{
    return x - name_clip(x, -threshold, threshold);
}

/* == name_tanh_shrink == */
static inline float name_tanh_shrink(float x)
{
    return x - tanhf(x);
}

/* == name_threshold == */
static inline float name_threshold(float x, float threshold, float other)
{
    return x > threshold ? x : other;
}

/* == name_class == */
/* The class that the outputs y mean: the place of the largest one, the first if there are several. */
static inline int name_class(const float *y)
{
    int best = 0, i;
    for (i = 1; i < NAME_OUTPUTS; i++)
        best = y[i] > y[best] ? i : best;
    return best;
}

/* == name_class_of_one == */
/* The class that the output y means: 1 if it is above the limit, else 0. */
static inline int name_class_of_one(const float *y)
{
    return y[0] > NAME_CLASS_LIMIT;
}

/* == name_test == */
/* Computes the test rows in the caller's x, y and scratch. Returns how many outputs are further from fastnet's than
   the tolerance: 0 if all is well. */
static inline int name_test(float *x, float *y, float *scratch)
{
    size_t r, i;
    int wrong = 0;
    for (r = 0; r < NAME_TEST_ROWS; r++) {
        for (i = 0; i < NAME_INPUTS; i++)
            x[i] = NAME_READ_F32(name_test_x + r * NAME_INPUTS + i);
        name_predict(x, y, scratch);
        for (i = 0; i < NAME_OUTPUTS; i++)
            if (!(fabsf(y[i] - NAME_READ_F32(name_test_y + r * NAME_OUTPUTS + i)) <= NAME_TOLERANCE))
                wrong++;
    }
    return wrong;
}
