'use strict';

// Never answers: its loop keeps the process so busy that it sees neither a cancel nor a ping.

exports.activate = context => {
  context.commands.register('sleep', () => {
    for (;;);
  });
};
