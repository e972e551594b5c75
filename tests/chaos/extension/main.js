'use strict';

// The extension "echo", which stands beside this file where the chaos test runs, and one command
// more: bytes to files and back.

const { createHash, randomBytes, randomUUID } = require('node:crypto');
const { pipeline } = require('node:stream/promises');
const echo = require('./echo.js');

/**
 * Bytes to a file that is named after their digest, and by streams from there to another one. Says
 * each step that went well, and why the last one did not.
 */
async function roundTrip([size], { progress, signal }, { fs }) {
  const bytes = randomBytes(size);
  const file = `${createHash('sha256').update(bytes).digest('hex')}.${randomUUID()}`;
  const copy = `${file}.copy`;
  const steps = {
    write: () => fs.writeFile(file, bytes),
    read: () => readBack(file),
    copy: () => pipeline(fs.createReadStream(file), fs.createWriteStream(copy), { signal }),
    'read copy': () => readBack(copy),
    delete: () => Promise.all([fs.delete(file), fs.delete(copy)]),
  };
  const readBack = async name => {
    const found = await fs.readFile(name);
    if (!bytes.equals(found)) throw new Error('what was read is not what was written');
  };
  for (const [step, run] of Object.entries(steps)) {
    try {
      await run();
    } catch (error) {
      progress({ step, failed: error.code ?? String(error) });
      throw error;
    }
    progress({ step, size });
  }
}

exports.activate = context => {
  echo.activate(context);
  context.commands.register('roundTrip', (args, call) => roundTrip(args, call, context));
};
