'use strict';

// Where the connection to the backend comes from: one inherited socket, or two named ones.

const net = require('node:net');
const { setTimeout } = require('./primordials.js');

// The backend creates its socket before it starts us; this covers a loaded machine.
const CONNECT_ATTEMPTS = 10;
const CONNECT_BACKOFF_MS = 50;

const IPC_SCHEME = 'ipc://';

/**
 * Attaches `incoming` (the backend's requests) and `outgoing` (ours) as the environment says, and
 * resolves to the two, which are one on an inherited socket. Calls `onClosed` when the backend is
 * gone.
 */
async function connect({ BULKHEAD_IPC_FD, DSCODE_IPC_URL, DSCODE_INCOMING_IPC_URL }, wiring) {
  if (BULKHEAD_IPC_FD !== undefined) {
    const stream = wiring.makeStream();
    const socket = new net.Socket({ fd: Number(BULKHEAD_IPC_FD), onread: stream.onread });
    adopt(socket, stream, wiring.onClosed);
    return { incoming: stream, outgoing: stream };
  }
  if (DSCODE_IPC_URL === undefined || DSCODE_INCOMING_IPC_URL === undefined) {
    throw new Error('neither BULKHEAD_IPC_FD nor both DSCODE_…IPC_URL variables are set');
  }
  const [incoming, outgoing] = [wiring.makeStream(), wiring.makeStream()];
  const [accepted, connected] = await Promise.all([
    acceptOne(pathOf(DSCODE_IPC_URL)),
    connectTo(pathOf(DSCODE_INCOMING_IPC_URL), outgoing.onread),
  ]);
  adopt(accepted, incoming, wiring.onClosed);
  adopt(connected, outgoing, wiring.onClosed);
  return { incoming, outgoing };
}

function adopt(socket, stream, onClosed) {
  socket.on('end', onClosed);
  socket.on('error', onClosed);
  socket.on('close', onClosed);
  stream.attach(socket);
}

function pathOf(url) {
  if (!url.startsWith(IPC_SCHEME)) throw new Error(`not an ${IPC_SCHEME} address: ${url}`);
  return url.slice(IPC_SCHEME.length);
}

function acceptOne(path) {
  return new Promise((resolve, reject) => {
    const server = net.createServer({ pauseOnConnect: true }, socket => {
      server.close(); // one backend, one connection
      resolve(socket);
    });
    server.on('error', reject);
    server.listen(path);
  });
}

async function connectTo(path, onread) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await connectOnce(path, onread);
    } catch (error) {
      if (attempt === CONNECT_ATTEMPTS) throw error;
      await new Promise(resolve => setTimeout(resolve, attempt * CONNECT_BACKOFF_MS));
    }
  }
}

function connectOnce(path, onread) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path, onread });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

module.exports = { connect };
