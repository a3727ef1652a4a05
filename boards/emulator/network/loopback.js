// Connects the emulated network with this machine's own. Boards have addresses of 127.0.0.0/8, all of which belong to the machine, so
// a socket that is bound to a board's address can send and receive for it. Others send to the address that a node announces; no
// address is translated.
import dgram from 'node:dgram';
import { isGroup } from './packet.js';

/** @typedef {import('./packet.js').Endpoint} Endpoint */

const LOOPBACK = '127.0.0.1';

export class Loopback {
  counts = { sent: 0, received: 0, failed: 0 };
  #sockets = /** @type {Map<string, dgram.Socket>} */ (new Map());
  #groups = /** @type {Map<string, dgram.Socket>} */ (new Map());

  /**
   * @param {(from: Endpoint, to: Endpoint, data: Buffer) => void} onDatagram called with each datagram for a board or a group
   * @param {(board: Endpoint, error: NodeJS.ErrnoException) => void} onRefused called when a board's address can't be used on this machine
   */
  constructor(onDatagram, onRefused) {
    this.onDatagram = onDatagram;
    this.onRefused = onRefused;
  }

  /** Binds a board's address before the board sends, so that no other program takes it. @param {Endpoint} board */
  open(board) { this.#socketOf(board); }

  /** Sends a datagram of a board. @param {Endpoint} from @param {Endpoint} to @param {Buffer} data */
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

  /** Listens to a group, from the moment on at which a board first sends to it. @param {Endpoint} group */
  #listen(group) {
    const name = `${group.address}:${group.port}`;
    if (this.#groups.has(name)) return;
    const socket = dgram.createSocket({ type: 'udp4', reuseAddr: true });
    this.#groups.set(name, socket);
    socket.on('message', (data, { address, port }) => {
      // The boards' own datagrams come back, but the boards have them already.
      if (!this.#sockets.has(`${address}:${port}`)) this.onDatagram({ address, port }, group, data);
    });
    socket.on('listening', () => socket.addMembership(group.address, LOOPBACK));
    socket.bind(group.port, group.address);
  }
}
