import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MILLISECOND, SECOND, assertStacks, cluster, commitAll, contents, fetchAll, holdingsOfBoards, restart, sessions, until } from './cluster.js';

/** A frame to a board that is longer than this carries a piece of a value. */
const PIECE = 1000;

const isMember = (world, name, other, times = 1) => world.heard('member', name, other, 'joined').length === times;

test('a board joins, keeps copies, and gives them back to a primary that died', async () => {
  const { world, picos, pico } = cluster();
  await until(world, () => pico.last().members === 2, 10);
  await commitAll(world, 'a', 0, 20, 200, 2);
  await until(world, () => pico.last().sessions === 20);
  restart(world, 'a', 2);
  await until(world, () => isMember(world, 'a', 'pico-0', 2));
  assert.deepEqual(await fetchAll(world, 'a', sessions(20)), contents(20, 200));
  assertStacks(picos);
  world.close();
});

test('a board that is reset in the middle of a transfer gets its copies again', async () => {
  const { world, picos, pico } = cluster();
  await until(world, () => pico.last().members === 2, 10);
  await commitAll(world, 'a', 0, 10, 3000, 2);
  const { transfers } = await world.stats('a');
  let pieces = 0;
  const receive = pico.board.receive.bind(pico.board);
  pico.board.receive = (frame, at) => { if (frame.length > PIECE) pieces++; receive(frame, at); };
  const heard = pico.board.radio.counts.received;
  world.command('commit', 'a', 's10', 10, 4000, 2);
  await until(world, () => pieces > 0 && pico.board.radio.counts.received >= heard + 2, 1, MILLISECOND / 10);
  pico.board.reset();
  assert.ok(pieces < 4, `${pieces} pieces of four were sent`);
  assert.deepEqual(world.heard('done', 'a', 'commit', 's10'), [], 'the board had not confirmed it');
  assert.equal((await world.stats('a')).transfers, transfers + 1, 'its transfer had begun');
  await until(world, () => pico.lines.at(-1)?.sessions === 11);
  assert.deepEqual(pico.board.resets, ['button']);
  const [held] = await holdingsOfBoards(world, picos, ['a'], sessions(11));
  assert.deepEqual(held, [...contents(10, 3000), { session: 's10', value: '10', length: 4000 }]);
  assertStacks(picos);
  world.close();
});

test('a board whose Wi-Fi is gone for a minute catches up', async () => {
  const { world, picos, pico } = cluster();
  await until(world, () => pico.last().members === 2, 10);
  await commitAll(world, 'a', 0, 5, 200, 2);
  pico.accessPoint.present = false;
  pico.board.radio.loseLink();
  await world.runUntil(world.now + 60 * SECOND);
  assert.equal(world.heard('member', 'a', 'pico-0', 'down').length, 1);
  await commitAll(world, 'a', 0, 10, 300, 0);
  pico.accessPoint.present = true;
  await until(world, () => pico.last().members === 2 && pico.last().sessions === 10, 120);
  assert.deepEqual(pico.board.resets, []);
  await world.runUntil(world.now + 2 * SECOND);
  assert.deepEqual(await holdingsOfBoards(world, picos, ['a'], sessions(10)), [contents(10, 300)]);
  assertStacks(picos);
  world.close();
});

test('a full board declines, keeps what it has, and nothing is lost elsewhere', async () => {
  const { world, picos, pico } = cluster({ nodes: ['a', 'b'], backups: 2 });
  await until(world, () => pico.last().members === 3, 10);
  await commitAll(world, 'a', 0, 230, 1000, 2);
  await world.runUntil(world.now + 20 * SECOND);
  assert.equal(pico.last().state, 'full');
  const { sessions: held } = pico.last();
  assert.ok(held >= 128 && held < 230, `${held} sessions`);
  assert.ok((await world.stats('a')).declined === 0, 'nobody else declined');
  assert.deepEqual(pico.board.resets, []);
  world.stopNode('a');
  await until(world, () => world.heard('member', 'b', 'a', 'down').length === 1);
  assert.deepEqual(await fetchAll(world, 'b', sessions(230)), contents(230, 1000));
  await world.runUntil(world.now + 5 * SECOND);
  const [kept] = await holdingsOfBoards(world, picos, ['b'], sessions(230));
  const whole = kept.filter(({ value }) => value !== 'none');
  assert.deepEqual(whole, contents(230, 1000).filter(({ session }) => whole.some((other) => other.session === session)));
  assert.ok(whole.length >= held, `${whole.length} sessions of ${held}`);
  assertStacks(picos);
  world.close();
});
