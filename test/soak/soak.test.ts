import { test } from "node:test";
import { soak } from "./soak.ts";

test("twenty seconds of everything at once: nothing fails, every exchange has its record, memory stays", async (t) => {
  t.diagnostic(await soak({ forMs: 20_000, callers: 8, say: () => undefined }));
});
