'use strict';

// What is open, under a number that was not given before. An array whose places are used again: a Map
// of what comes and goes makes its table anew all the time, and the old ones keep alive what was in
// them, so that a third of a request's time went into the collection of garbage.

const LEAST_PLACES = 64;

class OpenTable {
  #places = new Array(LEAST_PLACES).fill(undefined); // an entry is at its number modulo their count
  #mask = LEAST_PLACES - 1;
  #last = 0;
  #size = 0;

  get size() {
    return this.#size;
  }

  /** Files an entry and sets its `key`. */
  add(entry) {
    if (2 * this.#size > this.#mask) this.#grow();
    do this.#last++;
    while (this.#places[this.#last & this.#mask] !== undefined);
    entry.key = this.#last;
    this.#places[this.#last & this.#mask] = entry;
    this.#size++;
  }

  /** The entry of that number; undefined where there is none. */
  at(key) {
    const entry = this.#places[key & this.#mask];
    return entry !== undefined && entry.key === key ? entry : undefined;
  }

  /** The first entry of which `holds` says yes: looks at all of them. */
  search(holds) {
    return this.#places.find(entry => entry !== undefined && holds(entry));
  }

  /** Does nothing for one that is not there. */
  remove(entry) {
    if (this.at(entry.key) !== entry) return;
    this.#places[entry.key & this.#mask] = undefined;
    this.#size--;
  }

  #grow() {
    const entries = this.#places.filter(entry => entry !== undefined);
    this.#places = new Array(2 * this.#places.length).fill(undefined);
    this.#mask = this.#places.length - 1;
    for (const entry of entries) this.#places[entry.key & this.#mask] = entry;
  }
}

module.exports = { OpenTable };
