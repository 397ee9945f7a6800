import { z } from "zod";
import type { Json } from "../core/json.ts";
import { formatPath, nearest, type Path, type PolicyProblem, suggest } from "./problems.ts";
import { at, entriesOf, isJsonMap, memberOf, type SourceTree } from "./tree.ts";

/** Rules of the design that this version does not have yet: a document that relies on one must not load as if it held. */
const NOT_YET = new Set(["cache", "idempotency", "approve", "canary", "degraded", "chain", "backoffMs"]);

/** Where settings live that people look for elsewhere. */
const MOVED: Readonly<Record<string, string>> = { retry: "route.retry", rate_limits: "limits", apiKeys: "keys", usecases: "useCases" };

/** Checks the whole document against its schema: every mistake of shape, in one pass. */
export function shapeProblems(tree: SourceTree, schema: z.ZodType): readonly PolicyProblem[] {
  const parsed = schema.safeParse(tree.root);
  if (parsed.success) return [];
  const published: Json = JSON.parse(JSON.stringify(z.toJSONSchema(schema, { io: "input" })));
  const translator = new Translator(tree, published);
  return parsed.error.issues.flatMap((issue) => translator.issue(issue, []));
}

class Translator {
  readonly #tree: SourceTree;
  readonly #published: Json;

  constructor(tree: SourceTree, published: Json) {
    this.#tree = tree;
    this.#published = published;
  }

  issue(issue: z.core.$ZodIssue, base: Path): readonly PolicyProblem[] {
    const path = [...base, ...issue.path.map((part) => (typeof part === "number" ? part : String(part)))];
    const input = at(this.#tree.root, path);
    if (issue.code === "unrecognized_keys") {
      return issue.keys.flatMap((key) => this.#unknownKey(path, key));
    }
    if (input === undefined) {
      // A credential of a kind that this version has not is told so once, not also that it is no API key.
      const siblings = entriesOf(at(this.#tree.root, path.slice(0, -1)));
      return siblings.some(([key]) => NOT_YET.has(key)) ? [] : this.#missing(path);
    }
    if (input === null) {
      const here = isJsonMap(at(this.#tree.root, path.slice(0, -1))) ? "key" : "value";
      return this.#add(path, here, "this is empty", "write a value after the colon, or remove the line");
    }
    switch (issue.code) {
      case "invalid_union":
        return this.#union(issue.errors, path, input);
      case "invalid_value": {
        const words = issue.values.map(String);
        const shown = typeof input === "string" && input.length <= 24 ? `"${input}"` : "this";
        const near = typeof input === "string" ? nearest(input, words) : undefined;
        // A word that YAML would read as a number must keep its quotes.
        const choices = words.map((word) => (/^[0-9.]+$/.test(word) ? `"${word}"` : word)).join(", ");
        const remedy = near === undefined ? `write ${words.length === 1 ? "" : "one of "}${choices}` : `did you mean ${near}?`;
        return this.#add(path, "value", `${shown} is not possible here`, remedy);
      }
      case "invalid_type":
        return this.#wrongType(path, issue.expected, input);
      case "too_small":
      case "too_big": {
        const limit = issue.code === "too_small" ? issue.minimum : issue.maximum;
        const bound = issue.code === "too_small" ? "at least" : "at most";
        const unit = issue.origin === "array" ? " entries" : issue.origin === "string" ? " characters" : "";
        return this.#add(
          path,
          "value",
          `must be ${bound} ${limit}${unit}`,
          issue.origin === "array" && issue.code === "too_small"
            ? "add an entry, or remove the key"
            : `write a value of ${bound} ${limit}${unit}`,
        );
      }
      default: {
        const [message = "", remedy] = issue.message.split(" -> ");
        return this.#add(path, "value", message, remedy ?? "correct the value");
      }
    }
  }

  #unknownKey(path: Path, key: string): readonly PolicyProblem[] {
    const full = [...path, key];
    const shown = JSON.stringify(key.slice(0, 64));
    const known = knownAt(this.#published, path);
    const moved = Object.hasOwn(MOVED, key) ? MOVED[key] : undefined;
    const near = nearest(key, known.keys());
    if (NOT_YET.has(key))
      return this.#add(
        full,
        "key",
        `${shown} is not supported by this version`,
        "remove it: a rule that is written but not applied would mislead",
      );
    if (moved !== undefined && known.has(moved.split(".")[0] ?? ""))
      return this.#add(full, "key", `unknown key ${shown}`, `write it as ${moved}`);
    const below = [...known].find(([, schema]) => propertiesOf(schema).has(key))?.[0];
    if (near === undefined && below !== undefined)
      return this.#add(full, "key", `unknown key ${shown}`, `put it into ${below}: { ${key}: ... }`);
    return this.#add(full, "key", `unknown key ${shown}`, suggest(key, [...known.keys()], "remove it"));
  }

  #missing(path: Path): readonly PolicyProblem[] {
    const name = String(path.at(-1) ?? "");
    const wanted = schemaAt(this.#published, path)[0];
    const example =
      memberOf(wanted, "const") ?? (Array.isArray(memberOf(wanted, "enum")) ? memberOf(memberOf(wanted, "enum"), 0) : undefined);
    const text = memberOf(wanted, "description");
    const hint =
      typeof example === "string"
        ? `write ${name}: ${example}`
        : `add ${name}${typeof text === "string" ? ` (${text.replace(/\.$/, "")})` : ""}`;
    return this.#add(path, "key", `${name} is missing`, hint);
  }

  #wrongType(path: Path, expected: string, input: Json): readonly PolicyProblem[] {
    const name = String(path.at(-1) ?? "");
    if (expected === "string" && (typeof input === "number" || typeof input === "boolean")) {
      return this.#add(path, "value", "must be text, and YAML reads this as a number or a truth value", `put it in quotes: ${name}: "..."`);
    }
    if ((expected === "int" || expected === "number") && typeof input === "string") {
      const ms = durationMs(input);
      if (/Ms(?:Max)?$/.test(name) && ms !== undefined)
        return this.#add(path, "value", "must be whole milliseconds, without a unit", `write ${name}: ${ms}`);
      if (/^[0-9]+$/.test(input)) return this.#add(path, "value", "must be a number, not text", `remove the quotes: ${name}: ${input}`);
    }
    const words: Readonly<Record<string, string>> = {
      int: "a whole number",
      number: "a number",
      string: "text",
      boolean: "true or false",
      array: "a list",
      object: "a map",
      record: "a map",
    };
    const whole = memberOf(schemaAt(this.#published, path)[0], "type") === "integer";
    const wanted = words[whole ? "int" : expected] ?? expected;
    const properties = [...propertiesOf(schemaAt(this.#published, path)[0])].map(([key]) => key);
    const remedy =
      name === "credential" && typeof input === "string"
        ? "never write a secret here: write { env: NAME } or { file: PATH }"
        : expected === "array"
          ? `write [${typeof input === "string" && input.length <= 24 ? input : "..."}]`
          : properties.length > 0
            ? `write a map with ${properties.slice(0, 6).join(", ")}`
            : `write ${wanted}`;
    return this.#add(path, "value", `must be ${wanted}, and is ${kindOf(input)}`, remedy);
  }

  /** Reports the alternative that the author most likely meant: the one of the right kind, with the fewest mistakes. */
  #union(alternatives: readonly (readonly z.core.$ZodIssue[])[], path: Path, input: Json): readonly PolicyProblem[] {
    const meant = alternatives
      .filter((issues) => !issues.some((issue) => issue.path.length === 0 && issue.code === "invalid_type"))
      .filter((issues) => typeof input === "string" || !issues.some((issue) => issue.path.length === 0 && issue.code === "invalid_value"))
      .sort((a, b) => a.length - b.length)[0];
    if (meant !== undefined) return meant.flatMap((issue) => this.issue(issue, path));
    const forms = schemaAt(this.#published, path)
      .map((schema) => String(memberOf(schema, "const") ?? memberOf(schema, "type") ?? ""))
      .filter((form) => form !== "");
    const words = [...new Set(forms)].map((form) =>
      form === "object" ? "a map" : form === "string" ? "text" : form === "number" ? "a number" : form,
    );
    return this.#add(path, "value", `this is ${kindOf(input)}, which is not understood here`, `write ${words.join(" or ")}`);
  }

  #add(path: Path, what: "key" | "value", message: string, remedy: string): readonly PolicyProblem[] {
    const place = this.#tree.place(path, what);
    return [{ severity: "error", ...place, path: formatPath(path), message, remedy }];
  }
}

function kindOf(value: Json): string {
  if (Array.isArray(value)) return "a list";
  if (isJsonMap(value)) return "a map";
  if (typeof value === "string") return "text";
  return typeof value === "number" ? "a number" : "true or false";
}

/** `60s`, `1.5 m`, `500ms`: what people write where milliseconds are meant. */
function durationMs(text: string): number | undefined {
  const match = /^\s*([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*(ms|s|m|h|d)\s*$/.exec(text);
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match?.[2] ?? ""];
  return unit === undefined ? undefined : Math.round(Number(match?.[1]) * unit);
}

/** The published schemas that apply at a path: several where there are alternatives. */
function schemaAt(schema: Json, path: Path): Json[] {
  let here = alternativesOf(schema);
  for (const part of path) {
    here = here.flatMap((one) => {
      const next =
        typeof part === "number"
          ? memberOf(one, "items")
          : (memberOf(memberOf(one, "properties"), part) ?? memberOf(one, "additionalProperties"));
      return next === undefined || typeof next === "boolean" ? [] : alternativesOf(next);
    });
  }
  return here;
}
function alternativesOf(schema: Json): Json[] {
  const options = memberOf(schema, "anyOf");
  return Array.isArray(options) ? options.flatMap(alternativesOf) : [schema];
}
function propertiesOf(schema: Json | undefined): Map<string, Json> {
  return new Map(schema === undefined ? [] : alternativesOf(schema).flatMap((one) => entriesOf(memberOf(one, "properties"))));
}
function knownAt(schema: Json, path: Path): Map<string, Json> {
  return new Map(schemaAt(schema, path).flatMap((one) => entriesOf(memberOf(one, "properties"))));
}
