// Nodes on Linux and boards in one network, and the sessions that they hold.
import assert from 'node:assert/strict';
import { World } from '../lockstep/world.js';
import { ACCESS_POINT, imageWith, macOf, status } from './image.js';

export const SECOND = 1e9, MILLISECOND = 1e6;

/** How many bytes of a board's stack must never be used. If fewer are left, the stack is too small. */
const STACK_MARGIN = 1024;

/** The number of fetches under way at once. It is less than a node asks a member for at a time. */
const FETCHES = 8;

/**
 * @param {object} [options]
 * @param {number} [options.seed]
 * @param {string[]} [options.nodes] names of nodes on Linux
 * @param {number} [options.boards]
 * @param {number} [options.backups]
 * @param {bigint} [options.clock] microseconds that the boards' clocks have at power on
 */
export function cluster({ seed = 1, nodes = ['a'], boards = 1, backups = 1, clock = 0n } = {}) {
  const world = new World({ seed });
  nodes.forEach((name, n) => world.startNode(name, 2 + n, { backups }));
  const picos = Array.from({ length: boards }, (_, n) => {
    const pico = { lines: [], accessPoint: { ...ACCESS_POINT } };
    pico.board = world.addBoard({
      image: imageWith({ name: `pico-${n}`, backups: String(backups) }), mac: macOf(n), seed: seed * 100 + n, clock,
      accessPoint: pico.accessPoint, onLine: (line) => pico.lines.push(status(line)),
    });
    pico.last = () => pico.lines.at(-1) ?? status('');
    return pico;
  });
  return { world, picos, pico: picos[0] };
}

/** @param {World} world @param {() => boolean} what @param {number} [most] seconds of emulated time @param {number} [step] nanoseconds */
export async function until(world, what, most = 60, step = SECOND / 10) {
  await world.runWhile(() => !what(), most * SECOND, step);
  assert.ok(what(), `not within ${most} s: ${what}\n${world.said.slice(-10).join('\n')}\n${world.boards.map((board) => board.line).join('\n')}`);
}

/** A node dies with all its copies, and a new one with the same name starts. */
export function restart(world, name, n, backups = 1) {
  world.stopNode(name);
  world.startNode(name, n, { backups });
}

/** The names of sessions: s0, s1 and so on. */
export const sessions = (count) => Array.from({ length: count }, (_, n) => `s${n}`);
export const contents = (count, length) => sessions(count).map((session, n) => ({ session, value: String(n), length }));

/** Writes sessions `from` to `to` - 1, each when the one before it has `copies` copies. */
export async function commitAll(world, name, from, to, length, copies) {
  for (let n = from; n < to; n++) {
    const done = world.heard('done', name, 'commit').length;
    world.command('commit', name, `s${n}`, n, length, copies);
    await until(world, () => world.heard('done', name, 'commit').length > done, 10, 5 * MILLISECOND);
    assert.match(world.heard('done', name, 'commit').at(-1)[5], /met:true/);
  }
}

/** Lets a node fetch all these sessions, and returns what it holds then. */
export async function fetchAll(world, name, wanted) {
  const before = world.heard('done', name, 'fetch').length;
  const done = () => world.heard('done', name, 'fetch').length - before;
  for (let n = 0; n < wanted.length; n++) {
    await until(world, () => n - done() < FETCHES, 10, MILLISECOND);
    world.command('fetch', name, wanted[n]);
  }
  await until(world, () => done() === wanted.length, 10, MILLISECOND);
  return world.read(name, wanted);
}

/**
 * The sessions that each board holds: all nodes end, and each board is left alone with a new node that asks it for everything.
 * @returns {Promise<{ session: string, value: string, length: number }[][]>}
 */
export async function holdingsOfBoards(world, picos, nodes, wanted) {
  for (const name of nodes) world.stopNode(name);
  picos.forEach(({ board }, n) => {
    world.move(world.addressOf(board), n + 1);
    world.startNode(`probe-${n}`, 20 + n, { island: n + 1 });
  });
  await until(world, () => picos.every((_, n) => world.heard('member', `probe-${n}`, `pico-${n}`, 'joined').length > 0));
  const holdings = [];
  for (const n of picos.keys()) holdings.push(await fetchAll(world, `probe-${n}`, wanted));
  return holdings;
}

/** Asserts that no stack came near its end in the whole run, and prints how near it came. */
export function assertStacks(picos) {
  const marks = picos.flatMap((pico) => pico.lines).map(({ stack }) => stack.split('/').map(Number));
  const [[used, size]] = marks.sort(([a], [b]) => b - a);
  console.log(`stack used at most: ${used} of ${size} bytes`);
  assert.ok(marks.every(([used, size]) => used > 0 && used + STACK_MARGIN <= size), `${used} of ${size} bytes of stack were used`);
}
