'use strict';

// What an extension can try by itself, without asking the backend. The command `attack` gets what
// there is to attack and returns a record of each try; `provoke` gets the name of one in
// resources.js and the extension's own folder. As a program it prints the records.

const { attempt } = require('./attempt.js');

const claims = ['files', 'links', 'machine', 'processes', 'channels', 'code', 'use'];

async function attack(target) {
  if (process.getuid() === 0) throw new Error('an attack by root proves nothing and does harm');
  if (!(target.victim > 1)) throw new Error('victim has to be a process of the test');
  const ended = [];
  for (const claim of claims)
    for (const [name, run] of Object.entries(require(`./${claim}.js`)))
      ended.push(await attempt(`${claim}: ${name}`, () => run(target)));
  return ended;
}

exports.activate = ({ commands }) => {
  commands.register('attack', ([target]) => attack(target));
  commands.register('provoke', ([name, folder]) => require('./resources.js')[name](folder));
};

if (require.main === module)
  attack(JSON.parse(process.argv[2])).then(ended => {
    for (const each of ended) console.log(JSON.stringify(each));
    process.exit();
  });
