'use strict';

// Frames over one stream socket: a 32-bit big-endian length, then that many bytes of JSON. With the
// length's top bit set, these are the JSON's own length, the JSON and an attachment.
// Reading: one reusable buffer, frames are decoded where they lie; a long attachment is read to a
// buffer of its own, which is its receiver's. Writing: the answers to one read leave in one write;
// what is sent at another time leaves at the end of the turn, or in pieces before it.

const { allocate, byteLength, decode, encodeInto, isAscii, nextTick } = require('./primordials.js');

/** Frames are at most this long: the wire protocol's own limit. */
const MAX_FRAME = 50 << 20;

const HEADER = 4;
/** Of a frame's length: it has an attachment. */
const ATTACHED = 0x80000000;
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
// Small frames that leave without waiting for the turn's end: the backend works on them while we
// are at the next. Half of the 64 requests that a busy extension may well have open, as there.
const PIECE = 32;
// Attachments up to this length are copied: that costs less than a write of their own.
const COPIED = 4096;
// Unsent bytes past which new requests are refused and progress is dropped; the backend's own mark.
const HIGH_WATER = 8 << 20;

function putLength(bytes, at, length) {
  bytes[at] = length >>> 24;
  bytes[at + 1] = length >>> 16;
  bytes[at + 2] = length >>> 8;
  bytes[at + 3] = length;
}

function textOf(bytes, begin, end) {
  const ascii = isAscii(bytes.subarray(begin, end));
  return decode.call(bytes, ascii ? 'latin1' : 'utf8', begin, end);
}

function copyOf(bytes, begin, end) {
  const copy = allocate(end - begin);
  bytes.copy(copy, 0, begin, end);
  return copy;
}

class FrameStream {
  #socket = null;
  #onFrame;
  #onBreach;
  #limit = MAX_FRAME;
  #small = SMALL;

  #buffer = allocate(BLOCK); // what is read to, over and over
  #kept = allocate(BLOCK); //   what keeps a frame that has not arrived in full, if it fits
  #begun = this.#kept; //       what keeps the present one
  #held = 0; //                 how much of #begun is filled
  #wanted = HEADER; //          how much it takes until there is a frame, or its length, to look at
  #isAttached = false; //       what is wanted has an attachment
  #isOwn = false; //            #begun is made for this frame, and goes with its attachment
  #reading = false;
  #mayAttach = false; //        whether the peer may send attachments

  #text = ''; //               small frames that are not encoded yet, with room for their headers
  #ends = []; //               where each of them ends
  #block = allocate(BLOCK); // encoded frames
  #from = 0; //                [#from, #to) of #block is not handed to the socket yet
  #to = 0;
  #flushScheduled = false;

  /**
   * `onFrame(text, begin, end, attachment)` gets the JSON of each frame as a part of a text, and
   * what came beside it, if anything did, to keep; `onBreach(sentence)` hears of a length that the
   * protocol forbids, after which nothing more is read.
   */
  constructor({ onFrame, onBreach }) {
    this.#onFrame = onFrame;
    this.#onBreach = onBreach;
    /** For the constructor of a net.Socket: makes it read into our buffers. */
    this.onread = {
      buffer: () => (this.#isOwn ? this.#begun.subarray(this.#held, this.#wanted) : this.#buffer),
      callback: (length, chunk) => this.#read(chunk, length),
    };
  }

  /** Takes over a socket; it may, but need not, have been made with `onread`. */
  attach(socket) {
    this.#socket = socket;
    socket.on('data', chunk => this.#read(chunk, chunk.length));
    socket.resume(); // and never paused: two sides that wait for each other to read wait for ever
  }

  /** The longest frame that may be sent, without its prefix; what is set can only lower it. */
  get limit() {
    return this.#limit;
  }

  set limit(bytes) {
    this.#limit = Math.min(bytes, MAX_FRAME);
    this.#small = bytes < CERTAIN_TO_HOLD_SMALL ? 0 : SMALL;
  }

  /** From now on the peer may send attachments. */
  allowAttachments() {
    this.#mayAttach = true;
  }

  /** Whether so much is unsent that nothing but replies should be added. */
  get congested() {
    return this.#socket.writableLength > HIGH_WATER;
  }

  // ---- reading ----

  #read(chunk, length) {
    this.#reading = true;
    try {
      let at = this.#held === 0 ? 0 : this.#continue(chunk, length);
      if (at < length) at = this.#frames(chunk, at, length);
      if (at < length) this.#hold(chunk, at, length);
    } finally {
      this.#reading = false;
    }
    this.flush();
    return true;
  }

  /** Adds to the frame that was begun, hands it on if it is whole, and returns where it ends. */
  #continue(chunk, length) {
    let at = 0;
    while (this.#held < this.#wanted) {
      const part = Math.min(this.#wanted - this.#held, length - at);
      this.#hold(chunk, at, at + part);
      at += part;
      if (this.#held < this.#wanted) return at;
      // A length that is whole now says how much the frame takes.
      if (this.#held === HEADER && !this.#measure(this.#begun, 0)) return length;
    }
    this.#frames(this.#begun, 0, this.#held);
    this.#held = 0;
    if (!this.#isOwn && this.#begun.length <= KEEP) this.#kept = this.#begun;
    this.#begun = this.#kept;
    this.#isOwn = false;
    return at;
  }

  #hold(chunk, begin, end) {
    if (this.#begun.length < this.#wanted) {
      this.#isOwn = this.#isAttached;
      const size = this.#isOwn ? this.#wanted : Math.max(this.#wanted, 2 * this.#begun.length);
      const larger = allocate(size);
      this.#begun.copy(larger, 0, 0, this.#held);
      this.#begun = larger;
    }
    const wasReadToIt = this.#isOwn && chunk.buffer === this.#begun.buffer;
    if (!wasReadToIt) chunk.copy(this.#begun, this.#held, begin, end);
    this.#held += end - begin;
  }

  /** How much the frame takes whose length is at bytes[at]; false if the protocol forbids it. */
  #measure(bytes, at) {
    let length = bytes.readUInt32BE(at);
    this.#isAttached = this.#mayAttach && length >= ATTACHED;
    if (this.#isAttached) length -= ATTACHED;
    this.#wanted = HEADER + length;
    if (length > (this.#isAttached ? HEADER : 0) && length <= MAX_FRAME) return true;
    this.#onBreach(`a frame of ${length} bytes`);
    return false;
  }

  /** Hands on all whole frames of bytes[at, end) and returns where the rest begins. */
  #frames(bytes, at, end) {
    let bounds = [];
    let begin = at; // of the frames that are not handed on yet
    while (end - at >= HEADER) {
      if (!this.#measure(bytes, at)) return end;
      const next = at + this.#wanted;
      if (next > end) break;
      if (this.#isAttached) {
        this.#decode(bytes, bounds, begin, at);
        if (!this.#takeApart(bytes, at + HEADER, next)) return end;
        bounds = [];
        begin = next;
      } else {
        bytes.fill(SPACE, at, at + HEADER); // so that the frames can be decoded together
        bounds.push(at + HEADER, next);
      }
      at = next;
    }
    if (end - at < HEADER) this.#wanted = HEADER;
    this.#decode(bytes, bounds, begin, at);
    return at;
  }

  #decode(bytes, bounds, begin, end) {
    const onFrame = this.#onFrame;
    if (end - begin < (bounds.length / 2) * SMALL && isAscii(bytes.subarray(begin, end))) {
      const text = decode.call(bytes, 'latin1', begin, end);
      for (let i = 0; i < bounds.length; i += 2) {
        onFrame(text, bounds[i] - begin, bounds[i + 1] - begin);
      }
      return;
    }
    for (let i = 0; i < bounds.length; i += 2) {
      const text = textOf(bytes, bounds[i], bounds[i + 1]);
      onFrame(text, 0, text.length);
    }
  }

  /** Hands on the frame with an attachment whose body is bytes[begin, end). */
  #takeApart(bytes, begin, end) {
    const jsonSize = bytes.readUInt32BE(begin);
    const jsonAt = begin + HEADER;
    const attachmentAt = jsonAt + jsonSize;
    if (attachmentAt > end) {
      this.#onBreach(`a frame of ${end - begin} bytes with JSON of ${jsonSize}`);
      return false;
    }
    const text = textOf(bytes, jsonAt, attachmentAt);
    const attachment = this.#isOwn
      ? bytes.subarray(attachmentAt, end)
      : copyOf(bytes, attachmentAt, end);
    this.#onFrame(text, 0, text.length, attachment);
    return true;
  }

  // ---- writing ----

  /**
   * Sends the frame `head + body + '}'`; the parts come separately so that a big body need not be
   * copied into a longer text. An attachment must not change until it was sent. False, and nothing
   * is sent, if the frame would be too long.
   */
  send(head, body, attachment) {
    if (attachment !== undefined) {
      if (!this.#encodeAttached(head, body, attachment)) return false;
    } else if (body.length > this.#small) {
      if (!this.#encodeBig(head, body)) return false;
    } else {
      this.#text += HEADER_ROOM + head + body + '}';
      this.#ends.push(this.#text.length);
      if (this.#text.length > BATCH) this.#encodeSmall();
    }
    if (this.#reading) return true;
    if (this.#ends.length === PIECE) this.flush();
    if (!this.#flushScheduled) {
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
    const bodySize = byteLength(body);
    const length = byteLength(head) + bodySize + 1;
    if (length > this.#limit) return false;
    this.#encodeSmall(); // keeps the order
    this.#reserve(HEADER + length);
    this.#putLength(length);
    this.#putJson(head, body, bodySize);
    return true;
  }

  #encodeAttached(head, body, attachment) {
    const bodySize = byteLength(body);
    const jsonSize = byteLength(head) + bodySize + 1;
    const length = HEADER + jsonSize + attachment.length;
    if (length > this.#limit) return false;
    const isCopied = attachment.length <= COPIED;
    this.#encodeSmall();
    this.#reserve(2 * HEADER + jsonSize + (isCopied ? attachment.length : 0));
    this.#putLength(ATTACHED + length);
    this.#putLength(jsonSize);
    this.#putJson(head, body, bodySize);
    if (isCopied) {
      this.#block.set(attachment, this.#to);
      this.#to += attachment.length;
    } else {
      this.#socket.cork(); // so that all of it leaves in one write
      this.#handOver();
      this.#socket.write(attachment);
      this.#socket.uncork();
    }
    return true;
  }

  #putLength(length) {
    putLength(this.#block, this.#to, length);
    this.#to += HEADER;
  }

  #putJson(head, body, bodySize) {
    const block = this.#block;
    const encoding = bodySize === body.length ? 'latin1' : 'utf8';
    this.#to += encodeInto.call(block, head, this.#to);
    this.#to += encodeInto.call(block, body, this.#to, encoding);
    block[this.#to++] = CLOSING_BRACE;
  }
}

module.exports = { FrameStream };
