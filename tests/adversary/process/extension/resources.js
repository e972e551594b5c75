'use strict';

// Each but the last uses one thing without end, which no host survives.

const fs = require('node:fs');
const path = require('node:path');

const kept = [];
const megabyte = 1 << 20;

function fill(folder) {
  const bytes = Buffer.alloc(megabyte);
  for (let i = 0; ; ++i) fs.appendFileSync(path.join(folder, `fill-${i >> 4}`), bytes);
}

module.exports = {
  'fill the heap': () => {
    for (;;) kept.push(new Array(1 << 16).fill({ some: 'thing' }).map(each => ({ ...each })));
  },
  'fill memory with buffers': () => {
    for (;;) kept.push(Buffer.alloc(megabyte, 1));
  },
  'fill its storage': folder => fill(folder),
  spin: () => {
    for (;;);
  },
  'print without end': () => {
    const line = 'y'.repeat(1023) + '\n';
    for (;;) fs.writeSync(1, line);
  },
  'print one endless line': () => {
    const piece = 'y'.repeat(64 << 10);
    for (;;) fs.writeSync(1, piece);
  },
  'print what deceives a reader': () => {
    fs.writeSync(1, '\x1b]0;title\x07\x1b[2Jcleared \u202eesrever\u2066 \x9b31m\r\x00end\n');
  },
};
