// A board that is alone on its network, and the lines that it prints.
import { Board } from '../board/board.js';
import { Gateway } from '../network/gateway.js';
import { ACCESS_POINT, imageWith, macOf, status } from './image.js';

/** @param {Partial<Board["options"]>} options */
export function alone(options = {}) {
  const lines = [], leds = [], datagrams = [];
  const gateway = new Gateway({
    address: '192.168.69.1', mask: '255.255.255.0', lend: () => '192.168.69.100',
    onFrame: (frame) => board.receive(frame),
    onDatagram: (from, to, data) => datagrams.push({ at: board.nanos, from, to, data }),
  });
  const board = new Board({
    image: imageWith({ name: 'pico' }), mac: macOf(0), accessPoint: { ...ACCESS_POINT },
    onFrame: (frame) => gateway.receive(frame),
    onLine: (line) => lines.push(status(line)),
    onLed: (lit) => leds.push(lit),
    ...options,
  });
  return { board, gateway, lines, leds, datagrams };
}
