'use strict';

// The backend's services as an extension sees them: context.fs, .workspace and .secrets. Each call
// is one request.

const { bytesFrom } = require('./primordials.js');
const { messageOf } = require('./errors.js');

/** What is watched, and who hears of it. */
class Watches {
  #request;
  #log;
  #listeners = new Map(); // by the backend's name of the watch
  #beginning = 0; // watches whose names we do not know yet,
  #early = []; //    and changes that may be theirs

  constructor({ request, onNotice, log }) {
    this.#request = request;
    this.#log = log;
    onNotice('fs.changed', payload => this.#tell(payload));
  }

  async begin(path, listener, options) {
    if (typeof listener !== 'function') throw new TypeError('the listener is no function');
    this.#beginning += 1;
    try {
      const { watch } = await this.#request('fs.watch', { ...options, path });
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
    await this.#request('fs.unwatch', { watch });
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

function createFileSystem(request, watches) {
  const change = async (type, payload) => void (await request(type, payload));
  return {
    async readFile(path, encoding) {
      const wanted = encoding === 'utf8' ? 'utf8' : 'base64';
      const { content } = await request('fs.readFile', { path: named(path), encoding: wanted });
      return wanted === 'utf8' ? content : bytesFrom(content, 'base64');
    },
    writeFile(path, content, options) {
      const written =
        typeof content === 'string'
          ? { content, encoding: 'utf8' }
          : { content: bytesFrom(content).toString('base64'), encoding: 'base64' };
      return change('fs.writeFile', { ...options, path: named(path), ...written });
    },
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

function createServices({ request, onNotice, log }) {
  return {
    fs: createFileSystem(request, new Watches({ request, onNotice, log })),
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
