// Reads an image: an ELF file as cargo makes it, a UF2 file, or the bytes of the flash. Reads the settings in it, or replaces them.
import { readFileSync } from 'node:fs';

const FLASH = 0x10000000, FLASH_SIZE = 2 * 1024 * 1024;

/** The page of the settings; `boards/node/src/settings.rs` describes its contents. */
const HEADING = 'relevo settings', SETTINGS = { at: 0x1000, size: 0x1000 };

/** @param {string} path @returns {Uint8Array} the flash from its first byte on */
export function readImage(path) {
  const file = readFileSync(path);
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  if (view.getUint32(0) === 0x7f454c46) return fromElf(file, view);
  if (view.getUint32(0, true) === 0x0a324655) return fromUf2(file, view);
  return new Uint8Array(file);
}

/** The same image with other settings. @param {Uint8Array} image @param {Record<string, string | string[]>} settings */
export function withSettings(image, settings) {
  const lines = Object.entries(settings).flatMap(([name, values]) => [values].flat().map((value) => `${name} = ${value}\n`));
  const text = Buffer.from(`${HEADING}\n${lines.join('')}\0`);
  if (text.length > SETTINGS.size) throw new Error('the settings are longer than their page');
  const changed = image.slice();
  changed.set(text, SETTINGS.at);
  return changed;
}

/** @param {Uint8Array} file @param {DataView} view of it */
function fromElf(file, view) {
  const flash = new Uint8Array(FLASH_SIZE).fill(0xff);
  const [table, size, count] = [view.getUint32(28, true), view.getUint16(42, true), view.getUint16(44, true)];
  for (let n = 0; n < count; n++) {
    const header = table + n * size;
    const [type, from, , address, length] = [0, 4, 8, 12, 16].map((at) => view.getUint32(header + at, true));
    if (type === 1 && length > 0 && address >= FLASH && address < FLASH + FLASH_SIZE) flash.set(file.subarray(from, from + length), address - FLASH);
  }
  return flash;
}

/** @param {Uint8Array} file @param {DataView} view of it */
function fromUf2(file, view) {
  const flash = new Uint8Array(FLASH_SIZE).fill(0xff);
  for (let block = 0; block + 512 <= file.length; block += 512) {
    const [address, length] = [view.getUint32(block + 12, true), view.getUint32(block + 16, true)];
    if (address >= FLASH && address < FLASH + FLASH_SIZE) flash.set(file.subarray(block + 32, block + 32 + length), address - FLASH);
  }
  return flash;
}

/** The settings in an image; empty if there are none. @param {Uint8Array} image @returns {Record<string, string>} */
export function settingsOf(image) {
  const page = Buffer.from(image.subarray(SETTINGS.at, SETTINGS.at + SETTINGS.size));
  const [heading, ...lines] = page.toString('utf8', 0, page.indexOf(0)).split('\n');
  if (heading !== HEADING) return {};
  return Object.fromEntries(lines.filter((line) => line.includes('=')).map((line) => line.split(/\s*=\s*/, 2).map((part) => part.trim())));
}
