'use strict';

exports.activate = context => {
  context.commands.register('unreachable', () => 'never');
  throw new Error('no licence key');
};
