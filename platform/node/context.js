'use strict';

// What an extension sees of Bulkhead: the argument of its `activate`. bulkhead.d.ts documents it.

const { stringify, writeToStderr } = require('./primordials.js');
const { RequestError } = require('./errors.js');
const { isPassing, patiently } = require('./patience.js');
const { createServices } = require('./services.js');

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
  #turn = Promise.resolve(); // of those that have to be told again
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
    const answered = this.#patiently(type, { command })
      .catch(error => this.#log.warn(`${type} ${stringify(command)}: ${error.message}`))
      .finally(() => this.#unanswered.delete(answered));
    this.#unanswered.add(answered);
  }

  /**
   * Whoever registers many commands at once is not to lose those beyond the backend's limits. They
   * are told again one after the other, or all of them would come back at the same time.
   */
  async #patiently(type, payload) {
    try {
      return await this.#request(type, payload);
    } catch (error) {
      if (!isPassing(error)) throw error;
    }
    const told = this.#turn.then(() => patiently(() => this.#request(type, payload)));
    this.#turn = told.catch(() => {});
    return told;
  }
}

/** The context of one activation, and the commands that are registered through it. */
function createContext({ id, manifest, folders, channel }) {
  const request = (type, payload, options) => channel.request(type, payload, options);
  const log = createLog(request);
  const commands = new Commands(request, log);
  const subscriptions = [];
  const context = {
    extensionId: id,
    manifest: frozen(manifest),
    folders: frozen({ workspace: [], ...folders }),
    commands: { register: (name, handler) => commands.register(name, handler) },
    request,
    log,
    ...createServices(channel, log),
    subscriptions,
  };
  for (const member of Object.values(context)) if (member !== subscriptions) Object.freeze(member);
  return { context: Object.freeze(context), commands, log };
}

module.exports = { createContext };
