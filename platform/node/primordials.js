'use strict';

// What the host itself calls, taken before the extension is loaded: an extension that replaces a
// global mostly hurts itself. A courtesy, not a border; the border is the process.

const buffer = require('node:buffer');
const fs = require('node:fs');

const { Buffer } = buffer;
const { writeSync } = fs;

// Since Node 18.15. Without it every text takes the UTF-8 decoder, which is right and slower.
const isAscii = buffer.isAscii ?? (() => false);

/** Writes to the host's stderr at once; what the backend does not take is lost. */
function writeToStderr(text) {
  try {
    writeSync(2, text);
  } catch {
    // Nobody is left to hear of it.
  }
}

module.exports = {
  AbortController,
  allocate: Buffer.allocUnsafeSlow,
  byteLength: Buffer.byteLength,
  bytesFrom: Buffer.from,
  joinBytes: Buffer.concat,
  decode: Buffer.prototype.toString,
  encodeInto: Buffer.prototype.write,
  isAscii,
  parse: JSON.parse,
  stringify: JSON.stringify,
  setProperty: Reflect.set,
  setTimeout,
  clearTimeout,
  nextTick: process.nextTick,
  exit: process.exit.bind(process),
  writeToStderr,
};
