'use strict';

// Sockets.

const dgram = require('node:dgram');
const dns = require('node:dns');
const net = require('node:net');
const os = require('node:os');
const { stopIf } = require('./attempt.js');

/** Settles with the connection, or with what came in its place. */
const connected = options =>
  new Promise((resolve, reject) => {
    const socket = net.connect(options, () => {
      socket.destroy();
      resolve();
    });
    socket.on('error', reject);
  });

const listening = options =>
  new Promise((resolve, reject) => {
    const server = net.createServer().listen(options, () => server.close(resolve));
    server.on('error', reject);
  });

module.exports = {
  'connect to a local service': ({ socket }) => connected({ path: socket }),
  'connect by TCP': ({ tcp }) => connected({ port: tcp, host: '127.0.0.1' }),
  'listen by TCP': () => listening({ port: 0, host: '127.0.0.1' }),
  'listen on a local socket': ({ folder }) => listening({ path: `${folder}/socket-js` }),
  'send by UDP': ({ udp }) =>
    new Promise((resolve, reject) => {
      const socket = dgram.createSocket('udp4');
      socket.on('error', reject);
      // Where nobody has that port in this network the first is answered by an error.
      socket.connect(udp, '127.0.0.1', () =>
        socket.send('x', () =>
          socket.send('x', error => {
            socket.close();
            if (error) reject(error);
            else resolve();
          }),
        ),
      );
    }),
  'ask a name server': ({ udp }) =>
    new Promise((resolve, reject) => {
      const resolver = new dns.Resolver({ timeout: 200, tries: 1 });
      resolver.setServers([`127.0.0.1:${udp}`]);
      resolver.resolve4('bulkhead.test', error => {
        // Nobody answers: the question went out.
        if (error && error.code !== 'ETIMEOUT') reject(error);
        else resolve();
      });
    }),
  'list network addresses': () =>
    stopIf(Object.keys(os.networkInterfaces()).every(each => each === 'lo'), 'loopback only'),
  'open the inspector': () => {
    const inspector = require('node:inspector');
    inspector.open(0, '127.0.0.1');
    const opened = inspector.url();
    inspector.close();
    stopIf(opened === undefined, 'not opened');
  },
};
