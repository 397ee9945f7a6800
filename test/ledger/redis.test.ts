import { after, before } from "node:test";
import { ledgerConformance } from "../conformance/ledger.ts";
import { redisStore, type TestStore } from "./stores.ts";

let store: TestStore;
before(async () => {
  store = await redisStore();
});
after(() => store.stop());

ledgerConformance("Valkey", () => store);
