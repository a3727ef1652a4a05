// The image under test, and its settings.
import { readImage, withSettings } from '../board/image.js';

const PATH = process.env.PICO_IMAGE ?? new URL('../../target/images/pico-w.uf2', import.meta.url).pathname;

const GOLDEN = process.env.GOLDEN_IMAGE ?? new URL('../../target/images/golden.bin', import.meta.url).pathname;

export const ACCESS_POINT = { ssid: 'relevo', password: 'correct horse', present: true };
export const KEY = '0123456789abcdef'.repeat(4);

const image = readImage(PATH);

/** @param {Record<string, string | string[]>} settings beside those of Wi-Fi and key */
export const imageWith = (settings) => withSettings(image, { ssid: ACCESS_POINT.ssid, password: ACCESS_POINT.password, key: KEY, ...settings });

/** The image that isn't a node, but seals a datagram and prints the examples of the wire format. */
export const golden = () => readImage(GOLDEN);

/** @param {number} n */
export const macOf = (n) => Uint8Array.of(0x28, 0xcd, 0xc1, 0, 0, n + 1);

/**
 * The contents of a status line: all words as text, and two of them as numbers.
 * @typedef {Record<string, any> & { members: number, sessions: number }} Status
 */

/** @param {string} line @returns {Status} */
export function status(line) {
  const words = /** @type {Record<string, string>} */ ( Object.fromEntries([...line.matchAll(/(\w+)=("[^"]*"|\S+)/g)].map(([, name, value]) => [name, value.replaceAll('"', '')])));
  return { ...words, members: Number(words.members), sessions: Number((words.sessions ?? '0').split('/')[0]) };
}
