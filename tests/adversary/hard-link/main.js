'use strict';

// Gives a file outside a second name inside, and writes to that.

const disk = require('node:fs');
const { attempt } = require('../attempt.js');

exports.activate = ({ commands, fs }) =>
  commands.register('attack', ([{ workspace, outside }]) => {
    const name = `${workspace}/second-name`;
    disk.linkSync(outside, name);
    disk.writeFileSync(`${workspace}/other`, 'other');
    return attempt({
      write: () => fs.writeFile(name, 'overwritten'),
      copy: () => fs.copy(`${workspace}/other`, name, { overwrite: true }),
      rename: () => fs.rename(`${workspace}/other`, name, { overwrite: true }),
    });
  });
