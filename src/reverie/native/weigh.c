/* The gradient of weights, W[s][tap][g] = sum over pixels of small[s] big[g], and of biases. */

#include "layers.h"

/* ---- biases ---- */

/* Add pixels up, channel by channel; there is room for whole registers of sums. */
static void add_rows(const bf16 *x, size pixels, size channels, float *to) {
    for (size c = 0; c < channels; c += LANES) {
        __mmask16 m = first(channels - c);
        __m512 of = _mm512_load_ps(to + c);
        for (size i = 0; i < pixels; i++) of = _mm512_add_ps(of, wide(x + i * channels + c, m));
        _mm512_store_ps(to + c, of);
    }
}

static void add_shares(const float *shares, size step, size count, float *to) {
    memcpy(to, shares, count * sizeof(float));
    for (size share = 1; share < SHARES; share++)
        for (size i = 0; i < count; i++) to[i] += shares[share * step + i];
}

EXPORT void add_up(size pixels, size channels, const Source *from, float *sum, int threads) {
    size broad = rounded(channels, LANES);
    float *shares = zeros(SHARES * broad * sizeof(float));
#pragma omp parallel num_threads(threads)
    {
        bf16 *line = room(LINE * channels * sizeof(bf16));
#pragma omp for schedule(static)
        for (size share = 0; share < SHARES; share++)
            for (size at = pixels * share / SHARES, end = pixels * (share + 1) / SHARES; at < end; at += LINE) {
                size count = least(LINE, end - at);
                fetch(line, from, at * channels, count * channels);
                add_rows(line, count, channels, shares + share * broad);
            }
        free(line);
    }
    add_shares(shares, broad, channels, sum);
    free(shares);
}

/* ---- weights ---- */

/* Pixels as pairs, [pair][channel][2], with zeros beside an odd last one. */
static void pair_up(const bf16 *x, size pixels, size channels, bf16 *to) {
    static const bf16 none[LANES];
    size broad = rounded(channels, LANES);
    for (size at = 0; at < pixels; at += 2)
        for (size c = 0; c < channels; c += LANES) {
            const bf16 *one = x + at * channels + c, *other = at + 1 < pixels ? one + channels : none;
            interleave(one, other, least(LANES, channels - c), to + at * broad + 2 * c);
        }
}

/* Pairs of what a run of small pixels sees of bordered images, `depth` numbers from a tap on. */
static void pairs_seen(const Layer *l, const bf16 *x, size tall, size broad, size from, size count, size depth,
                       bf16 *to) {
    size image = from / (l->rows * l->columns), row = from / l->columns % l->rows, column = from % l->columns;
    const bf16 *seen[2];
    for (size at = 0; at < count; at++) {
        seen[at % 2] = x + ((image * tall + row * l->stride) * broad + column * l->stride) * l->big;
        if (at % 2) interleave(seen[0], seen[1], depth, to + (at - 1) * rounded(depth, LANES));
        if (++column == l->columns) {
            column = 0;
            if (++row == l->rows) row = 0, image++;
        }
    }
    if (count % 2) interleave(seen[0], seen[0], depth, to + (count - 1) * rounded(depth, LANES)); /* times zeros */
}

/* Threads share out the images: each share of them has sums of its own, which are added up in order. */
static void weigh_images(const Layer *l, const Source *big, const Source *small, float *of_w, float *of_bias,
                         int threads) {
    size pixels = l->rows * l->columns, s_room = rounded(l->small, LANES);
    size tall = most(l->height + l->padding, (l->rows - 1) * l->stride + l->kernel);
    size broad = most(l->width + l->padding, (l->columns - 1) * l->stride + l->kernel), line = tall * broad * l->big;
    size beside = l->big < LANES * BLOCKS ? l->kernel : 1; /* taps side by side that are taken together */
    size depth = beside * l->big, places = l->kernel * l->kernel / beside, weights = l->small * places * depth;
    size group = most(1, LINE / pixels), groups = parts(l->images, group);
    float *shares = room(SHARES * weights * sizeof(float)), *biases = zeros(SHARES * s_room * sizeof(float));
#pragma omp parallel num_threads(threads)
    {
        bf16 *x = zeros((group * line + SLACK) * sizeof(bf16)), *y = room(group * pixels * l->small * sizeof(bf16));
        bf16 *smalls = room(rounded(group * pixels, 2) * s_room * sizeof(bf16));
        bf16 *seen = room(rounded(LINE, 2) * rounded(depth, LANES) * sizeof(bf16));
#pragma omp for schedule(static)
        for (size share = 0; share < SHARES; share++) {
            float *sums_of = shares + share * weights;
            size begin = groups * share / SHARES, end = groups * (share + 1) / SHARES;
            if (begin == end) memset(sums_of, 0, weights * sizeof(float));
            for (size g = begin; g < end; g++) {
                size image = g * group, images = least(group, l->images - image), total = images * pixels;
                for (size i = 0; i < images; i++)
                    border(big, image + i, l->height, l->width, l->big, l->padding, broad, x + i * line);
                fetch(y, small, image * pixels * l->small, total * l->small);
                pair_up(y, total, l->small, smalls);
                if (of_bias) add_rows(y, total, l->small, biases + share * s_room);
                size run = rounded(parts(total, parts(total, LINE)), 2);
                for (size place = 0; place < places; place++) {
                    const bf16 *at = x + (place * beside / l->kernel * broad + place * beside % l->kernel) * l->big;
                    for (size from = 0, count; from < total; from += count) {
                        count = least(run, total - from);
                        pairs_seen(l, at, tall, broad, from, count, depth, seen);
                        sum_up(smalls + from * s_room, s_room, l->small, seen, rounded(depth, LANES), depth,
                               parts(count, 2), sums_of + place * depth, places * depth, g > begin || from > 0);
                    }
                }
            }
        }
        free(x), free(y), free(smalls), free(seen);
#pragma omp for schedule(static)
        for (size i = 0; i < weights; i++) {
            of_w[i] = shares[i];
            for (size share = 1; share < SHARES; share++) of_w[i] += shares[share * weights + i];
        }
    }
    if (of_bias) add_shares(biases, s_room, l->small, of_bias);
    free(shares), free(biases);
}

/* The weights, and unless it is null the bias on the small side. */
EXPORT void weigh(const Layer *l, const Source *big, const Source *small, float *of_w, float *of_bias, int threads) {
    size taps = l->kernel * l->kernel;
    Layer dense_one = *l;
    dense_one.kernel = dense_one.stride = 1, dense_one.padding = 0;
    if (has_few(l, l->big)) {
        Source unfolded = {.x = unfold(l, 0, big, threads)};
        dense_one.height = l->rows, dense_one.width = l->columns, dense_one.big = taps * l->big;
        weigh_images(&dense_one, &unfolded, small, of_w, of_bias, threads);
        free((void *)unfolded.x);
    } else if (has_few(l, l->small) && l->stride == 1) {
        Source unfolded = {.x = unfold(l, 1, small, threads)};
        float *turned = room(l->small * taps * l->big * sizeof(float));
        dense_one.rows = l->height, dense_one.columns = l->width, dense_one.small = taps * l->small;
        weigh_images(&dense_one, big, &unfolded, turned, NULL, threads);
        reorder(l, turned, of_w, 1);
        if (of_bias) add_up(l->images * l->rows * l->columns, l->small, small, of_bias, threads);
        free((void *)unfolded.x), free(turned);
    } else
        weigh_images(l, big, small, of_w, of_bias, threads);
}

