// The bus bit by bit: the driver's own program runs in the state machine, stepped by the simulated clock, and the chip listens to
// the pins. Ten times slower than bus/words.js, whose cross-check it is.

const POWER = 23, DATA = 24, SELECT = 25, CLOCK = 29;

/** Steps of the state machine made in one go, and the time of one, nanoseconds. */
const STEPS = 8, STEP = 16;

const CONTROL = 0, WAITS_FOR_OUT = 5;

/** @param {any} mcu of rp2040js @param {import('../chip/cyw43439.js').Cyw43439} chip */
export function connectBits(mcu, chip, clock) {
  const kick = runByClock(mcu.pio[0], clock);
  new BitSlave(mcu, chip, kick);
  mcu.gpio[POWER].addListener((level) => chip.power(level === 1));
}

/** rp2040js runs state machines by the wall clock; here the simulated one does. Returns what starts them again. */
function runByClock(pio, clock) {
  let armed = false;
  const runs = (machine) => machine.enabled && !machine.waiting;
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

/** In rp2040js a stall outlives the machine that is disabled, and swallows what is written next. */
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

  constructor(mcu, chip, kick) {
    Object.assign(this, { mcu, chip, kick, data: mcu.gpio[DATA] });
    // While nobody is selected the data pin is the interrupt line.
    chip.onInterrupt = (level) => { if (!this.#selected) this.#drive(level); };
    mcu.gpio[SELECT].addListener((level) => this.#select(level === 0));
    mcu.gpio[CLOCK].addListener((level) => {
      if (!this.#selected) return;
      if (level === 1) this.#sample();
      else this.#shift();
    });
  }

  #drive(level) { this.data.setInputValue(level); this.kick(); }

  #select(on) {
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
