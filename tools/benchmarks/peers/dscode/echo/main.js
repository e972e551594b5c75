'use strict';

exports.activate = context => {
  context.commands.register('echo', args => args);
};
