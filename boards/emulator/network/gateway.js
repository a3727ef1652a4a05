// The way out of the emulated network: a DHCP server, and the stand-in for all addresses that no board has. Datagrams to these
// addresses are passed to `onDatagram`, and `send` puts datagrams from them on the network.
import { ARP, BROADCAST, ICMP, IPV4, UDP, arp, checksum, ethernet, groupMac, ipBytes, ipv4, isGroup, parseArp, parseEthernet, parseIpv4, parseUdp, udp } from './packet.js';

const MAC = '020000000001';
const DHCP_SERVER = 67, DHCP_CLIENT = 68, DISCOVER = 1, OFFER = 2, ACK = 5, COOKIE = 0x63825363;

/** The length of a lease, seconds. */
const LEASE = 3600;

/** @typedef {import('./packet.js').Endpoint} Endpoint */

export class Gateway {
  counts = { arp: 0, dhcp: 0, echo: 0, out: 0, in: 0, nobody: 0 };
  /** The addresses of boards, by hardware address. @type {Map<string, string>} */
  leases = new Map();

  /**
   * @param {object} options
   * @param {string} options.address its own address, in the network of the boards
   * @param {string} options.mask
   * @param {(n: number) => string} options.lend the address of the nth board
   * @param {(frame: Buffer) => void} options.onFrame puts a frame on the network
   * @param {(from: Endpoint, to: Endpoint, data: Buffer) => void} options.onDatagram
   */
  constructor({ address, mask, lend, onFrame, onDatagram }) {
    this.address = address;
    this.mask = mask;
    this.lend = lend;
    this.onFrame = onFrame;
    this.onDatagram = onDatagram;
  }

  /** Sends a datagram to a board or a group. @param {Endpoint} from @param {Endpoint} to @param {Uint8Array} data */
  send(from, to, data) {
    const mac = isGroup(to.address) ? groupMac(to.address) : this.#macOf(to.address);
    if (!mac) { this.counts.nobody++; return; }
    this.counts.in++;
    this.onFrame(ethernet(mac, MAC, IPV4, udp(from, to, data)));
  }

  /** Receives a frame from a board. @param {Uint8Array} frame */
  receive(frame) {
    const { from, type, payload } = parseEthernet(frame);
    if (type === ARP) this.#answerArp(payload);
    else if (type === IPV4) this.#receiveIp(from, payload);
  }

  #macOf(/** @type {string} */ address) {
    for (const [mac, lent] of this.leases) if (lent === address) return mac;
  }

  /** Answers a board that asks for an address that no board has: all those are behind the gateway. @param {Buffer} payload */
  #answerArp(payload) {
    const { asks, from, target } = parseArp(payload);
    if (!asks || from.ip === '0.0.0.0' || from.ip === target || this.#macOf(target)) return;
    this.counts.arp++;
    this.onFrame(ethernet(from.mac, MAC, ARP, arp(true, { mac: MAC, ip: target }, from)));
  }

  /** @param {string} mac @param {Buffer} payload */
  #receiveIp(mac, payload) {
    const packet = parseIpv4(payload);
    if (packet.protocol === ICMP && packet.payload[0] === 8) this.#echo(mac, packet);
    if (packet.protocol !== UDP) return;
    const { from, to, data } = parseUdp(packet.payload);
    if (to === DHCP_SERVER) return this.#answerDhcp(mac, data);
    this.counts.out++;
    this.onDatagram({ address: packet.from, port: from }, { address: packet.to, port: to }, data);
  }

  /** @param {string} mac @param {ReturnType<typeof parseIpv4>} packet */
  #echo(mac, { from, to, payload }) {
    const answer = Buffer.from(payload);
    answer[0] = 0;
    answer.writeUInt16BE(0, 2);
    answer.writeUInt16BE(checksum(answer), 2);
    this.counts.echo++;
    this.onFrame(ethernet(mac, MAC, IPV4, ipv4(ICMP, to, from, answer)));
  }

  /** Answers DHCP (RFC 2131), as far as needed for a client that accepts the offered address. @param {string} mac @param {Buffer} request */
  #answerDhcp(mac, request) {
    this.counts.dhcp++;
    const address = this.leases.get(mac) ?? this.lend(this.leases.size);
    this.leases.set(mac, address);
    const answer = Buffer.alloc(240);
    answer.set([2, 1, 6, 0]);
    request.copy(answer, 4, 4, 8);
    ipBytes(address).copy(answer, 16);
    ipBytes(this.address).copy(answer, 20);
    Buffer.from(mac, 'hex').copy(answer, 28);
    answer.writeUInt32BE(COOKIE, 236);
    const own = [...ipBytes(this.address)], seconds = Buffer.alloc(4);
    seconds.writeUInt32BE(LEASE);
    const kind = option(request, 53)?.[0] === DISCOVER ? OFFER : ACK;
    const options = Buffer.from([53, 1, kind, 54, 4, ...own, 51, 4, ...seconds, 1, 4, ...ipBytes(this.mask), 3, 4, ...own, 255]);
    const packet = udp({ address: this.address, port: DHCP_SERVER }, { address: '255.255.255.255', port: DHCP_CLIENT }, Buffer.concat([answer, options]));
    this.onFrame(ethernet(BROADCAST, MAC, IPV4, packet));
  }
}

/** @param {Buffer} message @param {number} wanted */
function option(message, wanted) {
  for (let at = 240; at < message.length && message[at] !== 255; at += message[at] === 0 ? 1 : 2 + message[at + 1]) {
    if (message[at] === wanted) return message.subarray(at + 2, at + 2 + message[at + 1]);
  }
}
