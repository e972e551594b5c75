'use strict';

// Does what it is told, so that a test can watch a host behave well, badly, or not at all.

const { spawn } = require('node:child_process');

const commands = {
  /** Returns its arguments. */
  echo: args => args,

  /** Asks the backend and returns its answer. */
  ask: ([type, payload], { signal }, context) => context.request(type, payload, { signal }),

  /** Three progress messages, then a result. */
  partial: async (_args, { progress }) => {
    for (const step of [1, 2, 3]) progress({ step });
    return 'done';
  },

  /** Waits until it is cancelled. */
  wait: (_args, { signal }) =>
    new Promise(resolve => {
      if (signal.aborted) resolve('aborted');
      else signal.addEventListener('abort', () => resolve('aborted'));
    }),

  /** Never answers, while the host still answers a ping. */
  hang: () => new Promise(() => {}),

  /** Never answers, and keeps the host from answering anything else. */
  spin: () => {
    for (;;);
  },

  exit: ([code = 0]) => process.exit(code),

  crash: () => process.abort(),

  throw: ([message, code]) => {
    throw Object.assign(new Error(message), { code });
  },

  /** An exception that belongs to no request. */
  uncaught: ([message]) => {
    setImmediate(() => {
      throw new Error(message);
    });
  },

  print: ([text, stream = 'stdout']) => {
    process[stream].write(text);
  },

  /** Leaves a process of its own session behind; returns its pid. */
  daemon: ([seconds = 600]) => {
    const child = spawn('sleep', [String(seconds)], { detached: true, stdio: 'ignore' });
    child.unref();
    return child.pid;
  },

  environment: () => ({ ...process.env }),

  /** Bytes to a file and back; how many. */
  bytes: async ([{ number = 1 } = {}], _call, { fs, folders }) => {
    const name = `${folders.storage}/bytes${number % 8}`;
    await fs.writeFile(name, Buffer.alloc(number * 1000, 'b'));
    const read = await fs.readFile(name);
    if (!read.every(byte => byte === 0x62)) throw new Error('these are not the bytes');
    return read.length;
  },
};

exports.activate = context => {
  for (const [name, run] of Object.entries(commands)) {
    context.commands.register(name, (args, call) => run(args, call, context));
  }
};
