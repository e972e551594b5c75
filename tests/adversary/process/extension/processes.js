'use strict';

// Other processes, and some of its own.

const child = require('node:child_process');
const os = require('node:os');
const { stopIf } = require('./attempt.js');

/** Settles with the start of the process, whatever becomes of it. */
const started = process =>
  new Promise((resolve, reject) => {
    process.on('error', reject);
    process.on('spawn', () => {
      process.kill('SIGKILL');
      resolve();
    });
  });

module.exports = {
  'signal another': ({ victim }) => process.kill(victim, 0),
  'signal everybody': () => process.kill(-1, 0),
  'renice another': ({ victim }) => os.setPriority(victim, 19),
  'kill its keeper': ({ contained }) => {
    stopIf(!contained, 'not tried');
    const keeper = process.ppid;
    process.kill(keeper, 'SIGKILL');
    stopIf(process.ppid === keeper, 'ignored');
  },
  'start a shell': () => started(child.spawn('/bin/sh', ['-c', ':'])),
  'start itself': () => started(child.spawn(process.execPath, ['--version'])),
  'fork itself': () => started(child.fork(`${__dirname}/attempt.js`, { silent: true })),
  'start a shell and wait': () => {
    const { error } = child.spawnSync('/bin/sh', ['-c', ':']);
    if (error) throw error;
  },
};
