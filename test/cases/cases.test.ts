/**
 * Policies by example: every file beside this one is a policy and calls against it, through a real Envoy. A case says what the
 * caller gets, what the provider got, and always what the record holds.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parse } from "yaml";
import { z } from "zod";
import { BASIC_POLICY, type Gateway, startGateway } from "../support/gateway.ts";
import { assertRecord } from "../support/records.ts";
import { assertSubset } from "../support/subset.ts";

const FILE = z.strictObject({ name: z.string(), file: z.string(), bytes: z.int() });
const anything = z.record(z.string(), z.unknown());
const file = z.strictObject({
  about: z.string(),
  /** Absent: the basic policy. `replace` edits it, pair by pair; each text must be there. */
  policy: z.string().optional(),
  /** Environment of Envoy, beside the simulator's key. */
  env: z.record(z.string(), z.string()).default({}),
  replace: z.array(z.tuple([z.string(), z.string()])).default([]),
  cases: z.array(
    z.strictObject({
      name: z.string(),
      app: z.string().default("acme/bot"),
      /** Where the key goes; `none` sends none. */
      key: z.enum(["bearer", "x-api-key", "api-key", "x-goog-api-key", "query", "none"]).default("bearer"),
      method: z.string().default("POST"),
      path: z.string(),
      headers: z.record(z.string(), z.string()).default({}),
      /** `${saved:NAME}` in path and body stands for what an earlier case saved. */
      body: z.union([z.string(), anything]).optional(),
      /** A multipart form instead of a body; a file holds as many bytes. */
      form: z.array(z.union([z.strictObject({ name: z.string(), value: z.string() }), FILE])).optional(),
      status: z.int(),
      answerHeaders: anything.default({}),
      answer: z.union([z.string(), anything]).optional(),
      /** Members of the answer to keep for later cases, by the name they get. */
      save: z.record(z.string(), z.string()).default({}),
      /** What the provider got; `none`: nothing may have reached it. */
      provider: z.union([
        z.literal("none"),
        z.strictObject({
          path: z.string().optional(),
          headers: anything.optional(),
          body: anything.optional(),
          /** Of the body as text. */
          text: z.string().optional(),
          sameBody: z.boolean().optional(),
        }),
      ]),
      record: anything,
    }),
  ),
});

const folder = import.meta.dirname;
for (const name of readdirSync(folder).filter((entry) => entry.endsWith(".yaml"))) {
  const suite = file.parse(parse(readFileSync(join(folder, name), "utf8")));
  describe(`${name}: ${suite.about}`, () => {
    let gateway: Gateway;
    const saved = new Map<string, string>();
    const filled = (text: string): string =>
      text.replaceAll(/\$\{saved:(\w+)\}/g, (_all, key: string) => saved.get(key) ?? assert.fail(`nothing saved as ${key}`));
    before(async () => {
      let policy = suite.policy ?? BASIC_POLICY;
      for (const [from, to] of suite.replace) {
        assert.ok(policy.includes(from), `the policy has no "${from}"`);
        policy = policy.replace(from, to);
      }
      gateway = await startGateway({ policy, env: suite.env });
    });
    after(() => gateway.stop());
    for (const [index, item] of suite.cases.entries()) {
      test(item.name, async () => {
        const sentBefore = gateway.simulator.requests.length;
        const written = item.body === undefined || typeof item.body === "string" ? item.body : JSON.stringify(item.body);
        const form = item.form === undefined ? undefined : formBody(item.form);
        const body = form ?? (written === undefined ? undefined : Buffer.from(filled(written)));
        const type = form === undefined ? "application/json" : `multipart/form-data; boundary=${BOUNDARY}`;
        const response = await fetch(gateway.url + withKey(filled(item.path), item.key, gateway.key(item.app)), {
          method: item.method,
          headers: {
            ...(body === undefined ? {} : { "content-type": type }),
            ...keyHeader(item.key, gateway.key(item.app)),
            ...item.headers,
          },
          ...(body === undefined ? {} : { body }),
        });
        const text = await response.text();
        assert.equal(response.status, item.status, text);
        assertSubset(Object.fromEntries(response.headers), item.answerHeaders, "answer headers");
        if (typeof item.answer === "string") assertSubset(text, item.answer, "answer");
        else if (item.answer !== undefined) assertSubset(JSON.parse(text), item.answer, "answer");
        for (const [key, member] of Object.entries(item.save)) saved.set(key, String(anything.parse(JSON.parse(text))[member]));

        const arrived = gateway.simulator.requests.slice(sentBefore);
        if (item.provider === "none") assert.equal(arrived.length, 0, "the provider was called");
        else {
          const [request] = arrived;
          assert.ok(request !== undefined, "the provider was not called");
          if (item.provider.path !== undefined) assertSubset(request.path, item.provider.path, "provider path");
          if (item.provider.headers !== undefined) assertSubset(request.headers, item.provider.headers, "provider headers");
          if (item.provider.body !== undefined)
            assertSubset(JSON.parse(Buffer.from(request.body).toString()), item.provider.body, "provider body");
          if (item.provider.text !== undefined) assertSubset(request.body.toString(), item.provider.text, "provider text");
          if (item.provider.sameBody === true) assert.equal(request.body.toString("latin1"), body?.toString("latin1") ?? "");
        }

        const record = (await gateway.records(index + 1))[index];
        assert.ok(record !== undefined, "no record");
        assert.equal(response.headers.get("x-ai-request-id"), record.id);
        assertRecord(record, item.record);
      });
    }
    test("one record an exchange, and no key in any of them", async () => {
      const records = await gateway.records(suite.cases.length);
      assert.equal(records.length, suite.cases.length);
      const text = JSON.stringify(records);
      assert.ok(!text.includes(gateway.key()), "a caller's key is in a record");
      assert.ok(!text.includes("sk-sim-provider-key"), "the provider's key is in a record");
    });
  });
}

const BOUNDARY = "case-boundary";

function formBody(parts: readonly ({ readonly name: string; readonly value: string } | z.infer<typeof FILE>)[]): Buffer {
  const pieces = parts.flatMap((part) => {
    const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${part.name}"`;
    if ("value" in part) return [Buffer.from(`${head}\r\n\r\n${part.value}\r\n`)];
    const file = Buffer.alloc(part.bytes, "\x00\xff\r\n--", "latin1");
    return [Buffer.from(`${head}; filename="${part.file}"\r\nContent-Type: application/octet-stream\r\n\r\n`), file, Buffer.from("\r\n")];
  });
  return Buffer.concat([...pieces, Buffer.from(`--${BOUNDARY}--\r\n`)]);
}

function keyHeader(place: string, key: string): Record<string, string> {
  if (place === "bearer") return { authorization: `Bearer ${key}` };
  return place === "none" || place === "query" ? {} : { [place]: key };
}

function withKey(path: string, place: string, key: string): string {
  return place === "query" ? `${path}${path.includes("?") ? "&" : "?"}key=${key}` : path;
}
