// The course of a training, as it grows: the lines of metrics.jsonl.
import { ask } from "./ask.js";

export class Rows {
  constructor(address) {
    Object.assign(this, { address, next: 0, kept: new Map() });
  }

  /** Read what is new; a step that was trained again after an interruption counts once. */
  async read() {
    for (let more = true; more;) {
      const found = await ask(`${this.address}/rows?from=${this.next}`);
      if (found.next < this.next) this.kept.clear();
      for (const row of found.rows) this.kept.set(`${row.step} ${Boolean(row.test)}`, row);
      this.next = found.next;
      more = found.more;
    }
  }

  get size() {
    return this.kept.size;
  }

  /** All of them, by their steps. */
  sorted() {
    return [...this.kept.values()].sort((a, b) => a.step - b.step);
  }
}
