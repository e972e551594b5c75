'use strict';

// Fills the disk through the folders that are its own.

const { attempt } = require('../attempt.js');

exports.activate = ({ commands, folders, fs }) =>
  commands.register('attack', async () => {
    const piece = 'x'.repeat(100_000);
    const own = [folders.storage, folders.logs, folders.temp];
    const fill = async write => {
      for (let i = 0; i < 100; ++i) await write(`${own[i % 3]}/piece-${i}`);
    };
    return attempt({
      writing: () => fill(name => fs.writeFile(name, piece)),
      copying: () => fill(name => fs.copy(`${folders.storage}/piece-0`, `${name}-copy`)),
    });
  });
