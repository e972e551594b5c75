'use strict';

// The same by other names: links of one's own, and the kernel's in /proc.

const fs = require('node:fs');
const path = require('node:path');
const { stopIf } = require('./attempt.js');

function through(link, use) {
  try {
    return use();
  } finally {
    fs.unlinkSync(link);
  }
}

module.exports = {
  'a symbolic link': ({ secret, folder }) => {
    const link = path.join(folder, 'link-js');
    fs.symlinkSync(secret, link);
    return through(link, () => fs.readFileSync(link));
  },
  'a hard link': ({ secret, folder }) => {
    const link = path.join(folder, 'second-name-js');
    fs.linkSync(secret, link);
    return through(link, () => fs.readFileSync(link));
  },
  '/proc/self/root': ({ secret }) => fs.readFileSync(`/proc/self/root${secret}`),
  '/proc/1/root': ({ secret }) => fs.readFileSync(`/proc/1/root${secret}`),
  '/proc/self/cwd': ({ secret }) => fs.readFileSync(`/proc/self/cwd/${'../'.repeat(12)}${secret}`),
  'the root of another process': ({ secret, victim }) =>
    fs.readFileSync(`/proc/${victim}/root${secret}`),
  'a descriptor that was left open': () => {
    const held = fs.readdirSync('/proc/self/fd').map(each => {
      try {
        return fs.readlinkSync(`/proc/self/fd/${each}`);
      } catch {
        return '';
      }
    });
    stopIf(!held.some(name => name.endsWith('left-open')), 'none');
  },
};
