'use strict';

const rpc = require('vscode-jsonrpc/node');

const [reader, writer] = rpc.createServerPipeTransport(process.argv[2]);
const connection = rpc.createMessageConnection(reader, writer);
connection.onRequest('echo', text => text);
connection.onClose(() => process.exit());
connection.listen();
