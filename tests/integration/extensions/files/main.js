'use strict';

// Uses context.fs, context.workspace and context.folders as it is told, and tells what came of it.

/** What JSON can't say: {url: "file:…"} is a URL object, {base64: "…"} are bytes. */
function argument(value) {
  if (typeof value?.url === 'string') return new URL(value.url);
  if (typeof value?.base64 === 'string') return Buffer.from(value.base64, 'base64');
  return value;
}

const shown = value =>
  value instanceof Uint8Array ? { base64: Buffer.from(value).toString('base64') } : value;

/** {value}, or {code, message} and all else that the error has. */
async function attempt(call) {
  try {
    return { value: shown(await call()) ?? null };
  } catch (error) {
    return { ...error, message: error.message };
  }
}

exports.activate = context => {
  const watches = new Map();
  const commands = {
    fs: ([method, ...args]) => attempt(() => context.fs[method](...args.map(argument))),
    findFiles: args => attempt(() => context.workspace.findFiles(...args)),
    folders: () => context.folders,

    /** Says each change in the backend's log. */
    watch: ([name, path, options]) =>
      attempt(async () => {
        const say = changes => {
          for (const { type, path: changed } of changes) {
            context.log.info(`${name}: ${type} ${changed}`);
          }
        };
        watches.set(name, await context.fs.watch(argument(path), say, options));
      }),
    unwatch: ([name]) => attempt(() => watches.get(name).dispose()),

    /** The same request so often at once: how often each code came, and the longest advised wait. */
    burst: async ([count, type, payload]) => {
      const all = Array.from({ length: count }, () => attempt(() => context.request(type, payload)));
      const codes = {};
      let wait = 0;
      for (const { code = 'done', retry_after_ms: after = 0 } of await Promise.all(all)) {
        codes[code] = (codes[code] ?? 0) + 1;
        wait = Math.max(wait, after);
      }
      return { codes, wait };
    },
    request: ([type, payload]) => attempt(() => context.request(type, payload)),
    exit: ([code]) => process.exit(code),
  };
  for (const [name, run] of Object.entries(commands)) context.commands.register(name, run);
};
