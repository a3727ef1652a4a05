// What a boot reports of the former one: a panic, a hard fault, a board that hung.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alone } from './alone.js';

const SECOND = 1e9;

/** An address in the erased flash behind the image, which contains no instruction. */
const NOWHERE = 0x101ffff0;

/** The lower end of the stack, which is used last. */
const STACK_END = 0x20000000;

/** An instruction that jumps to itself. */
const FOR_EVER = 0xe7fe;

/** Addresses of code, as the panic and fault handlers list them. */
const CALLERS = /( 100[0-9a-f]{5}){2,}$/;

/** Does harm to a board that is alone, and returns the board when it is alone again. */
function after(harm, seconds) {
  const run = alone();
  run.board.runUntil(4 * SECOND);
  assert.equal(run.lines.at(-1).state, 'alone');
  assert.equal(run.lines.at(-1).started, 'power on');
  harm(run.board);
  run.board.runUntil((4 + seconds) * SECOND);
  assert.equal(run.lines.at(-1).state, 'alone');
  return { ...run, started: run.lines.at(-1).started };
}

test('after a panic a board restarts and says where it was', () => {
  // A command that fails makes the driver panic, and the LED is switched with a command.
  const { board, started } = after((board) => { board.radio.status = -23; }, 8);
  assert.deepEqual(board.resets, ['software']);
  assert.match(started, /^panic/);
  assert.match(started, CALLERS);
});

test('after a hard fault a board restarts and says where it was', () => {
  const { board, started } = after(({ mcu }) => { mcu.core.PC = NOWHERE; mcu.core.waiting = false; }, 8);
  assert.deepEqual(board.resets, ['software']);
  assert.match(started, /^hard fault 101ffff0 /);
  assert.match(started, CALLERS);
});

test('a board that hangs is restarted by its watchdog and says so', () => {
  const { board, started } = after(({ mcu }) => {
    mcu.writeUint16(STACK_END, FOR_EVER);
    mcu.core.PC = STACK_END;
    mcu.core.PM = true;
    mcu.core.waiting = false;
  }, 20);
  assert.deepEqual(board.resets, ['watchdog']);
  assert.equal(started, 'it hung: watchdog');
});

test('what a boot says of the former one is forgotten with the power', () => {
  const { board, lines } = after((board) => { board.radio.status = -23; }, 8);
  board.powerCycle();
  board.runUntil(board.nanos + 4 * SECOND);
  assert.equal(lines.at(-1).started, 'power on');
});
