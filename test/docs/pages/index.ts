import { policyJsonSchema } from "../../../src/config/json-schema.ts";
import { STAGES } from "../../../src/stages/index.ts";
import { codesPage } from "./codes.ts";
import { headersPage } from "./headers.ts";
import { metricsPage } from "./metrics.ts";
import type { GeneratedPage } from "./page.ts";
import { policyReferencePage } from "./policy-reference.ts";
import { recordsPage } from "./records.ts";
import { surfacesPage } from "./surfaces.ts";

/** Every page of the docs that is made from the code; `make docs` writes them, a test compares. */
export const generatedPages = (): readonly GeneratedPage[] => [
  policyReferencePage(),
  codesPage(),
  headersPage(),
  recordsPage(),
  metricsPage(),
  surfacesPage(),
  { path: "docs/policy.schema.json", text: `${JSON.stringify(policyJsonSchema(STAGES), null, 2)}\n` },
];
