'use strict';

// The attackers as one extension, in the place of the one that a policy is written for. Left out is
// what takes a neighbour, or longer than a look at a policy may take.

const disk = require('node:fs');

const onBackend = [
  'dots-in-paths',
  'fifo',
  'folders-with-secrets',
  'hard-link',
  'kernel-links',
  'links-that-lead-out',
  'names-that-are-none',
];

/** The commands that an attacker registers when it is activated in this extension's place. */
function commandsOf(attacker, context) {
  const commands = new Map();
  const register = (name, run) => commands.set(name, run);
  attacker.activate({
    folders: context.folders,
    fs: context.fs,
    request: context.request,
    commands: { register },
  });
  return commands;
}

const record = (attack, { code }) =>
  code === undefined
    ? { attack, outcome: 'got_through', by: '' }
    : { attack, outcome: 'stopped', by: code };

/** A folder to plant things in, made by whichever way there is. */
async function workspaceIn({ folders, fs }) {
  const workspace = `${folders.storage}/workspace`;
  try {
    disk.mkdirSync(workspace, { recursive: true });
  } catch {
    await fs.createDirectory(workspace).catch(() => {});
  }
  return workspace;
}

async function attackBackend(context, target) {
  const workspace = await workspaceIn(context);
  const ended = [];
  for (const name of onBackend) {
    const attack = commandsOf(require(`./${name}/main.js`), context).get('attack');
    try {
      const tries = await attack([{ ...target, workspace }]);
      for (const each of tries) {
        // Some are named after what was planted.
        const what = each.what.replaceAll(`${context.folders.storage}/`, '');
        ended.push(record(`${name}: ${what}`, each));
      }
    } catch (error) {
      ended.push(record(`${name}: prepare it`, { code: error.code ?? String(error) }));
    }
  }
  return ended;
}

exports.activate = context => {
  const onProcess = commandsOf(require('./process/extension/main.js'), context);
  context.commands.register('attack', ([target]) => onProcess.get('attack')([target]));
  context.commands.register('attackBackend', ([target]) => attackBackend(context, target));
};
