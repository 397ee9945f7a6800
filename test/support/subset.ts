import assert from "node:assert/strict";

/**
 * Is `actual` at least what `expected` says? Objects: every expected member matches (null: must be absent). Arrays: same
 * length, item by item. Strings that start with `~` are regular expressions. Everything else is equal. Throws with the path.
 */
export function assertSubset(actual: unknown, expected: unknown, path = "$"): void {
  if (typeof expected === "string" && expected.startsWith("~")) {
    assert.match(String(actual), new RegExp(expected.slice(1), "s"), `${path} is ${JSON.stringify(actual)}`);
    return;
  }
  if (Array.isArray(expected)) {
    assert.ok(Array.isArray(actual), `${path} is no array: ${JSON.stringify(actual)}`);
    assert.equal(actual.length, expected.length, `${path} has ${actual.length} items: ${JSON.stringify(actual)}`);
    for (const [index, item] of expected.entries()) assertSubset(actual[index], item, `${path}[${index}]`);
    return;
  }
  if (typeof expected === "object" && expected !== null) {
    assert.ok(typeof actual === "object" && actual !== null, `${path} is ${JSON.stringify(actual)}`);
    const members = new Map(Object.entries(actual));
    for (const [name, value] of Object.entries(expected)) {
      if (value === null)
        assert.ok(!members.has(name) || members.get(name) === null, `${path}.${name} is there: ${JSON.stringify(members.get(name))}`);
      else assertSubset(members.get(name), value, `${path}.${name}`);
    }
    return;
  }
  assert.deepEqual(actual, expected, `${path} is ${JSON.stringify(actual)}, expected ${JSON.stringify(expected)}`);
}
