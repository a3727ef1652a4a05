import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '../lockstep/world.js';
import { ACCESS_POINT, imageWith, macOf, status } from './image.js';

const SECOND = 1e9;
const DONE = /^Done/;

/** Nodes on Linux and boards, in one network. */
function cluster({ seed = 1, nodes = ['a'], boards = 1, backups = 1 } = {}) {
  const world = new World({ seed });
  nodes.forEach((name, n) => world.startNode(name, 2 + n, { backups }));
  const picos = Array.from({ length: boards }, (_, n) => {
    const pico = { lines: [], accessPoint: { ...ACCESS_POINT } };
    pico.board = world.addBoard({
      image: imageWith({ name: `pico-${n}`, backups: String(backups) }), mac: macOf(n), seed: seed * 100 + n,
      accessPoint: pico.accessPoint, onLine: (line) => pico.lines.push(status(line)),
    });
    pico.last = () => pico.lines.at(-1) ?? status('');
    return pico;
  });
  return { world, picos, pico: picos[0] };
}

const until = async (world, what, most = 60) => {
  await world.runWhile(() => !what(), most * SECOND, SECOND / 10);
  assert.ok(what(), `not within ${most} s: ${what}\n${world.said.slice(-10).join('\n')}\n${world.boards.map((board) => board.line).join('\n')}`);
};

/** What became of commits and fetches. */
const outcomes = (world, verb) => world.said.filter(([, kind, , what]) => kind === 'done' && what === verb);

/** A node dies with all it has; the same name starts anew. */
function restart(world, name, n, boot, backups = 1) {
  world.stopNode(name);
  world.startNode(name, n, { seed: boot, backups });
}

/** @param {number} count sessions of so many bytes, each committed with two copies */
async function commitAll(world, name, count, bytes, copies = 2) {
  for (let n = 0; n < count; n++) {
    world.command('commit', name, `s${n}`, bytes, copies);
    await world.runWhile(() => outcomes(world, 'commit').length <= n, 10 * SECOND, SECOND / 200);
  }
}

test('a board joins, keeps copies, and gives them back to a home that died', async () => {
  const { world, pico } = cluster();
  await until(world, () => pico.last().members === 2, 10);
  await commitAll(world, 'a', 20, 200);
  await until(world, () => pico.last().sessions === 20);
  restart(world, 'a', 2, 77);
  await until(world, () => world.said.filter(([, verb, , other, what]) => verb === 'member' && other === 'pico-0' && what === 'joined').length === 2);
  for (let n = 0; n < 20; n++) world.command('fetch', 'a', `s${n}`);
  await until(world, () => outcomes(world, 'fetch').length === 20);
  const holds = world.said.filter(([, verb]) => verb === 'holds').at(-1);
  assert.equal(holds[3], '20');
  world.close();
});

test('a board that is reset in the middle of a transfer gets its copies anew', async () => {
  const { world, pico } = cluster();
  await until(world, () => pico.last().members === 2, 10);
  world.command('commit', 'a', 'large', 4000, 0);
  for (let n = 0; n < 30; n++) world.command('commit', 'a', `s${n}`, 3000, 0);
  await world.runUntil(world.now + 10e6);
  pico.board.reset();
  await until(world, () => pico.last().sessions === 31);
  assert.deepEqual(pico.board.resets, ['button']);
  world.close();
});

test('a board whose Wi-Fi is gone for a minute catches up', async () => {
  const { world, pico } = cluster();
  await until(world, () => pico.last().members === 2, 10);
  await commitAll(world, 'a', 5, 200);
  pico.accessPoint.present = false;
  pico.board.radio.loseLink();
  await world.runUntil(world.now + 60 * SECOND);
  for (let n = 5; n < 10; n++) world.command('commit', 'a', `s${n}`, 200, 0);
  pico.accessPoint.present = true;
  await until(world, () => pico.last().members === 2 && pico.last().sessions === 10, 120);
  assert.deepEqual(pico.board.resets, []);
  world.close();
});

test('a full board declines, and nothing is lost elsewhere', async () => {
  const { world, pico } = cluster({ nodes: ['a', 'b'], backups: 2 });
  await until(world, () => pico.last().members === 3, 10);
  for (let n = 0; n < 230; n++) {
    world.command('commit', 'a', `s${n}`, 1000, 0);
    if (n % 10 === 0) await world.runUntil(world.now + SECOND / 10);
  }
  await world.runUntil(world.now + 20 * SECOND);
  assert.equal(pico.last().state, 'full');
  assert.ok(pico.last().sessions >= 110, `${pico.last().sessions} sessions`);
  assert.deepEqual(pico.board.resets, []);
  world.stopNode('a');
  await world.runUntil(world.now + 6 * SECOND);
  for (let n = 0; n < 230; n++) { world.command('fetch', 'b', `s${n}`); await world.runUntil(world.now + SECOND / 20); }
  await until(world, () => outcomes(world, 'fetch').length === 230);
  assert.equal(world.said.filter(([, verb, name]) => verb === 'holds' && name === 'b').at(-1)[3], '230');
  world.close();
});

test('four boards and three nodes come together again after faults, and the same seed means the same run', async () => {
  const run = async (seed) => {
    const { world, picos } = cluster({ seed, nodes: ['a', 'b', 'c'], boards: 4, backups: 2 });
    await until(world, () => picos.every((pico) => pico.last().members === 7), 30);
    world.loss = 30;
    for (let n = 0; n < 40; n++) {
      world.command('commit', 'abc'[world.random.below(3)], `s${world.random.below(12)}`, 100 + world.random.below(1500), 0);
      await world.runUntil(world.now + SECOND / 10);
      if (n === 10) picos[0].board.reset();
      if (n === 15) picos[1].board.radio.loseLink();
      if (n === 20) restart(world, 'c', 4, 99, 2);
      if (n === 25) picos[2].board.powerCycle();
    }
    world.loss = 0;
    await until(world, () => picos.every((pico) => pico.last().members === 7), 60);
    assert.ok(world.lost > 0, 'frames were lost');
    assert.deepEqual(picos.map((pico) => pico.board.resets), [['button'], [], ['power'], []]);
    world.close();
    return world.digest();
  };
  const first = await run(1);
  assert.equal(await run(1), first);
});
