'use strict';

// A value as JSON text that the backend's strict reader accepts.

const { stringify } = require('./primordials.js');
const { RequestError } = require('./errors.js');

// The protocol allows 64 levels in a frame; the envelope is one of them.
const MAX_DEPTH = 63;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

// JSON.stringify writes a lone surrogate, which no UTF-8 text can hold, as an escape. Matching
// every escape keeps `\\ud800` (a backslash and plain letters) apart from it.
const ESCAPE = /\\(?:ud[89a-f][0-9a-f]{2}|.)/g;
const LONGEST_ESCAPE = 6;

/** The payload of a reply that is JSON text already. */
class Encoded {
  constructor(text) {
    this.text = text;
  }
}

/**
 * The JSON text of a value; `undefined` is null, a lone surrogate becomes U+FFFD. Throws a
 * RequestError with `code` for what JSON has no text for and for what is nested too deep, where
 * the payload has so many levels more around it.
 */
function encode(value, code, levelsAround = 0) {
  if (value === undefined) return 'null';
  let json;
  try {
    json = stringify(value);
  } catch (error) {
    throw new RequestError(`not serialisable: ${error?.message}`, code);
  }
  if (json === undefined) throw new RequestError(`not serialisable: a ${typeof value}`, code);
  if (json.includes('\\ud')) {
    json = json.replace(ESCAPE, found => (found.length === LONGEST_ESCAPE ? '\\ufffd' : found));
  }
  const most = MAX_DEPTH - levelsAround;
  if (mayBeDeeper(json, most) && depthOf(json) > most) {
    throw new RequestError(`nested deeper than ${most}`, code);
  }
  return json;
}

/** False if the text has too few brackets to be nested deeper: the cheap and usual answer. */
function mayBeDeeper(json, most) {
  if (json.length <= 2 * most) return false;
  let found = 0;
  for (const bracket of ['{', '[']) {
    let at = json.indexOf(bracket);
    for (; at >= 0 && found <= most; found++) at = json.indexOf(bracket, at + 1);
  }
  return found > most;
}

function depthOf(json) {
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < json.length; i++) {
    switch (json.charCodeAt(i)) {
      case QUOTE:
        i = endOfString(json, i);
        break;
      case 0x5b: // [
      case 0x7b: // {
        if (++depth > deepest) deepest = depth;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth--;
        break;
    }
  }
  return deepest;
}

function endOfString(json, begin) {
  for (let end = json.indexOf('"', begin + 1); ; end = json.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (json.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
}

module.exports = { encode, Encoded };
