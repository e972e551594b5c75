'use strict';

// Framing, transports, and the requests that an extension sends.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { Backend, extensionOf, frame, test } = require('./backend.js');

const MIB = 1 << 20;

test('a frame may come one byte at a time', async t => {
  const backend = await Backend.start(t, 'echo');
  const call = backend.prepare('executeCommand', { command: 'echo', args: ['ä', 'b'] });
  backend.requests.setNoDelay?.(true);
  for (const byte of call.bytes) {
    await new Promise(resolve => backend.requests.write(Buffer.of(byte), resolve));
  }
  assert.deepEqual((await call.reply).result, ['ä', 'b']);
});

test('many frames of one write are answered, each with its own', async t => {
  const backend = await Backend.start(t, 'echo');
  const texts = ['plain', 'ümlaut', '"quoted\\"', 'long '.repeat(1000), '\u{1f600}'];
  const calls = Array.from({ length: 5000 }, (_, i) => {
    const args = [i, texts[i % texts.length]];
    return { args, ...backend.prepare('executeCommand', { command: 'echo', args }) };
  });
  backend.requests.write(Buffer.concat(calls.map(call => call.bytes)));
  for (const { args, reply } of calls) assert.deepEqual((await reply).result, args);
});

test('5 MiB travel both ways, and small messages around them keep their order', async t => {
  const backend = await Backend.start(t, 'echo');
  for (const big of ['x'.repeat(5 * MIB), 'ü€'.repeat(MIB)]) {
    const answered = [];
    const calls = ['before', big, 'after'].map(arg => {
      const reply = backend.command('echo', arg);
      return reply.then(([text]) => answered.push(text));
    });
    await Promise.all(calls);
    assert.ok(answered[0] === 'before' && answered[1] === big && answered[2] === 'after');
  }
});

test('a result longer than a frame is an error reply', async t => {
  const source = `exports.activate = ({ commands }) =>
    commands.register('huge', ([size]) => 'x'.repeat(size));`;
  const backend = await Backend.start(t, extensionOf(t, source), { ready: { frame: MIB } });
  assert.equal((await backend.command('huge', MIB - 1000)).length, MIB - 1000);
  await assert.rejects(backend.command('huge', MIB), { code: 'payload_too_large' });
  const unlimited = await Backend.start(t, extensionOf(t, source));
  await assert.rejects(unlimited.command('huge', 50 * MIB), { code: 'payload_too_large' });
});

test('ids and types with escapes come back as they were', async t => {
  const backend = await Backend.start(t, 'echo');
  const id = '"},\\\u0001ä';
  backend.requests.write(frame(id, 'a "type"', {}));
  const reply = await backend.until(message => message.id === id);
  assert.deepEqual([reply.type, reply.payload.code], ['a "type"-error', 'unsupported_request']);
});

test('an envelope in another order is understood', async t => {
  const backend = await Backend.start(t, 'echo');
  const body = Buffer.from('{ "payload": {}, "type": "ping", "id": "other" }');
  const header = Buffer.alloc(4);
  header.writeUInt32BE(body.length);
  backend.requests.write(Buffer.concat([header, body]));
  assert.equal((await backend.until(({ id }) => id === 'other')).type, 'ping-response');
});

for (const [what, bytes] of [
  ['length 0', Buffer.from([0, 0, 0, 0])],
  ['a length above the limit', Buffer.from([0xff, 0xff, 0xff, 0xff])],
  ['no JSON', Buffer.from([0, 0, 0, 2, 0x7b, 0x7b])],
  ['no message', Buffer.from([0, 0, 0, 2, 0x7b, 0x7d])],
]) {
  test(`a frame of ${what} ends the host`, async t => {
    const backend = await Backend.start(t, 'echo');
    backend.requests.write(bytes);
    assert.deepEqual(await backend.exited, { code: 76, signal: null });
    assert.match(backend.stderr, /the backend sent a frame/);
  });
}

test('the key __proto__ is inert in payloads, results and errors', async t => {
  const source = `exports.activate = ({ commands, request }) => {
    commands.register('look', ([value]) =>
      [value.polluted === undefined, Object.keys(value), ({}).polluted === undefined]);
    commands.register('fail', () => request('fail').catch(e =>
      [e.polluted === undefined, e instanceof Error, e.message, e.permission]));
  };`;
  const backend = await Backend.start(t, extensionOf(t, source));
  const value = JSON.parse('{"__proto__": {"polluted": 1}}');
  assert.deepEqual(await backend.command('look', value), [true, ['__proto__'], true]);
  backend.on('fail', () => {
    throw JSON.parse(
      '{"error": "no", "permission": "p", "__proto__": {"polluted": 1}, "stack": 1}',
    );
  });
  assert.deepEqual(await backend.command('fail'), [true, true, 'no', 'p']);
});

test('a request of the extension gets its reply, or an error with all its members', async t => {
  const source = `exports.activate = ({ commands, request }) => {
    commands.register('good', async () => request('good', { n: 1 }));
    commands.register('bad', () => request('bad').catch(error => ({ ...error, message: error.message })));
  };`;
  const backend = await Backend.start(t, extensionOf(t, source));
  backend.on('good', ({ n }) => ({ m: n + 1 }));
  assert.deepEqual(await backend.command('good'), { m: 2 });
  const denial = { code: 'permission_denied', permission: 'fileSystem.read', retry_after_ms: 5 };
  backend.on('bad', () => {
    throw { error: 'not yours', ...denial };
  });
  const expected = { name: 'RequestError', message: 'not yours', ...denial };
  assert.deepEqual(await backend.command('bad'), expected);
});

test('many requests leave in pieces: the backend has the first while the extension goes on', async t => {
  const source = `const { existsSync } = require('node:fs');
  exports.activate = ({ commands, request }) => {
    commands.register('burst', async ([sign]) => {
      await null; // not while the command is being read
      const asked = Array.from({ length: 65 }, (_, i) => request('double', { i }));
      const until = Date.now() + 10_000;
      while (!existsSync(sign) && Date.now() < until);
      return { seen: existsSync(sign), answers: await Promise.all(asked) };
    });
  };`;
  const extension = extensionOf(t, source);
  const sign = path.join(path.dirname(extension), 'sign');
  const backend = await Backend.start(t, extension);
  backend.on('double', ({ i }) => {
    fs.writeFileSync(sign, '');
    return 2 * i;
  });
  const expected = Array.from({ length: 65 }, (_, i) => 2 * i);
  assert.deepEqual(await backend.command('burst', sign), { seen: true, answers: expected });
});

test('an error of the backend has no stack, and costs the extension none of its own', async t => {
  const source = `exports.activate = ({ commands, request }) => {
    commands.register('stack', () => request('bad').catch(error => error.stack));
    commands.register('own', () => new Error('own').stack.split('\\n').length > 1);
    commands.register('freeze', () => Object.isFrozen(Object.freeze(Error)));
  };`;
  const backend = await Backend.start(t, extensionOf(t, source));
  backend.on('bad', () => {
    throw { error: 'not yours' };
  });
  assert.equal(await backend.command('stack'), 'RequestError: not yours');
  assert.equal(await backend.command('own'), true);
  assert.equal(await backend.command('freeze'), true);
  assert.match(await backend.command('stack'), /^RequestError: not yours/);
});

test('a request of the extension can time out, be aborted, and be refused', async t => {
  const source = `exports.activate = ({ commands, request }) => {
    const code = error => error.name + ' ' + error.code;
    commands.register('late', () => request('silent', {}, { timeoutMs: 1 }).catch(code));
    commands.register('abort', () => {
      const controller = new AbortController();
      const asked = request('silent', {}, { signal: controller.signal }).catch(code);
      controller.abort();
      return asked;
    });
    commands.register('aborted', () => request('silent', {}, { signal: AbortSignal.abort() }).catch(code));
    commands.register('refused', () => Promise.all(
      [['x-response'], [''], ['x'.repeat(120)], ['x', 1n]].map(args => request(...args).catch(code))));
  };`;
  const backend = await Backend.start(t, extensionOf(t, source));
  backend.on('silent', null);
  assert.equal(await backend.command('late'), 'RequestError request_timeout');
  assert.equal(await backend.command('abort'), 'AbortError request_cancelled');
  assert.equal(await backend.command('aborted'), 'AbortError request_cancelled');
  const invalid = 'RequestError invalid_request';
  const refused = [invalid, invalid, invalid, 'RequestError invalid_payload'];
  assert.deepEqual(await backend.command('refused'), refused);
  for (const { id, socket } of backend.received.filter(({ type }) => type === 'silent')) {
    socket.write(frame(id, 'silent-response', {})); // too late, and ignored
  }
  assert.deepEqual(await backend.request('ping', {}), {});
});

test('past the cap of open requests the next one is overloaded', async t => {
  const source = `exports.activate = ({ commands, request }) => {
    commands.register('flood', async ([count]) => {
      const asked = Array.from({ length: count }, () => request('silent', {}, { timeoutMs: 200 }));
      const codes = (await Promise.allSettled(asked)).map(({ reason }) => reason.code);
      return codes.filter(code => code === 'overloaded').length;
    });
  };`;
  const backend = await Backend.start(t, extensionOf(t, source));
  backend.on('silent', null);
  assert.equal(await backend.command('flood', 1030), 6);
  const ids = backend.received.filter(({ type }) => type === 'silent').map(({ id }) => id);
  assert.equal(new Set(ids).size, 1024);
  const small = await Backend.start(t, extensionOf(t, source), { ready: { in_flight: 4 } });
  small.on('silent', null);
  assert.equal(await small.command('flood', 10), 6);
});

test('a backend that does not read stops the host from reading, not from living', async t => {
  const backend = await Backend.start(t, 'echo');
  const big = 'x'.repeat(MIB);
  backend.requests.pause();
  const replies = Array.from({ length: 40 }, (_, i) => backend.command('echo', i, big));
  backend.requests.resume();
  for (const [i, reply] of replies.entries()) assert.equal((await reply)[0], i);
});

test('commands are announced, and a refused announcement is only logged', async t => {
  const source = `exports.activate = ({ commands }) => {
    const first = commands.register('first', () => 1);
    commands.register('second', () => 2);
    first.dispose();
    first.dispose();
    try { commands.register('second', () => 3); } catch (error) { if (error.code !== 'command_exists') throw error; }
  };`;
  const backend = await Backend.start(t, extensionOf(t, source), { activate: false });
  backend.on('command-unregistered', () => {
    throw { error: 'not today' };
  });
  await backend.request('activate-extension', {});
  const { payload } = await backend.until(({ type }) => type === 'log');
  assert.equal(payload.level, 'warn');
  assert.match(payload.message, /command-unregistered "first": not today/);
  const announced = backend.received.filter(({ type }) => type.startsWith('command-'));
  const summary = announced.map(({ type, payload }) => [type, payload.command]);
  assert.deepEqual(summary, [
    ['command-registered', 'first'],
    ['command-registered', 'second'],
    ['command-unregistered', 'first'],
  ]);
});

test('the context is frozen and its services are requests', async t => {
  const source = `exports.activate = context => {
    const { commands, fs, workspace, secrets, log } = context;
    commands.register('frozen', () => [context, commands, fs, secrets, log, context.manifest].every(Object.isFrozen));
    commands.register('read', async () => [
      await fs.readFile('a', 'utf8'), [...(await fs.readFile('a'))], await secrets.get('k'),
      await workspace.findFiles('*.md', { maxResults: 2 }),
    ]);
    commands.register('log', () => log.info('hello', { n: 1 }));
  };`;
  const backend = await Backend.start(t, extensionOf(t, source));
  assert.equal(await backend.command('frozen'), true);
  backend.on('fs.readFile', ({ encoding }) => ({ content: 'AAAA', encoding }));
  backend.on('secretGet', ({ key }) => ({ value: `${key}!` }));
  backend.on('workspace-find-files', ({ include, maxResults }) => ({
    files: [include, maxResults],
  }));
  assert.deepEqual(await backend.command('read'), ['AAAA', [0, 0, 0], 'k!', ['*.md', 2]]);
  backend.on('log', () => {
    throw { error: 'full' };
  });
  await backend.command('log');
  const entry = { level: 'info', message: 'hello', fields: { n: 1 } };
  assert.deepEqual(backend.received.at(-1).payload, entry);
  await backend.until(({ stderr }) => stderr?.includes('info: hello (not logged: full)'));
});

test("over two sockets each direction's requests have their own", async t => {
  const backend = await Backend.start(t, 'echo', { sockets: true });
  backend.on('question', () => ({ answer: 42 }));
  assert.deepEqual(await backend.command('ask', 'question', {}), { answer: 42 });
  assert.ok(backend.received.every(({ socket }) => socket === backend.replies));
  const [big] = await backend.command('echo', 'x'.repeat(5 * MIB));
  assert.equal(big.length, 5 * MIB);
  const exit = await Promise.race([backend.exited, backend.requests.end() && backend.exited]);
  assert.deepEqual(exit, { code: 0, signal: null });
});

test('a host without a connection says what is missing', async t => {
  const { spawnSync } = require('node:child_process');
  const bootstrap = require.resolve('../bootstrap.js');
  const { status, stderr } = spawnSync(process.execPath, [bootstrap, __dirname], { env: {} });
  assert.equal(status, 64);
  assert.match(String(stderr), /neither BULKHEAD_IPC_FD nor both/);
});
