'use strict';

// Goes through links that the kernel makes: to the root, the working directory, open files.

const { attempt } = require('../attempt.js');

exports.activate = ({ commands, fs }) =>
  commands.register('attack', ([{ outside }]) =>
    attempt({
      root: () => fs.readFile(`/proc/self/root${outside}`, 'utf8'),
      'the root of this process': () => fs.readFile(`/proc/${process.pid}/root${outside}`, 'utf8'),
      'the root of its parent': () => fs.readFile(`/proc/${process.ppid}/root${outside}`, 'utf8'),
      'working directory': () => fs.readDirectory('/proc/self/cwd'),
      'an open file': () => fs.readFile('/dev/fd/0'),
      'the environment of the backend': () => fs.readFile('/proc/self/environ'),
      'the memory of the backend': () => fs.writeFile('/proc/self/mem', 'x'),
    }),
  );
