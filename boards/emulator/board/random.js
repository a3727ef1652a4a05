// Marsaglia's xorshift with 32 bits. The same seed gives the same numbers.

export class Random {
  #state;

  /** @param {number} seed */
  constructor(seed) {
    this.#state = (Math.imul(seed + 1, 2654435761) ^ 0x9e3779b9) | 1;
    for (let n = 0; n < 8; n++) this.next();
  }

  /** The next 32 bits. */
  next() {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return this.#state >>> 0;
  }

  /** A number from 0 to `end` - 1. @param {number} end */
  below(end) { return this.next() % end; }

  bit() { return (this.next() >>> 16) & 1; }
}
