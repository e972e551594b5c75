'use strict';

// Ends its process on the first two attempts and works from the third on: what a supervisor is for.
// The attempts are counted in its storage folder, which outlives the process.

const CRASHES = 2;
const EXIT_CODE = 3;

async function countAttempt({ fs, folders }) {
  const file = `${folders.storage}/attempts`;
  const before = await fs.readFile(file, 'utf8').catch(() => '0');
  const attempt = Number(before) + 1;
  await fs.writeFile(file, String(attempt));
  return attempt;
}

exports.activate = context => {
  let attempt = null; // counted once a process
  context.commands.register('work', async ([n = 1]) => {
    attempt ??= await countAttempt(context);
    if (attempt <= CRASHES) process.exit(EXIT_CODE);
    return { attempt, result: n * n };
  });
};
