'use strict';

// context.fs, .workspace, .secrets and .folders: what they ask the backend for, and what comes back.

const assert = require('node:assert/strict');
const { Backend, extensionOf, frame, test } = require('./backend.js');

/** An extension whose command `run` evaluates an expression with the context as `c`. */
const EXTENSION = `exports.activate = c => {
  c.commands.register('run', ([text]) => eval(text));
};`;

async function start(t) {
  return Backend.start(t, extensionOf(t, EXTENSION));
}

/** The payloads of the requests of that type. */
function asked(backend, type) {
  return backend.received.filter(message => message.type === type).map(({ payload }) => payload);
}

test('a path may be a text or a URL object, and goes as the text that it prints as', async t => {
  const backend = await start(t);
  const types = ['stat', 'createDirectory', 'delete', 'rename', 'copy', 'writeFile'];
  for (const type of types) backend.on(`fs.${type}`, () => ({}));
  backend.on('fs.readFile', ({ encoding }) => ({ content: '', encoding }));
  backend.on('fs.readDirectory', () => ({ entries: [] }));
  const url = 'file:///a%20b/%C3%A4';
  await backend.command(
    'run',
    `(async () => {
      const url = new URL(${JSON.stringify(url)});
      for (const path of [url, '/plain %41']) {
        for (const one of ['stat', 'createDirectory', 'delete', 'readFile', 'readDirectory'])
          await c.fs[one](path);
        await c.fs.writeFile(path, 'x');
        await c.fs.rename(path, url);
        await c.fs.copy(url, path);
      }
    })()`,
  );
  for (const type of ['stat', 'createDirectory', 'delete', 'readFile', 'readDirectory', 'writeFile']) {
    assert.deepEqual(
      asked(backend, `fs.${type}`).map(({ path }) => path),
      [url, '/plain %41'],
      type,
    );
  }
  assert.deepEqual(asked(backend, 'fs.rename'), [
    { from: url, to: url },
    { from: '/plain %41', to: url },
  ]);
  assert.deepEqual(asked(backend, 'fs.copy'), [
    { from: url, to: url },
    { from: url, to: '/plain %41' },
  ]);
});

test('options can not put another path or content into a request', async t => {
  const backend = await start(t);
  for (const type of ['writeFile', 'rename', 'delete']) backend.on(`fs.${type}`, () => ({}));
  await backend.command(
    'run',
    `(async () => {
      await c.fs.writeFile('a', 'x', { path: 'b', content: 'y', encoding: 'base64', create: false });
      await c.fs.rename('a', 'b', { from: 'x', to: 'y', overwrite: true });
      await c.fs.delete('a', { path: 'b', recursive: true });
    })()`,
  );
  assert.deepEqual(asked(backend, 'fs.writeFile'), [
    { path: 'a', content: 'x', encoding: 'utf8', create: false },
  ]);
  assert.deepEqual(asked(backend, 'fs.rename'), [{ from: 'a', to: 'b', overwrite: true }]);
  assert.deepEqual(asked(backend, 'fs.delete'), [{ path: 'a', recursive: true }]);
});

test('bytes travel as base64, whatever kind of view they are in', async t => {
  const backend = await start(t);
  backend.on('fs.writeFile', () => ({}));
  backend.on('fs.readFile', ({ encoding }) => ({ content: 'AP8=', encoding }));
  const read = await backend.command(
    'run',
    `(async () => {
      await c.fs.writeFile('a', new Uint8Array([9, 0, 255, 9]).subarray(1, 3));
      const read = await c.fs.readFile('a');
      return [read instanceof Uint8Array, ...read];
    })()`,
  );
  assert.deepEqual(asked(backend, 'fs.writeFile')[0], {
    path: 'a',
    content: 'AP8=',
    encoding: 'base64',
  });
  assert.deepEqual(read, [true, 0, 255]);
});

test('changes that come in the same read as the reply to fs.watch reach its listener', async t => {
  const backend = await start(t);
  backend.on('fs.watch', null); // answered by hand
  const heard = backend.command(
    'run',
    `new Promise(resolve => {
      const all = [];
      c.fs.watch('a', changes => {
        all.push(...changes);
        if (all.length === 3) resolve(all);
      });
    })`,
  );
  const { id, payload } = await backend.until(({ type }) => type === 'fs.watch');
  assert.deepEqual(payload, { path: 'a' });
  const change = (watch, path) =>
    frame('', 'fs.changed', { watch, changes: [{ type: 'created', path }] });
  backend.requests.write(
    Buffer.concat([
      change('1', 'before'),
      change('2', 'of another'),
      frame(id, 'fs.watch-response', { watch: '1' }),
      change('1', 'with'),
      change('1', 'after'),
    ]),
  );
  assert.deepEqual(
    (await heard).map(({ path }) => path),
    ['before', 'with', 'after'],
  );
});

test('a listener hears nothing after it was disposed of, and what it throws harms nobody', async t => {
  const backend = await start(t);
  let watches = 0;
  backend.on('fs.watch', () => ({ watch: String(++watches) }));
  backend.on('fs.unwatch', () => ({}));
  await backend.command(
    'run',
    `(async () => {
      globalThis.heard = [];
      globalThis.first = await c.fs.watch('a', changes => heard.push('first', ...changes));
      await c.fs.watch('b', () => { throw new Error('a listener of mine'); });
      await c.fs.watch('c', changes => heard.push('third', ...changes));
    })()`,
  );
  const tell = () => {
    for (const watch of ['1', '2', '3']) backend.notify('fs.changed', { watch, changes: [watch] });
  };
  tell();
  assert.deepEqual(await backend.command('run', 'heard'), ['first', '1', 'third', '3']);
  await backend.until(({ payload }) => payload?.message?.includes('a listener of mine'));
  await backend.command('run', 'first.dispose(), first.dispose()');
  assert.deepEqual(asked(backend, 'fs.unwatch'), [{ watch: '1' }]);
  tell();
  assert.deepEqual(await backend.command('run', 'heard'), ['first', '1', 'third', '3', 'third', '3']);
});

test('what is no listener is refused before the backend is asked', async t => {
  const backend = await start(t);
  await assert.rejects(backend.command('run', `c.fs.watch('a', 'b')`), {
    error: 'the listener is no function',
    code: 'extension_error',
  });
  assert.deepEqual(asked(backend, 'fs.watch'), []);
});

test('notifications that nobody asked for are dropped', async t => {
  const backend = await start(t);
  for (const payload of [null, 7, {}, { watch: '1' }, { watch: '__proto__', changes: [] }]) {
    backend.notify('fs.changed', payload);
  }
  assert.equal(await backend.command('run', '1 + 1'), 2);
  assert.equal(backend.process.exitCode, null);
  assert.equal(backend.stderr, '');
});

test("the folders of the activation are the context's, frozen", async t => {
  const folders = { workspace: ['/w'], extension: '/e', storage: '/s', logs: '/l', temp: '/t' };
  const backend = await Backend.start(t, extensionOf(t, EXTENSION), { activate: false });
  await backend.request('activate-extension', { folders });
  assert.deepEqual(await backend.command('run', 'c.folders'), folders);
  const frozen = '[c.folders, c.folders.workspace].every(Object.isFrozen)';
  assert.equal(await backend.command('run', frozen), true);
});

test('secrets are requests with the key, and answers without their wrapping', async t => {
  const backend = await start(t);
  backend.on('secretGet', ({ key }) => ({ value: key === 'there' ? 'v' : null }));
  backend.on('secretStore', () => ({ success: true }));
  backend.on('secretDelete', ({ key }) => ({ success: key === 'there' }));
  backend.on('secretList', () => ({ keys: ['there'] }));
  const answers = await backend.command(
    'run',
    `Promise.all([c.secrets.get('there'), c.secrets.get('gone'), c.secrets.set('k', 'v'),
       c.secrets.delete('there'), c.secrets.delete('gone'), c.secrets.list()])`,
  );
  assert.deepEqual(answers, ['v', null, null, true, false, ['there']]);
  assert.deepEqual(asked(backend, 'secretStore'), [{ key: 'k', value: 'v' }]);
});

test('a command that is announced too fast is announced again, and activation waits', async t => {
  const source = `exports.activate = c => {
    for (const name of ['a', 'b', 'c', 'd']) c.commands.register(name, () => name);
  };`;
  const backend = await Backend.start(t, extensionOf(t, source), { activate: false });
  const known = [];
  let tries = 0;
  backend.on('command-registered', ({ command }) => {
    tries += 1;
    if (command !== 'a' && tries < 8) {
      if (tries % 2 === 0) throw { error: 'too many', code: 'overloaded' };
      throw { error: 'too fast', code: 'rate_limited', retry_after_ms: 1 };
    }
    known.push(command);
    return {};
  });
  await backend.request('activate-extension', {});
  assert.deepEqual(known, ['a', 'b', 'c', 'd']);
  assert.equal(tries, 10); // four at once, and then one after the other
});

test('a command that the backend refuses for good is not announced again', async t => {
  const source = `exports.activate = c => { c.commands.register('a', () => 'served'); };`;
  const backend = await Backend.start(t, extensionOf(t, source), { activate: false });
  backend.on('command-registered', () => {
    throw { error: 'never', code: 'permission_denied' };
  });
  await backend.request('activate-extension', {});
  assert.equal(asked(backend, 'command-registered').length, 1);
  await backend.until(({ type, payload }) => type === 'log' && payload.message.includes('never'));
  assert.equal(await backend.command('a'), 'served');
});
