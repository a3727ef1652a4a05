// What the radio's firmware does: commands of the driver, events, frames to and from the air.
import { CONTROL, DATA, EVENT, PacketLink } from './sdpcm.js';

// Commands of the driver.
const SET_SSID = 26, DISASSOCIATE = 52, GET_RSSI = 127, SET_WSEC = 134, GET_VARIABLE = 262, SET_VARIABLE = 263, SET_PASSPHRASE = 268;

// Events, and what their status says.
const EVENT_SET_SSID = 0, EVENT_JOIN = 1, EVENT_AUTH = 3, EVENT_LINK = 16, EVENT_PSK = 46, EVENT_SCAN = 69;
const SUCCESS = 0, NO_NETWORKS = 3, PSK_KEYED = 6, PARTIAL = 8;
const PSK_FAILED = { status: 8, reason: 15 };
const LINK_UP = 1;

/** Frames that wait in the radio; more are lost. */
const WAITING = 64;

/** Time in the air, nanoseconds: a pause, and 20 Mbit/s. @param {number} bytes */
const airTime = (bytes) => 150e3 + bytes * 8 * 50;

const text = (bytes) => Buffer.from(bytes).toString('latin1');

/**
 * A Wi-Fi network. `present` is false while it is switched off.
 * @typedef {{ ssid: string, password: string, present: boolean }} AccessPoint
 */

export class Radio {
  counts = { commands: 0, sent: 0, received: 0, dropped: 0, filtered: 0 };
  joined = false;
  led = false;
  /** What it answers to commands; the driver panics of any but 0. */
  status = 0;
  link = new PacketLink();
  #variables = new Map();
  #groups = /** @type {string[]} */ ([]);
  #events = new Uint8Array(24).fill(0xff);
  #secure = false;
  #password = '';
  #air = /** @type {Uint8Array[]} */ ([]);
  #airFree = 0;

  /**
   * @param {object} parts
   * @param {any} parts.clock of the simulation
   * @param {Uint8Array} parts.mac
   * @param {AccessPoint} parts.accessPoint
   * @param {(frame: Uint8Array) => void} parts.onFrame a frame goes on air
   * @param {(lit: boolean) => void} parts.onLed
   * @param {() => void} parts.onPacket a packet waits for the host
   */
  constructor({ clock, mac, accessPoint, onFrame, onLed, onPacket }) {
    Object.assign(this, { clock, mac, accessPoint, onFrame, onLed, onPacket });
    this.alarm = clock.createAlarm(() => this.#arrive());
  }

  /** A packet of the driver. @param {Uint8Array} bytes */
  accept(bytes) {
    const packet = this.link.accept(bytes);
    if (!packet) return;
    const { channel, payload } = packet;
    if (channel === CONTROL) this.#command(payload);
    if (channel === DATA && this.joined) {
      this.counts.sent++;
      // Four bytes, then as many words as the last of them says.
      this.onFrame(payload.slice(4 + payload[3] * 4));
    }
    this.link.replenish();
  }

  /** A frame comes from the air. @param {Uint8Array} frame */
  hear(frame) {
    if (!this.joined || this.#air.length >= WAITING) { this.counts.dropped++; return; }
    if (!this.#isForMe(frame)) { this.counts.filtered++; return; }
    this.#air.push(frame);
    if (this.#air.length === 1) this.#nextArrival();
  }

  /** The network is out of reach. */
  loseLink() {
    if (!this.joined) return;
    this.joined = false;
    this.#tell(EVENT_LINK, { status: SUCCESS, reason: 1 });
    this.onPacket();
  }

  /** The radio's filter: of groups only those that the driver named. */
  #isForMe(frame) {
    const to = frame.subarray(0, 6);
    if (!(to[0] & 1) || to.every((byte) => byte === 0xff)) return true;
    return this.#groups.includes(to.join());
  }

  #nextArrival() {
    const now = this.clock.nanos;
    this.#airFree = Math.max(now, this.#airFree) + airTime(this.#air[0].length);
    this.alarm.schedule(this.#airFree - now);
  }

  #arrive() {
    const frame = this.#air.shift();
    if (this.#air.length) this.#nextArrival();
    if (!this.joined || this.link.queue.length >= WAITING) { this.counts.dropped++; return; }
    const packet = new Uint8Array(4 + frame.length);
    packet[0] = 0x20;
    packet.set(frame, 4);
    this.link.push(DATA, packet);
    this.counts.received++;
    this.onPacket();
  }

  #command(bytes) {
    this.counts.commands++;
    const view = new DataView(bytes.buffer);
    const [command, length, flags, id] = [view.getUint32(0, true), view.getUint32(4, true), view.getUint16(8, true), view.getUint16(10, true)];
    const sets = (flags & 2) !== 0;
    const data = bytes.slice(16, 16 + length);
    const value = new Uint8Array(sets ? 0 : length);
    if (command === GET_VARIABLE) value.set(this.#get(text(data.subarray(0, data.indexOf(0)))).subarray(0, length));
    if (command === GET_RSSI) value.set([0xd8, 0xff, 0xff, 0xff].slice(0, length));
    const answer = new Uint8Array(16 + value.length);
    const out = new DataView(answer.buffer);
    out.setUint32(0, command, true);
    out.setUint32(4, value.length, true);
    out.setUint16(8, flags, true);
    out.setUint16(10, id, true);
    out.setInt32(12, this.status, true);
    answer.set(value, 16);
    this.link.push(CONTROL, answer);
    // Events of what was ordered come behind the answer.
    if (sets) this.#set(command, data);
  }

  #get(name) {
    if (name === 'cur_etheraddr') return this.mac;
    return this.#variables.get(name) ?? new Uint8Array(0);
  }

  #set(command, data) {
    const length = data[0] | (data[1] << 8);
    switch (command) {
      case SET_VARIABLE: return this.#setVariable(text(data.subarray(0, data.indexOf(0))), data.slice(data.indexOf(0) + 1));
      case SET_WSEC: this.#secure = data[0] !== 0; return;
      case SET_PASSPHRASE: this.#password = text(data.subarray(4, 4 + length)); return;
      case SET_SSID: return this.#join(text(data.subarray(4, 4 + data[0])));
      case DISASSOCIATE: return this.loseLink();
    }
  }

  #setVariable(name, value) {
    switch (name) {
      case 'clmload': return;
      case 'bsscfg:event_msgs': this.#events.set(value.subarray(4, 28)); return;
      case 'sae_password': this.#password = text(value.subarray(2, 2 + value[0])); return;
      case 'escan': return this.#scan();
      case 'gpioout': return this.#setPins(new DataView(value.buffer));
      case 'mcast_list':
        this.#groups = [];
        for (let n = 0; n < value[0]; n++) this.#groups.push(value.subarray(4 + 6 * n, 10 + 6 * n).join());
    }
    this.#variables.set(name, value);
  }

  #setPins(view) {
    if (!(view.getUint32(0, true) & 1)) return;
    this.led = (view.getUint32(4, true) & 1) === 1;
    this.onLed(this.led);
  }

  #join(ssid) {
    const { accessPoint } = this;
    if (!accessPoint.present || ssid !== accessPoint.ssid) return this.#tell(EVENT_SET_SSID, { status: NO_NETWORKS });
    this.#tell(EVENT_AUTH, { status: SUCCESS });
    if (this.#secure && this.#password !== accessPoint.password) return this.#tell(EVENT_PSK, PSK_FAILED);
    this.#tell(EVENT_LINK, { status: SUCCESS, flags: LINK_UP });
    this.#tell(EVENT_JOIN, { status: SUCCESS });
    if (this.#secure) this.#tell(EVENT_PSK, { status: PSK_KEYED });
    this.#tell(EVENT_SET_SSID, { status: SUCCESS });
    this.joined = true;
  }

  #scan() {
    const { ssid, present } = this.accessPoint;
    if (present) {
      const entry = new Uint8Array(12 + 124), view = new DataView(entry.buffer);
      view.setUint32(0, entry.length, true);
      view.setUint16(10, 1, true);
      view.setUint32(16, 124, true);
      entry.set([2, 0, 0, 0, 0, 6], 20);
      entry[30] = ssid.length;
      entry.set(Buffer.from(ssid), 31);
      view.setInt16(90, -40, true);
      this.#tell(EVENT_SCAN, { status: PARTIAL, data: entry });
    }
    this.#tell(EVENT_SCAN, { status: SUCCESS });
  }

  /** An Ethernet frame of Broadcom's own type, big-endian, with the event in it. */
  #tell(type, { status, flags = 0, reason = 0, data = new Uint8Array(0) }) {
    if (!(this.#events[type >> 3] & (1 << (type & 7)))) return;
    const packet = new Uint8Array(4 + 72 + data.length), view = new DataView(packet.buffer, 4);
    packet[0] = 0x20;
    packet.set(this.mac, 4);
    packet.set(this.mac, 10);
    view.setUint16(12, 0x886c);
    view.setUint16(14, 0x8001);
    view.setUint16(16, 58 + data.length);
    packet.set([0x00, 0x10, 0x18], 4 + 19);
    view.setUint16(22, 1);
    view.setUint16(24, 2);
    view.setUint16(26, flags);
    view.setUint32(28, type);
    view.setUint32(32, status);
    view.setUint32(36, reason);
    view.setUint32(44, data.length);
    packet.set([0x02, 0, 0, 0, 0, 0xaa], 4 + 48);
    packet.set(Buffer.from('wl0'), 4 + 54);
    packet.set(data, 4 + 72);
    this.link.push(EVENT, packet);
  }
}
