'use strict';

// Reads the workspace's Markdown and reports its size and the relative links that lead nowhere. Its own process sees none
// of these files: the backend reads them, as far as the policy allows.

const path = require('node:path');

const IGNORED = '**/{node_modules,build,.git}/**';

const FENCE = /^\s*(?:```|~~~)/;
const HEADING = /^#{1,6}\s+(.*?)\s*#*$/;
const LINK = /\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)/g;
const INLINE_CODE = /`[^`]*`/g;
const ABSOLUTE = /^(?:[a-z][a-z0-9+.-]*:|\/)/i;

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

async function isBroken(fs, target, file, documents) {
  const [place, anchor] = target.split('#');
  const linked = place === '' ? file : path.resolve(path.dirname(file), decodeURIComponent(place));
  const document = documents.get(linked);
  if (document !== undefined) return Boolean(anchor) && !document.anchors.has(decodeURIComponent(anchor).toLowerCase());
  return fs.stat(linked).then(
    () => false,
    () => true,
  );
}

async function report({ fs, folders, workspace }, { progress, signal }) {
  const documents = new Map();
  const files = (await workspace.findFiles('**/*.md', { exclude: IGNORED })).sort();
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
      if (!(await isBroken(fs, target, file, documents))) continue;
      result.brokenLinks.push({ file: path.relative(folders.workspace[0], file), line, target });
    }
  }
  return result;
}

exports.activate = context => {
  context.commands.register('report', (_, call) => report(context, call));
};
