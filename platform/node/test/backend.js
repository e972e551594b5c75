'use strict';

// A minimal backend: starts the real host process and speaks the wire protocol with it.

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { once } = require('node:events');
const { test: testWithin } = require('node:test');

const BOOTSTRAP = path.join(__dirname, '..', 'bootstrap.js');
const EXTENSIONS = path.join(__dirname, '..', '..', '..', 'tests', 'integration', 'extensions');

// Nothing here takes a second; a wait for what never comes must end.
const TEST_DEADLINE_MS = 20_000;

function test(name, run) {
  testWithin(name, { timeout: TEST_DEADLINE_MS }, run);
}

const ATTACHED = 0x80000000;

function uint32(number) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return bytes;
}

function frame(id, type, payload, attachment) {
  const body = Buffer.from(JSON.stringify({ id, type, payload }));
  if (attachment === undefined) return Buffer.concat([uint32(body.length), body]);
  const length = 4 + body.length + attachment.length;
  return Buffer.concat([uint32(ATTACHED + length), uint32(body.length), body, attachment]);
}

/** What a handler returns to answer with an attachment. */
class Attached {
  constructor(payload, attachment) {
    this.payload = payload;
    this.attachment = attachment;
  }
}

/** The message of one frame; what is attached is its `attachment`. */
function parseFrame(bytes) {
  if (bytes.readUInt32BE(0) < ATTACHED) return JSON.parse(bytes.toString('utf8', 4));
  const end = 8 + bytes.readUInt32BE(4);
  const message = JSON.parse(bytes.toString('utf8', 8, end));
  return { ...message, attachment: Buffer.from(bytes.subarray(end)) };
}

/** Calls back with each message that arrives on a socket. */
function onMessages(socket, callback) {
  let chunks = [];
  let held = 0;
  let wanted = 4;
  socket.on('data', chunk => {
    chunks.push(chunk);
    held += chunk.length;
    if (held < wanted) return;
    let bytes = Buffer.concat(chunks);
    for (wanted = 4; bytes.length >= 4; bytes = bytes.subarray(wanted), wanted = 4) {
      wanted = 4 + (bytes.readUInt32BE(0) % ATTACHED);
      if (bytes.length < wanted) break;
      callback(parseFrame(bytes.subarray(0, wanted)));
    }
    chunks = [bytes];
    held = bytes.length;
  });
}

class Backend {
  #lastId = 0;
  #waiting = new Map();
  #watchers = [];
  #handlers = new Map([
    ['extension-host-ready', () => ({})],
    ['command-registered', () => ({})],
    ['command-unregistered', () => ({})],
    ['log', () => ({})],
  ]);
  received = []; // requests of the host
  stdout = '';
  stderr = '';

  /** Starts a host; resolves when it is ready and, without `activate: false`, active. */
  static async start(
    t,
    extension,
    { activate = true, ready = {}, env = {}, sockets = false, inherited = [], node } = {},
  ) {
    const backend = new Backend();
    t.after(() => backend.#end());
    backend.on('extension-host-ready', () => ready);
    if (sockets) await backend.#startWithSockets(t, extension);
    else backend.#startWithPair(extension, env, inherited, node);
    await backend.until(message => message.type === 'extension-host-ready');
    if (activate) backend.activation = await backend.request('activate-extension', {});
    return backend;
  }

  /** `inherited` are the host's descriptors from 4 up; `node` are flags. */
  #startWithPair(extension, env, inherited, node) {
    const stdio = ['ignore', 'pipe', 'pipe', 'pipe', ...inherited];
    this.#spawn(extension, { ...env, BULKHEAD_IPC_FD: '3' }, stdio, node);
    const socket = this.process.stdio[3];
    this.requests = this.replies = socket;
    socket.on('error', () => {});
    onMessages(socket, message => this.#receive(message, socket));
  }

  async #startWithSockets(t, extension) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bulkhead-'));
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
    const [theirs, ours] = [path.join(folder, 'host'), path.join(folder, 'backend')];
    const server = net.createServer();
    t.after(() => server.close());
    server.listen(ours);
    await once(server, 'listening');
    const watcher = fs.watch(folder);
    const env = { DSCODE_IPC_URL: `ipc://${theirs}`, DSCODE_INCOMING_IPC_URL: `ipc://${ours}` };
    this.#spawn(extension, env, ['ignore', 'pipe', 'pipe']);
    [this.replies] = await once(server, 'connection');
    while (!fs.existsSync(theirs)) await once(watcher, 'change');
    watcher.close();
    this.requests = net.connect(theirs);
    for (const socket of [this.replies, this.requests]) {
      socket.on('error', () => {});
      onMessages(socket, message => this.#receive(message, socket));
    }
  }

  #spawn(extension, env, stdio, node = []) {
    const target = path.isAbsolute(extension) ? extension : path.join(EXTENSIONS, extension);
    this.process = spawn(process.execPath, [...node, BOOTSTRAP, target], { env, stdio });
    this.exited = once(this.process, 'close').then(([code, signal]) => ({ code, signal }));
    this.process.stdout.on('data', chunk => (this.stdout += chunk));
    this.process.stderr.on('data', chunk => {
      this.stderr += chunk;
      this.#watch({ stderr: this.stderr });
    });
  }

  async #end() {
    if (this.process.exitCode === null) this.process.kill('SIGKILL');
    await this.exited;
  }

  /** Says how requests of a type are answered; a handler may throw an error payload. */
  on(type, handler) {
    this.#handlers.set(type, handler);
  }

  /** How they are answered now. */
  handler(type) {
    return this.#handlers.get(type);
  }

  #receive(message, socket) {
    message.socket = socket;
    const waiting = this.#waiting.get(message.id);
    if (waiting !== undefined && message.type === `${waiting.type}-partial`) {
      waiting.partials.push(message.payload);
    } else if (waiting !== undefined && message.type === `${waiting.type}-response`) {
      this.#waiting.delete(message.id);
      waiting.resolve(message.payload);
    } else if (waiting !== undefined && message.type === `${waiting.type}-error`) {
      this.#waiting.delete(message.id);
      waiting.reject(message.payload);
    } else {
      this.received.push(message);
      this.#serve(message, socket);
      this.#watch(message);
    }
  }

  #serve({ id, type, payload, attachment }, socket) {
    const handler = this.#handlers.get(type);
    if (handler === null) return; // never answered
    try {
      if (handler === undefined) throw { error: 'denied', code: 'permission_denied' };
      const answer = handler(payload, attachment);
      const { payload: told, attachment: beside } =
        answer instanceof Attached ? answer : { payload: answer };
      socket.write(frame(id, `${type}-response`, told, beside));
    } catch (error) {
      socket.write(frame(id, `${type}-error`, error));
    }
  }

  #watch(event) {
    this.#watchers = this.#watchers.filter(watcher => !watcher(event));
  }

  /** Resolves when a request of the host, or new text on its stderr, fulfils the condition. */
  until(condition) {
    const earlier = [...this.received, { stderr: this.stderr }].find(condition);
    if (earlier !== undefined) return Promise.resolve(earlier);
    return new Promise(resolve => {
      this.#watchers.push(event => condition(event) && (resolve(event), true));
    });
  }

  /** The bytes of a request; `reply` settles when its answer comes. */
  prepare(type, payload) {
    const id = `b${++this.#lastId}`;
    const partials = [];
    const reply = new Promise((resolve, reject) => {
      this.#waiting.set(id, { type, partials, resolve, reject });
    });
    reply.catch(() => {});
    return { id, bytes: frame(id, type, payload), reply, partials };
  }

  send(type, payload) {
    const prepared = this.prepare(type, payload);
    this.requests.write(prepared.bytes);
    return prepared;
  }

  request(type, payload) {
    return this.send(type, payload).reply;
  }

  /** The result of a command; rejects with the error payload. */
  async command(command, ...args) {
    return (await this.request('executeCommand', { command, args })).result;
  }

  notify(type, payload) {
    this.requests.write(frame('', type, payload));
  }
}

/** A single-file extension of a test's own. */
function extensionOf(t, source, name = 'probe.js') {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bulkhead-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, name);
  fs.writeFileSync(file, source);
  return file;
}

module.exports = { Attached, Backend, extensionOf, frame, test, uint32 };
