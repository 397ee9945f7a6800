import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Behaviour, startIssuer, type TestIssuer } from "../../../test/support/issuer.ts";
import type { KeySource } from "../../core/credentials.ts";
import type { KeySetPort } from "../../ports/key-sets.ts";
import { fetchJson } from "./fetch.ts";
import { readKeySet } from "./key-set.ts";
import { openKeySets } from "./store.ts";

const MINUTE_MS = 60_000;
const sourceOf = (from: KeySource["from"], refreshMs = 5 * MINUTE_MS): KeySource => ({
  id: JSON.stringify(from),
  name: "test",
  from,
  caFile: undefined,
  refreshMs,
});

/** A store with a clock that a test moves, and the lines that it logged. */
function open(t: TestContext, env: Record<string, string> = {}): { keySets: KeySetPort; logged: string[]; pass: (ms: number) => void } {
  const passed = { ms: 0 };
  const logged: string[] = [];
  const note = (event: string, fields?: Readonly<Record<string, unknown>>): void => {
    logged.push(`${event} ${JSON.stringify(fields)}`);
  };
  const clock = { wallMs: () => Date.now() + passed.ms, monotonicMs: () => performance.now() + passed.ms };
  const keySets = openKeySets({ clock, log: { debug: note, info: note, warn: note, error: note }, env });
  t.after(() => keySets.close());
  return {
    keySets,
    logged,
    pass: (ms) => {
      passed.ms += ms;
    },
  };
}

async function issuerOf(t: TestContext): Promise<TestIssuer> {
  const issuer = await startIssuer();
  t.after(() => issuer.close());
  return issuer;
}
const discovery = ({ url }: TestIssuer): KeySource => sourceOf({ kind: "discovery", url });
const kids = (keySets: KeySetPort, source: KeySource): unknown[] | undefined => keySets.current(source)?.keys.map(({ kid }) => kid);

async function until(what: () => boolean, ms = 5_000): Promise<void> {
  for (let waited = 0; !what(); waited += 10) {
    assert.ok(waited < ms, "it did not come in time");
    await sleep(10);
  }
}

test("keys are found by discovery, in the background, and kept as one object while they are the same", async (t) => {
  const issuer = await issuerOf(t);
  const { keySets, pass } = open(t);
  const source = discovery(issuer);
  assert.equal(keySets.current(source), undefined);
  keySets.keep([source]);
  await keySets.settled(5_000);
  const first = keySets.current(source);
  assert.deepEqual(
    first?.keys.map(({ kid, d }) => [kid, d]),
    [["k1", undefined]],
  );
  pass(MINUTE_MS);
  await keySets.refresh(source);
  assert.equal(issuer.fetches(), 2);
  assert.equal(keySets.current(source), first, "nothing that was verified by them is forgotten");
  keySets.keep([source]);
  assert.equal(issuer.fetches(), 2, "a policy that keeps an issuer keeps its keys");
  keySets.keep([]);
  assert.equal(keySets.current(source), undefined);
});

test("a rotated key is there after one refresh; a second within 30 s asks nobody and does not wait", async (t) => {
  const issuer = await issuerOf(t);
  const { keySets, pass } = open(t);
  const source = discovery(issuer);
  keySets.keep([source]);
  await keySets.settled(5_000);
  issuer.rotate();
  await Promise.all(Array.from({ length: 50 }, () => keySets.refresh(source)));
  assert.deepEqual(kids(keySets, source), ["k2"], "all who asked at the same time have it, by one fetch");
  assert.equal(issuer.fetches(), 2);
  issuer.rotate();
  const began = performance.now();
  for (let index = 0; index < 1_000; index++) await keySets.refresh(source);
  assert.ok(performance.now() - began < 1_500);
  assert.equal(issuer.fetches(), 2);
  pass(29_000);
  await keySets.refresh(source);
  assert.equal(issuer.fetches(), 2);
  pass(1_500);
  await keySets.refresh(source);
  assert.deepEqual(kids(keySets, source), ["k3"]);
});

for (const how of ["down", "garbage", "huge", "redirect"] satisfies Behaviour[]) {
  test(`an issuer that is ${how}: the keys stay, for a day, and it is said`, async (t) => {
    const issuer = await issuerOf(t);
    const { keySets, logged, pass } = open(t);
    const source = discovery(issuer);
    keySets.keep([source]);
    await keySets.settled(5_000);
    issuer.behave(how);
    pass(MINUTE_MS);
    await keySets.refresh(source);
    assert.deepEqual(kids(keySets, source), ["k1"]);
    assert.equal(logged.filter((line) => line.startsWith("jwks_failed")).length, 1);
    assert.notEqual(keySets.status()[0]?.failing, undefined);
    pass(24 * 60 * MINUTE_MS);
    assert.equal(keySets.current(source), undefined, "too old to trust");
    issuer.behave("well");
    await keySets.refresh(source);
    assert.deepEqual(kids(keySets, source), ["k1"]);
    assert.equal(keySets.status()[0]?.failing, undefined);
  });
}

test("an issuer that takes its keys back is heard", async (t) => {
  const issuer = await issuerOf(t);
  const { keySets, pass } = open(t);
  const source = discovery(issuer);
  keySets.keep([source]);
  await keySets.settled(5_000);
  issuer.behave("empty");
  pass(MINUTE_MS);
  await keySets.refresh(source);
  assert.deepEqual(kids(keySets, source), []);
});

test("a slow issuer keeps a call for two seconds at most, and those after it not at all", async (t) => {
  const issuer = await issuerOf(t);
  const { keySets } = open(t);
  const source = discovery(issuer);
  keySets.keep([source]);
  await keySets.settled(5_000);
  issuer.behave("slow");
  const began = performance.now();
  await Promise.all([keySets.refresh(source), keySets.refresh(source)]);
  const tookMs = performance.now() - began;
  assert.ok(tookMs > 1_800 && tookMs < 5_000, `${tookMs}`);
  await keySets.refresh(source);
  assert.ok(performance.now() - began - tookMs < 1_000, "the wait is over for everybody");
  assert.deepEqual(kids(keySets, source), ["k1"]);
});

test("an issuer that was down at the start is asked again by itself", async (t) => {
  const issuer = await issuerOf(t);
  const { keySets } = open(t);
  issuer.behave("down");
  const source = discovery(issuer);
  keySets.keep([source]);
  await keySets.settled(5_000);
  assert.equal(keySets.current(source), undefined);
  issuer.behave("well");
  await until(() => keySets.current(source) !== undefined);
});

test("without a discovery document the keys are at /.well-known/jwks.json; with another issuer's they are nowhere", async (t) => {
  const { publicKey } = generateKeyPairSync("ed25519");
  const answers: Record<string, unknown> = { "/.well-known/jwks.json": { keys: [{ ...publicKey.export({ format: "jwk" }), kid: "e1" }] } };
  const server = createServer((request, answer) => {
    const body = answers[request.url ?? ""];
    answer.writeHead(body === undefined ? 404 : 200).end(JSON.stringify(body));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const url = `http://127.0.0.1:${address.port}`;
  const { keySets } = open(t);
  const plain = sourceOf({ kind: "discovery", url: `${url}/` });
  keySets.keep([plain]);
  await keySets.settled(5_000);
  assert.deepEqual(kids(keySets, plain), ["e1"]);
  for (const document of [{ issuer: "https://evil.example", jwks_uri: `${url}/.well-known/jwks.json` }, { issuer: url }, [], "x"]) {
    answers["/.well-known/openid-configuration"] = document;
    const source = { ...sourceOf({ kind: "discovery", url }), id: JSON.stringify(document) };
    keySets.keep([source]);
    await keySets.settled(5_000);
    assert.equal(keySets.current(source), undefined, JSON.stringify(document));
  }
  answers["/.well-known/openid-configuration"] = { issuer: url, jwks_uri: "http://keys.example/x" };
  keySets.keep([sourceOf({ kind: "discovery", url }, MINUTE_MS)]);
  await keySets.settled(5_000);
  assert.match(keySets.status()[0]?.failing ?? "", /not https/, "keys do not come unencrypted, whoever says where they are");
});

test("a file is followed within a second, also when it is swapped or broken", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "sluice-jwks-"));
  t.after(() => rm(dir, { recursive: true }));
  const path = join(dir, "keys.json");
  const put = async (text: string): Promise<void> => {
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  };
  const setOf = (...names: string[]): string =>
    JSON.stringify({ keys: names.map((kid) => ({ ...generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }), kid })) });
  const { keySets, logged } = open(t);
  const source = sourceOf({ kind: "file", path });
  keySets.keep([source]);
  await keySets.settled(5_000);
  assert.equal(keySets.current(source), undefined, "it is not there yet");
  await put(setOf("a"));
  await until(() => kids(keySets, source)?.[0] === "a", 1_000);
  await put(setOf("b", "c"));
  await until(() => kids(keySets, source)?.join() === "b,c", 1_000);
  await put('{"keys": [');
  await until(() => keySets.status()[0]?.failing !== undefined, 1_000);
  await sleep(900);
  assert.deepEqual(kids(keySets, source), ["b", "c"], "half a file changes nothing");
  assert.equal(logged.filter((line) => line.includes("not JSON")).length, 1, "and is said once");
  await put(setOf());
  await until(() => kids(keySets, source)?.length === 0, 1_000);
});

test("of a key set, only public keys for signatures are taken, and only the members that matter", () => {
  const jwk = (more: object) => ({ kty: "EC", crv: "P-256", x: "x", y: "y", ...more });
  const read = readKeySet({
    keys: [
      jwk({ kid: "good", d: "private", x5c: ["certificate"], alg: "ES256" }),
      { kty: "oct", k: "c2VjcmV0", kid: "shared" },
      jwk({ kid: "enc", use: "enc" }),
      jwk({ kid: "sign-only", key_ops: ["sign"] }),
      jwk({ kid: 7 }),
      jwk({ kid: "long", x: "x".repeat(5_000) }),
      null,
      "text",
      ["list"],
      { kty: "XYZ" },
    ],
  });
  assert.deepEqual(read?.set.keys, [{ kty: "EC", kid: "good", alg: "ES256", crv: "P-256", x: "x", y: "y" }]);
  assert.equal(readKeySet({ keys: Array.from({ length: 1_000 }, () => jwk({})) })?.set.keys.length, 100);
  for (const wrong of [undefined, null, 1, "x", [], {}, { keys: {} }, { keys: null }]) assert.equal(readKeySet(wrong), undefined);
});

test("a proxy is used where the environment names one, and never for this machine", async (t) => {
  const asked: string[] = [];
  const proxy = createServer();
  proxy.on("connect", (request, socket) => {
    asked.push(request.url ?? "");
    socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  });
  await new Promise<void>((done) => proxy.listen(0, "127.0.0.1", done));
  t.after(() => proxy.close());
  const address = proxy.address();
  assert.ok(address !== null && typeof address === "object");
  const env = {
    HTTPS_PROXY: `http://127.0.0.1:${address.port}`,
    HTTP_PROXY: `http://127.0.0.1:${address.port}`,
    NO_PROXY: "direct.invalid",
  };
  const options = { ca: undefined, env, signal: new AbortController().signal };
  assert.equal((await fetchJson(new URL("https://idp.invalid/keys"), options)).ok, false);
  assert.deepEqual(asked, ["idp.invalid:443"]);
  await fetchJson(new URL("https://direct.invalid/keys"), options);
  const issuer = await issuerOf(t);
  assert.equal((await fetchJson(new URL(`${issuer.url}/keys`), options)).ok, true);
  assert.equal(asked.length, 1);
  assert.equal((await fetchJson(new URL("http://idp.invalid/keys"), options)).ok, false, "unencrypted only on this machine");
  assert.equal(asked.length, 1);
});
