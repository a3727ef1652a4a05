// The Ethernet between boards and gateway. A frame is delivered to the port with its hardware address, a frame for a group to all.
import { parseEthernet } from './packet.js';

export class Segment {
  /** @type {{ mac: string, deliver: (frame: Uint8Array) => void }[]} */
  ports = [];

  /** @param {string} mac '' for the port that gets all frames without another receiver @param {(frame: Uint8Array) => void} deliver */
  attach(mac, deliver) {
    const port = { mac, deliver };
    this.ports.push(port);
    return port;
  }

  /** @param {{ mac: string }} from @param {Uint8Array} frame */
  send(from, frame) {
    const { to } = parseEthernet(frame);
    const group = parseInt(to.slice(0, 2), 16) & 1;
    const known = this.ports.some(({ mac }) => mac === to);
    for (const port of this.ports) {
      if (port !== from && (group || port.mac === to || (port.mac === '' && !known))) port.deliver(frame);
    }
  }
}
