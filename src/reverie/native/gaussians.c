/* Gaussians without a network: a draw of a code with its divergence from N(0, 1), and squared distances; gradients too.

z = m + s e,  kl = (m^2 + s^2 - 1 - log s^2) / 2  with  log s^2 = v;  distance = sum (x - m)^2 of each example. */

#include "layers.h"

enum { SERIAL = 1 << 14 }; /* numbers that are not worth a second thread */

/* Rows of means and then of log-variances, in bf16 or in float32, without gaps; e is without gaps too. */
typedef struct {
    size examples, dimensions;
    const void *both;
    const float *e;
    size is_short;
} Code;

static inline __m512 at(const float *x, size place, __mmask16 m) { return _mm512_maskz_loadu_ps(m, x + place); }

/* Sixteen numbers of a code: mean, log-variance, deviation. */
typedef struct {
    __m512 m, v, s;
} Numbers;

static inline Numbers numbers_at(const Code *c, size place, __mmask16 k) {
    const bf16 *narrow_ones = (const bf16 *)c->both + place;
    const float *wide_ones = (const float *)c->both + place;
    __m512 m = c->is_short ? wide(narrow_ones, k) : at(wide_ones, 0, k);
    __m512 v = c->is_short ? wide(narrow_ones + c->dimensions, k) : at(wide_ones, c->dimensions, k);
    return (Numbers){m, v, exponential(_mm512_mul_ps(_mm512_set1_ps(.5f), v))};
}

static inline void put_at(void *to, int is_short, size place, __mmask16 k, __m512 x) {
    if (is_short)
        _mm256_mask_storeu_epi16((bf16 *)to + place, k, narrow(x));
    else
        _mm512_mask_storeu_ps((float *)to + place, k, x);
}

EXPORT void code_draw(const Code *c, float *z, float *kl, int threads) {
    const __m512 one = _mm512_set1_ps(1.f), half = _mm512_set1_ps(.5f);
    threads = c->examples * c->dimensions < SERIAL ? 1 : threads;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size b = 0; b < c->examples; b++)
        for (size d = 0; d < c->dimensions; d += LANES) {
            __mmask16 k = first(c->dimensions - d);
            size place = b * c->dimensions + d;
            Numbers n = numbers_at(c, place + b * c->dimensions, k);
            __m512 of_variance = _mm512_sub_ps(_mm512_fmsub_ps(n.s, n.s, one), n.v);
            _mm512_mask_storeu_ps(z + place, k, _mm512_fmadd_ps(n.s, at(c->e, place, k), n.m));
            _mm512_mask_storeu_ps(kl + place, k, _mm512_mul_ps(half, _mm512_fmadd_ps(n.m, n.m, of_variance)));
        }
}

/* Of m: z' + kl' m; of v: (z' s e + kl' (s^2 - 1)) / 2. */
EXPORT void code_back(const Code *c, const float *of_z, const float *of_kl, void *of_both, int threads) {
    const __m512 one = _mm512_set1_ps(1.f), half = _mm512_set1_ps(.5f);
    threads = c->examples * c->dimensions < SERIAL ? 1 : threads;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size b = 0; b < c->examples; b++)
        for (size d = 0; d < c->dimensions; d += LANES) {
            __mmask16 k = first(c->dimensions - d);
            size place = b * c->dimensions + d, there = place + b * c->dimensions;
            Numbers n = numbers_at(c, there, k);
            __m512 g = at(of_z, place, k), h = at(of_kl, place, k);
            __m512 along = _mm512_mul_ps(g, _mm512_mul_ps(n.s, at(c->e, place, k)));
            __m512 of_v = _mm512_fmadd_ps(h, _mm512_fmsub_ps(n.s, n.s, one), along);
            put_at(of_both, c->is_short, there, k, _mm512_fmadd_ps(h, n.m, g));
            put_at(of_both, c->is_short, there + c->dimensions, k, _mm512_mul_ps(half, of_v));
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
