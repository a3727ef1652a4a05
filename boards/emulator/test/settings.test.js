// How a board reads its page of settings, whatever the page contains, and that it never shows the settings.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../board/random.js';
import { alone } from './alone.js';
import { ACCESS_POINT, KEY, imageWith } from './image.js';

const SECOND = 1e9, PAGE = 0x1000;

/** Everything that a board prints on USB and logs, in one text. */
function allThatIsSaid(image) {
  const said = [];
  const { board } = alone({ image, onLine: (line) => said.push(line) });
  for (let n = 0; n < 40; n++) {
    board.runUntil(board.nanos + SECOND / 10);
    said.push(Buffer.from(board.drainLog()).toString('latin1'));
  }
  return said.join('\n');
}

test('neither password nor key nor a line that is wrong is ever said or logged', () => {
  for (const settings of [{}, { pasword: ACCESS_POINT.password }, { key: `${KEY}0` }]) {
    const text = allThatIsSaid(imageWith(settings));
    assert.match(text, /relevo 0/);
    for (const secret of [ACCESS_POINT.password, KEY.slice(0, 16), 'pasword']) assert.ok(!text.includes(secret), secret);
  }
});

test('a page of any bytes is a fault that is reported, and no reason to restart', () => {
  const random = new Random(1);
  const pages = [
    () => 0xff, () => 0, () => random.below(256), () => 0x61,
    (n) => (n < 15 ? 'relevo settings'.charCodeAt(n) : n === 4000 ? 0 : random.below(256)),
  ];
  for (const byte of pages) {
    const image = imageWith({});
    for (let n = 0; n < PAGE; n++) image[PAGE + n] = byte(n);
    const { board, lines } = alone({ image });
    board.runUntil(4 * SECOND);
    assert.equal(lines.at(-1).state, 'fault');
    assert.match(lines.at(-1).fault, /^settings: /);
    assert.deepEqual(board.resets, []);
  }
});
