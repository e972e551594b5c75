'use strict';

// Stays where ROLE says: in its activation, in a loop, in its deactivation, or at its very end.

const role = process.env.ROLE;
const never = new Promise(() => {});

exports.activate = () => {
  if (role === 'compiled') require('./long.js');
  if (role === 'activating') {
    console.log('activating');
    return never;
  }
  if (role === 'terminated') {
    process.on('exit', () => {
      console.log('held at its end');
      for (;;);
    });
  }
  if (role === 'busy') {
    setImmediate(() => {
      console.log('busy');
      for (;;);
    });
  }
  return undefined;
};

exports.deactivate = () => {
  if (role !== 'deactivating') return undefined;
  console.log('deactivating');
  return never;
};
