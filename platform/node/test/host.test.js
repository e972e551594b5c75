'use strict';

// The life of a host: loading, activation, commands, and every way to end.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { Backend, extensionOf, test } = require('./backend.js');

const EXAMPLES = path.join(__dirname, '..', '..', '..', 'tools', 'examples');

test('the ready message names protocol and runtime', async t => {
  const backend = await Backend.start(t, 'esm', { activate: false });
  assert.deepEqual(backend.received[0].payload, {
    ready: true,
    protocol: 1,
    attachments: true,
    runtime: `node/${process.versions.node}`,
  });
});

test('a CommonJS folder, an ES module folder and a single file all load', async t => {
  const echo = await Backend.start(t, 'echo');
  assert.deepEqual(await echo.command('echo', 1, 'two'), [1, 'two']);
  const esm = await Backend.start(t, 'esm');
  assert.equal(await esm.command('greet', 'you'), 'hello you');
  const single = await Backend.start(t, 'single.mjs');
  assert.equal(await single.command('double', 21), 42);
});

test('a host that is to wait reads nothing of its extension before it is activated', async t => {
  const file = extensionOf(t, `export const activate = () => {};`, 'later.mjs');
  const source = fs.readFileSync(file, 'utf8');
  fs.rmSync(file);
  const backend = await Backend.start(t, file, { activate: false, env: { BULKHEAD_SPARE: '1' } });
  fs.writeFileSync(file, source);
  await backend.request('activate-extension', { extensionId: 'later' });
  assert.deepEqual(backend.received.map(({ type }) => type), ['extension-host-ready']);
  assert.equal(backend.stderr, '');
});

test('a default export may hold activate', async t => {
  const file = extensionOf(t, `export default { activate() {} };`, 'named.mjs');
  const backend = await Backend.start(t, file);
  const { extensions } = await backend.request('list-extensions', {});
  assert.deepEqual(extensions, [{ id: 'named', active: true, commands: [] }]);
});

test('activation is idempotent and refuses another extension', async t => {
  const source = `let n = 0; exports.activate = c => { n++; c.commands.register('count', () => n); };`;
  const backend = await Backend.start(t, extensionOf(t, source));
  const again = await backend.request('activate-extension', { extensionId: 'probe' });
  assert.deepEqual(again, { success: true });
  assert.equal(await backend.command('count'), 1);
  const other = backend.request('activate-extension', { extensionId: 'other' });
  await assert.rejects(other, { code: 'unknown_extension' });
});

test('a failed activation fails its commands with the reason', async t => {
  const backend = await Backend.start(t, 'bad-activation', { activate: false });
  const activation = backend.send('activate-extension', { extensionId: 'bad-activation' });
  const command = backend.command('unreachable');
  const failure = { code: 'activation_failed', error: /no licence key/ };
  for (const reply of [activation.reply, command, backend.command('unreachable')]) {
    await assert.rejects(reply, error => {
      assert.equal(error.code, failure.code);
      assert.match(error.error, failure.error);
      return true;
    });
  }
  await backend.until(({ type }) => type === 'command-unregistered');
});

test('an extension without a main module says so at activation', async t => {
  const backend = await Backend.start(t, 'no-main', { activate: false });
  const activation = backend.request('activate-extension', { extensionId: 'no-main' });
  await assert.rejects(activation, { code: 'activation_failed' });
});

test('a command waits for an activation under way', async t => {
  const source = `exports.activate = async context => {
    await context.request('gate');
    context.commands.register('late', () => 'served');
  };`;
  const backend = await Backend.start(t, extensionOf(t, source), { activate: false });
  await assert.rejects(backend.command('late'), { code: 'not_active' });
  backend.on('gate', () => ({}));
  backend.send('activate-extension', {});
  assert.equal(await backend.command('late'), 'served');
});

test('deactivation runs the hook, disposes subscriptions in reverse and unregisters', async t => {
  const source = `
    exports.activate = context => {
      context.commands.register('x', () => 1);
      for (const n of [1, 2]) context.subscriptions.push({ dispose: () => context.request('order', n) });
      exports.deactivate = () => context.request('order', 0);
    };`;
  const backend = await Backend.start(t, extensionOf(t, source));
  backend.on('order', () => ({}));
  assert.deepEqual(await backend.request('deactivate-extension', {}), { success: true });
  const order = backend.received.filter(({ type }) => type === 'order').map(m => m.payload);
  assert.deepEqual(order, [0, 2, 1]);
  await backend.until(({ type }) => type === 'command-unregistered');
  await assert.rejects(backend.command('x'), { code: 'not_active' });
});

test('an unknown command and an unknown request type have codes of their own', async t => {
  const backend = await Backend.start(t, 'echo');
  for (const name of ['nothing', '__proto__', 'constructor']) {
    await assert.rejects(backend.command(name), { code: 'unknown_command' });
  }
  await assert.rejects(backend.request('no-such-type', {}), { code: 'unsupported_request' });
  assert.deepEqual(await backend.request('ping', {}), {});
});

test('what an extension throws becomes an error reply with its code', async t => {
  const backend = await Backend.start(t, 'echo');
  const coded = { error: 'disk is full', code: 'ENOSPC' };
  await assert.rejects(backend.command('throw', 'disk is full', 'ENOSPC'), coded);
  const plain = { error: 'oops', code: 'extension_error' };
  await assert.rejects(backend.command('throw', 'oops'), plain);
  await backend.until(({ stderr }) => stderr?.includes('Error: oops'));
});

test('whatever is thrown or returned, the host answers', async t => {
  const source = `exports.activate = ({ commands }) => {
    const hostile = { get message() { throw 1; }, get code() { throw 2; }, get then() { throw hostile; } };
    commands.register('reject', () => Promise.reject(null));
    commands.register('hostile', () => { throw hostile; });
    commands.register('thenable', () => hostile);
    commands.register('twice', () => ({ then(yes, no) { yes(1); no(2); yes(3); } }));
    commands.register('cycle', () => { const c = {}; c.c = c; return c; });
    commands.register('bigint', () => 1n);
    commands.register('function', () => () => {});
    commands.register('nothing', () => undefined);
    commands.register('surrogate', () => '\\ud800 \\\\ud800 \\u{1f600}');
    commands.register('deep', ([n]) => { let v = ']"'; for (let i = 0; i < n; i++) v = [v]; return v; });
  };`;
  const backend = await Backend.start(t, extensionOf(t, source));
  await assert.rejects(backend.command('reject'), { error: 'null', code: 'extension_error' });
  await assert.rejects(backend.command('hostile'), { code: 'extension_error' });
  await assert.rejects(backend.command('thenable'), { code: 'extension_error' });
  assert.equal(await backend.command('twice'), 1);
  for (const name of ['cycle', 'bigint', 'function']) {
    await assert.rejects(backend.command(name), { code: 'invalid_result' });
  }
  assert.equal(await backend.command('nothing'), null);
  assert.equal(await backend.command('surrogate'), '\ufffd \\ud800 \u{1f600}');
  await backend.command('deep', 62); // in {success, result}, in the envelope: 64
  await assert.rejects(backend.command('deep', 63), { code: 'invalid_result' });
});

test('cancel aborts the signal of that request only', async t => {
  const backend = await Backend.start(t, 'echo');
  const [first, second] = [1, 2].map(() => backend.send('executeCommand', { command: 'wait' }));
  backend.notify('cancel', { id: first.id });
  assert.equal((await first.reply).result, 'aborted');
  backend.notify('cancel', { id: second.id });
  assert.equal((await second.reply).result, 'aborted');
  backend.notify('cancel', { id: 'never-was' });
  assert.deepEqual(await backend.command('echo'), []);
});

test('an AbortError after a cancel has the code request_cancelled', async t => {
  const source = `const { setTimeout } = require('node:timers/promises');
    exports.activate = ({ commands }) =>
      commands.register('long', (_, { signal }) => setTimeout(1e8, null, { signal }));`;
  const backend = await Backend.start(t, extensionOf(t, source));
  const call = backend.send('executeCommand', { command: 'long' });
  backend.notify('cancel', { id: call.id });
  await assert.rejects(call.reply, { code: 'request_cancelled' });
});

test('progress comes before the reply', async t => {
  const backend = await Backend.start(t, 'echo');
  const call = backend.send('executeCommand', { command: 'partial' });
  assert.equal((await call.reply).result, 'done');
  assert.deepEqual(call.partials, [{ step: 1 }, { step: 2 }, { step: 3 }]);
});

test('a hanging command does not keep the host from serving', async t => {
  const backend = await Backend.start(t, 'echo');
  backend.send('executeCommand', { command: 'hang' });
  assert.deepEqual(await backend.request('ping', {}), {});
});

test('an uncaught exception is reported and the host goes on', async t => {
  const backend = await Backend.start(t, 'echo');
  await backend.command('uncaught', 'nobody caught me');
  const { payload } = await backend.until(({ type }) => type === 'log');
  assert.equal(payload.level, 'error');
  assert.match(payload.message, /uncaught exception in extension echo: nobody caught me/);
  assert.match(payload.fields.stack, /main\.js/);
  assert.deepEqual(await backend.command('echo', 1), [1]);
});

test('an unhandled rejection is reported and the host goes on', async t => {
  const source = `exports.activate = ({ commands }) =>
    commands.register('lose', () => { Promise.reject(new Error('lost')); });`;
  const backend = await Backend.start(t, extensionOf(t, source));
  await backend.command('lose');
  const { payload } = await backend.until(({ type }) => type === 'log');
  assert.match(payload.message, /unhandled rejection in extension probe: lost/);
  assert.deepEqual(await backend.request('ping', {}), {});
});

test('process.exit keeps its code, says who called it, and loses no earlier reply', async t => {
  const backend = await Backend.start(t, 'echo');
  const earlier = backend.prepare('executeCommand', { command: 'echo', args: ['last words'] });
  const exit = backend.prepare('executeCommand', { command: 'exit', args: [7] });
  backend.requests.write(Buffer.concat([earlier.bytes, exit.bytes]));
  assert.deepEqual((await earlier.reply).result, ['last words']);
  assert.deepEqual(await backend.exited, { code: 7, signal: null });
  assert.match(backend.stderr, /extension echo called process\.exit\(7\) at .*echo.main\.js/);
});

test('process.abort ends the host with its signal', async t => {
  const backend = await Backend.start(t, 'echo');
  backend.send('executeCommand', { command: 'crash' });
  assert.equal((await backend.exited).signal, 'SIGABRT');
});

test('the host ends at once when the backend closes the connection', async t => {
  const backend = await Backend.start(t, 'echo');
  backend.send('executeCommand', { command: 'hang' });
  backend.requests.end();
  assert.deepEqual(await backend.exited, { code: 0, signal: null });
});

test('SIGTERM deactivates and ends the host', async t => {
  const source = `exports.activate = () => {};
    exports.deactivate = () => process.stdout.write('goodbye');`;
  const backend = await Backend.start(t, extensionOf(t, source));
  backend.process.kill('SIGTERM');
  assert.deepEqual(await backend.exited, { code: 0, signal: null });
  assert.equal(backend.stdout, 'goodbye');
});

test('a deactivate that never ends does not hold up SIGTERM', async t => {
  const source = `exports.activate = () => {}; exports.deactivate = () => new Promise(() => {});`;
  const backend = await Backend.start(t, extensionOf(t, source));
  backend.process.kill('SIGTERM');
  assert.deepEqual(await backend.exited, { code: 0, signal: null });
});

test('the extension sees its environment without the connection', async t => {
  const env = { LANG: 'C.UTF-8', DSCODE_IPC_URL: 'ipc:///nowhere', BULKHEAD_OTHER: '1' };
  const backend = await Backend.start(t, 'echo', { env });
  assert.deepEqual(await backend.command('environment'), { LANG: 'C.UTF-8' });
});

test("stdout and stderr are the extension's", async t => {
  const backend = await Backend.start(t, 'echo');
  await backend.command('print', 'to out');
  await backend.command('print', 'to err', 'stderr');
  backend.requests.end();
  await backend.exited;
  assert.deepEqual([backend.stdout, backend.stderr], ['to out', 'to err']);
});

test('patched globals do not reach the channel', async t => {
  const source = `exports.activate = ({ commands }) => {
    commands.register('patch', () => {
      JSON.parse = JSON.stringify = Buffer.byteLength = process.nextTick = () => { throw new Error('patched'); };
      Buffer.prototype.toString = Buffer.prototype.write = JSON.parse;
      Object.prototype.then = undefined;
      return 'patched';
    });
    commands.register('echo', async args => args);
  };`;
  const backend = await Backend.start(t, extensionOf(t, source));
  assert.equal(await backend.command('patch'), 'patched');
  assert.deepEqual(await backend.command('echo', 'still here'), ['still here']);
});

/** An example whose backend keeps these files: their content by their path. */
async function startWithFiles(t, example, files) {
  const backend = await Backend.start(t, path.join(EXAMPLES, example), { activate: false });
  const found = name => {
    if (!files.has(name)) throw { error: 'no such file', code: 'file_not_found' };
    return files.get(name);
  };
  backend.on('fs.readFile', ({ path, encoding }) => ({ content: found(path), encoding }));
  backend.on('fs.stat', ({ path }) => ({ type: 'file', size: found(path).length, mtime: 0 }));
  backend.on('fs.writeFile', ({ path, content }) => (files.set(path, content), {}));
  backend.on('workspace-find-files', () => ({ files: [...files.keys()], complete: true }));
  const folders = { workspace: ['/workspace'], storage: '/storage' };
  await backend.request('activate-extension', { folders });
  return backend;
}

test('the examples do what they say', async t => {
  const greeter = await Backend.start(t, path.join(EXAMPLES, 'greeter'));
  greeter.on('window-show-message', () => ({}));
  assert.equal(await greeter.command('greet', 'you'), 'hello you');
  assert.deepEqual(greeter.received.at(-1).payload, { message: 'greeting you' });

  const files = new Map();
  const flaky = async () => {
    const backend = await startWithFiles(t, 'demo/extensions/flaky', files);
    const answer = backend.command('work', 3);
    return Promise.race([answer, backend.exited]);
  };
  assert.deepEqual(await flaky(), { code: 3, signal: null });
  assert.deepEqual(await flaky(), { code: 3, signal: null });
  assert.deepEqual(await flaky(), { attempt: 3, result: 9 });
});

test('the report counts documents and finds links that lead nowhere', async t => {
  const text =
    '# One two\n\n[a](#one-two) [b](#none) [c](other.md) [d](https://x.y)\n\n```\n[e](no.md)\n```\n';
  const files = new Map([['/workspace/page.md', text]]);
  const report = await startWithFiles(t, 'demo/extensions/report', files);
  assert.deepEqual(await report.command('report'), {
    documents: 1,
    words: 6,
    headings: 1,
    brokenLinks: [
      { file: 'page.md', line: 3, target: '#none' },
      { file: 'page.md', line: 3, target: 'other.md' },
    ],
  });
});
