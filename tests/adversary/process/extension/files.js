'use strict';

// Files of the machine, by their own names.

const fs = require('node:fs');
const path = require('node:path');
const { stopIf } = require('./attempt.js');

module.exports = {
  'read a secret': ({ secret }) => fs.readFileSync(secret),
  'overwrite a secret': ({ secret }) => fs.closeSync(fs.openSync(secret, 'r+')),
  'see that a secret is there': ({ secret }) => fs.statSync(secret),
  'create a file beside it': ({ secret }) => {
    fs.writeFileSync(`${secret}-new`, '');
    fs.unlinkSync(`${secret}-new`);
  },
  'list its folder': ({ secret }) => fs.readdirSync(path.dirname(secret)),
  'watch its folder': ({ secret }) => fs.watch(path.dirname(secret)).close(),
  'list the root': () => fs.readdirSync('/'),
  'read the users': () =>
    // One that is made for the sandbox tells nothing.
    stopIf(!fs.readFileSync('/etc/passwd', 'utf8').includes('root:'), 'own file'),
  'change the extension': () => fs.appendFileSync(__filename, ''),
  'add to the extension': () => {
    fs.writeFileSync(path.join(__dirname, 'added.js'), '');
    fs.unlinkSync(path.join(__dirname, 'added.js'));
  },
  'change the interpreter': () => fs.closeSync(fs.openSync(process.execPath, 'r+')),
  'make a set-user-ID file': ({ folder }) => {
    const made = path.join(folder, 'set-user-id-js');
    fs.writeFileSync(made, '');
    try {
      fs.chmodSync(made, 0o4755);
    } finally {
      fs.unlinkSync(made);
    }
  },
};
