'use strict';

// Plants symbolic links in the folders that it may write, and has the backend follow them.

const disk = require('node:fs');
const path = require('node:path');
const { attempt } = require('../attempt.js');

exports.activate = ({ commands, folders, fs }) =>
  commands.register('attack', async ([{ workspace, outside }]) => {
    const tries = {};
    for (const [where, folder] of Object.entries({ workspace, storage: folders.storage })) {
      const plant = (name, target) => {
        disk.symlinkSync(target, `${folder}/${name}`);
        return `${folder}/${name}`;
      };
      const file = plant('to-the-file', outside);
      const relative = plant('relative', path.relative(folder, outside));
      const parent = plant('to-the-folder', path.dirname(outside));
      const through = `${parent}/${path.basename(outside)}`;
      const chain = plant('chain', 'to-the-file');
      for (const name of [file, relative, chain, through]) {
        tries[`${where}: read ${name}`] = () => fs.readFile(name, 'utf8');
        tries[`${where}: write ${name}`] = () => fs.writeFile(name, 'overwritten');
        tries[`${where}: copy ${name}`] = () => fs.copy(name, `${folder}/copy`);
      }
      tries[`${where}: list`] = () => fs.readDirectory(parent);
      tries[`${where}: move out`] = () => fs.rename(through, `${folder}/taken`);
      tries[`${where}: create`] = () => fs.writeFile(`${parent}/new`, 'new');
    }
    return attempt(tries);
  });
