// A back end whose model is at the server: the same calls as those of the exported page.
import { bring, bytes, path } from "./ask.js";

export class ServerBackEnd {
  /** A server computes beside the page, so that a grid is asked for at once. */
  constructor(about) {
    Object.assign(this, { about, chunk: Infinity, address: path("api", "models", about.name) });
  }

  async encode(images, labels) {
    const n = images.length / this.about.shape.reduce((a, b) => a * b);
    const noise = "noise" in this.about.inputs.encoder ? new Float32Array(n * this.about.latent) : null;
    return new Float32Array(await this.run("encoder", { image: images, noise, label: labels }));
  }

  async decode(codes, labels) {
    return levels(await this.run("decoder", { z: codes, label: labels }));
  }

  async generate(noise, labels) {
    return levels(await this.run("generator", { ...noise, label: labels }));
  }

  /** How likely the model finds one picture, beside test images. */
  async score(image, labels) {
    const label = labels ? [Int32Array.from(labels)] : [];
    return bring(`${this.address}/score`, new Blob([image, ...label]));
  }

  /** The inputs one after the other, in the order that the model says. */
  run(part, given) {
    const inputs = Object.keys(this.about.inputs[part]).map((name) => (name === "label" ? Int32Array.from(given.label) : given[name]));
    return bytes(`${this.address}/${part}`, new Blob(inputs));
  }
}

/** 8-bit levels as values in [0, 1]. */
function levels(buffer) {
  const all = new Uint8Array(buffer), found = new Float32Array(all.length);
  for (let i = 0; i < all.length; i++) found[i] = all[i] / 255;
  return found;
}
