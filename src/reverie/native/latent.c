/* A draw of a latent layer with its divergence, and their gradient.

With the prior N(m, s^2), the posterior N(mq, sq^2) and a standard normal e, log-deviations within bounds:
    mean = (mq - m) / s    r = sq / s    t = mean + r e    z = m + s t    kl = sum (mean^2 + r^2 - 1) / 2 - log r */

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

/* Where a number of an image is, and from there number by number. */
typedef struct {
    size pixel, channel;
} Spot;

static inline Spot spot_at(const Latent *l, size image, size at) {
    return (Spot){image * l->pixels + at / l->channels, at % l->channels};
}

static inline void step_on(Spot *spot, size channels) {
    if (++spot->channel < channels) return;
    spot->channel = 0, spot->pixel++;
}

/* Sixteen numbers of an image, from the given one on. */
static inline Numbers numbers_at(const Latent *l, size image, size at, size count) {
    float m[LANES] = {0}, log_s[LANES] = {0}, mq[LANES] = {0}, log_sq[LANES] = {0};
    Spot spot = spot_at(l, image, at);
    for (size i = 0; i < count; i++, step_on(&spot, l->channels)) {
        const bf16 *prior = l->prior + spot.pixel * l->prior_step + spot.channel;
        const bf16 *posterior = l->posterior + spot.pixel * l->posterior_step + spot.channel;
        m[i] = number(*prior), log_s[i] = number(prior[l->channels]);
        mq[i] = number(*posterior), log_sq[i] = number(posterior[l->channels]);
    }
    Numbers n = {.m = _mm512_loadu_ps(m), .mq = _mm512_loadu_ps(mq)};
    n.e = _mm512_maskz_loadu_ps(first(count), l->e + image * l->e_row + at);
    n.log_s = bounded(_mm512_loadu_ps(log_s), l, &n.s_inside);
    n.log_sq = bounded(_mm512_loadu_ps(log_sq), l, &n.sq_inside);
    return n;
}

/* Gradients of means and of log-deviations, side by side in each pixel. */
static inline void put_both(const Latent *l, size image, size at, size count, __m512 mean, __m512 log, bf16 *to) {
    bf16 of_mean[LANES], of_log[LANES];
    _mm256_storeu_si256((__m256i *)of_mean, narrow(mean));
    _mm256_storeu_si256((__m256i *)of_log, narrow(log));
    Spot spot = spot_at(l, image, at);
    for (size i = 0; i < count; i++, step_on(&spot, l->channels)) {
        bf16 *pixel = to + 2 * spot.pixel * l->channels + spot.channel;
        pixel[0] = of_mean[i], pixel[l->channels] = of_log[i];
    }
}

/* What both ways are made of. */
typedef struct {
    __m512 s, over_s, mean, log_r, drawn, more; /* drawn = r e, more = r^2 - 1 */
} Terms;

static inline Terms terms_of(const Numbers *n) {
    Terms t = {.s = exponential(n->log_s), .log_r = _mm512_sub_ps(n->log_sq, n->log_s)};
    t.over_s = exponential(_mm512_sub_ps(_mm512_setzero_ps(), n->log_s));
    t.mean = _mm512_mul_ps(_mm512_sub_ps(n->mq, n->m), t.over_s);
    __m512 r = exponential(t.log_r);
    t.drawn = _mm512_mul_ps(r, n->e);
    t.more = _mm512_fmsub_ps(r, r, _mm512_set1_ps(1.f));
    return t;
}

/* z in rows of images, bf16, and the divergence of each image. */
EXPORT void latent_draw(const Latent *l, bf16 *z, float *kl, int threads) {
    size row = l->pixels * l->channels;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size image = 0; image < l->images; image++) {
        __m512 sum = _mm512_setzero_ps();
        for (size at = 0; at < row; at += LANES) {
            __mmask16 mask = first(row - at);
            Numbers n = numbers_at(l, image, at, least(LANES, row - at));
            Terms t = terms_of(&n);
            __m512 half = _mm512_fmadd_ps(t.mean, t.mean, t.more);
            sum = _mm512_mask_add_ps(sum, mask, sum, _mm512_fmsub_ps(_mm512_set1_ps(.5f), half, t.log_r));
            __m512 of_z = _mm512_fmadd_ps(t.s, _mm512_add_ps(t.mean, t.drawn), n.m);
            _mm256_mask_storeu_epi16(z + image * row + at, mask, narrow(of_z));
        }
        kl[image] = _mm512_reduce_add_ps(sum);
    }
}

/* From gradients of z and of the divergence (null for 0) those of the prior and of the posterior. */
EXPORT void latent_back(const Latent *l, const bf16 *of_z, const float *of_kl, bf16 *of_prior, bf16 *of_posterior,
                        int threads) {
    size row = l->pixels * l->channels;
    const __m512 zero = _mm512_setzero_ps();
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size image = 0; image < l->images; image++) {
        const __m512 gkl = _mm512_set1_ps(of_kl ? of_kl[image] : 0.f);
        for (size at = 0; at < row; at += LANES) {
            size count = least(LANES, row - at);
            Numbers n = numbers_at(l, image, at, count);
            Terms t = terms_of(&n);
            __m512 gz = of_z ? wide(of_z + image * row + at, first(count)) : zero;
            __m512 gt = _mm512_mul_ps(t.s, gz), gmean = _mm512_fmadd_ps(gkl, t.mean, gt);
            __m512 glog_r = _mm512_fmadd_ps(gt, t.drawn, _mm512_mul_ps(gkl, t.more));
            __m512 gmq = _mm512_mul_ps(gmean, t.over_s);
            __m512 glog_s = _mm512_mul_ps(gt, _mm512_add_ps(t.mean, t.drawn)); /* through s t */
            glog_s = _mm512_sub_ps(glog_s, _mm512_fmadd_ps(gmean, t.mean, glog_r));
            __m512 of_s = _mm512_maskz_mov_ps(n.s_inside, glog_s), of_sq = _mm512_maskz_mov_ps(n.sq_inside, glog_r);
            put_both(l, image, at, count, _mm512_sub_ps(gz, gmq), of_s, of_prior);
            put_both(l, image, at, count, gmq, of_sq, of_posterior);
        }
    }
}
