// Joins the emulated network with this machine's own: boards have addresses of 127.0.0.0/8, all of which belong to the machine, so a
// socket bound to a board's address speaks for it. What a node announces is what others send to; nothing is translated.
import dgram from 'node:dgram';
import { isGroup } from './packet.js';

/** @typedef {import('./packet.js').Endpoint} Endpoint */

const LOOPBACK = '127.0.0.1';

export class Loopback {
  counts = { sent: 0, received: 0, failed: 0 };
  #sockets = /** @type {Map<string, dgram.Socket>} */ (new Map());
  #groups = /** @type {Map<string, dgram.Socket>} */ (new Map());

  /**
   * @param {(from: Endpoint, to: Endpoint, data: Buffer) => void} onDatagram something for a board or a group
   * @param {(board: Endpoint, error: NodeJS.ErrnoException) => void} onRefused a board's address can't be had on this machine
   */
  constructor(onDatagram, onRefused) {
    this.onDatagram = onDatagram;
    this.onRefused = onRefused;
  }

  /** Takes a board's address before it sends, so that nobody else does. @param {Endpoint} board */
  open(board) { this.#socketOf(board); }

  /** A board sends. @param {Endpoint} from @param {Endpoint} to @param {Buffer} data */
  send(from, to, data) {
    if (isGroup(to.address)) this.#listen(to);
    this.counts.sent++;
    this.#socketOf(from).send(data, to.port, to.address, (error) => { if (error) this.counts.failed++; });
  }

  close() {
    for (const socket of [...this.#sockets.values(), ...this.#groups.values()]) socket.close();
  }

  #socketOf(/** @type {Endpoint} */ board) {
    const name = `${board.address}:${board.port}`;
    const known = this.#sockets.get(name);
    if (known) return known;
    const socket = dgram.createSocket('udp4');
    this.#sockets.set(name, socket);
    socket.on('message', (data, { address, port }) => { this.counts.received++; this.onDatagram({ address, port }, board, data); });
    socket.on('error', (error) => this.onRefused(board, error));
    socket.on('listening', () => socket.setMulticastInterface(LOOPBACK));
    socket.bind(board.port, board.address);
    return socket;
  }

  /** Hears a group from the first moment on at which a board sends to it. @param {Endpoint} group */
  #listen(group) {
    const name = `${group.address}:${group.port}`;
    if (this.#groups.has(name)) return;
    const socket = dgram.createSocket({ type: 'udp4', reuseAddr: true });
    this.#groups.set(name, socket);
    socket.on('message', (data, { address, port }) => {
      // What the boards sent comes back; they have it already.
      if (!this.#sockets.has(`${address}:${port}`)) this.onDatagram({ address, port }, group, data);
    });
    socket.on('listening', () => socket.addMembership(group.address, LOOPBACK));
    socket.bind(group.port, group.address);
  }
}
