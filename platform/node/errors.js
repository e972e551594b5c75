'use strict';

const { setProperty } = require('./primordials.js');

// An error payload never sets these: they describe the error object itself.
const RESERVED = new Set([
  '__proto__',
  'constructor',
  'error',
  'message',
  'name',
  'stack',
  'cause',
]);

// Longer texts help nobody, and an error reply must always fit into a frame.
const MAX_MESSAGE = 4096;
const MAX_CODE = 128;

/** Why a request failed. `code` is stable; other members of the error payload are properties. */
class RequestError extends Error {
  constructor(message, code, members = {}) {
    super(message);
    this.name = 'RequestError';
    this.code = code;
    for (const key of Object.keys(members)) {
      if (!RESERVED.has(key)) this[key] = members[key];
    }
  }

  /** The error that an `-error` payload stands for; a peer may have sent no more than `error`. */
  static fromPayload(payload) {
    const members = payload !== null && typeof payload === 'object' ? payload : {};
    const message = typeof members.error === 'string' ? members.error : 'the request failed';
    const code = typeof members.code === 'string' ? members.code : 'remote_error';
    return withoutStack(() => new RequestError(message, code, members));
  }
}

/**
 * The error that `make` makes, with no stack: the one of an error that came from the peer would
 * name the place where it was read, and costs more than the rest of the request.
 */
function withoutStack(make) {
  const limit = Error.stackTraceLimit;
  setProperty(Error, 'stackTraceLimit', 0); // false where an extension has frozen it
  try {
    return make();
  } finally {
    setProperty(Error, 'stackTraceLimit', limit);
  }
}

const UNREADABLE = 'something was thrown that can not be read';

/** What anything thrown says. Never throws. */
function messageOf(thrown) {
  try {
    return String(thrown?.message ?? thrown).slice(0, MAX_MESSAGE);
  } catch {
    return UNREADABLE;
  }
}

/** What anything thrown looks like on the wire. Never throws. */
function toPayload(thrown, fallbackCode) {
  try {
    const code = typeof thrown?.code === 'string' ? thrown.code : fallbackCode;
    return { error: messageOf(thrown), code: code.slice(0, MAX_CODE) };
  } catch {
    return { error: messageOf(thrown), code: fallbackCode };
  }
}

/** Whether it is what an AbortSignal makes the platform's functions throw. Never throws. */
function isAbortError(thrown) {
  try {
    return thrown?.name === 'AbortError';
  } catch {
    return false;
  }
}

/** The stack of anything thrown, or its text. Never throws. */
function stackOf(thrown) {
  try {
    return String(thrown?.stack ?? thrown);
  } catch {
    return UNREADABLE;
  }
}

module.exports = { RequestError, isAbortError, messageOf, stackOf, toPayload };
