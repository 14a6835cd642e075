/* The practical floor: workloads by hand, for one thread, as fast as we know how; and the machine's peaks. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* 16 numbers; where registers are narrower the compiler takes several. `aligned(4)`: loads may begin anywhere. */
typedef float vector __attribute__((vector_size(64), aligned(4)));
typedef int32_t mask __attribute__((vector_size(64), aligned(4)));
#define AT(pointer) (*(vector *)(pointer))
#define BATCH 32
#define INPUTS 784
#define SAME(number) ((vector){0} + (number))

static inline vector where(mask condition, vector value) { return (vector)(condition & (mask)value); }
static inline vector relu(vector z) { return where(z > 0, z); }

/* ---- 784-16-16-10, ReLU, softmax cross-entropy, SGD, batch 32; every layer has 16 columns, so a row is one vector ---- */

/* c (32, 16) = f(a (32, depth) · w (depth, 16) + b): 16 rows at a time stay in registers. */
static inline void layer(const float *restrict a, int depth, const float *restrict w, const float *restrict b,
                         float *restrict c, int rectify) {
    for (int row = 0; row < BATCH; row += 16) {
        vector sum[16];
        for (int i = 0; i < 16; i++) sum[i] = AT(b);
        for (int k = 0; k < depth; k++) {
            vector weights = AT(w + 16 * k);
#pragma GCC unroll 16
            for (int i = 0; i < 16; i++) sum[i] += a[(row + i) * depth + k] * weights;
        }
        for (int i = 0; i < 16; i++) AT(c + 16 * (row + i)) = rectify ? relu(sum[i]) : sum[i];
    }
}

/* w (depth, 16) −= rate · aᵀ · error, b −= rate · Σ error; the gradient is never stored. */
static inline void update(const float *restrict a, int depth, const float *restrict error, float *restrict w,
                          float *restrict b, float rate) {
    for (int k = 0; k < depth; k += 16) {
        vector sum[16] = {0};
        for (int row = 0; row < BATCH; row++) {
            vector e = AT(error + 16 * row);
#pragma GCC unroll 16
            for (int i = 0; i < 16; i++) sum[i] += a[row * depth + k + i] * e;
        }
        for (int i = 0; i < 16; i++) AT(w + 16 * (k + i)) -= rate * sum[i];
    }
    vector sum = {0};
    for (int row = 0; row < BATCH; row++) sum += AT(error + 16 * row);
    AT(b) -= rate * sum;
}

/* error of the layer before = (error · wᵀ), where its ReLU let something through. */
static inline void back(const float *restrict error, const float *restrict w, const float *restrict a, float *restrict before) {
    float transposed[256], zero[16] = {0};
    for (int i = 0; i < 16; i++) for (int j = 0; j < 16; j++) transposed[16 * j + i] = w[16 * i + j];
    layer(error, 16, transposed, zero, before, 0);
    for (int row = 0; row < BATCH; row++) AT(before + 16 * row) = where(AT(a + 16 * row) > 0, AT(before + 16 * row));
}

static inline void softmax_error(float *restrict z, const int *restrict labels, const int *restrict rows) {
    for (int i = 0; i < BATCH; i++) {
        float *row = z + 16 * i, largest = row[0], sum = 0;
        for (int c = 1; c < 10; c++) largest = row[c] > largest ? row[c] : largest;
        for (int c = 0; c < 10; c++) sum += row[c] = expf(row[c] - largest);
        for (int c = 0; c < 10; c++) row[c] /= sum;
        row[labels[rows[i]]] -= 1;
        for (int c = 0; c < 16; c++) row[c] = c < 10 ? row[c] / BATCH : 0;
    }
}

void digits_epoch(const uint8_t *x, const int *labels, const int *order, int count, float *w1, float *b1, float *w2, float *b2,
                  float *w3, float *b3, float rate) {
    static float input[BATCH * INPUTS], h1[BATCH * 16], h2[BATCH * 16], z[BATCH * 16], e1[BATCH * 16], e2[BATCH * 16];
    for (const int *rows = order; rows + BATCH <= order + count; rows += BATCH) {
        for (int i = 0; i < BATCH; i++) {
            /* The rows lie scattered in 47 MB: those of the next step are asked for while this one is done. */
            if (rows + i + BATCH < order + count)
                for (int c = 0; c < INPUTS; c += 64) __builtin_prefetch(x + (size_t)rows[i + BATCH] * INPUTS + c);
            const uint8_t *row = x + (size_t)rows[i] * INPUTS;
            for (int c = 0; c < INPUTS; c++) input[i * INPUTS + c] = row[c] * (1.f / 255);
        }
        layer(input, INPUTS, w1, b1, h1, 1), layer(h1, 16, w2, b2, h2, 1), layer(h2, 16, w3, b3, z, 0);
        softmax_error(z, labels, rows);
        back(z, w3, h2, e2), back(e2, w2, h1, e1);
        update(h2, 16, z, w3, b3, rate), update(h1, 16, e2, w2, b2, rate), update(input, INPUTS, e1, w1, b1, rate);
    }
}

/* Four sums for one row: a single one would wait for itself at every step. */
static inline vector row_times(const float *restrict x, int depth, const float *restrict w, const float *restrict b) {
    vector sum[4] = {AT(b)};
    for (int k = 0; k < depth; k += 4) for (int j = 0; j < 4; j++) sum[j] += x[k + j] * AT(w + 16 * (k + j));
    return sum[0] + sum[1] + (sum[2] + sum[3]);
}

void digits_predict(const float *x, int count, const float *w1, const float *b1, const float *w2, const float *b2,
                    const float *w3, const float *b3, float *out) {
    float h1[BATCH * 16], h2[BATCH * 16];
    for (; count >= BATCH; count -= BATCH, x += BATCH * INPUTS, out += BATCH * 16)
        layer(x, INPUTS, w1, b1, h1, 1), layer(h1, 16, w2, b2, h2, 1), layer(h2, 16, w3, b3, out, 0);
    for (; count; count--, x += INPUTS, out += 16) {
        AT(h1) = relu(row_times(x, INPUTS, w1, b1));
        AT(h2) = relu(row_times(h1, 16, w2, b2));
        AT(out) = row_times(h2, 16, w3, b3);
    }
}

/* ---- 1-50-1, ReLU, mean squared error, Adam 0.001, batch 32, the last one short ---- */

/* Where they lie among the parameters: 50 units and room to the next full vector. */
enum { UNITS = 64, W1 = 0, B1 = UNITS, W2 = 2 * UNITS, B2 = 3 * UNITS, ALL = B2 + 16 };

static void curve_step(const float *x_table, const float *y_table, const int *rows, int count, float *restrict p,
                       float *restrict mean, float *restrict square, long step) {
    float x[BATCH] = {0}, error[BATCH] = {0}, gradient[ALL] = {0};
    for (int i = 0; i < count; i++) x[i] = x_table[rows[i]];
    for (int half = 0; half < BATCH; half += 16) { /* forward: a lane is an example */
        vector out = SAME(p[B2]), in = AT(x + half);
        for (int unit = 0; unit < 50; unit++) out += relu(in * p[W1 + unit] + p[B1 + unit]) * p[W2 + unit];
        for (int i = half; i < half + 16 && i < count; i++)
            gradient[B2] += error[i] = 2.f / count * (out[i - half] - y_table[rows[i]]);
    }
    for (int unit = 0; unit < UNITS; unit += 16) { /* backward: a lane is a unit; rows that are not there have error 0 */
        vector w1 = AT(p + W1 + unit), b1 = AT(p + B1 + unit), w2 = AT(p + W2 + unit);
        vector to_w1 = {0}, to_b1 = {0}, to_w2 = {0};
        for (int i = 0; i < BATCH; i++) {
            vector z = x[i] * w1 + b1, passed = where(z > 0, SAME(error[i]));
            to_w2 += error[i] * relu(z), to_b1 += passed, to_w1 += passed * x[i];
        }
        AT(gradient + W1 + unit) = to_w1 * w2, AT(gradient + B1 + unit) = to_b1 * w2, AT(gradient + W2 + unit) = to_w2;
    }
    float rate = 1e-3f / (1 - powf(.9f, step)), correction = 1 / sqrtf(1 - powf(.999f, step));
    for (int i = 0; i < ALL; i++) {
        mean[i] = .9f * mean[i] + .1f * gradient[i];
        square[i] = .999f * square[i] + .001f * gradient[i] * gradient[i];
        p[i] -= rate * mean[i] / (sqrtf(square[i]) * correction + 1e-8f);
    }
}

/* Parameters and both slots are (ALL,) in the order of the enum above; gives the number of steps taken so far. */
long curve_train(const float *x, const float *y, int count, float *p, float *mean, float *square, long step, int epochs,
                 uint64_t *random) {
    int order[count];
    for (int i = 0; i < count; i++) order[i] = i;
    for (; epochs; epochs--) {
        for (int i = count - 1; i; i--) { /* Fisher and Yates, with xorshift */
            *random ^= *random << 13, *random ^= *random >> 7, *random ^= *random << 17;
            int j = ((*random >> 32) * (uint64_t)(i + 1)) >> 32, kept = order[i];
            order[i] = order[j], order[j] = kept;
        }
        for (int start = 0; start < count; start += BATCH)
            curve_step(x, y, order + start, count - start < BATCH ? count - start : BATCH, p, mean, square, ++step);
    }
    return step;
}

/* ---- the machine's peaks ---- */

/* 16 independent chains of `rounds` fused multiply-adds on vectors: rounds · 16 · 16 · 2 operations. */
float peak_arithmetic(long rounds) {
    vector sum[16], factor = SAME(.999f), term = SAME(.001f);
    for (int i = 0; i < 16; i++) sum[i] = SAME((float)i);
    for (long round = 0; round < rounds; round++) {
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) sum[i] = sum[i] * factor + term;
    }
    for (int i = 1; i < 16; i++) sum[0] += sum[i];
    return sum[0][0] + sum[0][15];
}

float peak_reading(const float *x, long count) {
    vector sum[8] = {0};
    for (long start = 0; start + 128 <= count; start += 128)
        for (int i = 0; i < 8; i++) sum[i] += AT(x + start + 16 * i);
    for (int i = 1; i < 8; i++) sum[0] += sum[i];
    return sum[0][0] + sum[0][15];
}
