import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, type KeyObject, sign as rawSign } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { CompactSign, SignJWT } from "jose";
import { presented } from "../../../test/support/credentials.ts";
import { property } from "../../../test/support/property.ts";
import type { IdentityDeps, KeySet, KeySource, Proof } from "../../core/credentials.ts";
import type { Principal } from "../../core/policy.ts";
import { jwtKind } from "./jwt.ts";
import type { Authenticator } from "./kind.ts";
import { TOKEN_CHARS_MAX } from "./token.ts";

const ISSUER = "https://idp.example";
const NOW_S = 1_800_000_000;
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const other = generateKeyPairSync("ec", { namedCurve: "P-256" });
const jwk = (key: KeyObject, kid?: string) => ({ ...key.export({ format: "jwk" }), ...(kid === undefined ? {} : { kid }) });
const KEYS: KeySet = { keys: [jwk(ec.publicKey, "ec"), jwk(rsa.publicKey, "rsa")] };

/** Keys as a test sets them, and how often more were asked for. */
class Keys {
  set: KeySet | undefined = KEYS;
  next: KeySet | undefined;
  asked = 0;
  current(_source: KeySource): KeySet | undefined {
    return this.set;
  }
  async refresh(_source: KeySource): Promise<void> {
    this.asked += 1;
    if (this.next !== undefined) this.set = this.next;
  }
}

const app = (setting: object, name = "bot") => ({ tenant: "acme", app: name, setting: { issuer: ISSUER, audience: "sluice", ...setting } });
const compile = (...entries: ReturnType<typeof app>[]): Authenticator => jwtKind.compile(entries, { folder: "/policy" });

const depsOf = (keys = new Keys(), nowS = NOW_S): IdentityDeps => ({ now: () => nowS * 1000, keySets: keys });
const ask = async (of: Authenticator, token: string, deps = depsOf()): Promise<readonly Proof[]> => of.identify(presented([token]), deps);
async function principalOf(of: Authenticator, token: string, deps = depsOf()): Promise<Principal | undefined> {
  const [proof] = await ask(of, token, deps);
  return proof?.ok === true ? proof.value : undefined;
}
async function refusalOf(of: Authenticator, token: string, deps = depsOf()): Promise<string> {
  const [proof] = await ask(of, token, deps);
  return proof === undefined ? "none of ours" : proof.ok ? "authenticated" : `${proof.error.code}: ${proof.error.detail}`;
}

const CLAIMS = { iss: ISSUER, aud: "sluice", sub: "bot", iat: NOW_S - 10, exp: NOW_S + 60 };
const sign = (claims: object = {}, header: object = {}, key: KeyObject = ec.privateKey): Promise<string> =>
  new SignJWT({ ...CLAIMS, ...claims }).setProtectedHeader({ alg: "ES256", kid: "ec", ...header }).sign(key);
const encoded = (value: unknown): string => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
/** A signed token whose payload is any text. */
const signText = (payload: string, header: object = {}): Promise<string> =>
  new CompactSign(Buffer.from(payload)).setProtectedHeader({ alg: "ES256", kid: "ec", ...header }).sign(ec.privateKey);

test("a good token proves its app, by EC and by RSA, and is asked for once", async () => {
  const bot = compile(app({}));
  const token = await sign();
  const keys = new Keys();
  const expected = {
    tenant: "acme",
    app: "bot",
    user: undefined,
    useCase: undefined,
    credentialId: "jwt:idp.example",
    credentialKind: "jwt",
  };
  assert.deepEqual(await principalOf(bot, token, depsOf(keys)), expected);
  const again = bot.identify(presented([token]), depsOf(keys));
  assert.ok(!(again instanceof Promise), "a token in memory needs no waiting");
  assert.equal(again[0]?.ok, true);
  assert.ok(await principalOf(bot, await sign({}, { alg: "RS256", kid: "rsa" }, rsa.privateKey)));
  assert.ok(await principalOf(bot, await sign({}, { alg: "PS256", kid: "rsa", typ: "at+jwt" }, rsa.privateKey)));
  assert.ok(await principalOf(bot, await sign({}, { kid: undefined })), "a token may leave out which key it was");
  assert.equal(keys.asked, 0);
});

test("a burst with one token verifies it once", async () => {
  const bot = compile(app({}));
  const token = await sign();
  const keys = new Keys();
  const read = { times: 0 };
  const counting = {
    current: () => {
      read.times += 1;
      return keys.set;
    },
    refresh: () => Promise.resolve(),
  };
  const proofs = await Promise.all(
    Array.from({ length: 50 }, () => bot.identify(presented([token]), { now: () => NOW_S * 1000, keySets: counting })),
  );
  assert.ok(proofs.every(([proof]) => proof?.ok));
  assert.equal(read.times, 1);
});

test("algorithms: no shared secrets, none, confusion or weak keys", async () => {
  const bot = compile(app({}));
  const claims = encoded(CLAIMS);
  const pem = rsa.publicKey.export({ type: "spki", format: "pem" });
  for (const secret of [pem, rsa.publicKey.export({ type: "spki", format: "der" }), JSON.stringify(jwk(rsa.publicKey))]) {
    const head = encoded({ alg: "HS256", kid: "rsa" });
    const forged = `${head}.${claims}.${createHmac("sha256", secret).update(`${head}.${claims}`).digest("base64url")}`;
    assert.match(await refusalOf(bot, forged), /^unauthenticated/);
  }
  for (const alg of ["none", "None", "NONE", "", "ES256 ", "HS512"]) {
    for (const signature of ["", "AA", (await sign()).split(".")[2] ?? ""])
      assert.equal(await principalOf(bot, `${encoded({ alg })}.${claims}.${signature}`), undefined, alg);
  }
  assert.equal(await principalOf(bot, await sign({}, { alg: "ES256", kid: "rsa" })), undefined, "another key type's id");
  const only = compile(app({ algorithms: ["RS256"] }));
  assert.equal(await principalOf(only, await sign()), undefined, "an algorithm that the policy does not list");
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const keys = new Keys();
  keys.set = { keys: [jwk(weak.publicKey, "weak")] };
  const head = encoded({ alg: "RS256", kid: "weak" });
  const small = `${head}.${claims}.${rawSign("sha256", Buffer.from(`${head}.${claims}`), weak.privateKey).toString("base64url")}`;
  assert.equal(await principalOf(bot, small, depsOf(keys)), undefined, "a key of 1024 bits");
});

test("a key that the token brings itself, or names by address, is not looked at", async () => {
  const bot = compile(app({}));
  const keys = new Keys();
  for (const header of [{ jwk: jwk(other.publicKey) }, { jku: "https://evil.example/keys" }, { x5u: "https://evil.example/cert" }])
    assert.equal(await principalOf(bot, await sign({}, { ...header, kid: "ec" }, other.privateKey), depsOf(keys)), undefined);
});

test("headers with a meaning that is not known are refused, and so are tokens for another purpose", async () => {
  const bot = compile(app({}));
  const [, body = "", signature = ""] = (await sign()).split(".");
  for (const header of [
    { crit: ["exp"], exp: 1 },
    { crit: [] },
    { crit: "b64" },
    { b64: false, crit: ["b64"] },
    { crit: ["urn:x"], "urn:x": 1 },
  ]) {
    const head = encoded({ alg: "ES256", kid: "ec", ...header });
    assert.equal(await principalOf(bot, `${head}.${body}.${signature}`), undefined, JSON.stringify(header));
    const own = rawSign("sha256", Buffer.from(`${head}.${body}`), { key: ec.privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url");
    assert.equal(await principalOf(bot, `${head}.${body}.${own}`), undefined, `signed ${JSON.stringify(header)}`);
  }
  for (const typ of ["dpop+jwt", "logout+jwt", "secevent+jwt", "", 7])
    assert.equal(await principalOf(bot, await sign({}, { typ })), undefined, String(typ));
  for (const typ of ["JWT", "jwt", "at+jwt", "application/at+jwt"]) assert.ok(await principalOf(bot, await sign({}, { typ })), typ);
});

test("times: exp is exact and needed, nbf and iat have the skew, maxAgeSeconds bounds the rest", async () => {
  const bot = compile(app({ clockSkewSeconds: 10 }));
  assert.ok(await principalOf(bot, await sign({ exp: NOW_S + 1 })));
  assert.match(await refusalOf(bot, await sign({ exp: NOW_S })), /has expired/);
  assert.match(await refusalOf(bot, await sign({ exp: NOW_S - 5 })), /has expired/, "the skew does not stretch it");
  assert.match(await refusalOf(bot, await sign({ exp: undefined })), /not valid/);
  for (const exp of ["9999999999", null, {}]) {
    const token = await signText(JSON.stringify({ ...CLAIMS, exp }));
    assert.match(await refusalOf(bot, token), /not valid/, JSON.stringify(exp));
  }
  assert.ok(await principalOf(bot, await sign({ nbf: NOW_S + 10, iat: NOW_S + 10 })));
  assert.match(await refusalOf(bot, await sign({ nbf: NOW_S + 11 })), /not valid yet/);
  assert.match(await refusalOf(bot, await sign({ iat: NOW_S + 11 })), /not valid yet/);
  const young = compile(app({ maxAgeSeconds: 30 }));
  assert.ok(await principalOf(young, await sign({ iat: NOW_S - 29 })));
  assert.match(await refusalOf(young, await sign({ iat: NOW_S - 31 })), /has expired/);
  assert.match(await refusalOf(young, await sign({ iat: undefined })), /not valid/);
});

test("a remembered token ends with its time, its entry, its keys", async () => {
  const token = await sign({ exp: NOW_S + 60 });
  const keys = new Keys();
  const bot = compile(app({ expires: new Date((NOW_S + 40) * 1000).toISOString() }));
  assert.ok(await principalOf(bot, token, depsOf(keys, NOW_S)));
  assert.ok(await principalOf(bot, token, depsOf(keys, NOW_S + 39)));
  assert.equal(await principalOf(bot, token, depsOf(keys, NOW_S + 40)), undefined, "the entry has ended");
  const free = compile(app({}));
  assert.ok(await principalOf(free, token, depsOf(keys, NOW_S)));
  assert.match(await refusalOf(free, token, depsOf(keys, NOW_S + 60)), /has expired/);
  assert.equal(await principalOf(free, token, depsOf(keys, NOW_S - 3600)), undefined, "the clock was set back before iat");
  keys.set = { keys: [jwk(other.publicKey, "ec2")] };
  assert.equal(await principalOf(free, token, depsOf(keys, NOW_S)), undefined, "its key was taken away");
  keys.set = undefined;
  assert.match(await refusalOf(free, token, depsOf(keys, NOW_S)), /^store_unavailable/);
});

test("tokens with the same beginning are told apart", async () => {
  const bot = compile(app({}));
  const good = await sign();
  assert.ok(await principalOf(bot, good));
  const [head = "", body = "", signature = ""] = good.split(".");
  assert.equal(await principalOf(bot, `${head}.${body}.${signature.slice(0, -4)}AAAA`), undefined);
  const later = encoded({ ...CLAIMS, exp: NOW_S + 86_400 });
  assert.equal(await principalOf(bot, `${head}.${later}.${signature}`), undefined);
});

test("an unknown key asks for newer ones, once, and only for tokens that would fit", async () => {
  const bot = compile(app({ claims: { sub: "bot" } }));
  const fresh = await sign({}, { kid: "new" }, other.privateKey);
  const keys = new Keys();
  assert.match(await refusalOf(bot, fresh, depsOf(keys)), /try again/);
  assert.equal(keys.asked, 1);
  keys.next = { keys: [jwk(other.publicKey, "new")] };
  assert.ok(await principalOf(bot, fresh, depsOf(keys)), "the rotated key is used at once");
  const stranger = new Keys();
  for (const claims of [{ sub: "x" }, { aud: "x" }, { iss: "https://x.example" }])
    assert.equal(await principalOf(bot, await sign(claims, { kid: "invented" }), depsOf(stranger)), undefined);
  const shared = `${encoded({ alg: "HS256", kid: "invented" })}.${encoded(CLAIMS)}.${encoded("signature")}`;
  assert.equal(await principalOf(bot, shared, depsOf(stranger)), undefined);
  assert.equal(stranger.asked, 0, "a token that fits no app asks for nothing");
  const nameless = new Keys();
  nameless.next = { keys: [jwk(other.publicKey)] };
  nameless.set = { keys: [jwk(ec.publicKey), jwk(generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey)] };
  assert.ok(
    await principalOf(bot, await sign({}, { kid: undefined }, other.privateKey), depsOf(nameless)),
    "keys without names rotate, too",
  );
});

test("claims: single values, lists, scopes, and members of objects", async () => {
  const cases: readonly (readonly [claims: object, token: object, fits: boolean])[] = [
    [{ sub: "bot" }, {}, true],
    [{ sub: "Bot" }, {}, false],
    [{ sub: ["x", "bot"] }, {}, true],
    [{ groups: "ai" }, { groups: ["ops", "ai"] }, true],
    [{ groups: ["ai", "ml"] }, { groups: ["ops"] }, false],
    [{ groups: "ai" }, {}, false],
    [{ scope: "llm" }, { scope: "openid llm" }, true],
    [{ scope: "llm" }, { scope: "openid llm.admin" }, false],
    [{ name: "a b" }, { name: "a b" }, true],
    [{ level: 3 }, { level: 3 }, true],
    [{ level: 3 }, { level: "3" }, false],
    [{ verified: true }, { verified: true }, true],
    [
      { "kubernetes.io": { namespace: "prod", serviceaccount: { name: ["bot", "batch"] } } },
      { "kubernetes.io": { namespace: "prod", serviceaccount: { name: "bot", uid: "1" } } },
      true,
    ],
    [{ "kubernetes.io": { namespace: "prod" } }, { "kubernetes.io": { namespace: "test" } }, false],
    [{ "kubernetes.io": { namespace: "prod" } }, { "kubernetes.io": "prod" }, false],
    [{ constructor: "x" }, {}, false],
  ];
  for (const [claims, token, fits] of cases) {
    const proven = await principalOf(compile(app({ claims })), await sign(token));
    assert.equal(proven !== undefined, fits, JSON.stringify([claims, token]));
  }
  const many = compile(app({ audience: ["a", "b"] }));
  assert.ok(await principalOf(many, await sign({ aud: ["x", "b"] })));
  assert.equal(await principalOf(many, await sign({ aud: ["x"] })), undefined);
  assert.equal(await principalOf(many, await sign({ aud: undefined })), undefined);
  assert.equal(await principalOf(many, await signText(JSON.stringify({ ...CLAIMS, aud: { a: 1 } }))), undefined);
});

test("what a token binds: user and use case from its claims, which must then be there", async () => {
  const bound = compile(app({ map: { user: "email", useCase: "uc" } }));
  const proven = await principalOf(bound, await sign({ email: "ada@x.example", uc: "support" }));
  assert.deepEqual([proven?.user, proven?.useCase], ["ada@x.example", "support"]);
  for (const claims of [{ uc: "support" }, { email: "a b", uc: "support" }, { email: ["a"], uc: "s" }, { email: "", uc: "s" }])
    assert.match(await refusalOf(bound, await sign(claims)), /names no user/);
  const fixed = compile(app({ user: "robot", map: { user: "sub" } }));
  assert.equal(await principalOf(fixed, await sign({ sub: "other" })), undefined, "a claim cannot replace what the policy says");
  assert.equal((await principalOf(fixed, await sign({ sub: "robot" })))?.user, "robot");
});

test("a token that fits two apps is neither's; one app may have several entries", async () => {
  const two = compile(app({ claims: { sub: "bot" } }), app({ claims: { groups: "ai" } }, "other"));
  assert.equal((await principalOf(two, await sign()))?.app, "bot");
  assert.match(await refusalOf(two, await sign({ groups: ["ai"] })), /more than one app/);
  const rotating = compile(app({ id: "old", revoked: "2026-01-01" }), app({ id: "new" }));
  assert.equal((await principalOf(rotating, await sign()))?.credentialId, "new");
});

test("texts that two readers could read in two ways, and huge ones, are no tokens", async () => {
  const bot = compile(app({}));
  const twice = `{"iss":"${ISSUER}","aud":"sluice","sub":"bot","exp":${NOW_S + 60},"aud":"sluice"}`;
  assert.equal(await refusalOf(bot, await signText(twice)), "none of ours", "a claim twice");
  assert.equal(await refusalOf(bot, await signText(`\ufeff${JSON.stringify(CLAIMS)}`)), "none of ours", "a byte order mark");
  const good = await sign();
  const [head = "", body = "", signature = ""] = good.split(".");
  const headTwice = encoded('{"alg":"ES256","kid":"ec","alg":"ES256"}');
  for (const bad of [
    `${headTwice}.${body}.${signature}`,
    `${good}.`,
    `${good}.x`,
    `${head}.${body}`,
    `${head}=.${body}.${signature}`,
    `${head}.${body}.${signature}=`,
    `${head}.${body}.${signature.slice(0, -1)}${signature.endsWith("A") ? "B" : "A"}`,
    `${head}..${signature}`,
    ".".repeat(1000),
    `${head}.${encoded("[]")}.${signature}`,
    `${head}.${encoded("null")}.${signature}`,
  ])
    assert.notEqual(await refusalOf(bot, bad), "authenticated", bad.slice(0, 60));
  assert.equal(await refusalOf(bot, await sign({ pad: "x".repeat(TOKEN_CHARS_MAX) })), "none of ours");
});

property(
  "a token with any byte changed, cut or added is nobody",
  fc.record({
    at: fc.nat(),
    how: fc.constantFrom("replace", "remove", "insert", "swap"),
    char: fc.integer({ min: 0x21, max: 0x7e }),
    rsa: fc.boolean(),
  }),
  async ({ at, how, char, rsa: byRsa }) => {
    const bot = compile(app({}));
    const good = byRsa ? await GOOD_RSA : await GOOD_EC;
    const index = at % good.length;
    const letter = String.fromCharCode(char);
    const rest = good.slice(index + 1);
    const bad = {
      replace: good.slice(0, index) + letter + rest,
      remove: good.slice(0, index) + rest,
      insert: good.slice(0, index) + letter + good.slice(index),
      swap: good.slice(0, index) + (rest[0] ?? "") + (good[index] ?? "") + rest.slice(1),
    }[how];
    const known = bot.identify(presented([good]), depsOf());
    assert.equal((await known)[0]?.ok, true, "the good one is in memory beside it");
    if (bad !== good) assert.equal(await principalOf(bot, bad), undefined);
  },
  400,
);
const GOOD_EC = sign();
const GOOD_RSA = sign({}, { alg: "RS256", kid: "rsa" }, rsa.privateKey);

property(
  "whatever a caller sends, an answer comes and is no principal",
  fc.oneof(
    fc.string({ maxLength: 200, unit: "binary-ascii" }),
    fc.tuple(fc.jsonValue(), fc.jsonValue(), fc.base64String()).map(([head, body, tail]) => `${encoded(head)}.${encoded(body)}.${tail}`),
    fc
      .record({ alg: fc.constantFrom("ES256", "HS256", "none", "RS256"), kid: fc.constantFrom("ec", "rsa", "x") })
      .map((head) => `${encoded(head)}.${encoded(CLAIMS)}.${encoded("not a signature")}`),
  ),
  async (text) => {
    const proofs = await ask(compile(app({})), text);
    assert.ok(proofs.every((proof) => !proof.ok));
  },
);
