'use strict';

const ts = require('typescript');

const compilerOptions = { target: ts.ScriptTarget.ES2020, module: ts.ModuleKind.CommonJS };

exports.transpile = (fileName, source) =>
  ts.transpileModule(source, { fileName, compilerOptions }).outputText;

// Outside of Bulkhead: `node transpile.js INPUT OUTPUT` does a whole folder.
if (require.main === module) {
  const fs = require('node:fs');
  const path = require('node:path');
  const [input, output] = process.argv.slice(2);
  for (const name of fs.readdirSync(input)) {
    const source = fs.readFileSync(path.join(input, name), 'utf8');
    fs.writeFileSync(path.join(output, name), exports.transpile(name, source));
  }
}
