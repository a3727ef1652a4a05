// An RP2040 of rp2040js 1.4.1 in which embassy's firmware runs. What the package gets wrong is put right here, from outside.
import { Simulator } from 'rp2040js';

const ROSC = 0x40060, WATCHDOG = 0x40058, TIMER = 0x40054;
const ROSC_STATUS = 0x18, ROSC_RANDOM_BIT = 0x1c, ROSC_STABLE = 0x80001000;

/** The upper half of the 64 bits of microseconds: latched, and as it is. */
const TIMER_HIGH = [0x08, 0x24];

/** Application interrupt and reset control of the processor: its key, and the bit that asks for a reset. */
const AIRCR = 0xd0c, AIRCR_KEY = 0x5fa, RESET_REQUEST = 4;

/** The number of the exception. */
const HARD_FAULT = 3;

/** The vectors, behind the second-stage boot loader: there is no boot ROM here that would run it. */
const VECTORS = 0x100, FLASH = 0x10000000;

/** @typedef {import('rp2040js').RP2040} RP2040 */

/**
 * The simulation's clock, with what the package keeps to itself.
 * @typedef {{
 *   readonly nanos: number,
 *   readonly nextAlarm: { nanos: number } | null,
 *   nanosCounter: number,
 *   createAlarm(callback: () => void): { schedule(nanos: number): void, cancel(): void },
 *   tick(nanos: number): void,
 * }} Clock
 */

// What is put right below is private in the package's types, hence `any`.

/**
 * @param {object} parts
 * @param {Uint8Array} parts.image of the flash
 * @param {() => number} parts.randomBit
 * @param {bigint} parts.since microseconds on the timer at the start
 * @param {(cause: 'software' | 'watchdog') => void} parts.onReset it must be started anew, outside of the clock's tick
 */
export function startRp2040({ image, randomBit, since, onReset }) {
  const { rp2040: mcu, clock: hidden } = new Simulator();
  const clock = /** @type {Clock} */ (/** @type {unknown} */ (hidden));
  startTimer(mcu, clock, since);
  silence(mcu);
  raiseFaults(mcu);
  stopWallClock(mcu);
  mcu.peripherals[ROSC].readUint32 = (offset) => (offset === ROSC_RANDOM_BIT ? randomBit() : offset === ROSC_STATUS ? ROSC_STABLE : 0);
  catchResets(mcu, onReset);
  mcu.flash.set(image);
  const { core } = mcu, vectors = new DataView(mcu.flash.buffer, VECTORS);
  core.SP = vectors.getUint32(0, true);
  core.PC = vectors.getUint32(4, true) & ~1;
  core.VTOR = FLASH + VECTORS;
  return { mcu, clock };
}

/** What a reset leaves as it was: memory, and why and with which words the watchdog barked. */
export function inherit(/** @type {RP2040} */ mcu, /** @type {RP2040} */ former) {
  mcu.sram.set(former.sram);
  const [now, before] = [mcu, former].map((each) => /** @type {any} */ (each.peripherals[WATCHDOG]));
  now.reason = before.reason;
  now.scratchData.set(before.scratchData);
}

/** The logger also hears of SEV, which sets no event in rp2040js: a task woken in thread mode would sleep on. */
function silence(/** @type {RP2040} */ mcu) {
  const ignore = () => {};
  mcu.logger = { debug: ignore, warn: ignore, error: ignore, info: (_, text) => { if (text === 'SEV') mcu.core.eventRegistered = true; } };
}

/** Instructions that the processor doesn't have are hard faults; rp2040js goes on behind them, or stops as for a debugger. */
function raiseFaults(/** @type {RP2040} */ mcu) {
  const { core } = mcu;
  const fault = () => { core.PC -= 2; core.exceptionEntry(HARD_FAULT); };
  mcu.onBreak = fault;
  mcu.logger.warn = (_, text) => { if (/is not implemented/.test(text)) fault(); };
}

/** State machines run by setTimeout; whoever connects to them runs them by the simulated clock. They start with an empty register. */
function stopWallClock(/** @type {RP2040} */ mcu) {
  for (const pio of mcu.pio) {
    pio.run = () => {};
    for (const machine of pio.machines) machine.outputShiftCount = 32;
  }
}

/** The simulation counts nanoseconds in a double, which is too short for all of the timer's bits: the upper half is added to what is read. */
function startTimer(/** @type {RP2040} */ mcu, /** @type {Clock} */ clock, /** @type {bigint} */ since) {
  const timer = mcu.peripherals[TIMER], read = timer.readUint32.bind(timer);
  const high = Number(since >> 32n);
  clock.nanosCounter = Number(since & 0xffffffffn) * 1e3;
  timer.readUint32 = (offset) => (TIMER_HIGH.includes(offset) ? (read(offset) + high) >>> 0 : read(offset));
}

/** @param {RP2040} mcu @param {(cause: 'software' | 'watchdog') => void} onReset */
function catchResets(mcu, onReset) {
  const watchdog = /** @type {any} */ (mcu.peripherals[WATCHDOG]);
  // Its alarm would fire again without time passing.
  watchdog.onWatchdogTrigger = () => { watchdog.alarm.enable = false; onReset('watchdog'); };
  const write = mcu.ppb.writeUint32.bind(mcu.ppb);
  mcu.ppb.writeUint32 = (offset, value) => {
    if (offset === AIRCR && value >>> 16 === AIRCR_KEY && value & RESET_REQUEST) {
      watchdog.reason = 0;
      onReset('software');
    } else {
      write(offset, value);
    }
  };
}
