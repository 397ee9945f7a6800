import { after, before } from "node:test";
import { modelProperty } from "./model.ts";
import { redisStore, sqliteStore, type TestStore } from "./stores.ts";

const stores: TestStore[] = [];
before(async () => {
  stores.push(await sqliteStore(), await redisStore());
});
after(async () => {
  for (const store of stores) await store.stop();
});
const store = (at: number) => (): TestStore => {
  const found = stores[at];
  if (found === undefined) throw new Error("the store was not started");
  return found;
};

modelProperty("SQLite", store(0), 200);
modelProperty("Valkey", store(1), 200);
