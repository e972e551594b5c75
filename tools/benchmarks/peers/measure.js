'use strict';

// What the peers on Node have in common: the line protocol of README.md, and the clock around each
// call.

const { once } = require('node:events');
const { performance } = require('node:perf_hooks');
const readline = require('node:readline');

/**
 * Serves the line protocol until stdin ends. `start()` resolves to a running server:
 * {echo(text), a promise of the text that came back; stop(), a promise of its end}.
 */
async function serve(start) {
  const { server, ms } = await timedStart(start);
  print({ ready: true, start_ms: ms });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    if ('starts' in asked) {
      print({ starts_ms: await freshStarts(start, natural(asked, 'starts')) });
    } else {
      const [bytes, inFlight] = [natural(asked, 'bytes'), natural(asked, 'in_flight')];
      print(await round(server, 'x'.repeat(bytes), inFlight, natural(asked, 'calls')));
    }
  }
  await server.stop();
}

function natural(asked, key) {
  if (Number.isSafeInteger(asked[key]) && asked[key] > 0) return asked[key];
  throw new Error(`"${key}" is not a positive integer: ${JSON.stringify(asked)}`);
}

function print(answer) {
  process.stdout.write(JSON.stringify(answer) + '\n');
}

async function timedStart(start) {
  const begin = performance.now();
  const server = await start();
  await checkedEcho(server, 'x');
  return { server, ms: performance.now() - begin };
}

async function freshStarts(start, count) {
  const times = [];
  for (let i = 0; i < count; i++) {
    const { server, ms } = await timedStart(start);
    times.push(ms);
    await server.stop();
  }
  return times;
}

async function checkedEcho(server, text) {
  if ((await server.echo(text)) !== text) throw new Error('another text came back');
}

/** Makes that many calls, `inFlight` of them open at any time. */
async function round(server, text, inFlight, calls) {
  const times = new Float64Array(calls);
  let begun = 0;
  const callInTurn = async () => {
    while (begun < calls) {
      const index = begun++;
      const begin = performance.now();
      await checkedEcho(server, text);
      times[index] = performance.now() - begin;
    }
  };
  const begin = performance.now();
  await Promise.all(Array.from({ length: inFlight }, callInTurn));
  const seconds = (performance.now() - begin) / 1e3;
  times.sort();
  const microsecondsAt = percent => 1e3 * times[Math.floor((calls * percent) / 100)];
  return { seconds, p50_us: microsecondsAt(50), p99_us: microsecondsAt(99) };
}

/** Returns the function that ends a child; when it ends by itself, this program fails. */
function supervise(child) {
  const died = (code, signal) => fail(new Error(`the child ended: ${signal ?? `code ${code}`}`));
  child.once('exit', died);
  child.once('error', fail);
  return async () => {
    const exited = once(child, 'exit');
    child.off('exit', died);
    child.kill('SIGKILL');
    await exited;
  };
}

function fail(error) {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
}

module.exports = { fail, serve, supervise };
