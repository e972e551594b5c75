'use strict';

// Is activated, and from then on neither reads nor ends by itself.

exports.activate = () => {
  setImmediate(() => {
    for (;;);
  });
};
