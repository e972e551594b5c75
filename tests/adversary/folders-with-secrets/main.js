'use strict';

// Asks the backend for what no extension needs. It only looks: nothing is read that is real.

const path = require('node:path');
const { attempt } = require('../attempt.js');

exports.activate = ({ commands, fs }) =>
  commands.register('attack', ([{ outside, places = {} }]) => {
    const tries = {
      'read a secret': () => fs.readFile(outside, 'utf8'),
      'list its folder': () => fs.readDirectory(path.dirname(outside)),
    };
    for (const [name, place] of Object.entries(places)) {
      tries[name] = () =>
        fs.stat(place).catch(error => {
          if (error.code !== 'file_not_found') throw error; // it may be there tomorrow
        });
    }
    return attempt(tries);
  });
