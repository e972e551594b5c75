'use strict';

// The machine itself: its settings, and what tells of it.

const fs = require('node:fs');
const os = require('node:os');
const { stopIf } = require('./attempt.js');

const allowed = new Set([
  'HOME',
  'TMPDIR',
  'OPENSSL_CONF',
  'GLIBC_TUNABLES',
  'BULKHEAD_IPC_FD',
  'LC_CTYPE',
]);
const openForWriting = file => fs.closeSync(fs.openSync(file, fs.constants.O_WRONLY));

module.exports = {
  'write core_pattern': () => openForWriting('/proc/sys/kernel/core_pattern'),
  'write /proc/sysrq-trigger': () => openForWriting('/proc/sysrq-trigger'),
  'write a setting of its network': () => openForWriting('/proc/sys/net/ipv4/ip_forward'),
  'write its own oom_score_adj': () => openForWriting('/proc/self/oom_score_adj'),
  'write /proc/self/exe': () => openForWriting('/proc/self/exe'),
  'read the kernel log': () => fs.readFileSync('/dev/kmsg', { flag: fs.constants.O_NONBLOCK }),
  'open the terminal': () => fs.closeSync(fs.openSync('/dev/tty', 'r+')),
  'inherit the environment': ({ environment = [] }) => {
    const known = name => allowed.has(name) || environment.includes(name);
    const found = Object.keys(process.env).filter(name => !known(name));
    stopIf(found.length === 0, 'none');
  },
  'read the environment of another': ({ victim }) => fs.readFileSync(`/proc/${victim}/environ`),
  'list processes': () => {
    const seen = fs.readdirSync('/proc').filter(each => /^\d+$/.test(each));
    stopIf(seen.length < 5, 'its own only');
  },
  'learn the name of the machine': ({ machine }) => stopIf(os.hostname() !== machine, 'another'),
  'become root': () => process.setuid(0),
  'lift its own niceness': () => os.setPriority(0, -20),
};
