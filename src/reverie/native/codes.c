/* Gaussians without a network: a draw of a code with its divergence from N(0, 1), and squared distances; gradients too.

z = m + s e,  kl = (m^2 + s^2 - 1 - log s^2) / 2  with  log s^2 = v;  distance = sum (x - m)^2 of each example. */

#include "layers.h"

enum { SERIAL = 1 << 14 }; /* numbers that are not worth a second thread */

/* Means and log-variances are rows that lie `step` numbers apart; e is without gaps. */
typedef struct {
    size examples, dimensions;
    const float *mean, *log_variance;
    size mean_step, variance_step;
    const float *e;
} Code;

static inline __m512 at(const float *x, size place, __mmask16 m) { return _mm512_maskz_loadu_ps(m, x + place); }

EXPORT void code_draw(const Code *c, float *z, float *kl, int threads) {
    const __m512 half = _mm512_set1_ps(.5f);
    threads = c->examples * c->dimensions < SERIAL ? 1 : threads;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size b = 0; b < c->examples; b++)
        for (size d = 0; d < c->dimensions; d += LANES) {
            __mmask16 k = first(c->dimensions - d);
            size place = b * c->dimensions + d;
            __m512 m = at(c->mean, b * c->mean_step + d, k), v = at(c->log_variance, b * c->variance_step + d, k);
            __m512 s = exponential(_mm512_mul_ps(half, v)), one = _mm512_set1_ps(1.f);
            __m512 of_variance = _mm512_sub_ps(_mm512_fmsub_ps(s, s, one), v);
            _mm512_mask_storeu_ps(z + place, k, _mm512_fmadd_ps(s, at(c->e, place, k), m));
            _mm512_mask_storeu_ps(kl + place, k, _mm512_mul_ps(half, _mm512_fmadd_ps(m, m, of_variance)));
        }
}

/* Of m: z' + kl' m; of v: (z' s e + kl' (s^2 - 1)) / 2. */
EXPORT void code_back(const Code *c, const float *of_z, const float *of_kl, float *of_mean, float *of_log_variance,
                      int threads) {
    const __m512 half = _mm512_set1_ps(.5f);
    threads = c->examples * c->dimensions < SERIAL ? 1 : threads;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size b = 0; b < c->examples; b++)
        for (size d = 0; d < c->dimensions; d += LANES) {
            __mmask16 k = first(c->dimensions - d);
            size place = b * c->dimensions + d;
            __m512 m = at(c->mean, b * c->mean_step + d, k), v = at(c->log_variance, b * c->variance_step + d, k);
            __m512 g = at(of_z, place, k), h = at(of_kl, place, k), s = exponential(_mm512_mul_ps(half, v));
            __m512 along = _mm512_mul_ps(g, _mm512_mul_ps(s, at(c->e, place, k)));
            _mm512_mask_storeu_ps(of_mean + place, k, _mm512_fmadd_ps(h, m, g));
            __m512 both = _mm512_fmadd_ps(h, _mm512_fmsub_ps(s, s, _mm512_set1_ps(1.f)), along);
            _mm512_mask_storeu_ps(of_log_variance + place, k, _mm512_mul_ps(half, both));
        }
}

/* Of each example, `count` numbers. */
EXPORT void distances(const float *x, const float *mean, size examples, size count, float *to, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size b = 0; b < examples; b++) {
        __m512 sum = _mm512_setzero_ps();
        for (size i = 0; i < count; i += LANES) {
            __mmask16 k = first(count - i);
            __m512 off = _mm512_sub_ps(at(x, b * count + i, k), at(mean, b * count + i, k));
            sum = _mm512_fmadd_ps(off, off, sum);
        }
        to[b] = _mm512_reduce_add_ps(sum);
    }
}

/* Of the mean: 2 g (m - x), with the gradient g of each distance. */
EXPORT void distances_back(const float *x, const float *mean, size examples, size count, const float *g, float *to,
                           int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size b = 0; b < examples; b++) {
        const __m512 by = _mm512_set1_ps(2 * g[b]);
        for (size place = b * count; place < (b + 1) * count; place += LANES) {
            __mmask16 k = first((b + 1) * count - place);
            __m512 off = _mm512_sub_ps(at(mean, place, k), at(x, place, k));
            _mm512_mask_storeu_ps(to + place, k, _mm512_mul_ps(by, off));
        }
    }
}
