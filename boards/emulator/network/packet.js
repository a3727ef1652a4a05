// Ethernet, ARP, IPv4, UDP and ICMP, as far as a gateway needs them. Addresses are text with dots, hardware addresses are text in hex.

export const BROADCAST = 'ffffffffffff';
export const ARP = 0x0806, IPV4 = 0x0800, UDP = 17, ICMP = 1;

/** @param {string} address */
export const ipBytes = (address) => Buffer.from(address.split('.').map(Number));
/** @param {Uint8Array} bytes */
export const ipText = (bytes) => Array.from(bytes.subarray(0, 4)).join('.');
const mac = (/** @type {string} */ hex) => Buffer.from(hex, 'hex');

/** The hardware address of a group. @param {string} group */
export const groupMac = (group) => { const [, b, c, d] = ipBytes(group); return Buffer.from([1, 0, 0x5e, b & 0x7f, c, d]).toString('hex'); };
/** @param {string} address */
export const isGroup = (address) => ipBytes(address)[0] >>> 4 === 0xe;

/** The checksum of RFC 1071. @param {Buffer} bytes */
export function checksum(bytes) {
  let sum = 0;
  for (let n = 0; n < bytes.length; n += 2) sum += (bytes[n] << 8) | (bytes[n + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** @param {string} to @param {string} from @param {number} type @param {Buffer} payload */
export function ethernet(to, from, type, payload) {
  return Buffer.concat([mac(to), mac(from), Buffer.from([type >> 8, type & 0xff]), payload]);
}

/** @param {Uint8Array} frame */
export function parseEthernet(frame) {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.length);
  return { to: bytes.toString('hex', 0, 6), from: bytes.toString('hex', 6, 12), type: bytes.readUInt16BE(12), payload: bytes.subarray(14) };
}

/** @param {number} protocol @param {string} from @param {string} to @param {Buffer} payload */
export function ipv4(protocol, from, to, payload) {
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(20 + payload.length, 2);
  header[8] = 64;
  header[9] = protocol;
  ipBytes(from).copy(header, 12);
  ipBytes(to).copy(header, 16);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([header, payload]);
}

/** @param {Buffer} bytes */
export function parseIpv4(bytes) {
  const header = (bytes[0] & 15) * 4;
  return { protocol: bytes[9], from: ipText(bytes.subarray(12)), to: ipText(bytes.subarray(16)), payload: bytes.subarray(header, bytes.readUInt16BE(2)) };
}

/** @typedef {{ address: string, port: number }} Endpoint */

/** @param {Endpoint} from @param {Endpoint} to @param {Uint8Array} data */
export function udp(from, to, data) {
  const datagram = Buffer.alloc(8 + data.length);
  datagram.writeUInt16BE(from.port, 0);
  datagram.writeUInt16BE(to.port, 2);
  datagram.writeUInt16BE(datagram.length, 4);
  datagram.set(data, 8);
  const pseudo = Buffer.from([...ipBytes(from.address), ...ipBytes(to.address), 0, UDP, datagram.length >> 8, datagram.length & 0xff]);
  datagram.writeUInt16BE(checksum(Buffer.concat([pseudo, datagram])) || 0xffff, 6);
  return ipv4(UDP, from.address, to.address, datagram);
}

/** @param {Buffer} bytes */
export function parseUdp(bytes) {
  return { from: bytes.readUInt16BE(0), to: bytes.readUInt16BE(2), data: bytes.subarray(8, bytes.readUInt16BE(4)) };
}

/** @param {boolean} answers @param {{ mac: string, ip: string }} from @param {{ mac: string, ip: string }} to */
export function arp(answers, from, to) {
  return Buffer.concat([Buffer.from([0, 1, 8, 0, 6, 4, 0, answers ? 2 : 1]), mac(from.mac), ipBytes(from.ip), mac(to.mac), ipBytes(to.ip)]);
}

/** @param {Buffer} bytes */
export function parseArp(bytes) {
  return { asks: bytes.readUInt16BE(6) === 1, from: { mac: bytes.toString('hex', 8, 14), ip: ipText(bytes.subarray(14)) }, target: ipText(bytes.subarray(24)) };
}
