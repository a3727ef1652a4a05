// Keeps the emulated time of boards equal to the wall clock. If this machine is too slow, emulated time falls behind and doesn't
// catch up.

/** The longest delay of emulated time that is caught up, and the longest time of one turn, milliseconds. */
const BEHIND = 50, TURN = 4;

/** @param {import('./board.js').Board[]} boards @returns {{ slipped: number, stop: () => void }} slipped: milliseconds given up */
export function pace(boards) {
  const state = { slipped: 0, stopped: false, stop: () => { state.stopped = true; } };
  const start = performance.now();
  const turn = () => {
    if (state.stopped) return;
    const now = performance.now();
    const behind = now - start - state.slipped - Math.min(...boards.map((board) => board.nanos)) / 1e6;
    if (behind > BEHIND) state.slipped += behind - BEHIND;
    const target = (now - start - state.slipped) * 1e6;
    const done = boards.map((board) => board.runUntil(target, now + TURN)).every(Boolean);
    if (done) setTimeout(turn, 1);
    else setImmediate(turn);
  };
  turn();
  return state;
}
