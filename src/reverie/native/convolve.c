/* Convolutions of bf16 images whose channels come last, for processors with AVX-512 BF16; summed in float32.

A layer joins a big side (height x width, G channels) with a small one (rows x columns, S channels). All three products:
    gather  small[s] = sum over taps, g of big[g] W[s][tap][g]     a convolution; of a transposed one the gradient of x
    spread  big[g]   = sum over taps, s of small[s] W[s][tap][g]   a transposed one; of a convolution the gradient of x
    weigh   W[s][tap][g] = sum over pixels of small[s] big[g]      the gradient of the weights
A dense layer has a kernel of 1. Every sum is made in the same order, however many threads there are. */

#include "layers.h"

/* Pixels that are read with the same taps: all of a convolution, and those of one place modulo the stride else. */
typedef struct {
    size count, *read, *write; /* pixels, and where each begins */
    Taps taps;
} Phase;

/* The pixels of a phase, from x on, to those that begin at `to->y + first_one`. */
static void make(const Phase *phase, const Panels *p, const bf16 *x, const bf16 *packed, const Target *to,
                 size first_one) {
    for (size i = 0; i < parts(p->blocks, BLOCKS); i++) {
        Part panel = part_of(i, p->blocks, BLOCKS);
        size place = panel.begin * LANES;
        for (size j = 0; j < parts(phase->count, ROWS); j++) {
            Part rows = part_of(j, phase->count, ROWS);
            const bf16 *pixels[ROWS];
            size at[ROWS];
            for (size k = 0; k < rows.count; k++) {
                pixels[k] = x + phase->read[rows.begin + k];
                at[k] = first_one + phase->write[rows.begin + k];
            }
            tiles[panel.count - 1][rows.count - 1](pixels, packed + panel.begin * p->block, &phase->taps, p->pairs, at,
                                                   to, place, p->outputs - place);
        }
    }
}

/* ---- dense: each pixel by itself ---- */

static void dense(size pixels, const Panels *p, const Source *from, const float *w, const Target *to, int threads) {
    bf16 *packed = pack(p, w, threads);
    size tasks = rounded(parts(pixels, RUN), threads), longest = parts(pixels, tasks);
    int as_is = !from->gate && !from->before && p->inputs % 2 == 0; /* an odd last pair reads beyond its pixel, times 0 */
    Phase all = {longest, room(longest * sizeof(size)), room(longest * sizeof(size)), {.count = 1}};
    for (size i = 0; i < longest; i++) all.read[i] = i * p->inputs, all.write[i] = i * p->outputs;
#pragma omp parallel num_threads(threads)
    {
        bf16 *read = as_is ? NULL : zeros(longest * p->inputs * sizeof(bf16));
        Phase some = all;
#pragma omp for schedule(static)
        for (size task = 0; task < tasks; task++) {
            size low = pixels * task / tasks;
            some.count = pixels * (task + 1) / tasks - low;
            if (!as_is) fetch(read, from, low * p->inputs, some.count * p->inputs);
            make(&some, p, as_is ? from->x + low * p->inputs : read, packed, to, low * p->outputs);
        }
        free(read);
    }
    free(packed), free(all.read), free(all.write);
}

/* ---- several taps ---- */

typedef struct {
    size height, width, channels, rows, columns, outputs; /* what is read and written */
    size top, tall, broad;                                /* what is read, with a border of zeros */
    size apart, phases;
} Way;

static inline size offset_of(const Layer *l, int spreads, size phase, size tap) {
    return spreads ? (phase + l->padding - tap) / l->stride : tap - l->padding;
}

static inline int meets(const Layer *l, int spreads, size phase, size tap) {
    return !spreads || (phase + l->padding - tap) % l->stride == 0;
}

static Way way_of(const Layer *l, int spreads) {
    Way way = spreads ? (Way){l->rows, l->columns, l->small, l->height, l->width, l->big}
                      : (Way){l->height, l->width, l->big, l->rows, l->columns, l->small};
    size low = 0, high = 0, step = spreads ? 1 : l->stride;
    way.apart = spreads ? l->stride : 1;
    way.phases = way.apart * way.apart;
    for (size phase = 0; phase < way.apart; phase++)
        for (size tap = 0; tap < l->kernel; tap++)
            if (meets(l, spreads, phase, tap)) {
                low = least(low, offset_of(l, spreads, phase, tap));
                high = most(high, offset_of(l, spreads, phase, tap));
            }
    way.top = -low;
    way.tall = way.top + most(way.height, step * (parts(way.rows, way.apart) - 1) + high + 1);
    way.broad = way.top + most(way.width, step * (parts(way.columns, way.apart) - 1) + high + 1);
    return way;
}

static Phase phase_of(const Layer *l, int spreads, const Way *way, size number, size pairs) {
    size down = number / way->apart, right = number % way->apart, step = spreads ? 1 : l->stride;
    size places = way->rows * way->columns * sizeof(size);
    Phase phase = {0, room(places), room(places), {0}};
    for (size y = down; y < way->rows; y += way->apart)
        for (size x = right; x < way->columns; x += way->apart, phase.count++) {
            phase.read[phase.count] = step * (y / way->apart * way->broad + x / way->apart) * way->channels;
            phase.write[phase.count] = (y * way->columns + x) * way->outputs;
        }
    for (size tap = 0; tap < l->kernel * l->kernel; tap++) {
        size i = tap / l->kernel, j = tap % l->kernel;
        if (!meets(l, spreads, down, i) || !meets(l, spreads, right, j)) continue;
        size y = offset_of(l, spreads, down, i) + way->top, x = offset_of(l, spreads, right, j) + way->top;
        phase.taps.read[phase.taps.count] = (y * way->broad + x) * way->channels;
        phase.taps.weights[phase.taps.count++] = tap * pairs * 2 * LANES;
    }
    return phase;
}

static void convolve(const Layer *l, int spreads, const Source *from, const float *w, const Target *to, int threads) {
    Way way = way_of(l, spreads);
    Panels p = panels_of(way.channels, l->kernel * l->kernel, way.outputs, spreads);
    bf16 *packed = pack(&p, w, threads);
    Phase *phases = room(way.phases * sizeof(Phase));
    for (size i = 0; i < way.phases; i++) phases[i] = phase_of(l, spreads, &way, i, p.pairs);
#pragma omp parallel num_threads(threads)
    {
        bf16 *bordered = zeros(way.tall * way.broad * way.channels * sizeof(bf16));
#pragma omp for schedule(static)
        for (size image = 0; image < l->images; image++) {
            border(from, image, way.height, way.width, way.channels, way.top, way.broad, bordered);
            for (size i = 0; i < way.phases; i++)
                make(&phases[i], &p, bordered, packed, to, image * way.rows * way.columns * way.outputs);
        }
        free(bordered);
    }
    for (size i = 0; i < way.phases; i++) free(phases[i].read), free(phases[i].write);
    free(phases), free(packed);
}

EXPORT void gather(const Layer *l, const Source *big, const float *w, const Target *small, int threads) {
    size taps = l->kernel * l->kernel, pixels = l->images * l->rows * l->columns;
    if (is_dense(l)) {
        Panels p = panels_of(l->big, 1, l->small, 0);
        dense(pixels, &p, big, w, small, threads);
    } else if (has_few(l, l->big)) {
        Panels p = panels_of(taps * l->big, 1, l->small, 0);
        Source unfolded = {.x = unfold(l, 0, big, threads)};
        dense(pixels, &p, &unfolded, w, small, threads);
        free((void *)unfolded.x);
    } else if (has_few(l, l->small))
        dots(l, big, w, small, threads);
    else
        convolve(l, 0, big, w, small, threads);
}

EXPORT void spread(const Layer *l, const Source *small, const float *w, const Target *big, int threads) {
    size taps = l->kernel * l->kernel, pixels = l->images * l->height * l->width;
    if (is_dense(l)) {
        Panels p = panels_of(l->small, 1, l->big, 1);
        dense(pixels, &p, small, w, big, threads);
    } else if (has_few(l, l->small) && l->stride == 1) {
        Panels p = panels_of(l->small * taps, 1, l->big, 1);
        Source unfolded = {.x = unfold(l, 1, small, threads)};
        float *turned = room(l->small * taps * l->big * sizeof(float));
        reorder(l, w, turned, 0);
        dense(pixels, &p, &unfolded, turned, big, threads);
        free((void *)unfolded.x), free(turned);
    } else
        convolve(l, 1, small, w, big, threads);
}
