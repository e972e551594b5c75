'use strict';

// context.fs.createReadStream and createWriteStream: what they ask for, and when.

const assert = require('node:assert/strict');
const { Attached, Backend, extensionOf, test } = require('./backend.js');

const MIB = 1 << 20;

/** An extension whose command `run` evaluates an expression with the context as `c`. */
const EXTENSION = `const { createHash } = require('node:crypto');
const { once } = require('node:events');
const { Readable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const sum = bytes => createHash('sha256').update(bytes).digest('hex');
const told = promise => promise.then(value => ({ value }), ({ name, code }) => ({ name, code }));
exports.activate = c => {
  c.commands.register('run', ([text]) => eval(text));
};`;

/** Bytes of which no two neighbours are alike. */
function pattern(size) {
  return Buffer.from(Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
}

function sum(bytes) {
  return require('node:crypto').createHash('sha256').update(bytes).digest('hex');
}

/** A backend with these files, that keeps the open ones. */
async function start(t, files = new Map(), ready = { attachments: true }) {
  const backend = await Backend.start(t, extensionOf(t, EXTENSION), { ready });
  const open = new Map();
  let last = 0;
  const add = file => {
    open.set(String(++last), file);
    return { file: String(last) };
  };
  backend.on('fs.openRead', ({ path }) => {
    if (!files.has(path)) throw { error: 'no such file', code: 'file_not_found' };
    return { ...add({ bytes: files.get(path), at: 0 }), size: files.get(path).length };
  });
  backend.on('fs.openWrite', ({ path }) => add({ path, chunks: [] }));
  backend.on('fs.readChunk', ({ file, length, encoding }) => {
    const from = open.get(file);
    const chunk = from.bytes.subarray(from.at, from.at + length);
    from.at += chunk.length;
    if (encoding === 'binary') return new Attached({ encoding }, chunk);
    return { encoding, content: chunk.toString('base64') };
  });
  backend.on('fs.writeChunk', ({ file, content, encoding }, attachment) => {
    open.get(file).chunks.push(encoding === 'binary' ? attachment : Buffer.from(content, encoding));
    return {};
  });
  backend.on('fs.commitFile', ({ file }) => {
    files.set(open.get(file).path, Buffer.concat(open.get(file).chunks));
    open.delete(file);
    return {};
  });
  backend.on('fs.closeFile', ({ file }) => {
    assert.ok(open.delete(file));
    return {};
  });
  return Object.assign(backend, { files, open });
}

/** The types of the requests about open files, in their order. */
function steps(backend) {
  const types = backend.received.map(({ type }) => type);
  return types.filter(type => /^fs\.(open|readChunk|writeChunk|commit|close)/.test(type));
}

function asked(backend, type) {
  return backend.received.filter(message => message.type === type).map(({ payload }) => payload);
}

for (const ready of [{ attachments: true }, {}, { attachments: true, frame: 1024 }, { frame: 1024 }]) {
  const how = JSON.stringify(ready);

  test(`a file is read piece by piece to its end, as the host agreed: ${how}`, async t => {
    const size = ready.frame === undefined ? 3 * MIB + 5 : 5000;
    const backend = await start(t, new Map([['a', pattern(size)]]), ready);
    const read = `(async () => {
      const hash = createHash('sha256');
      let size = 0;
      for await (const chunk of c.fs.createReadStream('a')) size += hash.update(chunk) && chunk.length;
      return [size, hash.digest('hex')];
    })()`;
    assert.deepEqual(await backend.command('run', read), [size, sum(pattern(size))]);
    const { length, encoding } = asked(backend, 'fs.readChunk')[0];
    const onTheWire = encoding === 'base64' ? (length / 3) * 4 : length;
    if (ready.frame === undefined) assert.ok(length > MIB / 2, String(length));
    else assert.ok(onTheWire <= ready.frame / 2, String(length));
    await backend.until(({ type }) => type === 'fs.closeFile');
    assert.equal(backend.open.size, 0);
  });

  test(`a file is written piece by piece and committed at the end: ${how}`, async t => {
    const size = ready.frame === undefined ? 3 * MIB + 5 : 5000;
    const backend = await start(t, new Map([['a', pattern(size)]]), ready);
    const copy = `pipeline(c.fs.createReadStream('a'), c.fs.createWriteStream('b', { create: false }))`;
    await backend.command('run', copy);
    assert.ok(backend.files.get('b').equals(pattern(size)));
    assert.deepEqual(asked(backend, 'fs.openWrite'), [{ path: 'b', create: false }]);
    assert.equal(steps(backend).filter(type => type === 'fs.closeFile').length, 1); // of the reader
    assert.equal(backend.open.size, 0);
  });
}

test('a reader is asked for no more than it has room for', async t => {
  const backend = await start(t, new Map([['a', Buffer.alloc(20 * MIB)]]));
  await backend.command(
    'run',
    `(async () => {
      globalThis.stream = c.fs.createReadStream('a');
      await once(stream, 'readable');
    })()`,
  );
  for (let i = 0; i < 20; i++) await backend.request('ping', {});
  assert.equal(steps(backend).filter(type => type === 'fs.readChunk').length, 1);
  assert.equal(await backend.command('run', 'stream.read(1 << 20).length'), MIB);
  await backend.until(() => steps(backend).filter(type => type === 'fs.readChunk').length === 2);
});

test('what is written while a piece is under way leaves together, and no more than has room', async t => {
  const backend = await start(t);
  const wrote = await backend.command(
    'run',
    `(async () => {
      const stream = c.fs.createWriteStream('a');
      const full = [];
      for (let i = 0; i < 2000; i++) {
        const more = stream.write(Buffer.alloc(1024, i));
        if (!more) { full.push(stream.writableLength); await once(stream, 'drain'); }
      }
      stream.end('text');
      await once(stream, 'finish');
      return full;
    })()`,
  );
  assert.ok(wrote.length > 0 && wrote.every(length => length <= MIB + 1024), wrote);
  const written = backend.files.get('a');
  assert.equal(written.length, 2000 * 1024 + 4);
  assert.equal(written.subarray(-4).toString(), 'text');
  for (let i = 0; i < 2000; i++) assert.equal(written[i * 1024 + 512], i & 0xff);
  assert.ok(steps(backend).length < 20, steps(backend).length);
});

test('a writer has finished when the backend has put the file in place', async t => {
  const backend = await start(t);
  backend.on('fs.commitFile', null); // answered by hand
  await backend.command(
    'run',
    `globalThis.stream = c.fs.createWriteStream('a').on('finish', () => (globalThis.done = true)),
     globalThis.closed = once(stream, 'close'), stream.end('x'), 0`,
  );
  const { id, socket } = await backend.until(({ type }) => type === 'fs.commitFile');
  assert.equal(await backend.command('run', 'globalThis.done === undefined'), true);
  socket.write(require('./backend.js').frame(id, 'fs.commitFile-response', {}));
  assert.equal(await backend.command('run', `closed.then(() => done)`), true);
});

test('a writer that is given up leaves nothing', async t => {
  const backend = await start(t);
  const destroyed = `(async () => {
    const stream = c.fs.createWriteStream('a');
    stream.write('half');
    await new Promise(resolve => stream.once('drain', resolve).write(Buffer.alloc(2 << 20)));
    stream.destroy();
    await once(stream, 'close');
  })()`;
  await backend.command('run', destroyed);
  const failed = `told(pipeline(async function* () { yield 'half'; throw new RangeError(); },
    c.fs.createWriteStream('b')))`;
  assert.deepEqual(await backend.command('run', failed), { name: 'RangeError' });
  await backend.until(() => backend.open.size === 0);
  assert.ok(!steps(backend).includes('fs.commitFile'));
  assert.equal(backend.files.size, 0);
});

test('an aborted signal ends a stream and closes its file', async t => {
  const backend = await start(t, new Map([['a', Buffer.alloc(20 * MIB)]]));
  const aborted = `(async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const streams = [c.fs.createReadStream('a', { signal }), c.fs.createWriteStream('b', { signal })];
    const ends = streams.map(stream => told(once(stream, 'end')));
    await once(streams[0], 'readable');
    controller.abort();
    return Promise.all(ends);
  })()`;
  const end = { name: 'AbortError', code: 'ABORT_ERR' };
  assert.deepEqual(await backend.command('run', aborted), [end, end]);
  await backend.until(() => asked(backend, 'fs.closeFile').length === 2);
  assert.equal(backend.open.size, 0);
});

test('what the backend has no time for is asked again', async t => {
  const backend = await start(t, new Map([['a', pattern(2 * MIB)]]));
  const serve = new Map();
  for (const type of ['openRead', 'readChunk', 'openWrite', 'writeChunk', 'commitFile', 'closeFile']) {
    serve.set(type, backend.handler(`fs.${type}`));
    let tries = 0;
    backend.on(`fs.${type}`, (...asked) => {
      tries += 1;
      if (tries % 3 === 1) throw { error: 'no', code: 'rate_limited', retry_after_ms: 1 };
      if (tries % 3 === 2) throw { error: 'no', code: 'overloaded' };
      return serve.get(type)(...asked);
    });
  }
  await backend.command('run', `pipeline(c.fs.createReadStream('a'), c.fs.createWriteStream('b'))`);
  assert.ok(backend.files.get('b').equals(pattern(2 * MIB)));
});

test('what fails is the error of the stream, with its code', async t => {
  const backend = await start(t, new Map([['a', pattern(10)]]));
  const read = `told(pipeline(c.fs.createReadStream('none'), c.fs.createWriteStream('b')))`;
  assert.equal((await backend.command('run', read)).code, 'file_not_found');
  for (const type of ['fs.commitFile', 'fs.writeChunk', 'fs.readChunk', 'fs.openWrite']) {
    const serve = backend.handler(type);
    backend.on(type, () => {
      throw { error: 'no', code: 'path_denied' };
    });
    const copy = `told(pipeline(c.fs.createReadStream('a'), c.fs.createWriteStream('b')))`;
    assert.equal((await backend.command('run', copy)).code, 'path_denied', type);
    backend.on(type, serve);
    assert.ok(!backend.files.has('b'));
  }
});
