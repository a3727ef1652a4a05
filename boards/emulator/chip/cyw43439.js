// The CYW43439 as a host sees it through gSPI: registers of the bus, the backplane behind a window, and packets.
import { Radio } from './radio.js';

// Functions of the bus.
const BUS = 0, BACKPLANE = 1, WLAN = 2;

// Bus registers and bits.
const REGISTERS = 0x20;
const CONTROL = 0x00, INTERRUPT = 0x04, ENABLE = 0x06, STATUS = 0x08, TEST = 0x14;
const TEST_PATTERN = 0xfeedbead;
const WORDS_OF_32_BITS = 1, PACKET_WAITS = 0x20;
const STATUS_READY = 0x20, STATUS_PACKET = 0x100;

// The length in a command and, shifted, in the status. For a packet, 0 means one more than the mask.
const LENGTH_MASK = 0x7ff, STATUS_LENGTH = 9;

// The backplane: the registers of the bus's own end, the window to the rest, and the clock.
const LOCAL = 0x10000, WINDOW = 0x0a, CLOCK = 0x0e;
const WINDOW_MASK = 0x7fff;
const SLOW_CLOCK_RUNS = 0x40, FAST_CLOCK_RUNS = 0x80;
const MEMORY = 512 * 1024;
const CHIP_ID = 0x18000000, ID = 43439; // 0xa9af
const WLAN_IO = 0x18103408, WLAN_RESET = 0x18103800;

const swapHalves = (/** @type {number} */ word) => ((word << 16) | (word >>> 16)) >>> 0;

export class Cyw43439 {
  counts = { transactions: 0, words: 0, uploaded: 0 };
  /** Called when the interrupt line changes. @type {(level: boolean) => void} */
  onInterrupt = () => {};
  interrupt = false;
  powered = false;
  memory = new Uint8Array(MEMORY);
  /** The registers of the bus. */
  bus = new DataView(new ArrayBuffer(REGISTERS));
  /** The registers of the bus's own end of the backplane. */
  local = new Uint8Array(REGISTERS);
  /** Bytes behind the window that aren't memory, by address. @type {Map<number, number>} */
  registers = new Map();
  /** The host sends words with their halves exchanged, until it changes that. */
  swapped = true;

  /** @param {Omit<ConstructorParameters<typeof Radio>[0], 'onPacket'>} parts */
  constructor(parts) {
    this.parts = { ...parts, onPacket: () => this.#updateInterrupt() };
    this.radio = new Radio(this.parts);
    this.#clear();
  }

  /** The pin WL_REG_ON. @param {boolean} on */
  power(on) {
    if (on === this.powered) return;
    this.radio.joined = false;
    this.#clear();
    this.powered = on;
    this.#updateInterrupt();
  }

  #clear() {
    this.memory = new Uint8Array(MEMORY);
    this.bus = new DataView(new ArrayBuffer(REGISTERS));
    this.bus.setUint32(TEST, TEST_PATTERN, true);
    this.local = new Uint8Array(REGISTERS);
    this.registers = new Map();
    this.swapped = true;
    const { counts } = this.radio;
    this.radio = new Radio(this.parts);
    this.radio.counts = counts;
  }

  /** The number of words of the chip's answer to a command word, including the status. @param {number} word */
  answerLength(word) {
    const { write, fn, length } = this.#decode(word);
    return write ? 1 : Math.ceil(length / 4) + (fn === BACKPLANE ? 1 : 0) + 1;
  }

  /** The number of words that follow a command word. @param {number} word */
  commandLength(word) {
    const { write, length } = this.#decode(word);
    return write ? Math.ceil(length / 4) : 0;
  }

  #decode(/** @type {number} */ word) {
    const command = this.swapped ? swapHalves(word) : word;
    const fn = (command >>> 28) & 3;
    const length = command & LENGTH_MASK;
    return { write: command >>> 31 === 1, fn, address: (command >>> 11) & 0x1ffff, length: length || (fn === WLAN ? LENGTH_MASK + 1 : 0) };
  }

  /** Runs one transaction with the words that the host sent. Returns the words that it reads; the last one is the status. */
  transact(/** @type {Uint32Array} */ sent, /** @type {number} */ reads) {
    const answer = new Uint32Array(reads);
    if (!this.powered) return answer;
    this.counts.transactions++;
    this.counts.words += sent.length + reads;
    const { write, fn, address, length } = this.#decode(sent[0]);
    const swapped = this.swapped;
    if (write) {
      const words = sent.slice(1);
      if (swapped) words.forEach((word, n) => (words[n] = swapHalves(word)));
      this.#write(fn, address, new Uint8Array(words.buffer).subarray(0, length));
    } else {
      // The backplane answers one word late.
      const late = fn === BACKPLANE ? 4 : 0;
      const room = Math.min(length, reads * 4 - 4 - late);
      this.#read(fn, address, new Uint8Array(answer.buffer, late, room));
      if (swapped) answer.forEach((word, n) => (answer[n] = swapHalves(word)));
    }
    answer[reads - 1] = this.#status();
    this.#updateInterrupt();
    return answer;
  }

  /** @param {number} fn @param {number} address @param {Uint8Array} bytes */
  #write(fn, address, bytes) {
    if (fn === BUS) this.#writeBus(address, bytes);
    else if (fn === WLAN) this.radio.accept(bytes);
    else if (address >= LOCAL) bytes.forEach((byte, n) => (this.local[(address + n) % REGISTERS] = byte));
    else this.#writeBackplane(this.#behindWindow(address), bytes);
  }

  /** @param {number} fn @param {number} address @param {Uint8Array} out */
  #read(fn, address, out) {
    if (fn === BUS) this.#readBus(address, out);
    else if (fn === WLAN) out.set(this.radio.link.queue.shift()?.subarray(0, out.length) ?? []);
    else if (address >= LOCAL) out.forEach((_, n) => (out[n] = this.#readLocal((address + n) % REGISTERS)));
    else { const from = this.#behindWindow(address); out.forEach((_, n) => (out[n] = this.#readBackplane(from + n))); }
  }

  /** @param {number} address @param {Uint8Array} bytes */
  #writeBus(address, bytes) {
    bytes.forEach((byte, n) => {
      const at = address + n;
      if (at === INTERRUPT || at === INTERRUPT + 1) this.bus.setUint8(at, this.bus.getUint8(at) & ~byte);
      else if (at < TEST || (at >= TEST + 4 && at < REGISTERS)) this.bus.setUint8(at, byte);
    });
    if (address === CONTROL) this.swapped = !(this.bus.getUint8(CONTROL) & WORDS_OF_32_BITS);
  }

  /** @param {number} address @param {Uint8Array} out */
  #readBus(address, out) {
    const now = new DataView(this.bus.buffer.slice(0));
    now.setUint32(STATUS, this.#status(), true);
    now.setUint16(INTERRUPT, this.#interrupts(), true);
    out.forEach((_, n) => (out[n] = address + n < REGISTERS ? now.getUint8(address + n) : 0));
  }

  #behindWindow(/** @type {number} */ address) {
    const [low, middle, high] = this.local.subarray(WINDOW, WINDOW + 3);
    return (((low << 8) | (middle << 16) | (high << 24)) & ~WINDOW_MASK | (address & WINDOW_MASK)) >>> 0;
  }

  /** @param {number} address @param {Uint8Array} bytes */
  #writeBackplane(address, bytes) {
    if (address < this.memory.length) {
      this.memory.set(bytes.subarray(0, this.memory.length - address), address);
      this.counts.uploaded += bytes.length;
    } else {
      bytes.forEach((byte, n) => this.registers.set(address + n, byte));
    }
  }

  #readBackplane(/** @type {number} */ address) {
    if (address < this.memory.length) return this.memory[address];
    if (address === CHIP_ID) return ID & 0xff;
    if (address === CHIP_ID + 1) return ID >> 8;
    return this.registers.get(address) ?? 0;
  }

  #readLocal(/** @type {number} */ address) {
    if (address !== CLOCK) return this.local[address];
    return this.local[address] | SLOW_CLOCK_RUNS | (this.#coreRuns() ? FAST_CLOCK_RUNS : 0);
  }

  #coreRuns() {
    return ((this.registers.get(WLAN_IO) ?? 0) & 3) === 1 && !((this.registers.get(WLAN_RESET) ?? 0) & 1);
  }

  #status() {
    const [next] = this.radio.link.queue;
    return (STATUS_READY | (next ? STATUS_PACKET | ((next.length & LENGTH_MASK) << STATUS_LENGTH) : 0)) >>> 0;
  }

  #interrupts() {
    return this.bus.getUint16(INTERRUPT, true) | (this.radio.link.queue.length ? PACKET_WAITS : 0);
  }

  #updateInterrupt() {
    const level = this.powered && (this.#interrupts() & this.bus.getUint16(ENABLE, true)) !== 0;
    if (level === this.interrupt) return;
    this.interrupt = level;
    this.onInterrupt(level);
  }
}
