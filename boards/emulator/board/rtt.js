// Reads the firmware's log from the ring that SEGGER's Real Time Transfer keeps in memory, and which is found by its name. The bytes
// are encoded by defmt and aren't decoded here.

const NAME = Buffer.from('SEGGER RTT');

export class Rtt {
  #block = -1;

  /** Returns and removes the new bytes in the first ring. @param {import('rp2040js').RP2040} mcu @returns {Uint8Array} */
  drain(mcu) {
    const memory = Buffer.from(mcu.sram.buffer);
    if (this.#block < 0 || memory.compare(NAME, 0, NAME.length, this.#block, this.#block + NAME.length) !== 0) this.#block = memory.indexOf(NAME);
    if (this.#block < 0) return new Uint8Array(0);
    const ring = this.#block + 24;
    const [start, size, written, read] = [4, 8, 12, 16].map((at) => memory.readUInt32LE(ring + at));
    if (size === 0) return new Uint8Array(0);
    const bytes = new Uint8Array((written - read + size) % size);
    bytes.forEach((_, n) => (bytes[n] = memory[start - 0x20000000 + ((read + n) % size)]));
    memory.writeUInt32LE(written, ring + 16);
    return bytes;
  }
}
