'use strict';

// Uses context.fs, context.workspace and context.folders as it is told, and tells what came of it.

const { createCipheriv, createHash } = require('node:crypto');
const { pipeline } = require('node:stream/promises');

/** What JSON can't say: {url: "file:…"} is a URL object, {base64: "…"} are bytes. */
function argument(value) {
  if (typeof value?.url === 'string') return new URL(value.url);
  if (typeof value?.base64 === 'string') return Buffer.from(value.base64, 'base64');
  return value;
}

const shown = value =>
  value instanceof Uint8Array ? { base64: Buffer.from(value).toString('base64') } : value;

/** The same bytes each time, of which no two parts are alike. */
function bytesOf(size) {
  const stream = createCipheriv('aes-256-ctr', Buffer.alloc(32), Buffer.alloc(16));
  return stream.update(Buffer.alloc(size));
}

const summary = bytes => ({
  size: bytes.length,
  sha256: createHash('sha256').update(bytes).digest('hex'),
});

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
    /** Several calls of context.fs at once. */
    fsTogether: async calls => ({
      value: await Promise.all(
        calls.map(([method, ...args]) => attempt(() => context.fs[method](...args))),
      ),
    }),
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

    /** Writes so many bytes that repeat nowhere; their size and digest. */
    writeBytes: ([path, size]) =>
      attempt(async () => {
        const bytes = bytesOf(size);
        await context.fs.writeFile(path, bytes);
        return summary(bytes);
      }),
    /** From one file to another, piece by piece; size and digest of what came by. */
    copyStream: ([from, to]) =>
      attempt(async () => {
        const hash = createHash('sha256');
        let size = 0;
        const look = async function* (pieces) {
          for await (const piece of pieces) {
            hash.update(piece);
            size += piece.length;
            yield piece;
          }
        };
        const { fs } = context;
        await pipeline(fs.createReadStream(from), look, fs.createWriteStream(to));
        return { size, sha256: hash.digest('hex') };
      }),
    readBytes: ([path]) => attempt(async () => summary(await context.fs.readFile(path))),
    exit: ([code]) => process.exit(code),
  };
  for (const [name, run] of Object.entries(commands)) context.commands.register(name, run);
};
