'use strict';

// The backend's services as an extension sees them: context.fs, .workspace and .secrets. Each call
// is one request.

const { bytesFrom } = require('./primordials.js');
const { messageOf } = require('./errors.js');
const { createReadStream, createWriteStream } = require('./streams.js');

/** What is watched, and who hears of it. */
class Watches {
  #channel;
  #log;
  #listeners = new Map(); // by the backend's name of the watch
  #beginning = 0; // watches whose names we do not know yet,
  #early = []; //    and changes that may be theirs

  constructor(channel, log) {
    this.#channel = channel;
    this.#log = log;
    channel.onNotice('fs.changed', payload => this.#tell(payload));
  }

  async begin(path, listener, options) {
    if (typeof listener !== 'function') throw new TypeError('the listener is no function');
    this.#beginning += 1;
    try {
      const { watch } = await this.#channel.request('fs.watch', { ...options, path });
      this.#listeners.set(watch, listener);
      for (const payload of this.#early) if (payload?.watch === watch) this.#tell(payload);
      return { dispose: () => this.#end(watch) };
    } finally {
      this.#beginning -= 1;
      if (this.#beginning === 0) this.#early = [];
    }
  }

  async #end(watch) {
    if (!this.#listeners.delete(watch)) return;
    await this.#channel.request('fs.unwatch', { watch });
  }

  #tell(payload) {
    const listener = this.#listeners.get(payload?.watch);
    if (listener === undefined) {
      if (this.#beginning > 0) this.#early.push(payload);
      return;
    }
    try {
      listener(payload.changes);
    } catch (error) {
      this.#log.error(`a listener of fs.watch failed: ${messageOf(error)}`);
    }
  }
}

/** A path, or anything that prints as a `file:` URI, such as a URL. */
const named = path => String(path);

/** The bytes themselves, where that is possible, and not a copy of them. */
function viewOf(content) {
  return content instanceof Uint8Array && content.buffer instanceof ArrayBuffer
    ? bytesFrom(content.buffer, content.byteOffset, content.byteLength)
    : bytesFrom(content);
}

function createFileSystem(channel, watches) {
  const request = (type, payload) => channel.request(type, payload);
  const change = async (type, payload, attachment) =>
    void (await channel.request(type, payload, {}, attachment));
  return {
    async readFile(path, encoding) {
      const forBytes = channel.takesAttachments ? 'binary' : 'base64';
      const wanted = encoding === 'utf8' ? 'utf8' : forBytes;
      const { content } = await request('fs.readFile', { path: named(path), encoding: wanted });
      return wanted === 'base64' ? bytesFrom(content, 'base64') : content;
    },
    async writeFile(path, content, options) {
      const write = { ...options, path: named(path), content: undefined };
      if (typeof content === 'string') {
        return change('fs.writeFile', { ...write, content, encoding: 'utf8' });
      }
      const bytes = viewOf(content);
      if (channel.takesAttachments) {
        return change('fs.writeFile', { ...write, encoding: 'binary' }, bytes);
      }
      const encoded = bytes.toString('base64');
      return change('fs.writeFile', { ...write, content: encoded, encoding: 'base64' });
    },
    createReadStream: (path, options) => createReadStream(channel, named(path), options),
    createWriteStream: (path, options) => createWriteStream(channel, named(path), options),
    stat: path => request('fs.stat', { path: named(path) }),
    async readDirectory(path) {
      return (await request('fs.readDirectory', { path: named(path) })).entries;
    },
    createDirectory: path => change('fs.createDirectory', { path: named(path) }),
    rename: (from, to, options) =>
      change('fs.rename', { ...options, from: named(from), to: named(to) }),
    copy: (from, to, options) => change('fs.copy', { ...options, from: named(from), to: named(to) }),
    delete: (path, options) => change('fs.delete', { ...options, path: named(path) }),
    watch: (path, listener, options) => watches.begin(named(path), listener, options),
  };
}

/** What the context offers besides commands, requests and log. */
function createServices(channel, log) {
  const request = (type, payload) => channel.request(type, payload);
  return {
    fs: createFileSystem(channel, new Watches(channel, log)),
    workspace: {
      findFiles: async (include, options) =>
        (await request('workspace-find-files', { ...options, include })).files,
    },
    secrets: {
      get: async key => (await request('secretGet', { key })).value,
      set: async (key, value) => void (await request('secretStore', { key, value })),
      delete: async key => (await request('secretDelete', { key })).success,
      list: async () => (await request('secretList', {})).keys,
    },
  };
}

module.exports = { createServices };
