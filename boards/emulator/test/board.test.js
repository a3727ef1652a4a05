import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectBits } from '../bus/bits.js';
import { connectWords } from '../bus/words.js';
import { alone } from './alone.js';
import { ACCESS_POINT, imageWith } from './image.js';

const SECOND = 1e9;

test('a board joins its Wi-Fi, gets an address and looks for others', () => {
  const { board, lines, datagrams } = alone();
  board.runUntil(4 * SECOND);
  assert.deepEqual([lines.at(-1).state, lines.at(-1).address], ['alone', '192.168.69.100']);
  assert.deepEqual(datagrams[0].from, { address: '192.168.69.100', port: 4000 });
  assert.deepEqual(datagrams[0].to, { address: '228.0.0.4', port: 45564 });
  assert.ok(datagrams[0].at < 5 * SECOND);
  assert.ok(board.chip.counts.uploaded > 231077, 'the whole firmware of the radio');
});

test('bus by words and bus by bits make the same transactions', () => {
  const [words, bits] = [connectWords, connectBits].map((connect) => {
    const { board } = alone({ connect });
    board.runUntil(3 * SECOND);
    return { ...board.chip.counts, ...board.radio.counts };
  });
  assert.deepEqual(bits, words);
});

test('with a wrong password a board keeps trying, ever more seldom, and joins when it is right', () => {
  const accessPoint = { ...ACCESS_POINT, password: 'another' };
  const { board, lines, datagrams } = alone({ accessPoint });
  board.runUntil(10 * SECOND);
  assert.equal(lines.at(-1).state, 'joining');
  assert.deepEqual(datagrams, []);
  accessPoint.password = ACCESS_POINT.password;
  board.runUntil(30 * SECOND);
  assert.equal(lines.at(-1).state, 'alone');
});

test('a board whose access point is gone comes back with it', () => {
  const accessPoint = { ...ACCESS_POINT };
  const { board, lines, datagrams } = alone({ accessPoint });
  board.runUntil(4 * SECOND);
  accessPoint.present = false;
  board.radio.loseLink();
  board.runUntil(20 * SECOND);
  const before = datagrams.length;
  accessPoint.present = true;
  board.runUntil(60 * SECOND);
  assert.ok(datagrams.length > before, 'it sends again');
  assert.equal(lines.at(-1).state, 'alone');
  assert.deepEqual(board.resets, []);
});

test('without settings a board shows a fault and says which', () => {
  const { board, lines, leds } = alone({ image: imageWith({ nonsense: 'yes' }) });
  board.runUntil(4 * SECOND);
  assert.equal(lines.at(-1).state, 'fault');
  assert.match(lines.at(-1).fault, /settings/);
  assert.ok(leds.includes(true) && leds.includes(false), 'the LED blinks');
});

test('a board that was reset says why', () => {
  const { board, lines } = alone();
  board.runUntil(2 * SECOND);
  board.mcu.peripherals[0x40058].writeUint32(0, 2 ** 31);
  board.runUntil(6 * SECOND);
  assert.deepEqual(board.resets, ['watchdog']);
  assert.equal(lines.at(-1).state, 'alone');
  assert.equal(lines.at(-1).started, 'restart');
});

test('the same seed gives the same run, another one another', () => {
  const run = (seed) => {
    const { board, datagrams } = alone({ seed });
    board.runUntil(3 * SECOND);
    return datagrams.map(({ at, data }) => `${at} ${data.toString('hex')}`);
  };
  assert.deepEqual(run(7), run(7));
  assert.notDeepEqual(run(7), run(8));
});
