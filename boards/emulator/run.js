#!/usr/bin/env node
// Runs a Pi Pico W in real time beside the nodes of this machine: `node run.js IMAGE [name=value…]`.
import { readFileSync } from 'node:fs';
import { Board } from './board/board.js';
import { readImage, settingsOf, withSettings } from './board/image.js';
import { pace } from './board/pace.js';
import { Gateway } from './network/gateway.js';
import { Loopback } from './network/loopback.js';

const USAGE = `node run.js IMAGE [name=value…]
Runs the image of a Pi Pico W, an ELF, UF2 or binary file, in real time. It finds its Wi-Fi, and joins the cluster on 127.0.0.1.
  name=value   settings put into the image, such as key=…; without any, those in the image hold
  key-file=PATH the cluster's key, as relevo keygen writes it; what stands on a command line is for all to see
  lend=ADDRESS the address that DHCP lends to the board, of 127.0.0.0/8 [default: 127.0.0.20]
Prints what the board says on USB. Ends by SIGINT or SIGTERM.`;

const MAC = Uint8Array.of(0x28, 0xcd, 0xc1, 0, 0, 1);

/** Returns the image to run, and its address. @param {string} path @param {string[]} pairs */
function prepare(path, pairs) {
  const options = Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s, 2)));
  const { lend = '127.0.0.20', 'key-file': keyFile, ...given } = options;
  if (keyFile) given.key = readFileSync(keyFile, 'utf8').trim();
  const plain = readImage(path);
  const image = Object.keys(given).length ? withSettings(plain, { ssid: 'relevo', password: 'in the emulator', ...given }) : plain;
  const { ssid, password = '', address = lend, port = '4000' } = settingsOf(image);
  return { image, lend, accessPoint: { ssid, password, present: true }, endpoint: { address: address.split('/')[0], port: Number(port) } };
}

function main(/** @type {string[]} */ [path, ...pairs]) {
  if (!path || pairs.some((pair) => !pair.includes('='))) { console.error(USAGE); process.exit(64); }
  const { image, lend, accessPoint, endpoint } = prepare(path, pairs);
  const loopback = new Loopback((from, to, data) => gateway.send(from, to, data), refused);
  loopback.open(endpoint);
  const board = new Board({
    image, mac: MAC, accessPoint,
    // The seed differs each time: the boot id comes from it, and no boot id may repeat.
    seed: Math.floor(Math.random() * 2 ** 32),
    onFrame: (frame) => gateway.receive(frame),
    onLine: (line) => console.log(line),
    onReset: (cause) => console.log(`emulator: reset: ${cause}`),
  });
  const gateway = new Gateway({
    address: '127.255.255.254', mask: '255.0.0.0', lend: () => lend,
    onFrame: (frame) => board.receive(frame),
    onDatagram: (from, to, data) => loopback.send(from, to, data),
  });
  const pacer = pace([board]);
  const end = () => { pacer.stop(); loopback.close(); };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
}

/** @param {import('./network/packet.js').Endpoint} board @param {NodeJS.ErrnoException} error */
function refused({ address, port }, { code, message }) {
  console.error(`run.js: ${address}:${port} can't be had: ${code === 'EADDRINUSE' ? 'somebody has it already; lend=127.0.0.21 lends another address' : message}`);
  process.exit(1);
}

main(process.argv.slice(2));
