import { policyJsonSchema } from "../../../src/config/json-schema.ts";
import { layerKeys } from "../../../src/config/schema.ts";
import type { Json } from "../../../src/core/json.ts";
import { STAGES } from "../../../src/stages/index.ts";
import { code, type GeneratedPage, page, table } from "./page.ts";

type Schema = Readonly<Record<string, Json>>;
/** Path, values, default, meaning. */
type Row = readonly [string, string, string, string];

const isSchema = (value: Json | undefined): value is Schema => typeof value === "object" && value !== null && !Array.isArray(value);
const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "");

/** Top-level parts in the order in which they are read, with what the schema has no words for. */
const PARTS: Readonly<Record<string, string>> = {
  providers: "Accounts at providers, by a name of yours.",
  models: "The names that callers use, and who serves them.",
  tiers: "",
  tenants: "Who may call: tenants, their apps, and what proves that a caller is the app.",
  useCases: "What a call may be for. Everything but `description` is the [settings of a layer](#settings-of-a-layer).",
  defaults: "Everything but `unknownSurface` is the [settings of a layer](#settings-of-a-layer).",
  keys: "",
  listen: "Where Envoy listens. A change needs a new start of Envoy.",
  limits: "A change of `bodyBytesMax` needs a new start of Envoy.",
};

export function policyReferencePage(): GeneratedPage {
  const root = policyJsonSchema(STAGES);
  if (!isSchema(root) || !isSchema(root["properties"])) throw new TypeError("the schema is not an object");
  const walker = new Walker(root);
  const parts = root["properties"];
  const scalars = Object.entries(parts).filter(([name, schema]) => !(name in PARTS) && isSchema(schema) && walker.isLeaf(schema));
  const others = Object.keys(parts).filter((name) => !(name in PARTS) && !scalars.some(([scalar]) => scalar === name));
  const sections: string[] = [];
  for (const name of [...Object.keys(PARTS), ...others]) {
    const schema = parts[name];
    if (!isSchema(schema)) continue;
    const words = [textOf(schema["description"]), PARTS[name] ?? ""].filter((text) => text !== "").join(" ");
    sections.push(`## ${name}`, "", ...(words === "" ? [] : [words, ""]), ...settings(walker.rows(schema, name)), "");
  }
  return page("docs/policy-reference.md", [
    "# Policy reference",
    "",
    "Every setting of the policy document. [policy.md](policy.md) is the guide, [policy.schema.json](policy.schema.json) the same for editors:",
    "put `# yaml-language-server: $schema=PATH/policy.schema.json` into the first lines of the policy.",
    "",
    "`<name>` stands for a name of yours, `[]` for each member of a list. A setting without a default may be left out unless it says *required*.",
    "",
    "## Top level",
    "",
    ...settings(scalars.flatMap(([name, schema]) => (isSchema(schema) ? [walker.row(schema, name, walker.required(root, name))] : []))),
    "",
    ...sections,
    "## Settings of a layer",
    "",
    "They may stand in `defaults`, `useCases.<name>`, `tenants.<name>` and `tenants.<name>.apps.<name>`; the later of these goes before the earlier,",
    "setting by setting (lists are replaced whole). `sluice check --explain tenant/app/use-case` shows what holds and which line says so.",
    "",
    ...walker.layers(),
  ]);
}

const settings = (rows: readonly Row[]): readonly string[] =>
  rows.length === 0 ? [] : table(["Setting", "Value", "Default", "Meaning"], rows);

class Walker {
  readonly #root: Schema;
  readonly #layerKeys = layerKeys(STAGES);
  /** Where a set of settings was shown first, by its schema without its own words. */
  readonly #shown = new Map<string, string>();

  constructor(root: Schema) {
    this.#root = root;
  }

  #resolve(schema: Schema): Schema {
    const name = /^#\/\$defs\/(.+)$/.exec(textOf(schema["$ref"]))?.[1];
    const definitions = this.#root["$defs"];
    const found = name !== undefined && isSchema(definitions) ? definitions[name] : undefined;
    return isSchema(found) ? found : schema;
  }

  required(schema: Schema, name: string): boolean {
    const list = schema["required"];
    return Array.isArray(list) && list.includes(name);
  }

  isLeaf(schema: Schema): boolean {
    return this.#inside(schema).length === 0;
  }

  /** What a schema holds, with how it is reached: members, map values, list members, each way of a choice. */
  #inside(given: Schema): readonly { readonly step: string; readonly schema: Schema; readonly required: boolean }[] {
    const schema = this.#resolve(given);
    const { properties, additionalProperties, items, anyOf } = schema;
    if (isSchema(properties))
      return Object.entries(properties).flatMap(([name, value]) =>
        isSchema(value) ? [{ step: `.${name}`, schema: value, required: this.required(schema, name) }] : [],
      );
    if (isSchema(additionalProperties) && this.#inside(additionalProperties).length > 0)
      return [{ step: ".<name>", schema: additionalProperties, required: false }];
    if (isSchema(items) && this.#inside(items).length > 0) return [{ step: "[]", schema: items, required: false }];
    if (Array.isArray(anyOf)) return anyOf.filter(isSchema).flatMap((choice) => this.#inside(choice));
    return [];
  }

  /** Rows for all that stands below; the settings of layers have a chapter of their own. */
  rows(schema: Schema, path: string): readonly Row[] {
    return this.#inside(schema).flatMap(({ step, schema: inner, required }) => {
      const name = step.slice(1);
      const isLayer = /^(?:defaults|useCases\.<name>|tenants\.<name>|tenants\.<name>\.apps\.<name>)$/.test(path);
      if (isLayer && this.#layerKeys.includes(name)) return [];
      const here = `${path}${step}`;
      const own = step === ".<name>" || step === "[]" ? [] : [this.row(inner, here, required)];
      const before = this.#shownBefore(inner, here);
      if (before !== undefined) {
        const [path, values, fallback, text] = own[0] ?? this.row(inner, here, required);
        return [[path, values, fallback, `${text} Settings as of \`${before}\`.`.trim()]];
      }
      return [...own, ...this.rows(this.#resolve(inner), here)];
    });
  }

  /** Notes what is about to be shown; gives the place where the same was shown before. */
  #shownBefore(schema: Schema, path: string): string | undefined {
    if (this.isLeaf(schema)) return undefined;
    const { description: _, default: __, ...form } = this.#resolve(schema);
    const key = JSON.stringify(form);
    const before = this.#shown.get(key);
    if (before === undefined) this.#shown.set(key, path);
    return before;
  }

  row(given: Schema, path: string, required: boolean): Row {
    const schema = this.#resolve(given);
    const fallback = given["default"] ?? schema["default"];
    const shown =
      fallback === undefined || (isSchema(fallback) && Object.keys(fallback).length === 0) ? "" : code(JSON.stringify(fallback));
    return [
      code(path),
      this.#values(schema),
      required && shown === "" ? "*required*" : shown,
      textOf(given["description"]) || textOf(schema["description"]),
    ];
  }

  #values(given: Schema): string {
    const schema = this.#resolve(given);
    if (Array.isArray(schema["enum"])) return schema["enum"].map((value) => code(String(value))).join(", ");
    if (schema["const"] !== undefined) return code(JSON.stringify(schema["const"]).replaceAll('"', ""));
    if (Array.isArray(schema["anyOf"]))
      return [...new Set(schema["anyOf"].filter(isSchema).map((choice) => this.#values(choice)))].join(" or ");
    const { type } = schema;
    if (Array.isArray(type)) return type.map((one) => this.#values({ ...schema, type: one })).join(" or ");
    switch (type) {
      case "integer":
        return `whole number${range(schema)}`;
      case "number":
        return `number${range(schema)}`;
      case "boolean":
        return "true, false";
      case "array":
        return `list${isSchema(schema["items"]) && this.#inside(schema["items"]).length === 0 ? ` of ${this.#values(schema["items"])}` : ""}`;
      case "object":
        return "map";
      case "string":
        return "text";
      default:
        return "any";
    }
  }

  /** The settings that layers share, then a chapter for each stage. */
  layers(): readonly string[] {
    const properties = this.#root["properties"];
    const defaults = isSchema(properties) ? properties["defaults"] : undefined;
    const members = isSchema(defaults) && isSchema(defaults["properties"]) ? defaults["properties"] : {};
    const stages = STAGES.map(({ name }) => name);
    const common = this.#layerKeys.filter((name) => !stages.includes(name));
    const below = (name: string): readonly Row[] => {
      const schema = members[name];
      return isSchema(schema) ? (this.isLeaf(schema) ? [this.row(schema, name, false)] : this.rows(schema, name)) : [];
    };
    return [
      ...settings(common.flatMap(below)),
      ...stages.flatMap((name) => {
        const schema = members[name];
        const words = isSchema(schema) ? textOf(this.#resolve(schema)["description"]) : "";
        return ["", `### ${name}`, "", ...(words === "" ? [] : [words, ""]), ...settings(below(name))];
      }),
    ];
  }
}

function range(schema: Schema): string {
  const { minimum, maximum } = schema;
  const top = typeof maximum === "number" && maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined;
  const low = typeof minimum === "number" && minimum > Number.MIN_SAFE_INTEGER ? minimum : undefined;
  if (low !== undefined && top !== undefined) return `, ${low} to ${top}`;
  if (low !== undefined) return `, at least ${low}`;
  return top === undefined ? "" : `, at most ${top}`;
}
