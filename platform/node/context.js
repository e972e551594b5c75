'use strict';

// What an extension sees of Bulkhead: the argument of its `activate`. bulkhead.d.ts documents it.

const { bytesFrom, stringify, writeToStderr } = require('./primordials.js');
const { RequestError } = require('./errors.js');

const MAX_COMMAND = 128;

function frozen(value) {
  if (value !== null && typeof value === 'object') Object.values(value).forEach(frozen);
  return Object.freeze(value);
}

/** `log` requests; what the backend does not take goes to stderr, so that no line is lost. */
function createLog(request) {
  const write = level => (message, fields) => {
    const entry = { level, message: String(message), fields };
    request('log', entry).catch(error => {
      writeToStderr(`${level}: ${entry.message} (not logged: ${error.message})\n`);
    });
  };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

/** The commands of one activation. */
class Commands {
  #handlers = new Map();
  #unanswered = new Set(); // announcements under way
  #request;
  #log;

  constructor(request, log) {
    this.#request = request;
    this.#log = log;
  }

  get names() {
    return [...this.#handlers.keys()];
  }

  find(name) {
    return this.#handlers.get(name);
  }

  register(name, handler) {
    if (typeof name !== 'string' || name === '' || name.length > MAX_COMMAND) {
      throw new TypeError(`a command's name is a text of 1 to ${MAX_COMMAND} characters`);
    }
    if (typeof handler !== 'function') throw new TypeError(`the handler of ${name} is no function`);
    if (this.#handlers.has(name)) {
      throw new RequestError(`the command ${name} is registered already`, 'command_exists');
    }
    this.#handlers.set(name, handler);
    this.#announce('command-registered', name);
    return { dispose: () => this.#remove(name, handler) };
  }

  clear() {
    for (const [name, handler] of this.#handlers) this.#remove(name, handler);
  }

  #remove(name, handler) {
    if (this.#handlers.get(name) !== handler) return;
    this.#handlers.delete(name);
    this.#announce('command-unregistered', name);
  }

  /** Resolves once the backend knows of every command so far. */
  async announced() {
    await Promise.all(this.#unanswered);
  }

  #announce(type, command) {
    const answered = this.#request(type, { command })
      .catch(error => this.#log.warn(`${type} ${stringify(command)}: ${error.message}`))
      .finally(() => this.#unanswered.delete(answered));
    this.#unanswered.add(answered);
  }
}

/** The backend's services: each is one request. */
function createServices(request) {
  return {
    fs: {
      async readFile(path, encoding) {
        const wanted = encoding === 'utf8' ? 'utf8' : 'base64';
        const { content } = await request('fs.readFile', { path, encoding: wanted });
        return wanted === 'utf8' ? content : bytesFrom(content, 'base64');
      },
      async writeFile(path, content, options) {
        const written =
          typeof content === 'string'
            ? { content, encoding: 'utf8' }
            : { content: bytesFrom(content).toString('base64'), encoding: 'base64' };
        await request('fs.writeFile', { ...options, path, ...written });
      },
      stat: path => request('fs.stat', { path }),
      readDirectory: async path => (await request('fs.readDirectory', { path })).entries,
      createDirectory: async path => void (await request('fs.createDirectory', { path })),
      rename: async (from, to) => void (await request('fs.rename', { from, to })),
      copy: async (from, to) => void (await request('fs.copy', { from, to })),
      delete: async (path, options) => void (await request('fs.delete', { ...options, path })),
    },
    workspace: {
      findFiles: async (include, options) =>
        (await request('workspace-find-files', { ...options, include })).files,
    },
    secrets: {
      get: async key => (await request('secretGet', { key })).value,
      set: async (key, value) => void (await request('secretStore', { key, value })),
      delete: async key => void (await request('secretDelete', { key })),
      list: async () => (await request('secretList', {})).keys,
    },
  };
}

/** The context of one activation, and the commands that are registered through it. */
function createContext({ id, manifest, request }) {
  const log = createLog(request);
  const commands = new Commands(request, log);
  const subscriptions = [];
  const context = {
    extensionId: id,
    manifest: frozen(manifest),
    commands: { register: (name, handler) => commands.register(name, handler) },
    request,
    log,
    ...createServices(request),
    subscriptions,
  };
  for (const member of Object.values(context)) if (member !== subscriptions) Object.freeze(member);
  return { context: Object.freeze(context), commands, log };
}

module.exports = { createContext };
