// Boards in a cluster while much time goes by, and while their clocks wrap around.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SECOND, assertStacks, cluster, commitAll, contents, holdingsOfBoards, sessions, until } from './cluster.js';

const MINUTE = 60;

/** Whether a counter of a node counts losses, repetitions or refusals. A board's own beacons aren't heard by a node. */
const isTrouble = (counter) => counter.startsWith('refused_') || ['malformed', 'declined', 'lost', 'deaths', 'refutations', 'base_mismatches', 'maybe_stale'].includes(counter);

test('an hour of a board that is member and holds sessions costs no memory, and traffic stays as it was', async () => {
  const { world, picos, pico } = cluster();
  await until(world, () => pico.last().members === 2, 10);
  await commitAll(world, 'a', 0, 5, 1000, 2);
  await world.runUntil(10 * MINUTE * SECOND);
  const before = await world.stats('a');
  await world.runUntil(3600 * SECOND);
  const after = await world.stats('a');
  const later = pico.lines.filter(({ up }) => parseInt(up) >= 10 * MINUTE);
  assert.ok(later.length > 2990, `${later.length} lines on USB`);
  for (const name of ['state', 'members', 'sessions', 'ended', 'pages', 'unreachable', 'stack', 'address']) {
    assert.deepEqual([...new Set(later.map((line) => line[name]))].length, 1, `${name} changed`);
  }
  const trouble = Object.keys(after).filter((counter) => isTrouble(counter) && after[counter] !== before[counter]);
  assert.deepEqual(trouble, []);
  for (const counter of ['sent', 'received']) {
    const [early, late] = [[600, 1600], [2500, 3500]].map(([from, to]) => countOf(pico, counter, to) - countOf(pico, counter, from));
    assert.ok(late <= early * 1.1 && late >= early * 0.9, `${counter}: ${early} in 1,000 seconds at first, ${late} in the end`);
  }
  assert.deepEqual(pico.board.resets, []);
  assertStacks(picos);
  assert.deepEqual(await holdingsOfBoards(world, picos, ['a'], sessions(5)), [contents(5, 1000)]);
  world.close();
});

/** The value of a board's counter at that second. */
const countOf = (pico, counter, second) => Number(pico.lines.find(({ up }) => parseInt(up) >= second)[counter]);

// A program reads the upper half of the timer twice, because it may change in between. It changes during these tests, as it does every 72
// minutes. The wrap-around of all 64 bits, after 585,000 years, is beyond the range of embassy's own time.
const CLOCKS = /** @type {[string, bigint][]} */ ([['the lower half of the clock', 2n ** 32n], ['a clock that is higher than a double counts', 2n ** 54n]]);
for (const [name, clock] of CLOCKS) {
  test(`${name} wraps around while a board is asked for copies, and nobody notices`, async () => {
    const { world, picos, pico } = cluster({ clock: clock - 10_000_000n });
    await until(world, () => pico.last().members === 2, 8, SECOND / 100);
    const done = () => world.heard('done', 'a', 'commit');
    let count = 0;
    for (; world.now < 20 * SECOND; count++) {
      world.command('commit', 'a', `s${count % 8}`, count, 300, 2);
      await until(world, () => done().length > count, 5, SECOND / 20);
    }
    assert.deepEqual(done().filter(([, , , , , outcome]) => !outcome.includes('met:true')), []);
    assert.ok(parseInt(pico.last().up) >= Number(clock / 1_000_000n) + 8, `${pico.last().up}`);
    assert.ok(count > 100, `${count} commits`);
    assert.deepEqual(world.heard('member', 'a', 'pico-0', 'down'), []);
    assert.equal((await world.stats('a')).lost, 0);
    assert.deepEqual(pico.board.resets, []);
    assertStacks(picos);
    world.close();
  });
}
