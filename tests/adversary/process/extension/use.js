'use strict';

// Not attacks: what a sandbox has to leave to an extension. These have to get through.

const fs = require('node:fs');
const path = require('node:path');
const { Worker } = require('node:worker_threads');

module.exports = {
  'start a worker': () =>
    new Promise((resolve, reject) => {
      const worker = new Worker('require("node:worker_threads").parentPort.postMessage(1)', {
        eval: true,
      });
      worker.on('message', resolve);
      worker.on('error', reject);
    }),
  'write its own folder': ({ folder }) => {
    const made = path.join(folder, 'own-js');
    fs.writeFileSync(made, '');
    fs.unlinkSync(made);
  },
};
