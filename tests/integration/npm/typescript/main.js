'use strict';

const { transpile } = require('./transpile.js');

exports.activate = context => {
  context.commands.register('transpile', ([fileName, source]) => transpile(fileName, source));
  context.commands.register('transpileAll', ([sources]) =>
    Object.fromEntries(Object.entries(sources).map(([name, text]) => [name, transpile(name, text)])));
};
