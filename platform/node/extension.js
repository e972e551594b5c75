'use strict';

// The one extension of this process: where its code is, and whether it is active.

const fs = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { parse, writeToStderr } = require('./primordials.js');
const { createContext } = require('./context.js');
const { encode, Encoded } = require('./encode.js');
const { RequestError, messageOf, stackOf } = require('./errors.js');

const DEFAULT_MAIN = 'index.js';

/**
 * Reads what there is to know of the extension at `target` (a folder, or a single file) without
 * running any of it: {id, manifest, main}, or {id, problem} if it can't be loaded.
 */
function describe(target) {
  const isFile = fs.statSync(target, { throwIfNoEntry: false })?.isFile() === true;
  if (isFile) return { id: path.parse(target).name, manifest: {}, main: target };
  const fallbackId = path.basename(target);
  try {
    const manifest = readManifest(target);
    const name = manifest.name ?? fallbackId;
    const id = manifest.publisher === undefined ? name : `${manifest.publisher}.${name}`;
    const main = require.resolve(path.resolve(target, manifest.main ?? DEFAULT_MAIN));
    return { id, manifest, main };
  } catch (error) {
    return { id: fallbackId, manifest: {}, problem: error };
  }
}

function readManifest(folder) {
  const manifest = parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
  if (manifest === null || typeof manifest !== 'object' || Array.isArray(manifest)) {
    throw new Error('package.json is not an object');
  }
  for (const key of ['name', 'publisher', 'main']) {
    if (
      manifest[key] !== undefined &&
      (typeof manifest[key] !== 'string' || manifest[key] === '')
    ) {
      throw new Error(`package.json: "${key}" is not a text`);
    }
  }
  return manifest;
}

/** Loads CommonJS and ES modules alike; `activate` may also stand in a default export. */
async function load({ manifest, main }) {
  const loaded = await loadModule(main, manifest.type === 'module');
  const exported = loaded.activate === undefined && loaded.default ? loaded.default : loaded;
  if (typeof exported.activate !== 'function') {
    throw new Error(`${path.basename(main)} exports no function activate`);
  }
  return exported;
}

/** `require` where it will do: the first `import` of a process costs as much as starting Node. */
async function loadModule(main, isModuleByDefault) {
  const ending = path.extname(main);
  if (ending !== '.mjs' && (ending === '.cjs' || !isModuleByDefault)) {
    try {
      return require(main);
    } catch (error) {
      // A package.json that we did not read makes it an ES module.
      if (error?.code !== 'ERR_REQUIRE_ESM') throw error;
    }
  }
  return import(pathToFileURL(main).href);
}

class Extension {
  #target;
  #channel;
  #codeCache;
  #known; //             what describe() found
  #activation = null; // the promise of the running or finished activation
  #active = null; //     {exported, context, commands, log} once it succeeded

  /** `codeCache` may be undefined. */
  constructor(target, channel, codeCache) {
    this.#target = target;
    this.#channel = channel;
    this.#codeCache = codeCache;
  }

  /**
   * Read when it is needed and not before: the process may wait for long, and what is checked when
   * it is taken is to be what it loads.
   */
  get #description() {
    this.#known ??= describe(this.#target);
    return this.#known;
  }

  get id() {
    return this.#description.id;
  }

  get summary() {
    return {
      id: this.id,
      version: this.#description.manifest.version,
      active: this.#active !== null,
      commands: this.#active?.commands.names ?? [],
    };
  }

  /**
   * Runs the extension's `activate` once; a failure stays what it was. Returns what its answer
   * holds beside that.
   */
  async activate(folders) {
    this.#activation ??= this.#start(folders);
    await this.#activation;
    return this.#codeCache && { code: this.#codeCache.summary };
  }

  async #start(folders) {
    const { id, manifest, problem } = this.#description;
    let created;
    try {
      if (problem !== undefined) throw problem;
      this.#codeCache?.begin();
      const exported = await load(this.#description);
      created = createContext({ id, manifest, folders, channel: this.#channel });
      await exported.activate(created.context);
      await created.commands.announced();
      this.#active = { exported, ...created };
    } catch (error) {
      if (created !== undefined) await release(created);
      writeToStderr(`${stackOf(error)}\n`);
      throw activationFailed(error);
    }
  }

  /** Runs the extension's `deactivate` and takes back what it registered. */
  async deactivate() {
    try {
      await this.#activation;
    } catch {
      return; // it never was active
    }
    const active = this.#active;
    this.#activation = this.#active = null;
    if (active === null) return;
    try {
      await active.exported.deactivate?.();
    } finally {
      await release(active);
    }
  }

  /** Runs a command; returns its result or a promise of it. Waits for an activation under way. */
  execute(payload, call) {
    if (this.#active === null) return this.#executeLater(payload, call);
    const { command, args = [] } = payload ?? {};
    const handler = this.#active.commands.find(command);
    if (handler === undefined) {
      throw new RequestError(`no command ${String(command)} is registered`, 'unknown_command');
    }
    const result = handler(args, call);
    return typeof result?.then === 'function' ? settled(result) : succeeded(result);
  }

  async #executeLater(payload, call) {
    if (this.#activation === null) {
      throw new RequestError('the extension is not active', 'not_active');
    }
    await this.#activation;
    if (this.#active === null) throw new RequestError('the extension is not active', 'not_active');
    return this.execute(payload, call);
  }
}

async function settled(result) {
  return succeeded(await result);
}

/** `{success: true, result}`, put together as text: most of it is the same each time. */
function succeeded(result) {
  return new Encoded(`{"success":true,"result":${encode(result, 'invalid_result', 1)}}`);
}

async function release({ context, commands, log }) {
  for (const subscription of context.subscriptions.splice(0).reverse()) {
    try {
      await subscription?.dispose?.();
    } catch (error) {
      log.warn(`a subscription could not be disposed: ${messageOf(error)}`);
    }
  }
  commands.clear();
}

function activationFailed(error) {
  const failure = new RequestError(
    `the extension could not be activated: ${messageOf(error)}`,
    'activation_failed',
  );
  failure.cause = error;
  return failure;
}

module.exports = { Extension };
