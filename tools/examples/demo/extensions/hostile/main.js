'use strict';

// Tries what an extension must not be able to do, and tells what came of each try: what it got, or the code that it was
// refused with. What stopped it is for the backend to say.

const childProcess = require('node:child_process');
const dgram = require('node:dgram');
const fs = require('node:fs');
const net = require('node:net');

function refuse(code) {
  throw Object.assign(new Error(code), { code });
}

/** Opens a file for writing and changes nothing in it. */
function openForWriting(file) {
  fs.closeSync(fs.openSync(file, 'r+'));
  return 'open for writing';
}

function connect(address) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(address, () => resolve('connected'));
    socket.on('error', reject);
  });
}

function listen() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => resolve('listens'));
  });
}

function sendDatagram(port, address) {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket('udp4').on('error', reject);
    socket.send('x', port, address, failed => (failed ? reject(failed) : resolve('sent')));
  });
}

async function killParent() {
  const parent = process.ppid;
  process.kill(parent, 'SIGKILL');
  await new Promise(resolve => setTimeout(resolve, 50));
  return process.ppid === parent ? refuse('IGNORED') : 'killed';
}

function readEnvironment() {
  const { PATH } = process.env;
  return PATH ?? refuse('NOT THERE');
}

/** By name; `target` says where the backend's things are. */
const attacks = {
  'passwords': () => fs.readFileSync('/etc/shadow'),
  'audit log': ({ audit }) => openForWriting(audit),
  'vault': ({ vault }) => fs.readFileSync(vault),
  'sources': ({ project }) => fs.readFileSync(`${project}/README.md`),
  'link': ({ vault }) => {
    const link = '/tmp/link';
    fs.symlinkSync(vault, link);
    return fs.readFileSync(link);
  },
  'foreign file': ({ project }) => openForWriting(`${project}/README.md`),
  'own code': () => openForWriting(__filename),
  'interpreter': () => openForWriting(process.execPath),
  'kernel settings': () => openForWriting('/proc/sys/kernel/core_pattern'),
  'process list': () => fs.readdirSync('/proc').join(),
  'backend memory': ({ backend }) => fs.readFileSync(`/proc/${backend}/environ`),
  'kill backend': ({ backend }) => process.kill(backend, 'SIGKILL'),
  'kill parent': killParent,
  'become root': () => process.setuid(0),
  'program': () => childProcess.execFileSync('/bin/sh', ['-c', 'id']),
  'tcp': () => connect({ host: '127.0.0.1', port: 22 }),
  'listen': listen,
  'udp': () => sendDatagram(53, '127.0.0.1'),
  'unix socket': () => connect({ path: '/run/dbus/system_bus_socket' }),
  'environment': readEnvironment,
  'eval': () => (0, eval)('1 + 1'),
  'addon': () => process.dlopen({ exports: {} }, '/tmp/addon.node'),
  'ask for vault': ({ vault }, context) => context.fs.readFile(vault),
  'ask for file': (_, context) => context.fs.readFile('/etc/passwd'),
  'ask for secret': (_, context) => context.secrets.get('token'),
};

async function attempt(name, target, context) {
  try {
    const got = await attacks[name](target, context);
    return { name, got: String(got).slice(0, 40) };
  } catch (refused) {
    return { name, code: String(refused.code ?? refused.name) };
  }
}

/** First what V8 does not count, then what it does. */
function fillMemory() {
  const held = [];
  try {
    for (;;) held.push(Buffer.alloc(8 << 20, 1));
  } catch {
    for (let chain = null; ; ) chain = { chain, held };
  }
}

exports.activate = context => {
  context.commands.register('attack', async ([target]) => {
    const results = [];
    for (const name of Object.keys(attacks)) results.push(await attempt(name, target, context));
    return results;
  });
  context.commands.register('fill', fillMemory);
};
