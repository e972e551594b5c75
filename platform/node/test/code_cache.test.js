'use strict';

// Scripts that were compiled in another process: when their code is taken, and that nobody can tell.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { Backend, extensionOf, test } = require('./backend.js');

const COMPILE = path.join(__dirname, '..', 'compile.js');
const MOST = 1 << 20;

// What makes a script long enough to be worth it.
const LENGTH = `\n// ${'-'.repeat(5000)}\n`;

const ACTIVATE = 'exports.activate = () => {};';

/** A folder with an extension; {name: source}. */
function folderOf(t, files) {
  const folder = path.dirname(extensionOf(t, '{}', 'package.json'));
  for (const [name, source] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.writeFileSync(path.join(folder, name), source);
  }
  return folder;
}

/** The descriptor of a file that is the test's alone. */
function fileOf(t, content) {
  const file = extensionOf(t, content, 'file');
  const fd = fs.openSync(file, 'r+');
  t.after(() => fs.closeSync(fd));
  return fd;
}

/** Runs compile.js; returns the descriptor of what it made. */
function compiledOf(t, target, scripts, { most = MOST, flags = [] } = {}) {
  const code = fileOf(t, '');
  const asked = fileOf(t, JSON.stringify({ most, scripts }));
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, COMPILE, target], {
    env: { BULKHEAD_SCRIPTS_FD: '3', BULKHEAD_CODE_FD: '4' },
    stdio: ['ignore', 'pipe', 'pipe', asked, code],
  });
  assert.deepEqual([status, String(stdout), String(stderr)], [0, '', '']);
  return code;
}

/** A host that finds the code there, or none. */
function startWith(t, target, code, options = {}) {
  const env = { BULKHEAD_CODE_CACHE: code === undefined ? '' : '4' };
  const inherited = code === undefined ? [] : [code];
  return Backend.start(t, target, { env, inherited, ...options });
}

test('a host without a code cache has nothing to say of one', async t => {
  const backend = await Backend.start(t, extensionOf(t, ACTIVATE + LENGTH));
  assert.deepEqual(backend.activation, { success: true });
});

test('a host names the scripts that it compiled, but for short ones and those of others', async t => {
  const outside = extensionOf(t, LENGTH, 'outside.js');
  const folder = folderOf(t, {
    'index.js':
      `require('./lib/long.js'); require('./short.js'); require(${JSON.stringify(outside)});` +
      ACTIVATE + LENGTH,
    'lib/long.js': LENGTH,
    'short.js': '',
  });
  const { activation } = await startWith(t, folder);
  const loaded = ['index.js', 'lib/long.js'];
  assert.deepEqual(activation, { success: true, code: { used: 0, loaded } });
});

test('what was compiled is taken, of folders and of single files', async t => {
  const folder = folderOf(t, {
    'index.js': `require('./lib/long.js'); ${ACTIVATE}${LENGTH}`,
    'lib/long.js': LENGTH,
  });
  const whole = compiledOf(t, folder, ['index.js', 'lib/long.js']);
  const { activation } = await startWith(t, folder, whole);
  assert.deepEqual(activation.code, { used: 2, loaded: [] });

  const single = extensionOf(t, ACTIVATE + LENGTH, 'probe.js');
  const one = await startWith(t, single, compiledOf(t, single, ['probe.js']));
  assert.deepEqual(one.activation.code, { used: 1, loaded: [] });
});

test('compiling runs nothing', t => {
  const folder = folderOf(t, {
    'index.js': `require('fs').writeFileSync(__dirname + '/trace', ''); process.exit(9);${LENGTH}`,
  });
  compiledOf(t, folder, ['index.js']);
  assert.equal(fs.existsSync(path.join(folder, 'trace')), false);
});

test('a script that was changed to another of the same length runs as it is now', async t => {
  const source = answer =>
    `exports.activate = c => c.commands.register('answer', () => ${answer});${LENGTH}`;
  const file = extensionOf(t, source('11'));
  const code = compiledOf(t, file, ['probe.js']);
  fs.writeFileSync(file, source('22'));
  const backend = await startWith(t, file, code);
  assert.equal(await backend.command('answer'), 22);
  assert.deepEqual(backend.activation.code, { used: 0, loaded: ['probe.js'] });
});

test('code of other flags is not taken, and the script compiled', async t => {
  const file = extensionOf(t, ACTIVATE + LENGTH);
  const code = compiledOf(t, file, ['probe.js'], { flags: ['--max-old-space-size=99'] });
  const same = await startWith(t, file, code, { node: ['--max-old-space-size=99'] });
  assert.equal(same.activation.code.used, 1);
  const other = await startWith(t, file, code, { node: ['--disallow-code-generation-from-strings'] });
  assert.deepEqual(other.activation.code, { used: 0, loaded: [] });
});

test('what is no compiled code, or was not written to its end, is none', async t => {
  const file = extensionOf(t, ACTIVATE + LENGTH);
  const whole = fs.readFileSync(`/proc/self/fd/${compiledOf(t, file, ['probe.js'])}`);
  const begun = Buffer.concat([Buffer.alloc(20), whole.subarray(20)]);
  const cut = whole.subarray(0, whole.length - 1);
  const other = Buffer.concat([Buffer.from('X'), whole.subarray(1)]);
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(4096), begun, cut, other]) {
    const { activation } = await startWith(t, file, fileOf(t, bytes));
    assert.deepEqual(activation.code, { used: 0, loaded: ['probe.js'] });
  }
});

test('what is no script, and what has no room, is left out', async t => {
  const folder = folderOf(t, {
    'index.js': `require('./other.js'); ${ACTIVATE}${LENGTH}`,
    'other.js': LENGTH + LENGTH,
    'wrong.js': `export default 1;${LENGTH}`,
  });
  const names = ['wrong.js', 'gone.js', 'index.js', 'other.js'];
  const { activation } = await startWith(t, folder, compiledOf(t, folder, names));
  assert.equal(activation.code.used, 2);
  const code = compiledOf(t, folder, names, { most: 14_000 });
  assert.ok(fs.fstatSync(code).size <= 14_000);
  const less = await startWith(t, folder, code);
  assert.deepEqual(less.activation.code, { used: 1, loaded: ['index.js'] });
});

test('a script with compiled code sees and does what it would without', async t => {
  const probe = `#!/usr/bin/env node
const facts = {
  stack: new Error('here').stack.split('\\n').slice(0, 2),
  strict: (function () { return this === undefined; })(),
  own: [this === exports, this === module.exports, arguments.length, typeof require.extensions],
  callee: arguments[1] === require,
  files: [__filename, __dirname, module.filename, module.id, module.loaded, module.parent?.id],
  main: [require.main === module, require.main === process.mainModule],
  cached: [require.cache[__filename] === module, require.resolve('./beside.js')],
  paths: require.resolve.paths('x'),
  beside: require('./beside.js'),
  children: module.children.map(({ id }) => id),
};
exports.activate = context => {
  context.commands.register('facts', () => facts);
  context.commands.register('fail', () => { throw new TypeError('it failed'); });
};
`;
  const folder = folderOf(t, {
    'index.js': probe + LENGTH,
    'beside.js': `'use strict'; exports.strict = (function () { return this === undefined; })();
      try { null.x } catch (error) { exports.stack = error.stack.split('\\n').slice(0, 2); }${LENGTH}`,
  });
  const code = compiledOf(t, folder, ['index.js', 'beside.js']);
  const hosts = [await startWith(t, folder, code), await startWith(t, folder)];
  assert.deepEqual(hosts.map(({ activation }) => activation.code.used), [2, 0]);
  const told = async backend => ({
    facts: await backend.command('facts'),
    failure: await backend.command('fail').catch(({ error, code: why }) => [error, why]),
  });
  const [with_, without] = [await told(hosts[0]), await told(hosts[1])];
  assert.deepEqual(with_, without);
  assert.match(with_.facts.stack[1], /index\.js:3:10\)$/);
});

test('a script with import() is left out, and imports as ever', async t => {
  const folder = folderOf(t, {
    'index.js': `require('./plain.js');
      exports.activate = context => {
        context.commands.register('import', async name => (await import\n(name)).default);
      };${LENGTH}`,
    'plain.js': `exports.word = 'import';${LENGTH}`,
    'module.mjs': 'export default "imported";',
    'node_modules/named/index.js': 'module.exports = "by its name";',
  });
  const backend = await startWith(t, folder, compiledOf(t, folder, ['index.js', 'plain.js']));
  assert.deepEqual(backend.activation.code, { used: 1, loaded: ['index.js'] });
  assert.equal(await backend.command('import', './module.mjs'), 'imported');
  assert.equal(await backend.command('import', 'named'), 'by its name');
  assert.equal(backend.stderr, '');
});

test('a host that is to wait looks for the code once it has its extension', async t => {
  const file = extensionOf(t, ACTIVATE + LENGTH);
  const code = compiledOf(t, file, ['probe.js']);
  const env = { BULKHEAD_CODE_CACHE: '4', BULKHEAD_SPARE: '1' };
  const { activation } = await Backend.start(t, file, { env, inherited: [code] });
  assert.deepEqual(activation.code, { used: 1, loaded: [] });
});

test('an extension that changes how Node compiles has it so', async t => {
  const folder = folderOf(t, {
    'index.js': `const Module = require('module');
      const wrap = Module.wrap;
      Module.wrap = source => wrap('exports.wrapped = true;' + source);
      const { wrapped } = require('./later.js');
      exports.activate = c => c.commands.register('wrapped', () => wrapped);${LENGTH}`,
    'later.js': LENGTH,
  });
  const backend = await startWith(t, folder, compiledOf(t, folder, ['index.js', 'later.js']));
  assert.equal(await backend.command('wrapped'), true);
  assert.equal(backend.activation.code.used, 1);
});
