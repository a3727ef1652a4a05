// An RP2040 of rp2040js 1.4.1, changed so that embassy's firmware runs on it. This file corrects the package's faults from outside.
import { Simulator } from 'rp2040js';

const ROSC = 0x40060, WATCHDOG = 0x40058, TIMER = 0x40054;
const ROSC_STATUS = 0x18, ROSC_RANDOM_BIT = 0x1c, ROSC_STABLE = 0x80001000;

/** The registers of the timer's upper half (of 64 bits of microseconds): the latched value and the current one. */
const TIMER_HIGH = [0x08, 0x24];

/** The processor's register for application interrupt and reset control, its key, and the bit that asks for a reset. */
const AIRCR = 0xd0c, AIRCR_KEY = 0x5fa, RESET_REQUEST = 4;

/** The number of the exception. */
const HARD_FAULT = 3;

/** Where the vectors are, behind the second-stage boot loader. The emulator has no boot ROM that would run that loader. */
const VECTORS = 0x100, FLASH = 0x10000000;

/** @typedef {import('rp2040js').RP2040} RP2040 */

/**
 * The simulation's clock, including members that are private in the package.
 * @typedef {{
 *   readonly nanos: number,
 *   readonly nextAlarm: { nanos: number } | null,
 *   nanosCounter: number,
 *   createAlarm(callback: () => void): { schedule(nanos: number): void, cancel(): void },
 *   tick(nanos: number): void,
 * }} Clock
 */

// The functions below change members that are private in the package's types, hence `any`.

/**
 * @param {object} parts
 * @param {Uint8Array} parts.image of the flash
 * @param {() => number} parts.randomBit
 * @param {bigint} parts.since microseconds on the timer at the start
 * @param {(cause: 'software' | 'watchdog') => void} parts.onReset called when it must be restarted, which must happen outside of the clock's tick
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

/** Copies everything that a reset keeps: memory, and the reset reason and scratch registers of the watchdog. */
export function inherit(/** @type {RP2040} */ mcu, /** @type {RP2040} */ former) {
  mcu.sram.set(former.sram);
  const [now, before] = [mcu, former].map((each) => /** @type {any} */ (each.peripherals[WATCHDOG]));
  now.reason = before.reason;
  now.scratchData.set(before.scratchData);
}

/** Silences the logger, and uses its call for SEV to set the event: rp2040js doesn't set it, so a task woken in thread mode would sleep on. */
function silence(/** @type {RP2040} */ mcu) {
  const ignore = () => {};
  mcu.logger = { debug: ignore, warn: ignore, error: ignore, info: (_, text) => { if (text === 'SEV') mcu.core.eventRegistered = true; } };
}

/** Makes unknown instructions hard faults. rp2040js skips them, or stops as for a debugger. */
function raiseFaults(/** @type {RP2040} */ mcu) {
  const { core } = mcu;
  const fault = () => { core.PC -= 2; core.exceptionEntry(HARD_FAULT); };
  mcu.onBreak = fault;
  mcu.logger.warn = (_, text) => { if (/is not implemented/.test(text)) fault(); };
}

/** Stops the state machines, which rp2040js runs by setTimeout: the code in bus/ runs them by the simulated clock. They start with an empty register. */
function stopWallClock(/** @type {RP2040} */ mcu) {
  for (const pio of mcu.pio) {
    pio.run = () => {};
    for (const machine of pio.machines) machine.outputShiftCount = 32;
  }
}

/** Sets the timer. The simulation counts nanoseconds in a double, which has too few bits for the timer, so the upper half is added when it is read. */
function startTimer(/** @type {RP2040} */ mcu, /** @type {Clock} */ clock, /** @type {bigint} */ since) {
  const timer = mcu.peripherals[TIMER], read = timer.readUint32.bind(timer);
  const high = Number(since >> 32n);
  clock.nanosCounter = Number(since & 0xffffffffn) * 1e3;
  timer.readUint32 = (offset) => (TIMER_HIGH.includes(offset) ? (read(offset) + high) >>> 0 : read(offset));
}

/** @param {RP2040} mcu @param {(cause: 'software' | 'watchdog') => void} onReset */
function catchResets(mcu, onReset) {
  const watchdog = /** @type {any} */ (mcu.peripherals[WATCHDOG]);
  // Otherwise its alarm would fire again at the same moment.
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
