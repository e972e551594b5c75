'use strict';

// Asking again what the backend has no time for at the moment.

const { setTimeout } = require('./primordials.js');

// Where the backend does not say when to try again.
const RETRY_MS = 10;

function isPassing({ code }) {
  return code === 'rate_limited' || code === 'overloaded';
}

/** What `ask()` resolves to, as soon as the backend has time for it. */
async function patiently(ask) {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isPassing(error)) throw error;
      await new Promise(resolve => setTimeout(resolve, error.retry_after_ms ?? RETRY_MS));
    }
  }
}

module.exports = { isPassing, patiently };
