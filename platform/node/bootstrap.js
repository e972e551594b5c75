'use strict';

// The process that runs one extension:  node bootstrap.js <extension>
// with BULKHEAD_IPC_FD, or DSCODE_IPC_URL and DSCODE_INCOMING_IPC_URL, in its environment; and with
// BULKHEAD_SPARE where it is started to wait for its extension, and BULKHEAD_CODE_CACHE where its
// scripts are to be had compiled: the descriptor with them, or nothing where there are none yet.

const { exit, setTimeout, writeToStderr } = require('./primordials.js');
const { Channel } = require('./channel.js');
const { Extension } = require('./extension.js');
const { FrameStream } = require('./frames.js');
const { RequestError, messageOf, stackOf } = require('./errors.js');
const { connect } = require('./transport.js');

const PROTOCOL = 1;

// Of sysexits.h: started wrongly, and a peer that does not speak the protocol.
const EXIT_USAGE = 64;
const EXIT_PROTOCOL = 76;

// On SIGTERM: time for `deactivate`; well below the time after which a backend sends SIGKILL.
const TERM_GRACE_MS = 1000;

/** Serves the backend's requests on behalf of the extension. */
function serve(channel, extension) {
  const checked = handler => async payload => {
    const id = payload?.extensionId;
    if (id !== undefined && id !== extension.id) {
      throw new RequestError(`this host runs ${extension.id}, not ${id}`, 'unknown_extension');
    }
    return { success: true, ...(await handler(payload)) };
  };
  channel.serve(
    'activate-extension',
    checked(payload => extension.activate(payload?.folders)),
  );
  channel.serve(
    'deactivate-extension',
    checked(() => extension.deactivate()),
  );
  channel.serve('list-extensions', () => ({ extensions: [extension.summary] }));
  channel.serve('executeCommand', (payload, call) => extension.execute(payload, call));
  channel.serve('ping', () => ({}));
}

/** An error that nobody caught is told to the backend, and the host goes on. */
function surviveErrors(channel, extension) {
  const report = kind => error => {
    const message = `${kind} in extension ${extension.id}: ${messageOf(error)}`;
    const stack = stackOf(error);
    writeToStderr(`${message}\n${stack}\n`);
    channel.request('log', { level: 'error', message, fields: { stack } }).catch(() => {});
  };
  process.on('uncaughtException', report('uncaught exception'));
  process.on('unhandledRejection', report('unhandled rejection'));
}

/** An extension may end its process; what it had said before that arrives. */
function explainExit(channel, extension) {
  process.exit = (...code) => {
    const caller = new Error().stack.split('\n')[2]?.trim() ?? 'at an unknown place';
    writeToStderr(`extension ${extension.id} called process.exit(${code.join()}) ${caller}\n`);
    channel.flush();
    exit(...code);
  };
}

function endOnSigterm(channel, extension) {
  process.once('SIGTERM', () => {
    setTimeout(() => exit(0), TERM_GRACE_MS);
    const end = () => {
      channel.flush();
      exit(0);
    };
    extension.deactivate().then(end, end);
  });
}

/** The connection is the host's; what the extension starts should not find it. */
function takeChannelVariables(environment) {
  const taken = {};
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('BULKHEAD_') && !name.startsWith('DSCODE_')) continue;
    taken[name] = environment[name];
    delete environment[name];
  }
  return taken;
}

function codeCacheOf(target, { BULKHEAD_CODE_CACHE: descriptor }) {
  if (descriptor === undefined) return undefined;
  const { CodeCache, install } = require('./code_cache.js');
  const cache = new CodeCache(target, descriptor === '' ? undefined : Number(descriptor));
  install(cache);
  return cache;
}

async function main(target) {
  const variables = takeChannelVariables(process.env);
  const breach = sentence => {
    writeToStderr(`the backend sent ${sentence}\n`);
    exit(EXIT_PROTOCOL);
  };

  let channel;
  const onFrame = (text, begin, end, attachment) =>
    channel.receive(text, begin, end, attachment);
  const makeStream = () => new FrameStream({ onFrame, onBreach: breach });
  const streams = await connect(variables, { makeStream, onClosed: () => exit(0) });
  const onHandlerError = (call, stack) => writeToStderr(`${call.type}: ${stack}\n`);
  channel = new Channel({ ...streams, onBreach: breach, onHandlerError });

  const extension = new Extension(target, channel, codeCacheOf(target, variables));
  serve(channel, extension);
  surviveErrors(channel, extension);
  explainExit(channel, extension);
  endOnSigterm(channel, extension);

  if (variables.BULKHEAD_SPARE !== undefined) await require('./rehearsal.js').rehearse(serve);

  const answer = await channel.request('extension-host-ready', {
    ready: true,
    protocol: PROTOCOL,
    attachments: true,
    runtime: `node/${process.versions.node}`,
  });
  channel.agree(answer ?? {});
}

main(process.argv[2]).catch(error => {
  writeToStderr(`the extension host could not start: ${stackOf(error)}\n`);
  exit(EXIT_USAGE);
});
