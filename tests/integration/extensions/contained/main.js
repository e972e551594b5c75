'use strict';

// Does to itself and to its surroundings what it is told, and tells what came of it.

const fs = require('node:fs');
const os = require('node:os');

/** {value}, or {code} with what the operating system calls the error. */
async function attempt(call) {
  try {
    return { value: (await call()) ?? null };
  } catch (error) {
    return { code: error.code ?? error.message };
  }
}

const kept = [];

exports.activate = context => {
  const commands = {
    read: path => attempt(() => fs.readFileSync(path, 'latin1').length),
    list: path => attempt(() => fs.readdirSync(path).sort()),
    write: (path, size) => attempt(() => fs.writeFileSync(path, 'x'.repeat(size ?? 1))),
    /** Opens a file so many times, and closes none. */
    open: times =>
      attempt(() => {
        for (let i = 0; i < times; ++i) fs.openSync(__filename);
      }),
    user: () => attempt(() => ({ uid: process.getuid(), host: os.hostname(), pid: process.pid })),
    environment: () => process.env,
    flags: () => process.execArgv,
    spawn: () =>
      attempt(
        () =>
          new Promise((resolve, reject) => {
            const child = require('node:child_process').spawn('/bin/true');
            child.on('error', reject);
            child.on('exit', resolve);
          }),
      ),
    connect: (host, port) =>
      attempt(
        () =>
          new Promise((resolve, reject) => {
            const socket = require('node:net').connect(port, host, () => resolve('connected'));
            socket.on('error', reject);
          }),
      ),
    evaluate: text => attempt(() => new Function(text)()),
    /** Memory outside of V8's heap, each page touched. */
    balloon: megabytes => {
      for (let i = 0; i < megabytes; ++i) kept.push(Buffer.alloc(1 << 20, 1));
      return kept.length;
    },
    heap: () => {
      for (;;) kept.push(new Array(1 << 16).fill({ some: 'thing' }).map(each => ({ ...each })));
    },
    spin: () => {
      for (;;);
    },
    never: () => new Promise(() => {}),
    /** Requests of the backend, as fast as they go, without end. */
    flood: () => {
      const more = () => {
        for (let i = 0; i < 200; ++i) context.log.info('x');
        setImmediate(more);
      };
      more();
      return new Promise(() => {});
    },
    print: megabytes => {
      const line = 'y'.repeat(1023) + '\n';
      for (let i = 0; i < megabytes * 1024; ++i) fs.writeSync(1, line);
    },
    crash: () => process.abort(),
  };
  for (const [name, run] of Object.entries(commands))
    context.commands.register(name, args => run(...args));
};
