'use strict';

// Frames over one stream socket: a 32-bit big-endian length, then that many bytes of JSON.
// Reading: one reusable buffer, frames are decoded where they lie. Writing: what one turn of the
// event loop produces leaves in one write.

const { allocate, byteLength, decode, encodeInto, isAscii, nextTick } = require('./primordials.js');

/** Frames are at most this long: the wire protocol's own limit. */
const MAX_FRAME = 50 << 20;

const HEADER = 4;
const HEADER_ROOM = '\0\0\0\0';
const SPACE = 0x20;
const CLOSING_BRACE = 0x7d;

// One read takes what a Unix socket's buffer holds at its usual size (208 KiB).
const BLOCK = 256 << 10;
// A buffer that one big frame made larger than this is given back after it.
const KEEP = 4 * BLOCK;
// Frames below this are worth joining: encoding one long text beats many short ones.
const SMALL = 1024;
// The longest small frame: three bytes for each unit of the body, and id and type with all escapes.
const CERTAIN_TO_HOLD_SMALL = 8 * SMALL;
// Joined text is encoded at this length, so that it stays in the cache.
const BATCH = 64 << 10;
// Unsent bytes past which new requests are refused and progress is dropped; the backend's own mark.
const HIGH_WATER = 8 << 20;

function putLength(bytes, at, length) {
  bytes[at] = length >>> 24;
  bytes[at + 1] = length >>> 16;
  bytes[at + 2] = length >>> 8;
  bytes[at + 3] = length;
}

class FrameStream {
  #socket = null;
  #onFrame;
  #onBreach;
  #limit = MAX_FRAME;
  #small = SMALL;

  #begun = allocate(BLOCK); // holds the frame that has not arrived in full
  #held = 0; //                how much of #begun is filled
  #wanted = HEADER; //         how much it takes until there is a frame to look at
  #reading = false;

  #text = ''; //               small frames that are not encoded yet, with room for their headers
  #ends = []; //               where each of them ends
  #block = allocate(BLOCK); // encoded frames
  #from = 0; //                [#from, #to) of #block is not handed to the socket yet
  #to = 0;
  #flushScheduled = false;

  /**
   * `onFrame(text, begin, end)` gets each frame as a part of a text; `onBreach(sentence)` hears of
   * a frame length that the protocol forbids, after which nothing more is read.
   */
  constructor({ onFrame, onBreach }) {
    this.#onFrame = onFrame;
    this.#onBreach = onBreach;
    /** For the constructor of a net.Socket: makes it read into one buffer. */
    this.onread = {
      buffer: allocate(BLOCK),
      callback: (length, chunk) => this.#read(chunk, length),
    };
  }

  /** Takes over a socket; it may, but need not, have been made with `onread`. */
  attach(socket) {
    this.#socket = socket;
    socket.on('data', chunk => this.#read(chunk, chunk.length));
    socket.resume(); // and never paused: two sides that wait for each other to read wait for ever
  }

  /** Lowers the longest frame that may be sent. */
  set limit(bytes) {
    this.#limit = Math.min(bytes, MAX_FRAME);
    this.#small = bytes < CERTAIN_TO_HOLD_SMALL ? 0 : SMALL;
  }

  /** Whether so much is unsent that nothing but replies should be added. */
  get congested() {
    return this.#socket.writableLength > HIGH_WATER;
  }

  // ---- reading ----

  #read(chunk, length) {
    this.#reading = true;
    try {
      if (this.#held === 0) {
        const used = this.#frames(chunk, length);
        if (used < length) this.#hold(chunk, used, length);
      } else {
        this.#hold(chunk, 0, length);
        if (this.#held >= this.#wanted) this.#release(this.#frames(this.#begun, this.#held));
      }
    } finally {
      this.#reading = false;
    }
    this.flush();
    return true;
  }

  #hold(chunk, begin, end) {
    const room = Math.max(this.#held + end - begin, this.#wanted);
    if (this.#begun.length < room) {
      const larger = allocate(Math.max(room, 2 * this.#begun.length));
      this.#begun.copy(larger, 0, 0, this.#held);
      this.#begun = larger;
    }
    chunk.copy(this.#begun, this.#held, begin, end);
    this.#held += end - begin;
  }

  #release(used) {
    this.#begun.copyWithin(0, used, this.#held);
    this.#held -= used;
    if (this.#held === 0 && this.#begun.length > KEEP) this.#begun = allocate(BLOCK);
  }

  /** Hands on all whole frames of bytes[0, end) and returns where the rest begins. */
  #frames(bytes, end) {
    const bounds = [];
    let at = 0;
    this.#wanted = HEADER;
    while (end - at >= HEADER) {
      const length = bytes.readUInt32BE(at);
      if (length === 0 || length > MAX_FRAME) {
        this.#onBreach(`a frame of ${length} bytes`);
        return end;
      }
      if (end - at < HEADER + length) {
        this.#wanted = HEADER + length;
        break;
      }
      bytes.fill(SPACE, at, at + HEADER); // so that the frames can be decoded together
      bounds.push(at + HEADER, at + HEADER + length);
      at += HEADER + length;
    }
    this.#decode(bytes, bounds, at);
    return at;
  }

  #decode(bytes, bounds, end) {
    const onFrame = this.#onFrame;
    if (end < (bounds.length / 2) * SMALL && isAscii(bytes.subarray(0, end))) {
      const text = decode.call(bytes, 'latin1', 0, end);
      for (let i = 0; i < bounds.length; i += 2) onFrame(text, bounds[i], bounds[i + 1]);
      return;
    }
    for (let i = 0; i < bounds.length; i += 2) {
      const ascii = isAscii(bytes.subarray(bounds[i], bounds[i + 1]));
      const text = decode.call(bytes, ascii ? 'latin1' : 'utf8', bounds[i], bounds[i + 1]);
      onFrame(text, 0, text.length);
    }
  }

  // ---- writing ----

  /**
   * Sends the frame `head + body + '}'`; the parts come separately so that a big body need not be
   * copied into a longer text. False, and nothing is sent, if the frame would be too long.
   */
  send(head, body) {
    if (body.length > this.#small) {
      if (!this.#encodeBig(head, body)) return false;
    } else {
      this.#text += HEADER_ROOM + head + body + '}';
      this.#ends.push(this.#text.length);
      if (this.#text.length > BATCH) this.#encodeSmall();
    }
    if (!this.#reading && !this.#flushScheduled) {
      this.#flushScheduled = true;
      nextTick(() => {
        this.#flushScheduled = false;
        this.flush();
      });
    }
    return true;
  }

  /** Hands everything to the socket, which writes as much of it at once as the kernel takes. */
  flush() {
    this.#encodeSmall();
    this.#handOver();
    if (this.#socket.writableLength === 0) {
      this.#from = this.#to = 0; // all is in the kernel: the block is ours again
      if (this.#block.length > KEEP) this.#block = allocate(BLOCK);
    }
  }

  #handOver() {
    if (this.#from === this.#to) return;
    this.#socket.write(this.#block.subarray(this.#from, this.#to));
    this.#from = this.#to;
  }

  #reserve(size) {
    if (this.#block.length - this.#to >= size) return;
    this.#handOver(); // the socket may still hold on to the block: go on in another one
    this.#block = allocate(Math.max(BLOCK, size));
    this.#from = this.#to = 0;
  }

  #encodeSmall() {
    const ends = this.#ends;
    if (ends.length === 0) return;
    const text = this.#text;
    this.#text = '';
    this.#ends = [];
    this.#reserve(3 * text.length); // UTF-8 takes at most three bytes for a UTF-16 unit
    const written = encodeInto.call(this.#block, text, this.#to);
    const ascii = written === text.length;
    let begin = 0;
    let at = this.#to;
    for (const end of ends) {
      const size = ascii ? end - begin : byteLength(text.substring(begin, end));
      putLength(this.#block, at, size - HEADER);
      begin = end;
      at += size;
    }
    this.#to += written;
  }

  #encodeBig(head, body) {
    const headSize = byteLength(head);
    const bodySize = byteLength(body);
    const length = headSize + bodySize + 1;
    if (length > this.#limit) return false;
    this.#encodeSmall(); // keeps the order
    this.#reserve(HEADER + length);
    const block = this.#block;
    putLength(block, this.#to, length);
    this.#to += HEADER;
    this.#to += encodeInto.call(block, head, this.#to);
    this.#to += encodeInto.call(
      block,
      body,
      this.#to,
      bodySize === body.length ? 'latin1' : 'utf8',
    );
    block[this.#to++] = CLOSING_BRACE;
    return true;
  }
}

module.exports = { FrameStream, MAX_FRAME };
