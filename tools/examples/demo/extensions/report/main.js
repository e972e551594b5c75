'use strict';

// Reads a folder's Markdown and reports its size and the relative links that lead nowhere.

const fs = require('node:fs/promises');
const path = require('node:path');

const IGNORED_FOLDERS = new Set(['node_modules', 'build', '.git']);

const FENCE = /^\s*(?:```|~~~)/;
const HEADING = /^#{1,6}\s+(.*?)\s*#*$/;
const LINK = /\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)/g;
const INLINE_CODE = /`[^`]*`/g;
const ABSOLUTE = /^(?:[a-z][a-z0-9+.-]*:|\/)/i;

async function markdownFiles(folder) {
  const found = [];
  for (const entry of await fs.readdir(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory() && !IGNORED_FOLDERS.has(entry.name)) {
      found.push(...(await markdownFiles(file)));
    } else if (entry.isFile() && entry.name.endsWith('.md')) {
      found.push(file);
    }
  }
  return found.sort();
}

/** A heading's anchor, as GitHub makes it. */
function anchorOf(heading) {
  const text = heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '');
  return text.trim().replace(/\s/g, '-');
}

/** Words, anchors and relative links of one document; code in fences is neither. */
function parse(text) {
  const document = { words: 0, headings: 0, anchors: new Set(), links: [] };
  let fenced = false;
  for (const [index, line] of text.split('\n').entries()) {
    if (FENCE.test(line)) {
      fenced = !fenced;
      continue;
    }
    if (fenced) continue;
    document.words += line.split(/\s+/).filter(word => /[\p{L}\p{N}]/u.test(word)).length;
    const heading = HEADING.exec(line);
    if (heading !== null) {
      document.headings++;
      document.anchors.add(anchorOf(heading[1]));
    }
    for (const [, target] of line.replace(INLINE_CODE, '').matchAll(LINK)) {
      if (!ABSOLUTE.test(target)) document.links.push({ line: index + 1, target });
    }
  }
  return document;
}

async function exists(file) {
  return fs.access(file).then(
    () => true,
    () => false,
  );
}

async function isBroken(target, file, documents) {
  const [place, anchor] = target.split('#');
  const linked = place === '' ? file : path.resolve(path.dirname(file), decodeURIComponent(place));
  const document = documents.get(linked);
  if (document === undefined) return !(await exists(linked));
  return Boolean(anchor) && !document.anchors.has(decodeURIComponent(anchor).toLowerCase());
}

async function report(folder, { progress, signal }) {
  const documents = new Map();
  const files = await markdownFiles(path.resolve(folder));
  for (const file of files) {
    signal.throwIfAborted();
    documents.set(file, parse(await fs.readFile(file, 'utf8')));
    progress({ read: documents.size, of: files.length });
  }

  const result = { documents: files.length, words: 0, headings: 0, brokenLinks: [] };
  for (const [file, { words, headings, links }] of documents) {
    result.words += words;
    result.headings += headings;
    for (const { line, target } of links) {
      if (!(await isBroken(target, file, documents))) continue;
      result.brokenLinks.push({ file: path.relative(folder, file), line, target });
    }
  }
  return result;
}

exports.activate = context => {
  context.commands.register('report', ([folder = '.'], call) => report(folder, call));
};
