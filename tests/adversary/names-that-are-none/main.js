'use strict';

// Names that a check and the kernel might understand differently.

const { attempt } = require('../attempt.js');

exports.activate = ({ commands, fs, request }) =>
  commands.register('attack', ([{ workspace, outside }]) =>
    attempt({
      NUL: () => fs.readFile(`${outside}\0${workspace}/file`),
      newline: () => fs.readFile(`${workspace}/\n`),
      empty: () => fs.readFile(''),
      '4097 bytes': () => fs.readFile(`/${'a'.repeat(4096)}`),
      'NUL in a URI': () => fs.readFile(`file://${workspace}/a%00`),
      'a slash in a URI': () => fs.readFile(`file://${workspace}/..%2foutside`),
      'another machine': () => fs.readFile(`file://elsewhere${workspace}/file`),
      'a number': () => request('fs.readFile', { path: 7 }),
      'a list': () => request('fs.readFile', { path: [outside] }),
      nothing: () => request('fs.readFile', {}),
    }),
  );
