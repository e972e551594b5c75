'use strict';

// Files of any length as streams of node:stream. A piece is asked for when there is room for it, and
// the next one is sent when the backend has written the one before: neither side holds much more.

const { Readable, Writable } = require('node:stream');
const { bytesFrom, joinBytes } = require('./primordials.js');
const { patiently } = require('./patience.js');

// One piece: so long that asking for it costs little beside its bytes.
const PIECE = 1 << 20;
// Of a frame, what a request needs beside the bytes of a piece.
const ENVELOPE = 512;

/** A file that the backend keeps open for us. */
class OpenFile {
  #channel;
  #name = null; // the backend's; null where it is not open

  constructor(channel) {
    this.#channel = channel;
  }

  /** The longest piece that fits into a frame. */
  get piece() {
    const { frameLimit, takesAttachments } = this.#channel;
    const room = Math.max(frameLimit - ENVELOPE, frameLimit >> 1);
    return Math.min(PIECE, takesAttachments ? room : (room >> 2) * 3);
  }

  async open(type, payload) {
    this.#name = (await this.#ask(type, payload)).file;
  }

  async read(length) {
    const encoding = this.#channel.takesAttachments ? 'binary' : 'base64';
    const { content } = await this.#ask('fs.readChunk', { file: this.#name, length, encoding });
    return encoding === 'binary' ? content : bytesFrom(content, 'base64');
  }

  async write(bytes) {
    const file = this.#name;
    if (this.#channel.takesAttachments) {
      await this.#ask('fs.writeChunk', { file, encoding: 'binary' }, bytes);
    } else {
      const content = bytes.toString('base64');
      await this.#ask('fs.writeChunk', { file, content, encoding: 'base64' });
    }
  }

  async commit() {
    const file = this.#name;
    this.#name = null; // it is closed, whatever comes of it
    await this.#ask('fs.commitFile', { file });
  }

  async close() {
    const file = this.#name;
    this.#name = null;
    if (file !== null) await this.#ask('fs.closeFile', { file });
  }

  #ask(type, payload, attachment) {
    return patiently(() => this.#channel.request(type, payload, {}, attachment));
  }
}

/** Calls back once the promise is settled, as streams want it. */
function settle(promise, callback) {
  promise.then(
    value => callback(null, value),
    error => callback(error),
  );
}

/** Closes the file and reports `error`; that the file is gone already is no failure. */
function destroy(file, error, callback) {
  const end = () => callback(error);
  file.close().then(end, end);
}

function createReadStream(channel, path, { signal, highWaterMark = PIECE } = {}) {
  const file = new OpenFile(channel);
  return new Readable({
    signal,
    highWaterMark,
    construct: callback => settle(file.open('fs.openRead', { path }), callback),
    read(wanted) {
      const length = Math.max(1, Math.min(wanted, file.piece));
      settle(file.read(length), (error, bytes) => {
        if (error) this.destroy(error);
        else this.push(bytes.length === 0 ? null : bytes);
      });
    },
    destroy: (error, callback) => destroy(file, error, callback),
  });
}

function createWriteStream(channel, path, { signal, highWaterMark = PIECE, create, overwrite } = {}) {
  const file = new OpenFile(channel);
  const write = async bytes => {
    const size = file.piece;
    for (let at = 0; at < bytes.length; at += size) await file.write(bytes.subarray(at, at + size));
  };
  return new Writable({
    signal,
    highWaterMark,
    construct: callback => settle(file.open('fs.openWrite', { path, create, overwrite }), callback),
    // What came while a piece was under way leaves as one.
    writev(chunks, callback) {
      const bytes = chunks.length === 1 ? chunks[0].chunk : joinBytes(chunks.map(c => c.chunk));
      settle(write(bytes), callback);
    },
    final: callback => settle(file.commit(), callback),
    destroy: (error, callback) => destroy(file, error, callback),
  });
}

module.exports = { createReadStream, createWriteStream };
