import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Board } from '../board/board.js';
import { ACCESS_POINT, golden, macOf } from './image.js';

const SPECIFICATION = new URL('../../../core/src/wire/SPEC.md', import.meta.url);
const SECOND = 1e9;

/** The bytes of the specification's examples, which are at the start of each line, before two spaces. */
function examples() {
  const blocks = readFileSync(SPECIFICATION, 'utf8').split('```').filter((block) => block.startsWith('text\n'));
  return blocks.map((block) => {
    const words = block.split('\n').slice(1).flatMap((line) => line.split('  ')[0].split(' '));
    const end = words.findIndex((word) => !/^[0-9a-f]{2}$/.test(word));
    return words.slice(0, end).join(' ');
  }).filter(Boolean);
}

/** The text that a Pico prints on its serial port, after it has sealed a datagram for `figures.js`. */
function printed() {
  const board = new Board({ image: golden(), mac: macOf(0), accessPoint: ACCESS_POINT });
  let text = '';
  board.mcu.uart[0].onByte = (byte) => { text += String.fromCharCode(byte); };
  while (!text.endsWith('end\n') && board.nanos < 60 * SECOND) board.runUntil(board.nanos + SECOND / 10);
  return text.split('\n').slice(0, -2);
}

test("a Pico's processor makes the bytes of the specification's examples and reads them", () => {
  const [opened, ...made] = printed();
  assert.equal(opened, 'opened');
  assert.deepEqual(made.sort(), examples().map((bytes) => `${bytes} read`).sort());
});
