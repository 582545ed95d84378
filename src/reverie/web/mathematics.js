// Codes and chances: the same formulas as in Python, so that both show the same place by the same picture.

/** The chance that a standard normal number is below z (Cody's rational bounds through erfc, absolute error 1e-7). */
export function below(z) {
  const t = 1 / (1 + 0.5 * Math.abs(z) * Math.SQRT1_2);
  const series = [-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587,
    -0.82215223, 0.17087277];
  const half = 0.5 * t * Math.exp(-0.5 * z * z + series.reduceRight((sum, a) => sum * t + a, 0));
  return z > 0 ? 1 - half : half;
}

/** The number that a standard normal one is below with chance p: a rational start (Acklam), then one step of Halley. */
export function quantile(p) {
  const inside = Math.min(Math.max(p, 1e-7), 1 - 1e-7);
  const start = inside < 0.02425 ? tailOf(inside) : inside > 0.97575 ? -tailOf(1 - inside) : middleOf(inside);
  const error = (below(start) - inside) * Math.sqrt(2 * Math.PI) * Math.exp(0.5 * start * start);
  return start - error / (1 + 0.5 * start * error);
}

const polynomial = (x, factors) => factors.reduce((sum, a) => sum * x + a, 0);

function middleOf(p) {
  const q = p - 0.5, r = q * q;
  const up = [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716,
    2.506628277459239];
  const down = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1];
  return q * polynomial(r, up) / polynomial(r, down);
}

function tailOf(p) {
  const q = Math.sqrt(-2 * Math.log(p));
  const up = [-0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
    2.938163982698783];
  const down = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1];
  return polynomial(q, up) / polynomial(q, down);
}

/** The point between two codes on a straight line. */
export function lerp(a, b, t) {
  return a.map((value, i) => (1 - t) * value + t * b[i]);
}

/** The point between two codes on a great circle (Shoemake 1985); a straight line where there is none. */
export function slerp(a, b, t) {
  const [longA, longB] = [a, b].map((code) => Math.hypot(...code));
  if (!longA || !longB) return lerp(a, b, t);
  const gap = Math.hypot(...a.map((value, i) => value / longA - b[i] / longB));
  const sum = Math.hypot(...a.map((value, i) => value / longA + b[i] / longB));
  const angle = 2 * Math.atan2(gap, sum);
  if (Math.sin(angle) < 1e-4) return lerp(a, b, t);
  return a.map((value, i) => (Math.sin((1 - t) * angle) * value + Math.sin(t * angle) * b[i]) / Math.sin(angle));
}

/** Uniform numbers in (0, 1) from a seed (mulberry32). */
export function chance(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
}

/** Standard normal numbers, n of them (Box and Muller 1958). */
export function normal(n, next = Math.random) {
  return Float32Array.from({ length: n }, () => Math.sqrt(-2 * Math.log(next() || 1e-12)) * Math.cos(2 * Math.PI * next()));
}

/** A number as one reads it, with a true minus. */
export function shown(value, digits = 2) {
  return value.toFixed(digits).replace(/^-/, "\u2212");
}
