'use strict';

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
    secrets: ([method, ...args]) => attempt(() => context.secrets[method](...args)),
    request: ([type, payload]) => attempt(() => context.request(type, payload)),
    /** A value that no message or argument of the test's holds. */
    setLong: ([key, size]) => attempt(() => context.secrets.set(key, 'x'.repeat(size))),
  };
  for (const [name, run] of Object.entries(commands)) context.commands.register(name, run);
};
