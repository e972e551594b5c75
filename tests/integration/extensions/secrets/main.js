'use strict';

const { randomBytes } = require('node:crypto');

// Uses context.secrets as it is told, and tells what came of it.

/** {value}, or {code, message} and all else that the error has. */
async function attempt(call) {
  try {
    return { value: (await call()) ?? null };
  } catch (error) {
    return { ...error, message: error.message };
  }
}

exports.activate = context => {
  const commands = {
    /**
     * Keeps a value that nobody else has seen, with a line break in its middle, and reads it back
     * if asked to. Tells its last digits, each byte turned around, in hexadecimal: little enough to
     * leave the rest of any buffer that the value was in as it was.
     */
    keepOwn: ([size, reads]) =>
      attempt(async () => {
        const half = () => randomBytes(size / 4).toString('hex');
        const value = `${half()}\n${half()}`;
        await context.secrets.set('own', value);
        if (reads && (await context.secrets.get('own')) !== value) throw new Error('another value');
        return Buffer.from(value.slice(-40), 'latin1').map(byte => ~byte).toString('hex');
      }),
    secrets: ([method, ...args]) => attempt(() => context.secrets[method](...args)),
    request: ([type, payload]) => attempt(() => context.request(type, payload)),
    /** A value that no message or argument of the test's holds. */
    setLong: ([key, size]) => attempt(() => context.secrets.set(key, 'x'.repeat(size))),
  };
  for (const [name, run] of Object.entries(commands)) context.commands.register(name, run);
};
