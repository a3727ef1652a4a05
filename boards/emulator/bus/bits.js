// The bus bit by bit. The driver's own program runs in the state machine, which the simulated clock steps, and the chip listens to
// the pins. It is ten times slower than bus/words.js, and serves to check it.

const POWER = 23, DATA = 24, SELECT = 25, CLOCK = 29;

/** The number of steps of the state machine that are made at once, and the time of one, nanoseconds. */
const STEPS = 8, STEP = 16;

const CONTROL = 0, WAITS_FOR_OUT = 5;

/**
 * @typedef {import('rp2040js').RP2040} RP2040
 * @typedef {import('rp2040js').RPPIO} RPPIO
 * @typedef {import('rp2040js').StateMachine} StateMachine
 * @typedef {import('../board/rp2040.js').Clock} Clock
 * @typedef {import('../chip/cyw43439.js').Cyw43439} Cyw43439
 */

/** @param {RP2040} mcu @param {Cyw43439} chip @param {Clock} clock */
export function connectBits(mcu, chip, clock) {
  const kick = runByClock(mcu.pio[0], clock);
  new BitSlave(mcu, chip, kick);
  mcu.gpio[POWER].addListener((level) => chip.power(level === 1));
}

/** Runs state machines by the simulated clock; rp2040js uses the wall clock. Returns a function that starts them again. @param {RPPIO} pio @param {Clock} clock */
function runByClock(pio, clock) {
  let armed = false;
  const runs = (/** @type {StateMachine} */ machine) => machine.enabled && !machine.waiting;
  const alarm = clock.createAlarm(() => {
    armed = false;
    for (let n = 0; n < STEPS && pio.machines.some(runs); n++) {
      for (const machine of pio.machines.filter(runs)) machine.step();
      pio.checkChangedPins();
    }
    kick();
  });
  const kick = () => {
    if (armed || !pio.machines.some(runs)) return;
    armed = true;
    alarm.schedule(STEP * STEPS);
  };
  pio.run = kick;
  const write = pio.writeUint32.bind(pio), read = pio.readUint32.bind(pio);
  pio.writeUint32 = (offset, value) => { write(offset, value); if (offset === CONTROL) endStalls(pio); kick(); };
  pio.readUint32 = (offset) => { const value = read(offset); kick(); return value; };
  return kick;
}

/** Ends stalls when a machine is disabled. In rp2040js a stall continues after that, and the next write is lost. @param {RPPIO} pio */
function endStalls(pio) {
  for (const machine of pio.machines.filter((machine) => !machine.enabled && machine.waiting)) {
    machine.waiting = false;
    if (machine.waitType === WAITS_FOR_OUT) machine.outputShiftCount = 32;
  }
}

class BitSlave {
  #selected = false;
  #word = 0;
  #bits = 0;
  #sent = /** @type {number[]} */ ([]);
  #answer = /** @type {Uint32Array | null} */ (null);

  /** @param {RP2040} mcu @param {Cyw43439} chip @param {() => void} kick starts the state machines again */
  constructor(mcu, chip, kick) {
    this.mcu = mcu;
    this.chip = chip;
    this.kick = kick;
    this.data = mcu.gpio[DATA];
    // While the chip isn't selected, the data pin is its interrupt line.
    chip.onInterrupt = (level) => { if (!this.#selected) this.#drive(level); };
    mcu.gpio[SELECT].addListener((level) => this.#select(level === 0));
    mcu.gpio[CLOCK].addListener((level) => {
      if (!this.#selected) return;
      if (level === 1) this.#sample();
      else this.#shift();
    });
  }

  #drive(/** @type {boolean} */ level) { this.data.setInputValue(level); this.kick(); }

  #select(/** @type {boolean} */ on) {
    this.#selected = on;
    this.#sent = [];
    this.#bits = 0;
    this.#answer = null;
    if (!on) this.#drive(this.chip.interrupt);
  }

  #sample() {
    if (this.#answer) return;
    this.#word = ((this.#word << 1) | ((this.mcu.pio[0].pinValues >>> DATA) & 1)) >>> 0;
    if (++this.#bits < 32) return;
    this.#bits = 0;
    this.#sent.push(this.#word);
    const [command] = this.#sent;
    if (this.#sent.length <= this.chip.commandLength(command)) return;
    this.#answer = this.chip.transact(Uint32Array.from(this.#sent), this.chip.answerLength(command));
  }

  #shift() {
    if (!this.#answer) return;
    const word = this.#answer[this.#bits >> 5] ?? 0;
    this.#drive(((word >>> (31 - (this.#bits & 31))) & 1) === 1);
    this.#bits++;
  }
}
