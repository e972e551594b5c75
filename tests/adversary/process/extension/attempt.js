'use strict';

/**
 * Makes one try. What came of it as one record: {attack, outcome, by}, with `by` what the system
 * calls the error that stopped it.
 */
exports.attempt = async (attack, run) => {
  try {
    await run();
    return { attack, outcome: 'got_through', by: '' };
  } catch (error) {
    return { attack, outcome: 'stopped', by: error.info?.code ?? error.code ?? error.name };
  }
};

/** Throws what stops an attack that no system call refuses. */
exports.stopIf = (condition, by) => {
  if (condition) throw Object.assign(new Error(by), { code: by });
};
