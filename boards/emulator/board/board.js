// A Pi Pico W: processor, radio, USB and LED. Time moves only in runUntil().
import { USBCDC } from 'rp2040js';
import { connectWords } from '../bus/words.js';
import { Cyw43439 } from '../chip/cyw43439.js';
import { Random } from './random.js';
import { inherit, startRp2040 } from './rp2040.js';
import { Rtt } from './rtt.js';

/** The length of a cycle at 125 MHz, nanoseconds. */
export const CYCLE = 8;

/** The number of instructions between two checks of the wall clock. */
const SLICE = 2000;

export class Board {
  instructions = 0;
  resets = /** @type {string[]} */ ([]);
  /** The number of bytes that the firmware has logged. */
  logged = 0;
  /** The last line on USB. */
  line = '';
  // These are made at each start.
  mcu = /** @type {import('rp2040js').RP2040} */ (/** @type {unknown} */ (null));
  clock = /** @type {import('./rp2040.js').Clock} */ (/** @type {unknown} */ (null));
  chip = /** @type {Cyw43439} */ (/** @type {unknown} */ (null));
  rtt = new Rtt();
  #boot = 0;
  #reset = /** @type {string | null} */ (null);

  /**
   * @param {object} options
   * @param {Uint8Array} options.image
   * @param {Uint8Array} options.mac
   * @param {import('../chip/radio.js').AccessPoint} options.accessPoint
   * @param {number} [options.seed] of the ring oscillator
   * @param {bigint} [options.clock] microseconds that its timer has at power on
   * @param {typeof connectWords} [options.connect] how the bus is emulated
   * @param {(frame: Uint8Array) => void} [options.onFrame]
   * @param {(line: string) => void} [options.onLine] called with each line on USB
   * @param {(lit: boolean) => void} [options.onLed]
   * @param {(cause: string) => void} [options.onReset]
   */
  constructor(options) {
    const ignore = () => {};
    this.options = { seed: 1, clock: 0n, connect: connectWords, onFrame: ignore, onLine: ignore, onLed: ignore, onReset: ignore, ...options };
    this.random = new Random(this.options.seed);
    this.#start(this.options.clock);
    this.#boot = -this.clock.nanos;
  }

  /** Nanoseconds since power on. */
  get nanos() { return this.#boot + this.clock.nanos; }

  get radio() { return this.chip.radio; }

  /** When the next event of the board is due. */
  get next() {
    if (!this.mcu.core.waiting) return this.nanos;
    return this.clock.nextAlarm ? this.#boot + this.clock.nextAlarm.nanos : Infinity;
  }

  /** Receives a frame from the air at a moment that has not passed yet. @param {Uint8Array} frame @param {number} at */
  receive(frame, at = this.nanos) {
    const { clock } = this;
    clock.createAlarm(() => { if (clock === this.clock) this.radio.hear(frame); }).schedule(Math.max(0, at - this.nanos));
  }

  /** Switches the power off and on: memory is lost, the settings are kept. */
  powerCycle() { this.#restart('power', false); }

  /** Does what the reset button does. */
  reset() { this.#restart('button', true); }

  /**
   * Runs until `end`, or until the wall clock reaches `limit`. Returns whether the end was reached.
   * @param {number} end nanoseconds since power on
   * @param {number} [limit] of performance.now()
   */
  runUntil(end, limit = Infinity) {
    while (this.nanos < end) {
      this.#slice(end - this.#boot);
      if (this.#reset) this.#restart(this.#reset, true);
      if (limit !== Infinity && performance.now() > limit) break;
    }
    return this.nanos >= end;
  }

  /** Removes the logged bytes from the ring, and counts them. */
  drainLog() {
    const bytes = this.rtt.drain(this.mcu);
    this.logged += bytes.length;
    return bytes;
  }

  /** @param {number} end nanoseconds of this boot */
  #slice(end) {
    const { clock } = this, { core } = this.mcu;
    for (let n = 0; n < SLICE && clock.nanos < end && !this.#reset; n++) {
      if (core.waiting) {
        const alarm = clock.nextAlarm ? clock.nextAlarm.nanos : Infinity;
        clock.tick(Math.max(0, Math.min(alarm, end) - clock.nanos));
      } else {
        clock.tick(core.executeInstruction() * CYCLE);
        this.instructions++;
      }
    }
  }

  /** @param {bigint} since microseconds on its timer */
  #start(since) {
    const { image, mac, accessPoint, connect, onLed } = this.options;
    const { mcu, clock } = startRp2040({ image, since, randomBit: () => this.random.bit(), onReset: (cause) => (this.#reset = cause) });
    this.mcu = mcu;
    this.clock = clock;
    this.rtt = new Rtt();
    this.chip = new Cyw43439({ clock, mac, accessPoint, onLed, onFrame: (frame) => this.options.onFrame(frame) });
    connect(mcu, this.chip, clock);
    this.#listen(mcu);
  }

  /** @param {import('rp2040js').RP2040} mcu */
  #listen(mcu) {
    const host = new USBCDC(mcu.usbCtrl);
    let text = '';
    host.onSerialData = (bytes) => {
      text += Buffer.from(bytes).toString('utf8');
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) { this.line = line.trimEnd(); this.options.onLine(this.line); }
    };
  }

  /** @param {string} cause @param {boolean} keepsMemory */
  #restart(cause, keepsMemory) {
    const former = this.mcu, now = this.nanos;
    this.#reset = null;
    this.resets.push(cause);
    this.line = '';
    this.#start(0n);
    this.#boot = now;
    if (keepsMemory) inherit(this.mcu, former);
    this.options.onReset(cause);
  }
}
