'use strict';

// Ends its process on the first two attempts and works from the third on: what a supervisor is for.
// The attempts are counted in a file of the folder that FLAKY_STATE names.

const fs = require('node:fs');
const path = require('node:path');

const CRASHES = 2;
const EXIT_CODE = 3;

function countAttempt(folder) {
  const file = path.join(folder, 'attempts');
  const attempt = fs.existsSync(file) ? Number(fs.readFileSync(file, 'utf8')) + 1 : 1;
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(file, String(attempt));
  return attempt;
}

let attempt = null; // counted once a process

exports.activate = context => {
  context.commands.register('work', ([n = 1, folder = process.env.FLAKY_STATE]) => {
    if (!folder) throw new Error('FLAKY_STATE names no folder to count the attempts in');
    attempt ??= countAttempt(folder);
    if (attempt <= CRASHES) process.exit(EXIT_CODE);
    return { attempt, result: n * n };
  });
};
