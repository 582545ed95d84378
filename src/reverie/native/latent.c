/* A draw of a latent layer in deviations of its prior, and its gradient.

With the prior N(m, s^2), the posterior N(mq, sq^2) and a standard normal e, log-deviations within bounds:
    mean = (mq - m) / s    ld = log sq - log s    t = mean + exp(ld) e    z = m + s t */

#include "layers.h"

/* Pixels of an image lie side by side, channels first m then log s. Rows are an image's numbers: [pixel][channel]. */
typedef struct {
    size images, pixels, channels;
    const bf16 *prior, *posterior; /* of each pixel, 2 x channels */
    size prior_step, posterior_step;
    const float *e;
    size e_row;
    float low, high;
} Latent;

typedef struct {
    __m512 m, log_s, mq, log_sq, e;
    __mmask16 s_inside, sq_inside;
} Numbers;

static inline float number(bf16 x) { return _mm512_cvtss_f32(_mm512_castsi512_ps(_mm512_set1_epi32((int)x << 16))); }

static inline __m512 bounded(__m512 x, const Latent *l, __mmask16 *inside) {
    const __m512 low = _mm512_set1_ps(l->low), high = _mm512_set1_ps(l->high);
    *inside = _mm512_cmp_ps_mask(x, low, _CMP_GE_OQ) & _mm512_cmp_ps_mask(x, high, _CMP_LE_OQ);
    return _mm512_min_ps(high, _mm512_max_ps(low, x)); /* the second operand, if one is not a number */
}

/* Sixteen numbers of an image, from the given one on. */
static inline Numbers numbers_at(const Latent *l, size image, size at, size count) {
    float m[LANES] = {0}, log_s[LANES] = {0}, mq[LANES] = {0}, log_sq[LANES] = {0};
    for (size i = 0; i < count; i++) {
        size pixel = image * l->pixels + (at + i) / l->channels, channel = (at + i) % l->channels;
        const bf16 *prior = l->prior + pixel * l->prior_step + channel;
        const bf16 *posterior = l->posterior + pixel * l->posterior_step + channel;
        m[i] = number(*prior), log_s[i] = number(prior[l->channels]);
        mq[i] = number(*posterior), log_sq[i] = number(posterior[l->channels]);
    }
    Numbers n = {.m = _mm512_loadu_ps(m), .mq = _mm512_loadu_ps(mq)};
    n.e = _mm512_maskz_loadu_ps(first(count), l->e + image * l->e_row + at);
    n.log_s = bounded(_mm512_loadu_ps(log_s), l, &n.s_inside);
    n.log_sq = bounded(_mm512_loadu_ps(log_sq), l, &n.sq_inside);
    return n;
}

/* One half of the numbers of each pixel: means or log-deviations. */
static inline void put_half(const Latent *l, size image, size at, size count, const __m512 x, size half, bf16 *to) {
    bf16 of[LANES];
    _mm256_storeu_si256((__m256i *)of, narrow(x));
    for (size i = 0; i < count; i++) {
        size pixel = image * l->pixels + (at + i) / l->channels, channel = (at + i) % l->channels;
        to[(2 * pixel + half) * l->channels + channel] = of[i];
    }
}

/* t, mean and ld in rows of images, float32; z, bf16. */
EXPORT void latent_draw(const Latent *l, float *t, float *mean, float *ld, bf16 *z, int threads) {
    size row = l->pixels * l->channels;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size image = 0; image < l->images; image++)
        for (size at = 0; at < row; at += LANES) {
            __mmask16 mask = first(row - at);
            Numbers n = numbers_at(l, image, at, least(LANES, row - at));
            __m512 over_s = exponential(_mm512_sub_ps(_mm512_setzero_ps(), n.log_s));
            __m512 of_mean = _mm512_mul_ps(_mm512_sub_ps(n.mq, n.m), over_s), of_ld = _mm512_sub_ps(n.log_sq, n.log_s);
            __m512 of_t = _mm512_fmadd_ps(exponential(of_ld), n.e, of_mean);
            __m512 of_z = _mm512_fmadd_ps(exponential(n.log_s), of_t, n.m);
            _mm512_mask_storeu_ps(t + image * row + at, mask, of_t);
            _mm512_mask_storeu_ps(mean + image * row + at, mask, of_mean);
            _mm512_mask_storeu_ps(ld + image * row + at, mask, of_ld);
            _mm256_mask_storeu_epi16(z + image * row + at, mask, narrow(of_z));
        }
}

/* From gradients of t, mean, ld (null for 0) and z those of the prior and of the posterior, [pixel][2 x channel]. */
EXPORT void latent_back(const Latent *l, const float *of_t, const float *of_mean, const float *of_ld, const bf16 *of_z,
                        bf16 *of_prior, bf16 *of_posterior, int threads) {
    size row = l->pixels * l->channels;
    const __m512 zero = _mm512_setzero_ps();
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size image = 0; image < l->images; image++)
        for (size at = 0; at < row; at += LANES) {
            size count = least(LANES, row - at), place = image * row + at;
            __mmask16 mask = first(count);
            Numbers n = numbers_at(l, image, at, count);
            __m512 s = exponential(n.log_s), over_s = exponential(_mm512_sub_ps(zero, n.log_s));
            __m512 mean = _mm512_mul_ps(_mm512_sub_ps(n.mq, n.m), over_s);
            __m512 drawn = _mm512_mul_ps(exponential(_mm512_sub_ps(n.log_sq, n.log_s)), n.e);
            __m512 t = _mm512_add_ps(mean, drawn);
            __m512 gz = of_z ? wide(of_z + place, mask) : zero;
            __m512 gt = _mm512_mul_ps(s, gz);
            if (of_t) gt = _mm512_add_ps(gt, _mm512_maskz_loadu_ps(mask, of_t + place));
            __m512 gmean = of_mean ? _mm512_add_ps(gt, _mm512_maskz_loadu_ps(mask, of_mean + place)) : gt;
            __m512 gld = _mm512_mul_ps(gt, drawn), gmq = _mm512_mul_ps(gmean, over_s);
            if (of_ld) gld = _mm512_add_ps(gld, _mm512_maskz_loadu_ps(mask, of_ld + place));
            __m512 gs = _mm512_sub_ps(_mm512_mul_ps(_mm512_mul_ps(gz, s), t), _mm512_fmadd_ps(gmean, mean, gld));
            put_half(l, image, at, count, _mm512_sub_ps(gz, gmq), 0, of_prior);
            put_half(l, image, at, count, _mm512_maskz_mov_ps(n.s_inside, gs), 1, of_prior);
            put_half(l, image, at, count, gmq, 0, of_posterior);
            put_half(l, image, at, count, _mm512_maskz_mov_ps(n.sq_inside, gld), 1, of_posterior);
        }
}
