'use strict';

// Peer: child_process.fork with its JSON channel, and an id to tell the replies apart.

const { fork } = require('node:child_process');
const path = require('node:path');
const { fail, serve, supervise } = require('./measure.js');

async function start() {
  const child = fork(path.join(__dirname, 'fork_ipc_child.js'));
  const waiting = new Map();
  let lastId = 0;
  child.on('message', ({ id, text }) => {
    waiting.get(id)(text);
    waiting.delete(id);
  });
  const echo = text =>
    new Promise(resolve => {
      const id = ++lastId;
      waiting.set(id, resolve);
      child.send({ id, text });
    });
  return { echo, stop: supervise(child) };
}

serve(start).catch(fail);
