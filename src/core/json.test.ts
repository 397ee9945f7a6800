import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { property } from "../../test/support/property.ts";
import {
  applyEdits,
  encodeEdits,
  JSON_LIMITS,
  type Json,
  type JsonEdit,
  type JsonError,
  type JsonNode,
  member,
  parseJson,
  parseJsonValue,
  parseSteps,
  placeJson,
  toJson,
} from "./json.ts";
import { finishSliced } from "./slice.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
function parsed(text: string): { readonly text: string; readonly root: JsonNode } {
  const result = parseJson(bytesOf(text));
  assert(result.ok, "expected to parse");
  return result.value;
}
function codeOf(text: string | Uint8Array, limits = JSON_LIMITS): JsonError["code"] | "ok" {
  const result = parseJson(typeof text === "string" ? bytesOf(text) : text, limits);
  return result.ok ? "ok" : result.error.code;
}
const object = (node: JsonNode | undefined) => {
  assert(node?.kind === "object");
  return node;
};

/**
 * JSON.parse as the reference. Every string gets a number of its own in front, because V8 14.6 confuses escaped keys with earlier
 * ones: after `{"\\\\":0}` it reads `{"\\"":0}` as `{"\\\\":0}` (it compares the raw text with the key that it expects).
 */
function reference(text: string): Json {
  const strip = (value: Json): Json => {
    if (typeof value === "string") return value.slice(value.indexOf("_") + 1);
    if (Array.isArray(value)) return value.map(strip);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k.slice(k.indexOf("_") + 1), strip(v)]));
  };
  return strip(JSON.parse(text.replace(/"(?:[^"\\]|\\.)*"/gs, (token) => `"${strings++}_${token.slice(1)}`)));
}
let strings = 0;

/** JSON texts in every spelling: white space, escapes, exponents. */
const key = fc
  .oneof(fc.string({ unit: "binary", maxLength: 8 }), fc.constantFrom("a", "b", "constructor", "", "é", '"', "\\"))
  .filter((k) => k !== "__proto__");
const space = fc.constantFrom("", " ", "\n", "\t\r\n ");
const { node: jsonText } = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constantFrom(
      "null",
      "true",
      "false",
      "0",
      "-0",
      "1.5e3",
      "12E-2",
      "1e400",
      "-7.25",
      '"\\u0041\\ud83d\\n"',
      '"\\"\\\\"',
      "[]",
      "{}",
      "[ ]",
      "{\n}",
    ),
    fc.string({ unit: "binary", maxLength: 40 }).map((s) => JSON.stringify(s)),
    fc.array(fc.tuple(tie("node"), space), { maxLength: 6 }).map((items) => `[${items.map(([t, s]) => s + t + s).join(",")}]`),
    fc
      .uniqueArray(fc.tuple(key, tie("node"), space), { maxLength: 24, selector: ([k]) => k })
      .map((items) => `{${items.map(([k, t, s]) => `${s}${JSON.stringify(k)}${s}:${s}${t}${s}`).join(",")}}`),
  ),
}));

property(
  "equals JSON.parse on random JSON, and so does the sliced way",
  jsonText,
  async (text) => {
    const doc = parsed(text);
    assert.deepStrictEqual(toJson(doc.root), reference(text));
    assert.equal(text.slice(doc.root.start, doc.root.end), text.trim());
    assert.deepStrictEqual(await finishSliced(parseSteps(bytesOf(text))), { ok: true, value: doc });
  },
  1000,
);

const mutation = fc.tuple(
  jsonText,
  fc.nat(),
  fc.constantFrom("delete", "insert", "replace"),
  fc.constantFrom(...'{}[]",:\\0-.eE+tfnu \n\u0001\u2028\ufeffx1'),
);
property(
  "accepts exactly what JSON.parse accepts, apart from what is refused by name",
  mutation,
  ([text, where, how, char]) => {
    const at = where % (text.length + 1);
    const mutated = text.slice(0, at) + (how === "delete" ? "" : char) + text.slice(at + (how === "insert" ? 0 : 1));
    const well = mutated.toWellFormed();
    let expected: unknown;
    let valid = true;
    try {
      expected = reference(well);
    } catch {
      valid = false;
    }
    const result = parseJson(bytesOf(well));
    if (result.ok) {
      assert(valid, "accepted what JSON.parse refuses");
      assert.deepStrictEqual(toJson(result.value.root), expected);
    } else if (result.error.code === "not_json") assert(!valid, "refused what JSON.parse accepts");
    else assert.equal(result.error.code, "duplicate_key");
  },
  3000,
);

property("the place of every node holds its value, and every member is found by its key", jsonText, (text) => {
  const walk = (node: JsonNode): void => {
    assert.deepStrictEqual(toJson(node), reference(text.slice(node.start, node.end)));
    if (node.kind === "array") node.items.forEach(walk);
    if (node.kind === "object") {
      for (const m of node.members) {
        assert.equal(member(node, m.key), m.value);
        assert.equal(text[m.start], '"');
        walk(m.value);
      }
    }
  };
  walk(parsed(text).root);
});

test("refusals have their code", () => {
  const wide = Array.from({ length: 40 }, (_, i) => `"k${i}":${i}`).join(",");
  const table: readonly (readonly [string, string | Uint8Array, JsonError["code"] | "ok"])[] = [
    ["invalid UTF-8", new Uint8Array([0x22, 0xff, 0x22]), "not_utf8"],
    ["UTF-8 that ends early", new Uint8Array([0x22, 0xc3]), "not_utf8"],
    ["an encoded surrogate", new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22]), "not_utf8"],
    ["a byte order mark", "\ufeff{}", "not_json"],
    ["nothing", "", "not_json"],
    ["white space only", " \n", "not_json"],
    ["two values", "{} {}", "not_json"],
    ["a comma too many", "[1,]", "not_json"],
    ["a comma too many in an object", '{"a":1,}', "not_json"],
    ["a leading zero", "[01]", "not_json"],
    ["a bare minus", "-", "not_json"],
    ["a fraction without digits", "1.", "not_json"],
    ["a newline in a string", '["a\nb"]', "not_json"],
    ["a tab in a key", '{"a\tb":1}', "not_json"],
    ["an unknown escape", '["\\x"]', "not_json"],
    ["a string that ends in a backslash", '["\\"]', "not_json"],
    ["a short unicode escape", '["\\u12"]', "not_json"],
    ["a form feed as white space", "[\f1]", "not_json"],
    ["a no-break space as white space", "[\u00a01]", "not_json"],
    ["a duplicate key", '{"a":1,"b":2,"a":3}', "duplicate_key"],
    ["a duplicate key in another spelling", '{"a":1,"\\u0061":3}', "duplicate_key"],
    ["a duplicate key in a wide object", `{${wide},"k3":0}`, "duplicate_key"],
    ["a wide object", `{${wide}}`, "ok"],
    ["the same key in two objects", '[{"a":1},{"a":{"a":1}}]', "ok"],
    ["the prototype key", '{"__proto__":{}}', "forbidden_key"],
    ["the prototype key, escaped", '{"\\u005f_proto__":{}}', "forbidden_key"],
    ["constructor is data", '{"constructor":{"prototype":1}}', "ok"],
    ["128 levels", "[".repeat(128) + "]".repeat(128), "ok"],
    ["129 levels", "[".repeat(129) + "]".repeat(129), "too_deep"],
    ["a line separator in a string", '["\u2028"]', "ok"],
  ];
  for (const [name, text, code] of table) assert.equal(codeOf(text), code, name);
  assert.equal(codeOf("[1,2,3]", { depthMax: 9, valuesMax: 3 }), "too_many_values");
  assert.equal(codeOf("[1,2,3]", { depthMax: 9, valuesMax: 4 }), "ok");
});

test("depth 10,000 is parsed, turned into data, pointed at and edited without recursion", () => {
  const depth = 10_000;
  const text = `${'{"a":['.repeat(depth / 2)}1${"]}".repeat(depth / 2)}`;
  const result = parseJson(bytesOf(text), { depthMax: depth, valuesMax: depth * 2 });
  assert(result.ok);
  let node: JsonNode = result.value.root;
  for (let i = 0; i < depth; i++) {
    const next: JsonNode | undefined = node.kind === "array" ? node.items[0] : member(node, "a");
    assert(next !== undefined);
    node = next;
  }
  assert(node.kind === "number" && node.value === 1);
  assert.equal(applyEdits(result.value, [{ kind: "replace", node, text: "2" }]), text.replace("1", "2"));
  assert.equal(typeof toJson(result.value.root), "object");
  assert.equal(codeOf("[".repeat(200_000)), "too_deep");
});

test("a lone surrogate escape is a value, and written back as an escape", () => {
  const doc = parsed('{"a":"\\ud800"}');
  const value = member(doc.root, "a");
  assert(value?.kind === "string");
  assert.equal(value.value, "\ud800");
  const edited = applyEdits(doc, [{ kind: "replace", node: value, text: JSON.stringify(value.value) }]);
  assert.equal(edited, '{"a":"\\ud800"}');
});

/** A random set of edits that may stand together, and what they do to the plain value. */
function randomEdits(root: JsonNode, bits: readonly number[]): { readonly edits: JsonEdit[]; readonly expected: Json } {
  const edits: JsonEdit[] = [];
  let turn = 0;
  const draw = (n: number): number => (bits[turn++ % bits.length] ?? 0) % n;
  const change = (node: JsonNode): Json => {
    if (draw(6) === 0) {
      edits.push({ kind: "replace", node, text: '{"new": [1]}' });
      return { new: [1] };
    }
    if (node.kind === "array") return node.items.map(change);
    if (node.kind !== "object") return node.value;
    const out: Record<string, Json> = {};
    for (const m of node.members) {
      if (draw(3) === 0) edits.push({ kind: "remove", object: node, key: m.key });
      else out[m.key] = change(m.value);
    }
    for (const added of ["x~new", "y new"].slice(draw(3))) {
      if (member(node, added) !== undefined) continue;
      edits.push({ kind: "insert", object: node, key: added, text: "[true ]" });
      out[added] = [true];
    }
    return out;
  };
  const expected = change(root);
  return { edits, expected };
}
property(
  "edited text parses to the edited value",
  fc.tuple(jsonText, fc.array(fc.nat(), { minLength: 1, maxLength: 40 })),
  ([text, bits]) => {
    const doc = parsed(text);
    const { edits, expected } = randomEdits(doc.root, bits);
    const out = applyEdits(doc, edits.toReversed());
    assert.deepStrictEqual(reference(out), expected);
    assert.equal(codeOf(out), "ok");
    if (edits.length === 0) assert.equal(out, text);
  },
  1500,
);

property("replaced values leave every other byte", jsonText, (text) => {
  const doc = parsed(text);
  const leaves: JsonNode[] = [];
  const walk = (node: JsonNode): void => {
    if (node.kind === "array") for (const item of node.items) walk(item);
    else if (node.kind === "object") for (const m of node.members) walk(m.value);
    else leaves.push(node);
  };
  walk(doc.root);
  const mark = '"<mark>"';
  const out = applyEdits(
    doc,
    leaves.map((node) => ({ kind: "replace", node, text: mark })),
  );
  let expected = "";
  let done = 0;
  for (const leaf of leaves) {
    expected += text.slice(done, leaf.start) + mark;
    done = leaf.end;
  }
  assert.equal(out, expected + text.slice(done));
});

test("members come and go with the right comma, and white space elsewhere stays", () => {
  const edit = (text: string, removed: readonly string[], inserted: readonly string[] = []): string => {
    const doc = parsed(text);
    return applyEdits(doc, [
      ...removed.map((k): JsonEdit => ({ kind: "remove", object: object(doc.root), key: k })),
      ...inserted.map((k): JsonEdit => ({ kind: "insert", object: object(doc.root), key: k, text: "0" })),
    ]);
  };
  const text = '{ "a" : 1 , "b" : 2 , "c" : 3 }';
  assert.equal(edit(text, ["a"]), '{ "b" : 2 , "c" : 3 }');
  assert.equal(edit(text, ["b"]), '{ "a" : 1 , "c" : 3 }');
  assert.equal(edit(text, ["c"]), '{ "a" : 1 , "b" : 2 }');
  assert.equal(edit(text, ["a", "b", "c"]), "{  }");
  assert.equal(edit(text, ["a", "c"]), '{ "b" : 2 }');
  assert.equal(edit(text, [], ["d"]), '{ "a" : 1 , "b" : 2 , "c" : 3,"d":0 }');
  assert.equal(edit(text, ["c"], ["d", "e"]), '{ "a" : 1 , "b" : 2,"d":0,"e":0 }');
  assert.equal(edit(text, ["a", "b", "c"], ["a"]), '{ "a":0 }');
  assert.equal(edit("{}", [], ["d"]), '{"d":0}');
  assert.equal(edit("{ }", [], ["d", 'q"']), '{"d":0,"q\\"":0 }');
});

test("edits that contradict each other are programmer errors", () => {
  const doc = parsed('{"a":{"b":1}}');
  const root = object(doc.root);
  const inner = object(member(root, "a"));
  const replace: JsonEdit = { kind: "replace", node: inner, text: "1" };
  assert.throws(() => applyEdits(doc, [replace, replace]), /overlap/);
  assert.throws(() => applyEdits(doc, [replace, { kind: "remove", object: inner, key: "b" }]), /overlap/);
  assert.throws(
    () =>
      applyEdits(doc, [
        { kind: "remove", object: root, key: "a" },
        { kind: "insert", object: inner, key: "c", text: "1" },
      ]),
    /overlap/,
  );
  assert.throws(() => applyEdits(doc, [{ kind: "remove", object: root, key: "z" }]), /not there/);
  assert.throws(() => applyEdits(doc, [{ kind: "insert", object: root, key: "a", text: "1" }]), /already there/);
});

test("a large body is parsed in slices: the loop turns meanwhile, and the result is the same", async () => {
  const text = JSON.stringify({ messages: Array.from({ length: 60_000 }, (_, i) => ({ role: "user", content: `message ${i}\n` })) });
  let turns = 0;
  const ticker = setInterval(() => turns++, 1);
  const result = await finishSliced(parseSteps(bytesOf(text)));
  clearInterval(ticker);
  assert(result.ok);
  assert.deepStrictEqual(toJson(result.value.root), JSON.parse(text));
  assert(turns >= 2, `the event loop turned ${turns} times`);
  const broken = await finishSliced(parseSteps(bytesOf(`${text.slice(0, -1)},]`)));
  assert.deepStrictEqual(broken, parseJson(bytesOf(`${text.slice(0, -1)},]`)));
});

const piece = fc.constantFrom(
  "plain text ",
  "\\\\n",
  '\\\\"',
  "\\\\\\\\",
  "\\\\u00e9",
  "\\\\ud83d\\\\ude00",
  "é😀",
  "\\\\u12",
  "\\\\x",
  "\n",
  "/",
);
property(
  "long strings with escapes are read alike in slices",
  fc.array(piece, { minLength: 1, maxLength: 12 }),
  async (pieces) => {
    const bytes = bytesOf(`{"a": "${pieces.join("").repeat(Math.ceil(140_000 / pieces.join("").length))}", "b":[1]}`);
    assert.deepStrictEqual(await finishSliced(parseSteps(bytes)), parseJson(bytes));
  },
  60,
);

property(
  "a large text with edits is encoded in slices to the same bytes, wherever they fall between two units of a character",
  fc.record({ lead: fc.nat({ max: 3 }), edits: fc.uniqueArray(fc.nat({ max: 9_999 }), { maxLength: 20 }) }),
  async ({ lead, edits }) => {
    const text = JSON.stringify({ a: `${"x".repeat(lead)}${"😀".repeat(300_000)}`, list: Array.from({ length: 10_000 }, (_, at) => at) });
    const result = parseJson(bytesOf(text));
    assert(result.ok);
    const list = member(result.value.root, "list");
    assert(list?.kind === "array");
    const changes = edits.flatMap((at) => {
      const node = list.items[at];
      return node === undefined ? [] : [{ kind: "replace" as const, node, text: `"é${at}"` }];
    });
    const encoded = await encodeEdits(result.value, changes);
    assert.ok(encoded.equals(Buffer.from(applyEdits(result.value, changes))));
  },
  10,
);

test("an object of many members gives its members by key like a small one", () => {
  for (const size of [3, 17, 64, 65, 5_000]) {
    const text = JSON.stringify(Object.fromEntries(Array.from({ length: size }, (_, at) => [`k${at}`, at])));
    const result = parseJson(bytesOf(text));
    assert(result.ok);
    for (const at of [0, 1, size - 1]) assert.deepEqual(member(result.value.root, `k${at}`)?.kind, "number");
    const last = member(result.value.root, `k${size - 1}`);
    assert(last?.kind === "number" && last.value === size - 1);
    assert.equal(member(result.value.root, "k"), undefined);
    assert.equal(member(result.value.root, "toString"), undefined);
  }
});

test("a large text is UTF-8 as a whole, wherever it is cut", async () => {
  const bytes = bytesOf(`"${"é".repeat(1_500_000)}"`);
  assert.equal((await finishSliced(parseSteps(bytes))).ok, true);
  bytes[bytes.length - 2] = 0xc3;
  assert.deepStrictEqual(await finishSliced(parseSteps(bytes)), { ok: false, error: { code: "not_utf8", at: -1 } });
});

test("parseJsonValue reads answers and never sets a prototype", () => {
  assert.equal(parseJsonValue("{"), undefined);
  assert.equal(parseJsonValue("null"), null);
  const value = parseJsonValue('{"__proto__":{"admin":true}}');
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
});

property(
  "whatever text parseJsonValue takes, placeJson takes too, and every string stands where it says",
  fc.oneof(
    fc.json({ maxDepth: 4 }),
    fc.string({ maxLength: 20 }),
    fc.constantFrom('{"a":1,"a":"b"}', '{"__proto__":{"x":"y"}}', "[".repeat(3000) + "]".repeat(3000), '"\\ud800"', "\ufeff1", "1e999"),
  ),
  (text) => {
    const json = parseJsonValue(text);
    if (json === undefined) return;
    const doc = placeJson(text);
    const work = [doc.root];
    for (let node = work.pop(); node !== undefined; node = work.pop()) {
      if (node.kind === "string") assert.equal(JSON.parse(text.slice(node.start, node.end)), node.value);
      else if (node.kind === "array") work.push(...node.items);
      else if (node.kind === "object") work.push(...node.members.map(({ value }) => value));
    }
    if (!/__proto__|"a":1,"a"/.test(text) && text.length < 1000) assert.deepEqual(toJson(doc.root), json);
  },
);
