// A back end whose language model is at the server: the same calls as those of the exported page.
import { listen, path, send } from "./ask.js";
import { capital } from "./words.js";

export class ServerSpeaker {
  constructor({ name, most, beginning }) {
    Object.assign(this, { near: false, most, beginning, address: path("api", "texts", name) });
  }

  async write(prompt, settings, heard, signal) {
    let last = "";
    await listen(`${this.address}/write`, { prompt, ...settings }, ({ prompt, note, symbols, end, error }) => {
      if (error) throw new Error(error);
      if (symbols) heard({ symbols: symbols.map(([text, probability, chance]) => ({ text, probability, chance })) });
      else if (end === undefined) heard({ prompt, note: note && capital(note) });
      last = end ?? "";
    }, signal);
    return last;
  }

  async likely(text, settings) {
    return (await send(`${this.address}/next`, { text, ...settings })).next;
  }

  async score(text, heard) {
    const { cells, figures, protocol } = await send(`${this.address}/surprise`, { text }), symbols = cells.map(([text, bits]) => ({ text, bits }));
    heard(symbols);
    return { symbols, figures, protocol };
  }

  /** What counting the training text and xz make of a text. */
  async beside(text) {
    return (await send(`${this.address}/beside`, { text })).figures;
  }
}
