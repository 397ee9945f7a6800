import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { openLog } from "./pino.ts";

function sink(isTTY: boolean): { readonly stream: Writable & { isTTY?: boolean }; readonly text: () => string } {
  let text = "";
  const stream: Writable & { isTTY?: boolean } = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  stream.isTTY = isTTY;
  return { stream, text: () => text };
}

test("JSON lines with event, level and fields, from the level up", () => {
  const { stream, text } = sink(false);
  const log = openLog({ level: "warn", stream, color: true });
  log.info("hidden");
  log.warn("policy_warning", { problem: "x" });
  const lines = text().trimEnd().split("\n");
  assert.equal(lines.length, 1);
  const entry = JSON.parse(lines[0] ?? "");
  assert.deepEqual([entry.event, entry.level, entry.problem], ["policy_warning", 40, "x"]);
  assert.equal(typeof entry.time, "number");
});

test("an unknown level is info", () => {
  const { stream, text } = sink(false);
  openLog({ level: "loud", stream, color: false }).info("seen");
  assert.match(text(), /"event":"seen"/);
});

test("fields named like secrets or content never show, at the top or one below; a cause shows no message", () => {
  for (const isTTY of [false, true]) {
    const { stream, text } = sink(isTTY);
    const log = openLog({ level: "debug", stream, color: false });
    const headers = { authorization: "Bearer s3cret", cookie: "s3cret", "x-api-key": "s3cret" };
    log.error("fault", { apiKey: "s3cret", token: "s3cret", body: "s3cret", headers, cause: new Error("could not read s3cret") });
    assert.doesNotMatch(text(), /s3cret/);
    assert.match(text(), /fault/);
    assert.match(text(), /pino\.test\.ts/, "where it happened is kept");
  }
});

test("on a terminal: one readable line each, colours only when asked for, and no control character of a value", () => {
  for (const color of [true, false]) {
    const { stream, text } = sink(true);
    openLog({ level: "info", stream, color }).warn("drained", { waited: 12, name: "a\u001b[31m\nb", where: "10.0.0.1:80" });
    assert.equal(text().split("\n").length, 2);
    assert.match(text(), /^\d\d:\d\d:\d\d\.\d{3} \S*warn\s+\S*\s*drained waited=12 /);
    assert.equal(text().replaceAll("\u001b[33m", "").replaceAll("\u001b[0m", "").includes("\u001b"), false);
    assert.equal(text().includes("\u001b"), color);
    assert.match(text(), /where=10\.0\.0\.1:80/);
  }
});

test("a field cannot take the place of the event, level or time", () => {
  const { stream, text } = sink(false);
  openLog({ level: "info", stream, color: false }).info("real", { event: "forged", level: 10 });
  const entry = JSON.parse(text());
  assert.deepEqual([entry.event, entry.level], ["real", 30]);
});
