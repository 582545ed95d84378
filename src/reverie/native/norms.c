/* Batch normalisation of rows in training, y = (x - mean) / sqrt(variance + eps) w + b, and its gradient. */

#include "layers.h"

enum { SIDE = 2 * LANES }; /* features that a thread takes at a time: a cache line of them */

/* Means and 1 / sqrt(variance + eps) of a batch are kept for the gradient; running ones move unless they are null. */
typedef struct {
    size examples, features;
    float eps, moved;
    const float *weight, *bias;
    float *mean, *root, *running_mean, *running_variance;
    int64_t *batches; /* of the running ones, or null */
} Norm;

static inline void move_to(float *running, size at, __mmask16 m, __m512 found, float moved) {
    __m512 was = _mm512_maskz_loadu_ps(m, running + at);
    _mm512_mask_storeu_ps(running + at, m, _mm512_fmadd_ps(_mm512_set1_ps(moved), _mm512_sub_ps(found, was), was));
}

static void norm_some(const Norm *n, const bf16 *x, bf16 *y, size at, __mmask16 m) {
    const size step = n->features;
    const __m512 over = _mm512_set1_ps(1.f / n->examples);
    __m512 mean = _mm512_setzero_ps(), squares = _mm512_setzero_ps();
    for (size k = 0; k < n->examples; k++) mean = _mm512_add_ps(mean, wide(x + k * step + at, m));
    mean = _mm512_mul_ps(mean, over);
    for (size k = 0; k < n->examples; k++) {
        __m512 off = _mm512_sub_ps(wide(x + k * step + at, m), mean);
        squares = _mm512_fmadd_ps(off, off, squares);
    }
    __m512 variance = _mm512_mul_ps(squares, over);
    __m512 root = _mm512_div_ps(_mm512_set1_ps(1.f), _mm512_sqrt_ps(_mm512_add_ps(variance, _mm512_set1_ps(n->eps))));
    _mm512_mask_storeu_ps(n->mean + at, m, mean), _mm512_mask_storeu_ps(n->root + at, m, root);
    if (n->running_mean) {
        move_to(n->running_mean, at, m, mean, n->moved);
        move_to(n->running_variance, at, m, _mm512_div_ps(squares, _mm512_set1_ps(n->examples - 1.f)), n->moved);
    }
    __m512 by = _mm512_mul_ps(root, _mm512_maskz_loadu_ps(m, n->weight + at));
    __m512 more = _mm512_fnmadd_ps(mean, by, _mm512_maskz_loadu_ps(m, n->bias + at));
    for (size k = 0; k < n->examples; k++) {
        size place = k * step + at;
        _mm256_mask_storeu_epi16(y + place, m, narrow(_mm512_fmadd_ps(wide(x + place, m), by, more)));
    }
}

EXPORT void norm(const Norm *n, const bf16 *x, bf16 *y, int threads) {
    if (n->batches) ++*n->batches;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size side = 0; side < n->features; side += SIDE)
        for (size at = side; at < least(side + SIDE, n->features); at += LANES)
            norm_some(n, x, y, at, first(n->features - at));
}

/* With u = (x - mean) / root: of w sum g u, of b sum g, of x w / root (g - mean of g - u mean of g u). */
static void back_some(const Norm *n, const bf16 *x, const bf16 *of_y, bf16 *of_x, float *of_weight, float *of_bias,
                      size at, __mmask16 m) {
    const size step = n->features;
    const __m512 over = _mm512_set1_ps(1.f / n->examples);
    __m512 mean = _mm512_maskz_loadu_ps(m, n->mean + at), root = _mm512_maskz_loadu_ps(m, n->root + at);
    __m512 sum = _mm512_setzero_ps(), along = _mm512_setzero_ps();
    for (size k = 0; k < n->examples; k++) {
        size place = k * step + at;
        __m512 g = wide(of_y + place, m);
        sum = _mm512_add_ps(sum, g);
        along = _mm512_fmadd_ps(g, _mm512_sub_ps(wide(x + place, m), mean), along);
    }
    along = _mm512_mul_ps(along, root);
    _mm512_mask_storeu_ps(of_weight + at, m, along), _mm512_mask_storeu_ps(of_bias + at, m, sum);
    __m512 by = _mm512_mul_ps(root, _mm512_maskz_loadu_ps(m, n->weight + at));
    __m512 tilt = _mm512_mul_ps(_mm512_mul_ps(along, over), root), level = _mm512_mul_ps(sum, over);
    for (size k = 0; k < n->examples; k++) {
        size place = k * step + at;
        __m512 off = _mm512_sub_ps(wide(x + place, m), mean), g = wide(of_y + place, m);
        __m512 left = _mm512_fnmadd_ps(off, tilt, _mm512_sub_ps(g, level));
        _mm256_mask_storeu_epi16(of_x + place, m, narrow(_mm512_mul_ps(by, left)));
    }
}

EXPORT void norm_back(const Norm *n, const bf16 *x, const bf16 *of_y, bf16 *of_x, float *of_weight, float *of_bias,
                      int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size side = 0; side < n->features; side += SIDE)
        for (size at = side; at < least(side + SIDE, n->features); at += LANES)
            back_some(n, x, of_y, of_x, of_weight, of_bias, at, first(n->features - at));
}
