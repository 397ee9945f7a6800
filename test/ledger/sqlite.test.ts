import { after, before } from "node:test";
import { ledgerConformance } from "../conformance/ledger.ts";
import { sqliteStore, type TestStore } from "./stores.ts";

let store: TestStore;
before(async () => {
  store = await sqliteStore();
});
after(() => store.stop());

ledgerConformance("SQLite", () => store);
