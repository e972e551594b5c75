'use strict';

// Asks for the secret "token" of the host "neighbour" by every name that might mean it.

const { attempt } = require('../attempt.js');

exports.activate = ({ commands, request, secrets }) =>
  commands.register('attack', () => {
    const get = async (key, more = {}) => {
      const { value } = await request('secretGet', { ...more, key });
      if (value === null) throw Object.assign(new Error(), { code: 'not_found' });
      return value;
    };
    const tries = { plainly: () => get('token') };
    for (const key of ['neighbour/token', '../neighbour/token', 'bulkhead/neighbour/token']) {
      tries[key] = () => get(key);
    }
    for (const member of ['host', 'extensionId', 'extension', 'runtime', 'scope', '__proto__']) {
      tries[`as ${member}`] = () => get('token', { [member]: 'neighbour' });
    }
    tries.list = async () => {
      const keys = await secrets.list();
      if (keys.length === 0) throw Object.assign(new Error(), { code: 'not_found' });
      return keys;
    };
    return attempt(tries);
  });
