import assert from "node:assert/strict";
import { test } from "node:test";
import { CODECS, findCodec } from "../../src/codecs/index.ts";
import { DENIED, requestsOf } from "./pages/surfaces.ts";

const find = (method: string, path: string, headers: Readonly<Record<string, string>> = {}) =>
  findCodec({ method, path, query: new URLSearchParams() }, { get: (name) => headers[name] });

test("what the table calls refused is served by no surface, whoever asks", () => {
  for (const { paths } of DENIED)
    for (const { method, path } of paths.flatMap(requestsOf))
      for (const headers of [{}, { "anthropic-version": "2023-06-01" }])
        assert.equal(find(method, path, headers)?.codec.surface, undefined, `${method} ${path}`);
});

test("what the table calls served is served by the surface that its row names", () => {
  for (const { title, surface, dialect } of CODECS) {
    const headers: Readonly<Record<string, string>> = dialect === "anthropic" ? { "anthropic-version": "2023-06-01" } : {};
    const [method = "", ...paths] = title.replace(/\[.*\]$/, "").split(/,? /);
    for (const asked of paths.flatMap((path) => requestsOf(`${method} ${path}`)))
      assert.equal(find(asked.method, asked.path, headers)?.codec.surface, surface, title);
  }
});
