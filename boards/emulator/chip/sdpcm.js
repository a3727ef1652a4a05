// The packets between host and radio. Each has a header with a sequence number and credit, then a command, an answer, an event or a frame.

export const CONTROL = 0, EVENT = 1, DATA = 2;

const HEADER = 12;

/** How many packets the host may send ahead. */
const WINDOW = 20;

/** The packets of function 2 of the bus, in both directions. */
export class PacketLink {
  /** The packets for the host; the next one comes first. @type {Uint8Array[]} */
  queue = [];
  #sequence = 0;
  #heard = 255;
  /** The host starts with one credit. */
  #granted = 1;

  /** Queues a packet for the host. @param {number} channel @param {Uint8Array} payload */
  push(channel, payload) {
    const packet = new Uint8Array(HEADER + payload.length);
    const view = new DataView(packet.buffer);
    this.#granted = (this.#heard + 1 + WINDOW) & 0xff;
    view.setUint16(0, packet.length, true);
    view.setUint16(2, ~packet.length & 0xffff, true);
    packet.set([this.#sequence, channel, 0, HEADER, 0, this.#granted], 4);
    packet.set(payload, HEADER);
    this.#sequence = (this.#sequence + 1) & 0xff;
    this.queue.push(packet);
  }

  /** Parses a packet of the host. Returns null if it isn't a packet. @param {Uint8Array} bytes */
  accept(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const length = view.getUint16(0, true);
    if ((length ^ view.getUint16(2, true)) !== 0xffff || length > bytes.length) return null;
    this.#heard = bytes[4];
    return { channel: bytes[5] & 0xf, payload: bytes.slice(bytes[7], length) };
  }

  /** Gives a host that has used half of its credit more, in an empty packet if no other one is waiting. */
  replenish() {
    if (((this.#granted - this.#heard - 1) & 0xff) < WINDOW / 2) this.push(CONTROL, new Uint8Array(0));
  }
}
