// The bus in whole words. It replaces the state machine that runs the driver's program, and gives the same answers as bus/bits.js in
// a tenth of the time.

/** The time of one bit on the bus at 33 MHz, nanoseconds. */
const BIT = 30;

const POWER = 23;
const CONTROL = 0;

/**
 * @typedef {import('rp2040js').RPPIO} RPPIO
 * @typedef {import('../board/rp2040.js').Clock} Clock
 * @typedef {import('../chip/cyw43439.js').Cyw43439} Cyw43439
 */

/** @param {import('rp2040js').RP2040} mcu @param {Cyw43439} chip @param {Clock} clock */
export function connectWords(mcu, chip, clock) {
  new WordBus(mcu.pio[0], chip, clock);
  mcu.gpio[POWER].addListener((level) => chip.power(level === 1));
}

class WordBus {
  /** One of off, sending, busy, answering. */
  #state = 'off';
  #sent = /** @type {number[]} */ ([]);
  #sends = 0;
  #reads = 0;
  #answer = new Uint32Array(0);
  #next = 0;

  /** @param {RPPIO} pio @param {Cyw43439} chip @param {Clock} clock */
  constructor(pio, chip, clock) {
    this.pio = pio;
    // The machine tells the DMA about its queue with a private method, hence `any`.
    this.machine = /** @type {any} */ (pio.machines[0]);
    this.chip = chip;
    this.alarm = clock.createAlarm(() => this.#finish());
    chip.onInterrupt = (level) => { if (level) this.#raise(); };
    this.#hook();
  }

  #hook() {
    const { pio, machine } = this;
    const write = pio.writeUint32.bind(pio), push = machine.writeFIFO.bind(machine);
    pio.writeUint32 = (/** @type {number} */ offset, /** @type {number} */ value) => {
      const was = machine.enabled;
      write(offset, value);
      if (offset === CONTROL && was !== machine.enabled) this.#enable(machine.enabled);
    };
    machine.writeFIFO = (/** @type {number} */ word) => (this.#state === 'off' ? push(word) : this.#send(word >>> 0));
    machine.readFIFO = () => this.#read();
  }

  /** Starts the machine. The driver has put the number of bits to send, less one, into x, and the number of bits to read into y. */
  #enable(/** @type {boolean} */ on) {
    const { machine } = this;
    this.#state = on ? 'sending' : 'off';
    if (!on) return;
    this.#sends = (machine.x + 1) >>> 5;
    this.#reads = (machine.y + 1) >>> 5;
    this.#sent = [];
    this.#answer = new Uint32Array(0);
    machine.rxFIFO.reset();
    machine.updateDMARx();
  }

  #send(/** @type {number} */ word) {
    if (this.#state !== 'sending') return;
    this.#sent.push(word);
    if (this.#sent.length < this.#sends) return;
    this.#state = 'busy';
    this.alarm.schedule((this.#sends + this.#reads) * 32 * BIT);
  }

  #finish() {
    if (this.#state !== 'busy') return;
    this.#answer = this.chip.transact(Uint32Array.from(this.#sent), this.#reads);
    this.#next = 0;
    this.#state = 'answering';
    this.#fill();
    this.machine.updateDMARx();
    this.pio.checkInterrupts();
    this.#raise();
  }

  #read() {
    const { rxFIFO } = this.machine;
    if (rxFIFO.empty) return 0;
    const word = rxFIFO.pull();
    // The queue is filled before the DMA is told; otherwise the DMA would take one word too many.
    this.#fill();
    this.machine.updateDMARx();
    return word;
  }

  #fill() {
    const { rxFIFO } = this.machine;
    while (this.#next < this.#answer.length && !rxFIFO.full) rxFIFO.push(this.#answer[this.#next++]);
  }

  /** Passes on the chip's interrupt line once, as the program does at its end. */
  #raise() {
    if (this.#state !== 'answering' || !this.chip.interrupt) return;
    this.#state = 'told';
    this.pio.irq |= 1;
    this.pio.irqUpdated();
  }
}
