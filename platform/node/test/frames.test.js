'use strict';

// The frame decoder by itself: what went in comes out, however the stream is cut, and nothing that
// comes makes it throw. The same for the backend's decoder is in tests/fuzz.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test, uint32 } = require('./backend.js');
const { FrameStream } = require('../frames.js');

const CORPUS = path.join(__dirname, '..', '..', '..', 'tests', 'fuzz', 'corpus', 'frame_codec');
const CORPUS_CHOICES = 4; // of each input, before the stream

const ATTACHED = 0x80000000;
const MAX_FRAME = 50 << 20;
const BLOCK = 256 << 10; // what is read to
const KEEP = 4 * BLOCK; // what is kept of what was grown

/** mulberry32: the same numbers on every machine; below(n) is one of 0 … n - 1. */
function dice(seed) {
  const below = n => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
  return { below, oneOf: list => list[below(list.length)] };
}

// ---- a stream and who writes to it ----

/** A FrameStream with a stand-in for its socket: what it hands on is kept, up to a breach. */
class Reader {
  frames = []; // { text, attachment }
  breach; // the sentence
  #stream;
  #buffer; // what a net.Socket reads to; undefined for one that makes chunks of its own
  #onData;

  constructor({ attachments, intoOurs }) {
    this.#stream = new FrameStream({
      onFrame: (text, begin, end, attachment) => {
        this.frames.push({ text: text.substring(begin, end), attachment });
      },
      onBreach: sentence => {
        assert.equal(this.breach, undefined);
        this.breach = sentence;
      },
    });
    if (attachments) this.#stream.allowAttachments();
    if (intoOurs) this.#buffer = this.#stream.onread.buffer();
    this.#stream.attach({
      writableLength: 0,
      on: (_, listener) => (this.#onData = listener),
      resume() {},
    });
  }

  /** What the peer writes, `sizes()` bytes at a time, each read before the next. */
  read(bytes, sizes) {
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(at + sizes(), bytes.length);
      while (at < end) {
        const written = bytes.subarray(at, end);
        at += this.#buffer === undefined ? this.#readChunk(written) : this.#readInto(written);
        if (this.breach !== undefined) return this;
      }
    }
    return this;
  }

  #readChunk(bytes) {
    this.#onData(Buffer.from(bytes)); // a copy: it is the stream's to write to
    return bytes.length;
  }

  #readInto(bytes) {
    assert.notEqual(this.#buffer.length, 0);
    const length = bytes.copy(this.#buffer);
    this.#stream.onread.callback(length, this.#buffer);
    this.#buffer = this.#stream.onread.buffer();
    return length;
  }
}

function encoded({ text, attachment }) {
  const body = Buffer.from(text);
  if (attachment === undefined) return Buffer.concat([uint32(body.length), body]);
  const length = 4 + body.length + attachment.length;
  return Buffer.concat([uint32(ATTACHED + length), uint32(body.length), body, attachment]);
}

/** What is in a stream that is there as a whole, as the protocol says. */
function readPlainly(bytes, attachments) {
  const frames = [];
  for (let at = 0; bytes.length - at >= 4; ) {
    let length = bytes.readUInt32BE(at);
    const attached = attachments && length >= ATTACHED;
    if (attached) length -= ATTACHED;
    if (length <= (attached ? 4 : 0) || length > MAX_FRAME) return { frames, isBroken: true };
    const end = (at += 4) + length;
    if (end > bytes.length) break;
    if (attached) {
      const jsonEnd = at + 4 + bytes.readUInt32BE(at);
      if (jsonEnd > end) return { frames, isBroken: true };
      const text = bytes.toString('utf8', at + 4, jsonEnd);
      frames.push({ text, attachment: bytes.subarray(jsonEnd, end) });
    } else {
      frames.push({ text: bytes.toString('utf8', at, end), attachment: undefined });
    }
    at = end;
  }
  return { frames, isBroken: false };
}

function isSame(one, other) {
  if (one.text !== other.text) return false;
  if (one.attachment === undefined) return other.attachment === undefined;
  return other.attachment !== undefined && one.attachment.equals(other.attachment);
}

/** Cheaper than deepEqual, and says less of what may be long. */
function assertSame(actual, expected, how) {
  assert.equal(actual.length, expected.length, `frames, ${how}`);
  const different = expected.findIndex((frame, i) => !isSame(actual[i], frame));
  assert.equal(different, -1, `the first frame that is different, ${how}`);
}

// ---- what is written, and how it is cut ----

const CHARACTERS = ['plain {"a":1}', 'ä', '€', '\u{1f600}', '\0', '\\"'];

/** A text of `size` bytes. */
function textOf(random, size) {
  if (random.below(2) === 0) return 'x'.repeat(size);
  const bytes = Buffer.alloc(size, random.oneOf(CHARACTERS)).toString();
  const whole = bytes.replace(/\uFFFD$/, '');
  return whole + '.'.repeat(size - Buffer.byteLength(whole));
}

function frameOf(random, size) {
  const text = textOf(random, Math.max(1, size));
  if (random.below(3) !== 0) return { text };
  return { text, attachment: Buffer.alloc(random.below(size + 1), random.below(256)) };
}

/** How many bytes each read brings. */
function cuts(random) {
  const most = random.oneOf([1, 3, 10, 50, 200, 1000, 1 << 16]);
  return most === 1 ? () => 1 : () => 1 + random.below(most);
}

/** Cuts every frame so many bytes behind where it begins. */
function shifted(parts, bytes) {
  const sizes = [bytes, ...parts.map(part => part.length)];
  return () => sizes.shift();
}

const whole = () => Infinity;
const bytewise = () => 1;

for (const intoOurs of [true, false]) {
  const how = intoOurs ? 'to our own buffers' : 'to chunks';

  test(`every cut of a stream gives the same frames, read ${how}`, () => {
    const frames = [
      { text: '1' },
      { text: 'two ä' },
      { text: 'three', attachment: Buffer.from('beside') },
      { text: 'four', attachment: Buffer.alloc(0) },
      { text: '{"five":5}' },
    ];
    const bytes = Buffer.concat(frames.map(encoded));
    const reader = new Reader({ attachments: true, intoOurs });
    for (let first = 1; first <= bytes.length; first++) {
      for (let second = 1; first + second <= bytes.length + 1; second++) {
        const sizes = [first, second, Infinity];
        reader.frames = [];
        reader.read(bytes, () => sizes.shift());
        assertSame(reader.frames, frames, `cut after ${first} and ${second} more`);
      }
    }
  });

  test(`frames come out as they went in, however they are cut and read ${how}`, () => {
    const random = dice(1);
    const reader = new Reader({ attachments: true, intoOurs });
    for (let round = 0; round < 1500; round++) {
      const size = () => random.below(random.oneOf([10, 100, 100, 100, 100, 2000]));
      const frames = Array.from({ length: 1 + random.below(12) }, () => frameOf(random, size()));
      reader.frames = [];
      reader.read(Buffer.concat(frames.map(encoded)), cuts(random));
      assertSame(reader.frames, frames, `round ${round}`);
    }
  });

  test(`frames longer than a block come out as they went in, read ${how}`, () => {
    const random = dice(2);
    const around = [BLOCK - 9, BLOCK - 4, BLOCK + 1, 2 * BLOCK, KEEP + 1];
    for (const [round, size] of around.entries()) {
      const frames = [
        frameOf(random, 20),
        { text: 'x', attachment: Buffer.alloc(size - 5, 'the bytes beside it') },
        { text: 'y', attachment: Buffer.alloc(5000, 'which were longer') },
        { text: textOf(random, 8000) },
        { text: textOf(random, size) },
        { text: 'short' },
        { text: textOf(random, size), attachment: Buffer.from('z') },
        { text: 'last' },
      ];
      const most = random.oneOf([1000, BLOCK, 3 * BLOCK]);
      const parts = frames.map(encoded);
      const somewhere = () => (random.below(4) === 0 ? 1 : 1 + random.below(most));
      for (const sizes of [whole, somewhere, shifted(parts, 1), shifted(parts, 7)]) {
        const reader = new Reader({ attachments: true, intoOurs });
        reader.read(Buffer.concat(parts), sizes);
        assertSame(reader.frames, frames, `round ${round}`);
      }
    }
  });

  test(`what the backend's fuzzer found makes frames or a breach, read ${how}`, () => {
    const random = dice(3);
    const names = fs.readdirSync(CORPUS);
    assert.notEqual(names.length, 0);
    for (const name of names) {
      const bytes = fs.readFileSync(path.join(CORPUS, name)).subarray(CORPUS_CHOICES);
      for (const attachments of [true, false]) {
        const { frames, isBroken } = readPlainly(bytes, attachments);
        const splits = [whole, bytewise, ...Array.from({ length: 20 }, () => cuts(random))];
        for (const sizes of splits) {
          const reader = new Reader({ attachments, intoOurs }).read(bytes, sizes);
          assert.equal(reader.breach !== undefined, isBroken, name);
          // Those that came with what broke the protocol need not be handed on any more.
          const due = isBroken ? frames.slice(0, reader.frames.length) : frames;
          assertSame(reader.frames, due, name);
        }
      }
    }
  });
}
