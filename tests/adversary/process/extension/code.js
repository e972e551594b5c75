'use strict';

// Code that is not the extension's own.

const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');

module.exports = {
  'evaluate a string': () => (0, eval)('7'),
  'make a function of a string': () => new Function('return 7')(),
  'run a string by vm': () => vm.runInNewContext('7'),
  'compile WebAssembly': () =>
    new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)),
  'load a native addon': ({ addon }) => process.dlopen({ exports: {} }, addon),
  'load a module that it wrote': ({ folder }) => {
    const made = path.join(folder, 'written.js');
    fs.writeFileSync(made, 'module.exports = 7;');
    try {
      require(made);
    } finally {
      fs.unlinkSync(made);
    }
  },
};
