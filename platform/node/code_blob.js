'use strict';

// Compiled code in one file: for each script its path in the extension, its whole source, and what
// V8 made of it. Written once by compile.js, read by code_cache.js in the same Node under the same
// flags.

const fs = require('node:fs');
const vm = require('node:vm');
const { bytesFrom, byteLength, allocate, decode, parse, stringify } = require('./primordials.js');

const { compileFunction } = vm;
const { readSync, writeSync } = fs;

// "BHCODE1\n", the number of files, the length of the index, that of everything; then the index, a
// JSON array of [path, place, bytes of source, bytes of code], and what it names.
const MAGIC = bytesFrom('BHCODE1\n', 'latin1');
const HEADER = MAGIC.length + 12;

// What Node gives to each CommonJS module.
const PARAMETERS = ['exports', 'require', 'module', '__filename', '__dirname'];

/** Compiles a script just as Node compiles a CommonJS module. Runs none of it. */
function compile(source, filename, options) {
  return compileFunction(source, PARAMETERS, { filename, ...options });
}

/**
 * Whether the script has no import(), which code from a cache can't do: V8 forgets whom to ask for
 * the module (Node 18 and 20), or Node warns (22). Some scripts are taken for one that have none.
 */
function isWithoutImport(source) {
  return !/import\s*[(/<-]/.test(source);
}

function readAt(fd, place, length) {
  const bytes = allocate(length);
  for (let held = 0; held < length; ) {
    const read = readSync(fd, bytes, held, length - held, place + held);
    if (read === 0) throw new Error('compiled code that ends too early');
    held += read;
  }
  return bytes;
}

function writeAt(fd, place, bytes) {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd, bytes, done, bytes.length - done, place + done);
  }
}

/** The scripts of a file that writeBlob() has written. */
class CodeBlob {
  #fd;
  #index = new Map();

  constructor(fd) {
    this.#fd = fd;
    const header = readAt(fd, 0, HEADER);
    if (MAGIC.compare(header, 0, MAGIC.length) !== 0) throw new Error('no compiled code');
    const index = readAt(fd, HEADER, header.readUInt32LE(MAGIC.length + 4));
    for (const [path, ...where] of parse(decode.call(index, 'utf8'))) this.#index.set(path, where);
  }

  get count() {
    return this.#index.size;
  }

  /** {source, code} of a script, by its path in the extension; undefined where there is none. */
  find(path) {
    const where = this.#index.get(path);
    if (where === undefined) return undefined;
    const [place, source, code] = where;
    const bytes = readAt(this.#fd, place, source + code);
    return { source: decode.call(bytes, 'utf8', 0, source), code: bytes.subarray(source) };
  }
}

/**
 * Writes scripts, [{path, source, code}], as far as they fit into `most` bytes. The header comes
 * last: what was not written to its end is nothing. Returns how many it wrote.
 */
function writeBlob(fd, most, scripts) {
  const index = [];
  const chosen = [];
  // No entry of the index takes more than its path, escaped, and three numbers.
  let used = HEADER + 2;
  for (const { path, source, code } of scripts) {
    const bytes = bytesFrom(source, 'utf8');
    const needed = byteLength(stringify(path)) + 40 + bytes.length + code.length;
    if (used + needed > most) continue;
    used += needed;
    chosen.push(bytes, code);
    index.push([path, 0, bytes.length, code.length]);
  }
  // The places are counted from the end of the index, whose length depends on them: it is padded.
  const room = index.reduce((sum, [path]) => sum + byteLength(stringify(path)) + 40, 2);
  let place = HEADER + room;
  for (const entry of index) {
    entry[1] = place;
    place += entry[2] + entry[3];
  }
  writeAt(fd, HEADER, bytesFrom(stringify(index).padEnd(room), 'utf8'));
  let at = HEADER + room;
  for (const bytes of chosen) {
    writeAt(fd, at, bytes);
    at += bytes.length;
  }
  const header = allocate(HEADER);
  MAGIC.copy(header);
  header.writeUInt32LE(index.length, MAGIC.length);
  header.writeUInt32LE(room, MAGIC.length + 4);
  header.writeUInt32LE(at, MAGIC.length + 8);
  writeAt(fd, 0, header);
  return index.length;
}

module.exports = { CodeBlob, compile, isWithoutImport, writeBlob };
