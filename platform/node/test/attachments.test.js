'use strict';

// Bytes beside the JSON: what an extension reads and writes of files, and what is no such frame.

const assert = require('node:assert/strict');
const { Attached, Backend, extensionOf, frame, test, uint32 } = require('./backend.js');

const MIB = 1 << 20;
const ATTACHED = 0x80000000;

/** An extension whose command `run` evaluates an expression with the context as `c`. */
const EXTENSION = `const { createHash } = require('node:crypto');
const sum = bytes => createHash('sha256').update(bytes).digest('hex');
exports.activate = c => {
  c.commands.register('run', ([text]) => eval(text));
};`;

async function start(t, ready = { attachments: true }, options = {}) {
  return Backend.start(t, extensionOf(t, EXTENSION), { ready, ...options });
}

/** Bytes of which no two neighbours are alike. */
function pattern(size) {
  return Buffer.from(Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
}

function sum(bytes) {
  return require('node:crypto').createHash('sha256').update(bytes).digest('hex');
}

/** The requests of that type: payload and attachment. */
function asked(backend, type) {
  return backend.received.filter(message => message.type === type);
}

for (const sockets of [false, true]) {
  const how = sockets ? ', over two sockets' : '';

  test(`bytes of a file are read beside the JSON, whatever their size${how}`, async t => {
    const backend = await start(t, { attachments: true }, { sockets });
    backend.on('fs.readFile', ({ path }) =>
      new Attached({ encoding: 'binary' }, pattern(Number(path))),
    );
    // Around what is copied, what one read brings, and what has a buffer of its own.
    for (const size of [0, 1, 4096, 200_000, (256 << 10) - 90, 256 << 10, MIB, 3 * MIB + 1]) {
      const read = `c.fs.readFile('${size}').then(b => [b instanceof Uint8Array, b.length, sum(b)])`;
      assert.deepEqual(await backend.command('run', read), [true, size, sum(pattern(size))]);
    }
    assert.deepEqual(asked(backend, 'fs.readFile')[0].payload, { path: '0', encoding: 'binary' });
  });

  test(`a request with an attachment is answered as one without${how}`, async t => {
    const backend = await start(t, { attachments: true }, { sockets });
    backend.requests.write(frame('attached', 'ping', {}, pattern(9)));
    const { type } = await backend.until(({ id }) => id === 'attached');
    assert.equal(type, 'ping-response');
  });
}

test('bytes are written beside the JSON, whatever kind of view they are in', async t => {
  const backend = await start(t);
  backend.on('fs.writeFile', () => ({}));
  await backend.command(
    'run',
    `(async () => {
      await c.fs.writeFile('a', new Uint8Array([9, 0, 255, 9]).subarray(1, 3), { create: false });
      await c.fs.writeFile('b', Buffer.alloc(0), { content: 'x', encoding: 'base64', path: 'y' });
      await c.fs.writeFile('c', Buffer.alloc(2 << 20, 'xyz'));
      await c.fs.writeFile('d', new Uint8Array(new SharedArrayBuffer(3)).fill(1));
      await c.fs.writeFile('e', [1, 2]);
      await c.fs.writeFile('f', 'text');
    })()`,
  );
  const written = asked(backend, 'fs.writeFile');
  assert.deepEqual(written[0].payload, { path: 'a', encoding: 'binary', create: false });
  assert.deepEqual(written[1].payload, { path: 'b', encoding: 'binary' });
  const bytes = [[0, 255], [], Buffer.alloc(2 * MIB, 'xyz'), [1, 1, 1], [1, 2]];
  for (const [i, expected] of bytes.entries()) {
    assert.ok(written[i].attachment.equals(Buffer.from(expected)), written[i].payload.path);
  }
  assert.deepEqual(written[5].payload, { path: 'f', content: 'text', encoding: 'utf8' });
  assert.equal(written[5].attachment, undefined);
});

test('text is read in the JSON all the same', async t => {
  const backend = await start(t);
  backend.on('fs.readFile', ({ encoding }) => ({ content: 'text', encoding }));
  assert.equal(await backend.command('run', `c.fs.readFile('a', 'utf8')`), 'text');
  assert.deepEqual(asked(backend, 'fs.readFile')[0].payload, { path: 'a', encoding: 'utf8' });
});

test('an attachment may come in any pieces, between frames that have none', async t => {
  const backend = await start(t);
  backend.on('fs.readFile', null); // answered by hand
  backend.on('other', null);
  backend.requests.setNoDelay?.(true);
  const bytes = pattern(300);
  for (let cut = 0; cut < 400; cut += 3) {
    const seen = asked(backend, 'fs.readFile').length;
    const read = backend.command(
      'run',
      `Promise.all([c.request('other'), c.fs.readFile('a'), c.request('other')]).then(
        ([before, b, after]) => [before, sum(b), after])`,
    );
    await backend.until(() => asked(backend, 'other').length === 2 * (seen + 1));
    const [first, last] = asked(backend, 'other').slice(-2);
    const { id } = asked(backend, 'fs.readFile').at(-1);
    const stream = Buffer.concat([
      frame(first.id, 'other-response', 'first'),
      frame(id, 'fs.readFile-response', { encoding: 'binary' }, bytes),
      frame(last.id, 'other-response', 'last'),
    ]);
    await new Promise(resolve => backend.replies.write(stream.subarray(0, cut), resolve));
    backend.replies.write(stream.subarray(cut));
    assert.deepEqual(await read, ['first', sum(bytes), 'last'], `cut at ${cut}`);
  }
});

test('a long attachment may come byte by byte', async t => {
  const backend = await start(t);
  backend.on('fs.readFile', null);
  const read = backend.command('run', `c.fs.readFile('a').then(b => [b.length, sum(b)])`);
  const { id } = await backend.until(({ type }) => type === 'fs.readFile');
  const bytes = pattern(400_000);
  const stream = frame(id, 'fs.readFile-response', { encoding: 'binary' }, bytes);
  const write = part => new Promise(resolve => backend.replies.write(part, resolve));
  for (let at = 0; at < 200; at++) await write(stream.subarray(at, at + 1));
  for (let at = 200; at < stream.length; at += 50_000) await write(stream.subarray(at, at + 50_000));
  assert.deepEqual(await read, [400_000, sum(bytes)]);
});

test('what was read stays what it is, whatever is read later', async t => {
  const backend = await start(t);
  backend.on('fs.readFile', ({ path }) =>
    new Attached({ encoding: 'binary' }, Buffer.alloc(Number(path), path.length)),
  );
  const sizes = [10, 5000, 100_000, 300_000, 2 * MIB, 11, 5001, 100_001, 300_001];
  const read = await backend.command(
    'run',
    `Promise.all(${JSON.stringify(sizes)}.map(size => c.fs.readFile(String(size)))).then(all =>
      all.map(b => b.every(byte => byte === String(b.length).length) && b.length))`,
  );
  assert.deepEqual(read, sizes);
});

test('an attachment that makes a frame too long is not sent', async t => {
  const limit = 64 << 10;
  const backend = await start(t, { attachments: true, frame: limit });
  backend.on('fs.writeFile', () => ({}));
  const write = size => backend.command('run', `c.fs.writeFile('a', Buffer.alloc(${size}))`);
  await write(1);
  const { id, type, payload } = asked(backend, 'fs.writeFile')[0];
  const rest = frame(String(Number(id) + 1), type, payload, Buffer.alloc(0)).length - 4;
  await write(limit - rest);
  await assert.rejects(write(limit - rest + 1), { code: 'payload_too_large' });
  assert.equal(asked(backend, 'fs.writeFile').length, 2);
});

test('without the word of the backend bytes travel as base64', async t => {
  for (const ready of [{}, { attachments: false }, { attachments: 1 }]) {
    const backend = await start(t, ready);
    backend.on('fs.writeFile', () => ({}));
    await backend.command('run', `c.fs.writeFile('a', Buffer.from([0, 255]))`);
    const [{ payload, attachment }] = asked(backend, 'fs.writeFile');
    assert.deepEqual(payload, { path: 'a', content: 'AP8=', encoding: 'base64' });
    assert.equal(attachment, undefined);
  }
});

test('an extension attaches nothing to a request of its own', async t => {
  const backend = await start(t);
  backend.on('other', () => ({}));
  await backend.command('run', `c.request('other', {}, {}, Buffer.from('x'))`);
  assert.equal(asked(backend, 'other')[0].attachment, undefined);
});

const body = Buffer.from('{"id":"","type":"cancel","payload":{}}');
for (const [what, bytes, ready] of [
  ['with an attachment that was not agreed on', frame('', 'cancel', {}, Buffer.alloc(9)), {}],
  ['whose JSON is empty', Buffer.concat([uint32(ATTACHED + 8), uint32(0), Buffer.alloc(4)])],
  ['whose JSON is longer', Buffer.concat([uint32(ATTACHED + 4 + body.length), uint32(99), body])],
  ['with no room for a length', uint32(ATTACHED + 4)],
  ['longer than 50 MiB', uint32(ATTACHED + 50 * MIB + 1)],
]) {
  test(`a frame ${what} ends the host`, async t => {
    const backend = await start(t, ready);
    backend.requests.write(bytes);
    assert.deepEqual(await backend.exited, { code: 76, signal: null });
    assert.match(backend.stderr, /the backend sent a frame/);
  });
}
