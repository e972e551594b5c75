'use strict';

// Has the backend open a FIFO, which would wait until somebody opens its other end.

const { execFileSync } = require('node:child_process');
const { attempt } = require('../attempt.js');

exports.activate = ({ commands, folders, fs }) =>
  commands.register('attack', () => {
    const fifo = `${folders.storage}/fifo`;
    execFileSync('/usr/bin/mkfifo', [fifo]);
    return attempt({
      read: () => fs.readFile(fifo),
      write: () => fs.writeFile(fifo, 'x'),
      copy: () => fs.copy(fifo, `${folders.storage}/copy`),
    });
  });
