// Pictures: from values in [0, 1] laid out (C, H, W) to a canvas, and back.

/** Paint one picture of an array into pixels, its upper left corner at (left, top). */
export function blit(pixels, values, at, [channels, height, width], left = 0, top = 0) {
  const plane = height * width;
  for (let y = 0; y < height; y++) {
    let to = 4 * ((top + y) * pixels.width + left), from = at * channels * plane + y * width;
    for (let x = 0; x < width; x++, to += 4, from++) {
      const red = 255 * values[from];
      pixels.data[to] = red;
      pixels.data[to + 1] = channels > 2 ? 255 * values[from + plane] : red;
      pixels.data[to + 2] = channels > 2 ? 255 * values[from + 2 * plane] : red;
      pixels.data[to + 3] = channels === 4 ? 255 * values[from + 3 * plane] : 255;
    }
  }
}

/** A canvas of the picture's own size. */
export function bare(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height });
}

/** One picture of an array on a canvas, as large as the canvas is. */
export function show(canvas, values, shape, at = 0) {
  const [, height, width] = shape;
  const pixels = new ImageData(width, height);
  blit(pixels, values, at, shape);
  const small = bare(width, height);
  small.getContext("2d").putImageData(pixels, 0, 0);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
}

/** The values of a picture that is drawn on a canvas, averaged down to the model's size. */
export function values(canvas, [channels, height, width]) {
  let from = canvas;
  while (from.width >= 2 * width && from.height >= 2 * height) from = halved(from);
  const small = bare(width, height);
  const context = small.getContext("2d", { willReadFrequently: true });
  context.drawImage(from, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const plane = width * height, found = new Float32Array(channels * plane);
  for (let i = 0; i < plane; i++) {
    const [r, g, b, a] = data.subarray(4 * i, 4 * i + 4);
    if (channels < 3) found[i] = (0.299 * r + 0.587 * g + 0.114 * b) / 255;
    else [r, g, b, a].slice(0, channels).forEach((value, c) => { found[c * plane + i] = value / 255; });
  }
  return found;
}

function halved(canvas) {
  const half = bare(canvas.width >> 1, canvas.height >> 1);
  half.getContext("2d").drawImage(canvas, 0, 0, half.width, half.height);
  return half;
}

/** Offer a canvas as a PNG file. */
export function save(canvas, name) {
  canvas.toBlob((blob) => offer(blob, `${name}.png`));
}

/** Offer a file. */
export function offer(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
