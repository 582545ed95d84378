/* Adam's step, and the norm of a gradient, each in one pass over memory. */

#include "layers.h"

enum { CHUNK = 4096 }; /* numbers that a thread takes at a time; their sum of squares is a float32 one */

/* A weight, its gradient in bf16 or float32, its moments, and its copy in bf16, unless that is null. */
typedef struct {
    float *weight;
    const void *gradient;
    float *mean, *square;
    bf16 *twin;
    size count, is_short;
} Moved;

/* The gradient is multiplied by `scale`, the weight by `kept`; `decay` times the weight is added to the gradient.
`first` is 1 - b1 and `second` 1 - b2, `rate` is over 1 - b1^t, `over_root` is 1 / sqrt(1 - b2^t). */
typedef struct {
    float scale, kept, decay, first, second, rate, over_root, eps;
} Step;

static inline __m512 gradient_at(const Moved *p, size at, __mmask16 m) {
    return p->is_short ? wide((const bf16 *)p->gradient + at, m)
                       : _mm512_maskz_loadu_ps(m, (const float *)p->gradient + at);
}

static double squares_of(const Moved *p, size begin) {
    __m512 sum[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    size end = least(p->count, begin + CHUNK), odd = 0;
    if (p->is_short)
        for (size i = begin; i < end; i += 2 * LANES, odd = !odd) {
            __mmask32 m = end - i < 2 * LANES ? (1u << (end - i)) - 1 : ~0u;
            __m512bh g = (__m512bh)_mm512_maskz_loadu_epi16(m, (const bf16 *)p->gradient + i);
            sum[odd] = _mm512_dpbf16_ps(sum[odd], g, g);
        }
    else
        for (size i = begin; i < end; i += LANES, odd = !odd) {
            __m512 g = gradient_at(p, i, first(end - i));
            sum[odd] = _mm512_fmadd_ps(g, g, sum[odd]);
        }
    return _mm512_reduce_add_ps(_mm512_add_ps(sum[0], sum[1]));
}

/* The sum of squares of all gradients, in the same order however many threads there are. */
EXPORT double squares(const Moved *moved, size count, int threads) {
    size chunks = 0;
    for (size i = 0; i < count; i++) chunks += parts(moved[i].count, CHUNK);
    double *found = room(chunks * sizeof(double)), sum = 0;
#pragma omp parallel num_threads(threads)
    for (size i = 0, place = 0; i < count; place += parts(moved[i++].count, CHUNK))
#pragma omp for schedule(static) nowait
        for (size chunk = 0; chunk < parts(moved[i].count, CHUNK); chunk++)
            found[place + chunk] = squares_of(moved + i, chunk * CHUNK);
    for (size chunk = 0; chunk < chunks; chunk++) sum += found[chunk];
    free(found);
    return sum;
}

static inline void move(const Moved *p, size at, __mmask16 m, const Step *by) {
    __m512 w = _mm512_maskz_loadu_ps(m, p->weight + at);
    __m512 g = _mm512_mul_ps(gradient_at(p, at, m), _mm512_set1_ps(by->scale));
    __m512 mean = _mm512_maskz_loadu_ps(m, p->mean + at), square = _mm512_maskz_loadu_ps(m, p->square + at);
    g = _mm512_fmadd_ps(w, _mm512_set1_ps(by->decay), g);
    mean = _mm512_fmadd_ps(_mm512_set1_ps(by->first), _mm512_sub_ps(g, mean), mean);
    square = _mm512_fmadd_ps(_mm512_set1_ps(by->second), _mm512_fmsub_ps(g, g, square), square);
    __m512 under = _mm512_fmadd_ps(_mm512_sqrt_ps(square), _mm512_set1_ps(by->over_root), _mm512_set1_ps(by->eps));
    __m512 step = _mm512_div_ps(_mm512_mul_ps(mean, _mm512_set1_ps(by->rate)), under);
    w = _mm512_fmsub_ps(w, _mm512_set1_ps(by->kept), step);
    _mm512_mask_storeu_ps(p->weight + at, m, w);
    _mm512_mask_storeu_ps(p->mean + at, m, mean);
    _mm512_mask_storeu_ps(p->square + at, m, square);
    if (p->twin) _mm256_mask_storeu_epi16(p->twin + at, m, narrow(w));
}

EXPORT void adam(const Moved *moved, size count, const Step *by, int threads) {
#pragma omp parallel num_threads(threads)
    for (size i = 0; i < count; i++)
#pragma omp for schedule(static) nowait
        for (size chunk = 0; chunk < parts(moved[i].count, CHUNK); chunk++)
            for (size at = chunk * CHUNK, end = least(moved[i].count, at + CHUNK); at < end; at += LANES)
                move(moved + i, at, first(end - at), by);
}
