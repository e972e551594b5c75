'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const { OpenTable } = require('../open_table.js');

const added = table => {
  const entry = {};
  table.add(entry);
  return entry;
};

test('an entry is found by its key until it is removed, once', () => {
  const table = new OpenTable();
  const entry = added(table);
  assert.equal(table.at(entry.key), entry);
  table.remove(entry);
  table.remove(entry);
  assert.equal(table.at(entry.key), undefined);
  assert.equal(table.size, 0);
});

test('no key is given twice, nor one that is in the way of an entry which stays', () => {
  const table = new OpenTable();
  const stays = added(table);
  const keys = new Set([stays.key]);
  for (let i = 0; i < 10_000; i++) {
    const entry = added(table);
    keys.add(entry.key);
    table.remove(entry);
  }
  assert.equal(keys.size, 10_001);
  assert.equal(table.at(stays.key), stays);
});

test('it grows with what is open, and each is found afterwards', () => {
  const table = new OpenTable();
  const entries = Array.from({ length: 5000 }, () => added(table));
  assert.equal(table.size, 5000);
  for (const entry of entries) assert.equal(table.at(entry.key), entry);
  for (const entry of entries) table.remove(entry);
  assert.equal(table.size, 0);
});

test('what is no key of an entry finds nothing', () => {
  const table = new OpenTable();
  const { key } = added(table);
  for (const other of [0, key + 64, -key, NaN, 1e300, undefined]) {
    assert.equal(table.at(other), undefined);
  }
});

test('an entry that was removed takes no other with it', () => {
  const table = new OpenTable();
  const first = added(table);
  table.remove(first);
  const all = Array.from({ length: 64 }, () => added(table)); // one is in its place
  table.remove(first);
  assert.equal(table.size, 64);
  for (const entry of all) assert.equal(table.at(entry.key), entry);
});

test('an entry is found by what it holds', () => {
  const table = new OpenTable();
  const [, second] = [added(table), added(table)];
  second.id = 'b';
  assert.equal(
    table.search(entry => entry.id === 'b'),
    second,
  );
  assert.equal(
    table.search(entry => entry.id === 'c'),
    undefined,
  );
});
