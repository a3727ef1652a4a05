#!/usr/bin/env node
// Measures an emulated board in emulated time: run `node figures.js` after `./test pico` in the root has built what it needs.
import { Board, CYCLE } from './board/board.js';
import { World } from './lockstep/world.js';
import { ACCESS_POINT, golden, imageWith, macOf, status } from './test/image.js';

const SECOND = 1e9, MILLISECOND = 1e6;

/** The number of sessions that are written to in turn, and of commits that are under way at once. */
const SESSIONS = 32, UNDER_WAY = 16;

/** The number of sessions that are restored, and their size in bytes. */
const RESTORED = 128, LENGTH = 1024;

/** The state of a high pin in rp2040js. */
const HIGH = 1;

function start() {
  const world = new World({ seed: 1 });
  world.startNode('a', 2);
  const board = world.addBoard({ image: imageWith({ name: 'pico' }), mac: macOf(0), accessPoint: ACCESS_POINT });
  return { world, board };
}

async function join() {
  const { world, board } = start();
  let wifi = 0;
  await world.runWhile(() => { if (board.radio.joined) wifi ||= world.now; return !world.heard('member', 'a', 'pico', 'joined').length; }, 30 * SECOND);
  const [[at]] = world.heard( 'member', 'a', 'pico', 'joined');
  world.close();
  console.log(`join after power on: ${(at / SECOND).toFixed(2)} s, of it ${(wifi / SECOND).toFixed(2)} s until Wi-Fi was joined`);
}

/** @param {number | null} rate commits a second; null: as many as it takes */
async function commits(rate) {
  const { world, board } = start();
  await world.runUntil(4 * SECOND);
  const from = world.now, seconds = 4, offered = /** @type {number[]} */ ([]);
  const done = () => world.heard('done', 'a', 'commit').length;
  for (let next = from; world.now < from + seconds * SECOND;) {
    if (rate ? world.now >= next : offered.length - done() < UNDER_WAY) {
      next += SECOND / (rate ?? 1);
      offered.push(world.now);
      world.command('commit', 'a', `s${offered.length % SESSIONS}`, offered.length, 200, 2);
    } else {
      await world.runUntil(world.now + MILLISECOND / 4);
    }
  }
  const acknowledged = world.heard('done', 'a', 'commit').filter(([at]) => at <= from + seconds * SECOND);
  const waits = acknowledged.map(([at], n) => at - offered[n]).sort((a, b) => a - b);
  const kinds = [...new Set(acknowledged.map(([, , , , , outcome]) => outcome))];
  world.close();
  console.log(`${rate ? `${rate} commits a second offered` : `${UNDER_WAY} commits under way`}, 200 bytes, sealed: ${(acknowledged.length / seconds).toFixed(0)} acknowledged a second (${kinds.join(', ')}), `
    + `wait ${(waits[waits.length >> 1] / MILLISECOND).toFixed(1)} ms at the median; stack ${status(board.line).stack}`);
}

/** @param {number} atOnce the number of fetches under way; a node asks a member for sixteen sessions at a time, and the others wait */
async function restore(atOnce) {
  const { world } = start();
  await world.runUntil(4 * SECOND);
  for (let n = 0; n < RESTORED; n++) {
    world.command('commit', 'a', `s${n}`, n, LENGTH, 2);
    await world.runWhile(() => world.heard('done', 'a', 'commit').length <= n, SECOND, MILLISECOND);
  }
  world.stopNode('a');
  world.startNode('a', 2);
  await world.runWhile(() => world.heard('member', 'a', 'pico', 'joined').length < 2, 10 * SECOND, MILLISECOND);
  const from = world.now, sessions = Array.from({ length: RESTORED }, (_, n) => `s${n}`);
  const done = () => world.heard('done', 'a', 'fetch');
  for (const [n, session] of sessions.entries()) {
    world.command('fetch', 'a', session);
    await world.runWhile(() => n + 1 - done().length >= atOnce, SECOND, MILLISECOND);
  }
  await world.runWhile(() => done().length < RESTORED, 30 * SECOND, MILLISECOND);
  const took = world.now - from;
  const right = (await world.read('a', sessions)).filter(({ value, length }, n) => value === String(n) && length === LENGTH);
  world.close();
  console.log(`restore of ${RESTORED} sessions of ${LENGTH} bytes by a primary that restarts, ${atOnce} asked for at once: ${right.length} back with the same bytes `
    + `${(took / SECOND).toFixed(2)} s after it met the board`);
}

/** Measures the processor time for one datagram. `boards/golden` sets GPIO 1 high meanwhile. */
function sealing() {
  const board = new Board({ image: golden(), mac: macOf(0), accessPoint: ACCESS_POINT });
  const edges = /** @type {number[]} */ ([]);
  board.mcu.gpio[1].addListener((state) => { if (edges.length || state === HIGH) edges.push(board.nanos); });
  while (edges.length < 8 && board.nanos < SECOND) board.runUntil(board.nanos + MILLISECOND);
  const [seal, open, hash, check] = [0, 2, 4, 6].map((n) => edges[n + 1] - edges[n]);
  const shown = (/** @type {number} */ nanos) => `${Math.round(nanos / CYCLE)} cycles (${(nanos / 1000).toFixed(0)} µs)`;
  console.log(`a datagram of 200 bytes: to seal ${shown(seal)}, to open ${shown(open)}; without a key, to hash ${shown(hash)}, to compare ${shown(check)}`);
}

console.log('Emulated time, which knows no misses of the flash cache.');
sealing();
await join();
await commits(500);
await commits(null);
await restore(8);
await restore(RESTORED);
