'use strict';

// Compiles an extension's scripts and runs none of them:
//   node [flags of a host] compile.js <extension>
// with BULKHEAD_SCRIPTS_FD, a file with {"most": bytes, "scripts": [path, …]}, and
// BULKHEAD_CODE_FD, the file that the code goes into.

const fs = require('node:fs');
const path = require('node:path');
const { parse } = require('./primordials.js');
const { compile, isWithoutImport, writeBlob } = require('./code_blob.js');

/** {path, source, code} of a file of at most `most` bytes; undefined where there is none to be had. */
function compiled({ file, name, size }, most) {
  if (size > most) return undefined;
  try {
    const source = fs.readFileSync(file, 'utf8');
    if (!isWithoutImport(source)) return undefined;
    const code = compile(source, file, { produceCachedData: true }).cachedData;
    return code && { path: name, source, code };
  } catch {
    return undefined; // it is gone, or no CommonJS: a host will say what is wrong with it
  }
}

function main(target) {
  const { most, scripts } = parse(fs.readFileSync(Number(process.env.BULKHEAD_SCRIPTS_FD), 'utf8'));
  const isFile = fs.statSync(target).isFile();
  const found = scripts.map(name => {
    const file = isFile ? target : path.join(target, name);
    return { file, name, size: fs.statSync(file, { throwIfNoEntry: false })?.size ?? Infinity };
  });
  found.sort((one, other) => other.size - one.size); // where it saves most comes first
  const made = [];
  let room = most;
  for (const each of found) {
    const script = compiled(each, room);
    if (script === undefined) continue;
    room -= each.size + script.code.length;
    made.push(script);
  }
  writeBlob(Number(process.env.BULKHEAD_CODE_FD), most, made);
}

main(process.argv[2]);
