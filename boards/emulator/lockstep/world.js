// Boards and nodes in one emulated network, with one clock that only runUntil() moves. The same seed gives the same run, bit by bit.
//
// Each of them may run ahead of the others for less time than a frame takes to arrive. So nothing that one of them does in such a
// window can reach another one before the window ends.
import { createHash } from 'node:crypto';
import { Board } from '../board/board.js';
import { Random } from '../board/random.js';
import { Gateway } from '../network/gateway.js';
import { IPV4, parseEthernet, parseIpv4 } from '../network/packet.js';
import { Segment } from '../network/segment.js';
import { Nodes } from './nodes.js';

/** How long a frame takes to arrive, nanoseconds. */
const LATENCY = 200e3;

/**
 * The time in nanoseconds, then the words.
 * @typedef {[number, ...string[]]} Said
 * @typedef {import('../network/packet.js').Endpoint} Endpoint
 */

const GROUP = { address: '228.0.0.4', port: 45564 };
const PORT = 4000;

export class World {
  /** The time, nanoseconds. */
  now = 0;
  /** How many of a thousand frames and datagrams are lost on the way to each receiver. */
  loss = 0;
  lost = 0;
  /** The lines that nodes printed. @type {Said[]} */
  said = [];
  /** Called with each of them. @type {(said: Said) => void} */
  onSaid = () => {};
  boards = /** @type {Board[]} */ ([]);
  #hash = createHash('sha256');
  #moment = 0;
  /** When the nodes ran last, nanoseconds. */
  #turn = 0;
  #boots = 0;
  /** The datagrams for nodes; the next one comes first. */
  #arrivals = /** @type {{ at: number, name: string, from: string, data: Uint8Array }[]} */ ([]);
  #addresses = /** @type {Map<string, string>} */ (new Map());
  /** When each board was added, nanoseconds. */
  #since = /** @type {Map<Board, number>} */ (new Map());
  /** The island of each address. Members of one island hear each other, and all are on the same island until they are moved. */
  #islands = /** @type {Map<string, number>} */ (new Map());

  /** @param {{ seed: number }} options */
  constructor({ seed }) {
    this.seed = seed;
    this.random = new Random(seed);
    this.nodes = new Nodes();
    this.segment = new Segment();
    this.gateway = new Gateway({
      address: '192.168.69.1', mask: '255.255.255.0', lend: (n) => `192.168.69.${100 + n}`,
      onFrame: (frame) => this.segment.send(port, frame),
      onDatagram: (from, to, data) => this.#leave(from, to, data),
    });
    const port = this.segment.attach('', (frame) => { if (!this.#loses()) this.gateway.receive(frame); });
  }

  /** @param {Omit<ConstructorParameters<typeof Board>[0], 'onFrame'>} options */
  addBoard(options) {
    const since = this.now;
    const board = new Board({
      ...options,
      onFrame: (frame) => { this.#moment = since + board.nanos; this.#note('frame', frame); this.segment.send(port, frame); },
      onLine: (line) => { this.#note('line', Buffer.from(line)); options.onLine?.(line); },
    });
    const port = this.segment.attach(Buffer.from(options.mac).toString('hex'), (frame) => {
      if (!this.#isApart(sourceOf(frame), this.addressOf(board)) && !this.#loses()) board.receive(frame, this.#moment + LATENCY - since);
    });
    this.boards.push(board);
    this.#since.set(board, since);
    return board;
  }

  /** @param {string} name @param {number} n the last byte of its address @param {{ backups?: number, island?: number }} [options] */
  startNode(name, n, { backups = 1, island = 0 } = {}) {
    const address = `192.168.69.${n}`;
    this.#addresses.set(address, name);
    this.move(address, island);
    // Every boot of every run has a seed of its own.
    this.said.push([this.now, 'start', name]);
    this.command('start', name, `${address}:${PORT}`, this.seed * 1000 + this.#boots++, backups);
  }

  /** @param {string} name */
  stopNode(name) {
    for (const [address, other] of this.#addresses) if (other === name) this.#addresses.delete(address);
    this.command('stop', name);
  }

  /** From now on the member with this address hears only members of that island, and only they hear it. @param {string} address @param {number} island */
  move(address, island) { this.#islands.set(address, island); }

  /** The address that DHCP gave to a board, or undefined before that. @param {Board} board */
  addressOf(board) { return this.gateway.leases.get(Buffer.from(board.options.mac).toString('hex')); }

  /** Executes a command of the nodes now. @param {...(string | number)} words */
  command(...words) {
    this.nodes.command(...words);
    this.nodes.next = Math.max(this.now, this.#turn) / 1e3;
  }

  /** The lines of nodes with these words; undefined stands for any word. @param {...(string | undefined)} words */
  heard(...words) { return this.said.filter(([, ...said]) => words.every((word, n) => word === undefined || said[n] === word)); }

  /**
   * The sessions that a node holds, without asking other nodes: each value's number ('none', 'damaged') and length.
   * @param {string} name @param {string[]} sessions
   */
  async read(name, sessions) {
    const from = this.said.length;
    for (const session of sessions) this.command('read', name, session);
    await this.runUntil(this.now + 1e3);
    const reads = this.said.slice(from).filter(([, kind, reader]) => kind === 'reads' && reader === name);
    return reads.map(([, , , session, value, length]) => ({ session, value, length: Number(length) }));
  }

  /** The counters of a node. @param {string} name @returns {Promise<Record<string, number>>} */
  async stats(name) {
    this.command('stats', name);
    await this.runUntil(this.now + 1e3);
    const [, , , ...counts] = this.heard('stats', name).at(-1) ?? [0];
    return Object.fromEntries(counts.map((count) => count.split('=')).map(([counter, number]) => [counter, Number(number)]));
  }

  /** @param {number} end nanoseconds */
  async runUntil(end) {
    while (this.now < end) {
      const boards = this.boards.map((board) => this.#sinceOf(board) + board.next);
      const next = Math.max(this.now, Math.min(...boards, this.#nextOfNodes()));
      const window = Math.min(end, next + LATENCY);
      for (const board of this.boards) board.runUntil(window - this.#sinceOf(board));
      while (this.#nextOfNodes() < window) await this.#runNodes();
      this.now = window;
    }
  }

  /** Runs while `what` is true, at most for `most`. @param {() => boolean} what @param {number} most nanoseconds */
  async runWhile(what, most, step = 1e6) {
    const end = this.now + most;
    while (what() && this.now < end) await this.runUntil(this.now + step);
  }

  /** A hash of everything that was sent and printed until now, and when. */
  digest() { return this.#hash.copy().digest('hex'); }

  close() { this.nodes.close(); }

  #sinceOf(/** @type {Board} */ board) { return this.#since.get(board) ?? 0; }

  #nextOfNodes() { return Math.min(this.nodes.next * 1e3, this.#arrivals[0]?.at ?? Infinity); }

  async #runNodes() {
    // The nodes count microseconds.
    const micros = Math.ceil(Math.max(this.#nextOfNodes(), 0) / 1e3);
    this.#moment = this.#turn = micros * 1e3;
    for (let [next] = this.#arrivals; next && next.at <= this.#moment; [next] = this.#arrivals) {
      const { name, from, data } = next;
      this.#arrivals.shift();
      this.nodes.command('receive', name, from, Buffer.from(data).toString('hex'));
    }
    for (const [verb, ...words] of await this.nodes.run(micros)) {
      if (verb === 'send') this.#sendOf(words[0], words[1], Buffer.from(words[2], 'hex'));
      else if (verb !== 'next') this.#say([this.#moment, verb, ...words]);
      this.#hash.update(`${this.#moment} ${verb} ${words.join(' ')}\n`);
    }
  }

  #say(/** @type {Said} */ said) {
    this.said.push(said);
    this.onSaid(said);
  }

  /** @param {string} name @param {string} to @param {Buffer} data */
  #sendOf(name, to, data) {
    const address = [...this.#addresses].find(([, other]) => other === name)?.[0];
    if (!address) return;
    const from = { address, port: PORT };
    if (to === 'group') {
      for (const other of this.#addresses.keys()) if (other !== address) this.#arrive(other, from, data);
      return this.gateway.send(from, GROUP, data);
    }
    const [host, port] = to.split(':');
    if (this.#addresses.has(host)) this.#arrive(host, from, data);
    else this.gateway.send(from, { address: host, port: Number(port) }, data);
  }

  /** A board's datagram that isn't for a board. @param {Endpoint} from @param {Endpoint} to @param {Buffer} data */
  #leave(from, to, data) {
    const targets = to.address === GROUP.address ? [...this.#addresses.keys()] : [to.address];
    for (const address of targets) this.#arrive(address, from, data);
  }

  /** @param {string} address @param {Endpoint} from @param {Buffer} data */
  #arrive(address, from, data) {
    const name = this.#addresses.get(address);
    if (!name || this.#isApart(from.address, address) || this.#loses()) return;
    const at = this.#moment + LATENCY;
    let place = this.#arrivals.length;
    while (place > 0 && this.#arrivals[place - 1].at > at) place--;
    this.#arrivals.splice(place, 0, { at, name, from: `${from.address}:${from.port}`, data });
  }

  /** Whether two addresses are on different islands. A frame without an address, and the gateway's own, are on no island. @param {string | undefined} from @param {string | undefined} to */
  #isApart(from, to) {
    if (!from || !to || from === this.gateway.address) return false;
    return (this.#islands.get(from) ?? 0) !== (this.#islands.get(to) ?? 0);
  }

  #loses() {
    if (this.loss === 0 || this.random.below(1000) >= this.loss) return false;
    this.lost++;
    return true;
  }

  /** @param {string} what @param {Uint8Array} bytes */
  #note(what, bytes) { this.#hash.update(`${this.#moment} ${what} `); this.#hash.update(bytes); }
}

function sourceOf(/** @type {Uint8Array} */ frame) {
  const { type, payload } = parseEthernet(frame);
  return type === IPV4 ? parseIpv4(payload).from : undefined;
}
