'use strict';

// What a compile cache for the bootstrap itself would save: processes under the flags of a contained
// host that load its files in three ways, in turns, and how much more each takes than one that loads
// nothing. docs/starts.md has the figures.
//
//   node tools/benchmarks/bootstrap_cache.js [rounds]

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const SOURCES = path.join(__dirname, '../../platform/node');
// What bootstrap.js loads before it connects.
const LOADED = ['primordials', 'channel', 'extension', 'frames', 'errors', 'transport'];
const FLAGS = ['--max-old-space-size=384', '--disallow-code-generation-from-strings'];

/** All files as one function, so that one script has to be read and compiled. */
function joined() {
  const files = fs.readdirSync(SOURCES).filter(each => each.endsWith('.js'));
  const bodies = files.map(each => {
    const source = fs.readFileSync(path.join(SOURCES, each), 'utf8');
    return `'./${each}': (module, exports, require, __dirname) => {${source}\n}`;
  });
  return `(outer => {
    const bodies = {${bodies.join(',\n')}};
    const loaded = new Map();
    const load = name => {
      if (!(name in bodies)) return outer(name);
      if (!loaded.has(name)) {
        const module = { exports: {} };
        loaded.set(name, module);
        bodies[name](module, module.exports, load, ${JSON.stringify(SOURCES)});
      }
      return loaded.get(name).exports;
    };
    ${LOADED.map(each => `load('./${each}.js');`).join('\n')}
  })`;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

function measure(folder, rounds) {
  const write = (name, content) => {
    fs.writeFileSync(path.join(folder, name), content);
    return path.join(folder, name);
  };
  const source = write('joined.txt', joined());
  const program = body => `'use strict';\n${body}\nprocess.stdout.write(String(cpu()));\n`;
  const cpu = 'const cpu = () => { const { user, system } = process.cpuUsage(); return user + system; };\n';
  const fromScript = options => `const fs = require('node:fs');
    const { Script } = require('node:vm');
    const script = new Script(fs.readFileSync('${source}', 'utf8'), { filename: 'joined.js'${options} });
    script.runInThisContext()(require);`;

  const nothing = write('nothing.js', cpu + program(''));
  const ways = {
    'its files': write(
      'files.js',
      cpu + program(LOADED.map(each => `require('${SOURCES}/${each}.js');`).join('\n')),
    ),
    'one file': write('one.js', cpu + program(`(${joined()})(require);`)),
    'one file, compiled before': write(
      'compiled.js',
      cpu +
        program(
          fromScript(`, cachedData: fs.readFileSync('${folder}/cache')`) +
            `\nif (script.cachedDataRejected) throw new Error('V8 did not take the code');`,
        ),
    ),
  };
  // V8 takes code only under the flags that it was made under; run first, so that it has all functions.
  const maker = write(
    'make.js',
    cpu + program(`${fromScript('')}\nfs.writeFileSync('${folder}/cache', script.createCachedData());`),
  );
  const run = file => Number(execFileSync(process.execPath, [...FLAGS, file])) / 1000;
  run(maker);

  const base = [];
  const more = Object.fromEntries(Object.keys(ways).map(way => [way, []]));
  for (let i = 0; i < rounds; i++) {
    const least = run(nothing);
    base.push(least);
    for (const way in ways) more[way].push(run(ways[way]) - least);
  }
  const quarter = (values, part) => [...values].sort((a, b) => a - b)[Math.floor(values.length * part)];
  const line = (name, values) =>
    console.log(
      `${name.padEnd(28)} ${median(values).toFixed(1)} ms (half of the rounds ` +
        `${quarter(values, 0.25).toFixed(1)} to ${quarter(values, 0.75).toFixed(1)})`,
    );
  console.log(`Node ${process.version}, ${rounds} rounds, CPU time until everything is loaded`);
  line('Node alone', base);
  for (const way in ways) line(`+ ${way}`, more[way]);
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bulkhead-bootstrap-'));
try {
  measure(folder, Number(process.argv[2] ?? 40));
} finally {
  fs.rmSync(folder, { recursive: true });
}
