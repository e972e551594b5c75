'use strict';

const prettier = require('prettier');

const format = (filepath, source) => prettier.format(source, { filepath });

exports.activate = context => {
  context.commands.register('format', ([filepath, source]) => format(filepath, source));
  context.commands.register('formatAll', async ([sources], { progress }) => {
    const formatted = {};
    for (const [filepath, source] of Object.entries(sources)) {
      formatted[filepath] = await format(filepath, source);
      progress({ file: filepath });
    }
    return formatted;
  });
};
