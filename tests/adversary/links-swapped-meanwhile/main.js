'use strict';

// Exchanges a file for a link that leads out, as fast as it can, while the backend reads and writes
// it.

const disk = require('node:fs');
const { Worker } = require('node:worker_threads');
const { attempt } = require('../attempt.js');

const SWAP = `
  const { workerData: { file, own, outside, stop } } = require('node:worker_threads');
  const disk = require('node:fs');
  for (let i = 0; Atomics.load(stop, 0) === 0; ++i) {
    if (i % 2 === 0) disk.symlinkSync(outside, file + '.next');
    else disk.writeFileSync(file + '.next', own);
    disk.renameSync(file + '.next', file);
  }`;
const TRIES = 1000;
const TRIES_A_WRITE = 10; // each goes to the disk

exports.activate = ({ commands, folders, fs }) =>
  commands.register('attack', async ([{ outside }]) => {
    const own = 'its own';
    const file = `${folders.storage}/swapped`;
    disk.writeFileSync(file, own);
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(SWAP, { eval: true, workerData: { file, own, outside, stop } });
    const got = new Set();
    let refused = 0;
    for (let i = 0; i < TRIES; ++i) {
      await fs.readFile(file, 'utf8').then(
        text => got.add(text),
        () => (refused += 1),
      );
      if (i % TRIES_A_WRITE === 0) await fs.writeFile(file, own).catch(() => {});
    }
    Atomics.store(stop, 0, 1);
    await new Promise(resolve => worker.on('exit', resolve));
    got.delete(own);
    disk.rmSync(file, { force: true });
    return attempt({
      'read while it was swapped': () => {
        if (got.size > 0) return [...got];
        const code = refused > 0 ? 'path_denied' : 'it was never a link';
        throw Object.assign(new Error(), { code });
      },
    });
  });
