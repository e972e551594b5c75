'use strict';

// What a process does that waits for its extension: one activation and one command of an extension
// of its own, rehearsal.mjs, with nobody at the other end. What Node loads and compiles for the
// first of each is there when it matters.

const { Channel } = require('./channel.js');
const { Extension } = require('./extension.js');
const { FrameStream } = require('./frames.js');

const HEADER = 4;

// V8 remembers what a function meets (inline caches) only after its first few calls.
const TIMES = 20;

/** Stands for the socket, and for the backend behind it. */
class Partner {
  writableLength = 0;
  #stream;
  #asked = new Map(); // id to {resolve, reject}

  on() {}
  resume() {}

  playTo(stream) {
    this.#stream = stream;
    stream.attach(this);
  }

  write(bytes) {
    for (let end = 0; end < bytes.length; ) {
      const begin = end + HEADER;
      end = begin + bytes.readUInt32BE(end);
      this.#take(JSON.parse(bytes.toString('utf8', begin, end)));
    }
  }

  /** Requests are granted. */
  #take({ id, type, payload }) {
    if (type.endsWith('-response')) this.#asked.get(id).resolve();
    else if (type.endsWith('-error')) this.#asked.get(id).reject(new Error(payload.error));
    else queueMicrotask(() => this.#send(id, `${type}-response`, {}));
  }

  ask(type, payload) {
    return new Promise((resolve, reject) => {
      const id = String(this.#asked.size);
      this.#asked.set(id, { resolve, reject });
      this.#send(id, type, payload);
    });
  }

  #send(id, type, payload) {
    const body = Buffer.from(JSON.stringify({ id, type, payload }));
    const bytes = Buffer.concat([Buffer.alloc(HEADER), body]);
    bytes.writeUInt32BE(body.length);
    this.#stream.onread.callback(bytes.length, bytes);
  }
}

/** `serve(channel, extension)` has an extension serve what comes through a channel. */
async function rehearse(serve) {
  for (let i = 0; i < TIMES; i++) await rehearseOnce(serve);
}

async function rehearseOnce(serve) {
  const partner = new Partner();
  const onFrame = (text, begin, end) => channel.receive(text, begin, end);
  const onBreach = sentence => {
    throw new Error(sentence);
  };
  const stream = new FrameStream({ onFrame, onBreach });
  const channel = new Channel({
    incoming: stream,
    outgoing: stream,
    onBreach,
    onHandlerError() {},
  });
  partner.playTo(stream);
  serve(channel, new Extension(__dirname, channel)); // as its package.json says
  await Promise.all([
    partner.ask('activate-extension', { extensionId: 'rehearsal' }),
    partner.ask('executeCommand', { command: 'rehearse', args: [] }), // waits for the activation
  ]);
}

module.exports = { rehearse };
