'use strict';

// Has Node take compiled code for the extension's scripts where there is some, and remembers which
// scripts it loads. Code is taken for a source only that is, character by character, the one it was
// made of: V8 itself compares no more than their lengths.

const Module = require('node:module');
const fs = require('node:fs');
const path = require('node:path');
const { CodeBlob, compile } = require('./code_blob.js');

const { apply } = Reflect;
const { startsWith, slice } = String.prototype;

// Below it, looking for code takes as long as compiling.
const LEAST_SOURCE = 4096;
// What the backend takes; see script_report.hpp.
const MOST_NAMES = 1024;
const LONGEST_NAME = 512;

// A script that gives back what Node gives it. With it Node makes a module's `require` and the rest
// itself, and the code is run with them.
const PARAMETERS_ONLY = 'return arguments';

class CodeCache {
  #target;
  #root; //             `target` as Node names it, once it may be looked at
  #blob;
  #missed = new Set(); // scripts that were compiled here
  #used = 0;

  /** `fd` is of compiled code; undefined without. */
  constructor(target, fd) {
    this.#target = target;
    try {
      if (fd !== undefined) this.#blob = new CodeBlob(fd);
    } catch {
      // Compiled as ever.
    }
  }

  /** From now on the extension's files may be read. */
  begin() {
    try {
      this.#root = fs.realpathSync(this.#target);
    } catch {
      this.#root = path.resolve(this.#target); // Node's permissions end at the extension
    }
  }

  /** What there is to tell the backend. */
  get summary() {
    return { used: this.#used, loaded: [...this.#missed] };
  }

  #nameOf(filename) {
    const root = this.#root;
    if (root === undefined || typeof filename !== 'string') return undefined;
    if (filename === root) return path.basename(root);
    if (!apply(startsWith, filename, [`${root}/`])) return undefined;
    return apply(slice, filename, [root.length + 1]);
  }

  /** The function of a script whose code is there; undefined: it is to be compiled. */
  take(source, filename) {
    if (typeof source !== 'string' || source.length < LEAST_SOURCE) return undefined;
    const name = this.#nameOf(filename);
    if (name === undefined) return undefined;
    const found = this.#find(name);
    if (found === undefined || found.source !== source) {
      if (this.#missed.size < MOST_NAMES && name.length <= LONGEST_NAME) this.#missed.add(name);
      return undefined;
    }
    const compiled = compile(source, filename, { cachedData: found.code });
    if (compiled.cachedDataRejected) return undefined;
    this.#used += 1;
    return compiled;
  }

  #find(name) {
    try {
      return this.#blob?.find(name);
    } catch {
      return undefined;
    }
  }
}

/** Has every CommonJS module of this process looked up in the cache. */
function install(cache) {
  const compileAsEver = Module.prototype._compile;
  const { wrap, wrapper } = Module;
  const [head, tail] = wrapper;
  // What changes how Node compiles is not for code that was compiled before.
  const isPlain = format =>
    (format === undefined || format === 'commonjs') &&
    Module.wrap === wrap &&
    Module.wrapper[0] === head &&
    Module.wrapper[1] === tail &&
    !process.sourceMapsEnabled;

  Module.prototype._compile = function _compile(content, filename, format) {
    const compiled = isPlain(format) ? cache.take(content, filename) : undefined;
    if (compiled === undefined) return apply(compileAsEver, this, arguments);
    const given = apply(compileAsEver, this, [PARAMETERS_ONLY, filename, format]);
    return apply(compiled, given[0], given);
  };
}

module.exports = { CodeCache, install };
