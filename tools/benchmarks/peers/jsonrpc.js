'use strict';

// Peer: vscode-jsonrpc over a Unix socket.

const { spawn } = require('node:child_process');
const path = require('node:path');
const rpc = require('vscode-jsonrpc/node');
const { fail, serve, supervise } = require('./measure.js');

async function start() {
  const address = rpc.generateRandomPipeName();
  const { onConnected } = await rpc.createClientPipeTransport(address);
  const child = spawn(process.execPath, [path.join(__dirname, 'jsonrpc_child.js'), address], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const end = supervise(child);
  const connection = rpc.createMessageConnection(...(await onConnected()));
  connection.listen();
  return {
    echo: text => connection.sendRequest('echo', text),
    stop: async () => {
      connection.dispose();
      await end();
    },
  };
}

serve(start).catch(fail);
