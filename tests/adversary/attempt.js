'use strict';

/**
 * Makes tries one after the other. What came of each: {what, code}, the code that stopped it, or
 * {what, got}, what it got.
 */
exports.attempt = async tries => {
  const ended = [];
  for (const [what, run] of Object.entries(tries)) {
    try {
      ended.push({ what, got: (await run()) ?? null });
    } catch (error) {
      ended.push({ what, code: error.code ?? String(error) });
    }
  }
  return ended;
};
