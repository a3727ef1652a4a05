// The behaviour of the radio's firmware: commands of the driver, events, and frames to and from the air.
import { CONTROL, DATA, EVENT, PacketLink } from './sdpcm.js';

// Commands of the driver.
const SET_SSID = 26, DISASSOCIATE = 52, GET_RSSI = 127, SET_WSEC = 134, GET_VARIABLE = 262, SET_VARIABLE = 263, SET_PASSPHRASE = 268;

// Events, and the values of their status.
const EVENT_SET_SSID = 0, EVENT_JOIN = 1, EVENT_AUTH = 3, EVENT_LINK = 16, EVENT_PSK = 46, EVENT_SCAN = 69;
const SUCCESS = 0, NO_NETWORKS = 3, PSK_KEYED = 6, PARTIAL = 8;
const PSK_FAILED = { status: 8, reason: 15 };
const LINK_UP = 1;

// The header of each frame and event between driver and radio: its version, and how many more words of header follow.
const BDC_HEADER = 4, BDC_VERSION = 0x20;

/** The offsets of the parts of a command and of its answer. */
const COMMAND = { kind: 0, length: 4, flags: 8, id: 10, status: 12, data: 16 };
const COMMAND_SETS = 2;

/** The offsets of the parts of an event: an Ethernet header, Broadcom's header, and the event. */
const TOLD = {
  to: 0, from: 6, etherType: 12,
  subtype: 14, length: 16, oui: 19, userSubtype: 22,
  version: 24, flags: 26, type: 28, status: 32, reason: 36, dataLength: 44, mac: 48, interface: 54, data: 72,
};
const BROADCOM_TYPE = 0x886c, BROADCOM_VENDOR_SPECIFIC = 0x8001, BROADCOM_OUI = [0x00, 0x10, 0x18], BROADCOM_EVENT = 1, EVENT_VERSION = 2;

/** The offsets of the parts of a scan's result: a header, and one network. */
const SCAN = { length: 0, count: 10, network: 12, networkLength: 16, mac: 20, ssidLength: 30, ssid: 31, strength: 90 };
const NETWORK_BYTES = 124;

/** The addresses of the access point, and its signal strength in dBm. */
const ACCESS_POINT_MAC = [2, 0, 0, 0, 0, 6], ACCESS_POINT_MAC_TOLD = [2, 0, 0, 0, 0, 0xaa], STRENGTH = -40;

/** How many frames can wait in the radio; further frames are lost. */
const WAITING = 64;

/** The time that a frame takes in the air, nanoseconds: a pause, and 20 Mbit/s. @param {number} bytes */
const airTime = (bytes) => 150e3 + bytes * 8 * 50;

const text = (/** @type {Uint8Array} */ bytes) => Buffer.from(bytes).toString('latin1');

/**
 * A Wi-Fi network. `present` is false while it is switched off.
 * @typedef {{ ssid: string, password: string, present: boolean }} AccessPoint
 */

export class Radio {
  counts = { commands: 0, sent: 0, received: 0, dropped: 0, filtered: 0 };
  joined = false;
  led = false;
  /** The status of its answers to commands. Any status but 0 makes the driver panic. */
  status = 0;
  link = new PacketLink();
  #variables = /** @type {Map<string, Uint8Array>} */ (new Map());
  #groups = /** @type {string[]} */ ([]);
  #events = new Uint8Array(24).fill(0xff);
  #secure = false;
  #password = '';
  #air = /** @type {Uint8Array[]} */ ([]);
  #airFree = 0;

  /**
   * @param {object} parts
   * @param {import('../board/rp2040.js').Clock} parts.clock of the simulation
   * @param {Uint8Array} parts.mac
   * @param {AccessPoint} parts.accessPoint
   * @param {(frame: Uint8Array) => void} parts.onFrame called when a frame is sent
   * @param {(lit: boolean) => void} parts.onLed
   * @param {() => void} parts.onPacket called when a packet waits for the host
   */
  constructor({ clock, mac, accessPoint, onFrame, onLed, onPacket }) {
    this.clock = clock;
    this.mac = mac;
    this.accessPoint = accessPoint;
    this.onFrame = onFrame;
    this.onLed = onLed;
    this.onPacket = onPacket;
    this.alarm = clock.createAlarm(() => this.#arrive());
  }

  /** Takes a packet from the driver. @param {Uint8Array} bytes */
  accept(bytes) {
    const packet = this.link.accept(bytes);
    if (!packet) return;
    const { channel, payload } = packet;
    if (channel === CONTROL) this.#command(payload);
    if (channel === DATA && this.joined) {
      this.counts.sent++;
      // The payload begins with a header, and with as many further words as the header's last byte says.
      this.onFrame(payload.slice(BDC_HEADER + payload[BDC_HEADER - 1] * 4));
    }
    this.link.replenish();
  }

  /** Receives a frame from the air. @param {Uint8Array} frame */
  hear(frame) {
    if (!this.joined || this.#air.length >= WAITING) { this.counts.dropped++; return; }
    if (!this.#isForMe(frame)) { this.counts.filtered++; return; }
    this.#air.push(frame);
    if (this.#air.length === 1) this.#nextArrival();
  }

  /** Loses the network. */
  loseLink() {
    if (!this.joined) return;
    this.joined = false;
    this.#tell(EVENT_LINK, { status: SUCCESS, reason: 1 });
    this.onPacket();
  }

  /** The radio's filter: it only passes frames of groups that the driver named. @param {Uint8Array} frame */
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
    if (!frame) return;
    if (this.#air.length) this.#nextArrival();
    if (!this.joined || this.link.queue.length >= WAITING) { this.counts.dropped++; return; }
    const packet = new Uint8Array(BDC_HEADER + frame.length);
    packet[0] = BDC_VERSION;
    packet.set(frame, BDC_HEADER);
    this.link.push(DATA, packet);
    this.counts.received++;
    this.onPacket();
  }

  /** @param {Uint8Array} bytes a header, and the data of the command */
  #command(bytes) {
    this.counts.commands++;
    const view = new DataView(bytes.buffer);
    const command = view.getUint32(COMMAND.kind, true), length = view.getUint32(COMMAND.length, true);
    const flags = view.getUint16(COMMAND.flags, true), id = view.getUint16(COMMAND.id, true);
    const sets = (flags & COMMAND_SETS) !== 0;
    const data = bytes.slice(COMMAND.data, COMMAND.data + length);
    const value = new Uint8Array(sets ? 0 : length);
    if (command === GET_VARIABLE) value.set(this.#get(text(data.subarray(0, data.indexOf(0)))).subarray(0, length));
    if (command === GET_RSSI) value.set(new Uint8Array(Int32Array.of(STRENGTH).buffer).subarray(0, length));
    const answer = new Uint8Array(COMMAND.data + value.length);
    const out = new DataView(answer.buffer);
    out.setUint32(COMMAND.kind, command, true);
    out.setUint32(COMMAND.length, value.length, true);
    out.setUint16(COMMAND.flags, flags, true);
    out.setUint16(COMMAND.id, id, true);
    out.setInt32(COMMAND.status, this.status, true);
    answer.set(value, COMMAND.data);
    this.link.push(CONTROL, answer);
    // The events that a command causes come after the answer.
    if (sets) this.#set(command, data);
  }

  #get(/** @type {string} */ name) {
    if (name === 'cur_etheraddr') return this.mac;
    return this.#variables.get(name) ?? new Uint8Array(0);
  }

  /** @param {number} command @param {Uint8Array} data */
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

  /** @param {string} name @param {Uint8Array} value */
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

  #setPins(/** @type {DataView} */ view) {
    if (!(view.getUint32(0, true) & 1)) return;
    this.led = (view.getUint32(4, true) & 1) === 1;
    this.onLed(this.led);
  }

  #join(/** @type {string} */ ssid) {
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
      const entry = new Uint8Array(SCAN.network + NETWORK_BYTES), view = new DataView(entry.buffer);
      view.setUint32(SCAN.length, entry.length, true);
      view.setUint16(SCAN.count, 1, true);
      view.setUint32(SCAN.networkLength, NETWORK_BYTES, true);
      entry.set(ACCESS_POINT_MAC, SCAN.mac);
      entry[SCAN.ssidLength] = ssid.length;
      entry.set(Buffer.from(ssid), SCAN.ssid);
      view.setInt16(SCAN.strength, STRENGTH, true);
      this.#tell(EVENT_SCAN, { status: PARTIAL, data: entry });
    }
    this.#tell(EVENT_SCAN, { status: SUCCESS });
  }

  /**
   * Sends an event to the host, in an Ethernet frame of Broadcom's own type, big-endian.
   * @param {number} type
   * @param {{ status: number, flags?: number, reason?: number, data?: Uint8Array }} event
   */
  #tell(type, { status, flags = 0, reason = 0, data = new Uint8Array(0) }) {
    if (!(this.#events[type >> 3] & (1 << (type & 7)))) return;
    const packet = new Uint8Array(BDC_HEADER + TOLD.data + data.length);
    packet[0] = BDC_VERSION;
    const frame = packet.subarray(BDC_HEADER), view = new DataView(packet.buffer, BDC_HEADER);
    frame.set(this.mac, TOLD.to);
    frame.set(this.mac, TOLD.from);
    view.setUint16(TOLD.etherType, BROADCOM_TYPE);
    view.setUint16(TOLD.subtype, BROADCOM_VENDOR_SPECIFIC);
    view.setUint16(TOLD.length, TOLD.data - TOLD.subtype + data.length);
    frame.set(BROADCOM_OUI, TOLD.oui);
    view.setUint16(TOLD.userSubtype, BROADCOM_EVENT);
    view.setUint16(TOLD.version, EVENT_VERSION);
    view.setUint16(TOLD.flags, flags);
    view.setUint32(TOLD.type, type);
    view.setUint32(TOLD.status, status);
    view.setUint32(TOLD.reason, reason);
    view.setUint32(TOLD.dataLength, data.length);
    frame.set(ACCESS_POINT_MAC_TOLD, TOLD.mac);
    frame.set(Buffer.from('wl0'), TOLD.interface);
    frame.set(data, TOLD.data);
    this.link.push(EVENT, packet);
  }
}
