'use strict';

// Walks out of the workspace with names that mean the folder above.

const path = require('node:path');
const { attempt } = require('../attempt.js');

exports.activate = ({ commands, fs }) =>
  commands.register('attack', ([{ workspace, outside }]) => {
    const up = path.relative(workspace, outside);
    return attempt({
      relative: () => fs.readFile(up, 'utf8'),
      'behind a name that is not there': () => fs.readFile(`${workspace}/none/../${up}`, 'utf8'),
      'slashes and dots': () => fs.readFile(`${workspace}/.//./${up}//`, 'utf8'),
      'in a URI': () => fs.readFile(`file://${workspace}/${up}`, 'utf8'),
      'in a URI, encoded': () =>
        fs.readFile(`file://${workspace}/${up.replaceAll('..', '%2e%2E')}`, 'utf8'),
      written: () => fs.writeFile(up, 'overwritten'),
      'moved in': () => fs.rename(up, 'mine'),
    });
  });
