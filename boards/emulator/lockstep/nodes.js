// Nodes of the core on Linux, in a process without a clock. `core/examples/lockstep.rs` describes the lines that it reads and prints.
import { spawn } from 'node:child_process';

const PROGRAM = process.env.LOCKSTEP ?? new URL('../../../target/release/examples/lockstep', import.meta.url).pathname;

export class Nodes {
  /** When the nodes want to run next, microseconds. */
  next = Infinity;
  #pending = '';
  #text = '';
  #lines = /** @type {string[]} */ ([]);
  #ended = /** @type {null | (() => void)} */ (null);
  #failed = /** @type {null | ((error: Error) => void)} */ (null);

  constructor() {
    this.process = spawn(PROGRAM, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.process.stdout.setEncoding('utf8');
    this.process.stdout.on('data', (text) => this.#take(text));
    this.process.stdin.on('error', () => {});
    this.process.on('exit', (code) => this.#failed?.(new Error(`the nodes ended with ${code}`)));
  }

  /** Queues a command, which is executed when time goes on. @param {...(string | number)} words */
  command(...words) { this.#pending += `${words.join(' ')}\n`; }

  /** Lets time go on. Returns the lines that the nodes print. @param {number} micros @returns {Promise<string[][]>} */
  async run(micros) {
    const turn = `now ${micros}\n${this.#pending}run\n`;
    this.#pending = '';
    this.#lines = [];
    await new Promise((resolve, reject) => {
      this.#ended = /** @type {() => void} */ (resolve);
      this.#failed = reject;
      this.process.stdin.write(turn);
    });
    this.next = Infinity;
    const said = this.#lines.map((line) => line.split(' '));
    for (const [verb, value] of said) if (verb === 'next') this.next = Number(value);
    return said;
  }

  close() { this.#failed = null; this.process.stdin.end(); }

  #take(/** @type {string} */ text) {
    const lines = (this.#text + text).split('\n');
    this.#text = lines.pop() ?? '';
    for (const line of lines) {
      if (line === 'end') this.#ended?.();
      else this.#lines.push(line);
    }
  }
}
