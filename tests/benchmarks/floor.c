/* The work of an epoch and nothing else: the limit that bench.py measures the other loops against.
 *
 * 784 pixels, at most 32 hidden units, one score, the sigmoid and the mean distance from the target, plain gradient
 * descent. One thread. The compiler keeps blocks of sums in registers; apart from that, this is the definition.
 *
 *     cc -O3 -march=native -ffast-math -shared -fPIC -o floor.so floor.c -lm
 */
#include <math.h>
#include <stddef.h>

enum { PIXELS = 784, UNITS = 32, BLOCK = 7, MOST = 1024 };

typedef struct {
    float w1[PIXELS][UNITS]; /* units beyond the model's own have weights 0 and stay so */
    float b1[UNITS], w2[UNITS], b2;
} Net;

static float hidden[MOST][UNITS], slopes[MOST][UNITS];

/* Scores of images x[order[0]] to x[order[n - 1]]; leaves the hidden activations in `hidden`. */
static void predict(const Net *net, const float *x, const long *order, int n, float *scores)
{
    for (int i = 0; i < n; i += BLOCK) {
        const float *rows[BLOCK];
        float sums[BLOCK][UNITS];
        for (int r = 0; r < BLOCK; r++) {
            rows[r] = x + PIXELS * order[i + r < n ? i + r : n - 1];
            for (int u = 0; u < UNITS; u++) sums[r][u] = net->b1[u];
        }
        for (int p = 0; p < PIXELS; p++)
            for (int r = 0; r < BLOCK; r++)
                for (int u = 0; u < UNITS; u++) sums[r][u] += rows[r][p] * net->w1[p][u];
        for (int r = 0; r < BLOCK && i + r < n; r++) {
            float score = net->b2;
            for (int u = 0; u < UNITS; u++) {
                hidden[i + r][u] = sums[r][u] > 0 ? sums[r][u] : 0;
                score += hidden[i + r][u] * net->w2[u];
            }
            scores[i + r] = score;
        }
    }
}

/* One step on n images; returns the loss before it. */
static float step(Net *net, const float *x, const float *y, const long *order, int n, float lr)
{
    float scores[MOST], w2[UNITS] = {0}, b1[UNITS] = {0}, b2 = 0, loss = 0;
    predict(net, x, order, n, scores);
    for (int i = 0; i < n; i++) {
        float probability = 1 / (1 + expf(-scores[i])), sign = y[order[i]] > 0.5f ? -1 : 1;
        float slope = sign * probability * (1 - probability) / n;
        loss += (sign > 0 ? probability : 1 - probability) / n;
        b2 += slope;
        for (int u = 0; u < UNITS; u++) {
            w2[u] += slope * hidden[i][u];
            slopes[i][u] = hidden[i][u] > 0 ? slope * net->w2[u] : 0;
            b1[u] += slopes[i][u];
        }
    }
    for (int p = 0; p < PIXELS; p += BLOCK) {
        float sums[BLOCK][UNITS] = {{0}};
        for (int i = 0; i < n; i++) {
            const float *row = x + PIXELS * order[i] + p;
            for (int r = 0; r < BLOCK; r++)
                for (int u = 0; u < UNITS; u++) sums[r][u] += row[r] * slopes[i][u];
        }
        for (int r = 0; r < BLOCK; r++)
            for (int u = 0; u < UNITS; u++) net->w1[p + r][u] -= lr * sums[r][u];
    }
    for (int u = 0; u < UNITS; u++) {
        net->b1[u] -= lr * b1[u];
        net->w2[u] -= lr * w2[u];
    }
    net->b2 -= lr * b2;
    return loss;
}

/* Train on n images in the given order, batch by batch; returns the mean of the losses. */
float train(Net *net, const float *x, const float *y, const long *order, int n, int batch_size, float lr)
{
    float loss = 0;
    for (int start = 0; start < n; start += batch_size) {
        int size = n - start < batch_size ? n - start : batch_size;
        loss += step(net, x, y, order + start, size, lr) * size / n;
    }
    return loss;
}

/* The share of n images whose score lies on the target's side of 0. */
float right(const Net *net, const float *x, const float *y, const long *order, int n, int batch_size)
{
    float scores[MOST];
    int count = 0;
    for (int start = 0; start < n; start += batch_size) {
        int size = n - start < batch_size ? n - start : batch_size;
        predict(net, x, order + start, size, scores);
        for (int i = 0; i < size; i++) count += (scores[i] > 0) == (y[order[start + i]] > 0.5f);
    }
    return (float)count / n;
}
