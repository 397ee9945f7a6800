import type { Json } from "../core/json.ts";
import { matchesPattern } from "../core/patterns.ts";
import { awsRegionOf, parseBaseUrl } from "./base-url.ts";
import { CREDENTIAL_ID } from "./credentials/facts.ts";
import { CREDENTIAL_KINDS } from "./credentials/index.ts";
import type { PlacedCredential } from "./credentials/kind.ts";
import type { PriceCatalog } from "./prices/catalog.ts";
import { formatPath, type Path, type PolicyProblem, suggest } from "./problems.ts";
import { MODEL_NAME, NAME, PROVIDER_NAME } from "./schema.ts";
import { at, entriesOf, type JsonMap, memberOf, type SourceTree } from "./tree.ts";

/** Parameters that other parts of Sluice set, so that a tier must not. */
const RESERVED_PARAMETERS = new Set([
  "model",
  "messages",
  "input",
  "contents",
  "stream",
  "stream_options",
  "tools",
  "metadata",
  "max_tokens",
  "max_completion_tokens",
  "max_output_tokens",
  "n",
]);
const LAYER_PATHS = ["useCases", "tenants"] as const;

/**
 * What a schema of shapes cannot say: names, references, URLs, doubles. Reads the raw tree and skips what has the wrong
 * shape, so that these mistakes are reported together with those of shape.
 */
export function referenceProblems(tree: SourceTree, prices: PriceCatalog): readonly PolicyProblem[] {
  const checker = new Checker(tree, prices);
  checker.names();
  checker.providers();
  checker.models();
  checker.tiers();
  checker.tenants();
  checker.observe();
  checker.keys();
  checker.listen();
  checker.approvers();
  checker.access();
  checker.remotes();
  checker.limits();
  return checker.problems;
}

class Checker {
  readonly problems: PolicyProblem[] = [];
  readonly #tree: SourceTree;
  readonly #root: JsonMap;
  readonly #prices: PriceCatalog;

  constructor(tree: SourceTree, prices: PriceCatalog) {
    this.#tree = tree;
    this.#root = tree.root;
    this.#prices = prices;
  }

  #add(path: Path, message: string, remedy: string, options: { readonly severity?: "warning"; readonly what?: "key" } = {}): void {
    const place = this.#tree.place(path, options.what ?? "value");
    this.problems.push({
      severity: options.severity ?? "error",
      file: place.file,
      line: place.line,
      column: place.column,
      path: formatPath(path),
      message,
      remedy,
    });
  }
  #names(key: string): readonly string[] {
    return entriesOf(this.#root[key]).map(([name]) => name);
  }
  #reference(path: Path, value: Json | undefined, known: readonly string[], what: string): boolean {
    if (typeof value !== "string" || known.includes(value)) return true;
    this.#add(path, `there is no ${what} ${quote(value)}`, suggest(value, known, "add it, or name another"));
    return false;
  }

  names(): void {
    const check = (path: Path, value: Json | undefined, pattern: RegExp, allowed: string): void => {
      for (const [name] of entriesOf(value)) {
        if (!pattern.test(name))
          this.#add([...path, name], `${quote(name)} cannot be a name here`, `use ${allowed}, beginning with a letter or digit`, {
            what: "key",
          });
      }
    };
    check(["providers"], this.#root["providers"], PROVIDER_NAME, "at most 64 letters, digits, _ and -");
    check(["models"], this.#root["models"], MODEL_NAME, "at most 128 letters, digits and . _ : @ / - (but not tier: or family: in front)");
    check(["keys"], this.#root["keys"], CREDENTIAL_ID, "at most 64 letters, digits and -");
    for (const key of LAYER_PATHS) check([key], this.#root[key], NAME, "at most 64 letters, digits and . _ -");
    for (const [tenant, settings] of entriesOf(this.#root["tenants"]))
      check(["tenants", tenant, "apps"], memberOf(settings, "apps"), NAME, "at most 64 letters, digits and . _ -");
  }

  providers(): void {
    for (const [name, provider] of entriesOf(this.#root["providers"])) {
      const path = ["providers", name];
      const text = memberOf(provider, "baseUrl");
      if (typeof text === "string") this.#baseUrl(path, provider, text);
      const catalog = memberOf(provider, "catalog");
      this.#reference([...path, "catalog"], catalog, [...this.#prices.providers.keys()], "provider in the price list named");
    }
  }

  #baseUrl(path: Path, provider: Json, text: string): void {
    const here = [...path, "baseUrl"];
    const url = parseBaseUrl(text);
    if (!url.ok) {
      this.#add(here, url.message, url.remedy);
      return;
    }
    const format = memberOf(provider, "format");
    if (format === "openai" && url.host === "api.openai.com" && url.basePath === "")
      this.#add(here, "OpenAI's API lies below /v1", "write https://api.openai.com/v1");
    if (format === "anthropic" && url.basePath.endsWith("/v1")) this.#add(here, "the path /v1 would be sent twice", "cut /v1 off");
    this.#cloud(path, provider, String(format), url.host);
    if (format === "cohere" && /\/v[12]$/.test(url.basePath))
      this.#add(here, "the version would be sent twice", "cut it off after the host");
    if (format === "gemini" && /\/v1(?:beta)?$/.test(url.basePath))
      this.#add(here, "the version would be sent twice", "cut it off after the host");
    const loopback = url.host === "localhost" || url.host === "::1" || url.host.startsWith("127.");
    if (url.scheme === "http" && !loopback && memberOf(provider, "credential") !== undefined) {
      this.#add(here, "the credential would cross the network unencrypted", "write https://", { severity: "warning" });
    }
  }

  /** What Envoy must know to sign, and what of an account stands in paths. */
  #cloud(path: Path, provider: Json, format: string, host: string): void {
    const [aws, google] = [memberOf(provider, "aws"), memberOf(provider, "google")];
    if (aws !== undefined && format !== "bedrock") this.#add([...path, "aws"], "only format bedrock is signed for AWS", "take it out");
    if (memberOf(provider, "azure") !== undefined && format !== "openai")
      this.#add([...path, "azure"], "only format openai is spoken by Azure OpenAI", "take it out");
    if (google !== undefined && format !== "vertex") this.#add([...path, "google"], "only format vertex has a project", "take it out");
    if (format === "bedrock" && aws === undefined && memberOf(provider, "credential") === undefined && awsRegionOf(host) === undefined)
      this.#add(path, "the host does not tell the AWS region to sign for", "write aws: { region: us-east-1 }");
    if (format === "vertex" && google === undefined)
      this.#add(path, "format vertex needs a project and a location", "write google: { project: my-project, location: us-central1 }");
  }

  models(): void {
    const providers = this.#names("providers");
    for (const [name, model] of entriesOf(this.#root["models"])) {
      const targets = memberOf(model, "targets");
      for (const [index, target] of (Array.isArray(targets) ? targets : []).entries()) {
        const path = ["models", name, "targets", index];
        const provider = memberOf(target, "provider");
        if (!this.#reference([...path, "provider"], provider, providers, "provider")) continue;
        const regions = memberOf(at(this.#root, ["providers", String(provider)]), "regions");
        const region = memberOf(target, "region");
        if (region !== undefined)
          this.#reference(
            [...path, "region"],
            region,
            Array.isArray(regions) ? regions.filter((one) => typeof one === "string") : [],
            `region of provider ${String(provider)} named`,
          );
      }
    }
  }

  tiers(): void {
    const models = this.#names("models");
    for (const [tier, entries] of entriesOf(this.#root["tiers"])) {
      for (const [index, entry] of (Array.isArray(entries) ? entries : []).entries()) {
        const path = ["tiers", tier, index];
        if (typeof entry === "string") this.#reference(path, entry, models, "model");
        this.#reference([...path, "model"], memberOf(entry, "model"), models, "model");
        for (const [parameter] of entriesOf(memberOf(entry, "params"))) {
          if (RESERVED_PARAMETERS.has(parameter))
            this.#add(
              [...path, "params", parameter],
              `${parameter} cannot be a tier's parameter`,
              "remove it: models and caps are set elsewhere, the rest is the caller's",
              { what: "key" },
            );
        }
      }
    }
  }

  tenants(): void {
    const providers = this.#names("providers");
    const useCases = this.#names("useCases");
    const residencies = [
      ...new Set(entriesOf(this.#root["providers"]).flatMap(([, provider]) => stringsOf(memberOf(provider, "residency")))),
    ];
    for (const [tenant, settings] of entriesOf(this.#root["tenants"])) {
      const path = ["tenants", tenant];
      this.#reference([...path, "residency"], memberOf(settings, "residency"), residencies, "provider with residency");
      for (const [provider] of entriesOf(memberOf(settings, "providerCredentials")))
        this.#reference([...path, "providerCredentials", provider], provider, providers, "provider");
      for (const [app, rules] of entriesOf(memberOf(settings, "apps"))) {
        const named = memberOf(rules, "useCases");
        for (const [index, useCase] of (Array.isArray(named) ? named : []).entries())
          this.#reference([...path, "apps", app, "useCases", index], useCase, useCases, "use case");
      }
    }
  }

  observe(): void {
    const settings = this.#root["observe"];
    if (settings === undefined) return;
    const tenant = memberOf(settings, "tenant");
    const app = memberOf(settings, "app");
    if (!this.#reference(["observe", "tenant"], tenant, this.#names("tenants"), "tenant")) return;
    const apps = entriesOf(at(this.#root, ["tenants", String(tenant), "apps"])).map(([name]) => name);
    if (!this.#reference(["observe", "app"], app, apps, `app of tenant ${String(tenant)} named`)) return;
    const useCases = stringsOf(at(this.#root, ["tenants", String(tenant), "apps", String(app), "useCases"]));
    this.#reference(["observe", "useCase"], memberOf(settings, "useCase"), useCases, `use case of app ${String(app)} named`);
    for (const [dialect, provider] of entriesOf(memberOf(settings, "providers"))) {
      const path = ["observe", "providers", dialect];
      if (!this.#reference(path, provider, this.#names("providers"), "provider")) continue;
      const format = at(this.#root, ["providers", String(provider), "format"]);
      if (format !== dialect)
        this.#add(path, `provider ${quote(String(provider))} does not speak ${dialect}`, "name a provider of that format");
    }
  }

  keys(): void {
    const ids = new Map<string, Path>();
    const hashes = new Map<string, Path>();
    const once = (seen: Map<string, Path>, value: Json | undefined, path: Path, what: string, remedy: string): void => {
      if (typeof value !== "string") return;
      const first = seen.get(value);
      if (first === undefined) seen.set(value, path);
      else {
        const place = this.#tree.place(first);
        this.#add(path, `this ${what} is taken by the credential at ${place.file}:${place.line}`, remedy);
      }
    };
    const check = (path: Path, facts: Json, tenant: Json | undefined, app: Json | undefined): void => {
      once(hashes, memberOf(facts, "sha256"), [...path, "sha256"], "hash", "make a new key for each entry with `sluice keys new`");
      const allowed = stringsOf(at(this.#root, ["tenants", String(tenant), "apps", String(app), "useCases"]));
      this.#reference([...path, "useCase"], memberOf(facts, "useCase"), allowed, `use case of app ${String(app)} named`);
    };
    for (const [id, facts] of entriesOf(this.#root["keys"])) {
      const path = ["keys", id];
      const tenant = memberOf(facts, "tenant");
      const app = memberOf(facts, "app");
      once(ids, id, path, "id", "give each key an id of its own");
      if (this.#reference([...path, "tenant"], tenant, this.#names("tenants"), "tenant")) {
        const apps = entriesOf(at(this.#root, ["tenants", String(tenant), "apps"])).map(([name]) => name);
        this.#reference([...path, "app"], app, apps, `app of tenant ${String(tenant)} named`);
      }
      check(path, facts, tenant, app);
    }
    for (const kind of CREDENTIAL_KINDS) {
      const entries = this.#credentials(kind.name);
      for (const { path, setting, tenant, app } of entries) {
        const id = memberOf(setting, "id");
        if (typeof id === "string" && !CREDENTIAL_ID.test(id))
          this.#add([...path, "id"], `${quote(id)} cannot be a credential's id`, "use at most 64 letters, digits and -");
        once(ids, id, [...path, "id"], "id", "give each key an id of its own");
        check(path, setting, tenant, app);
      }
      kind.problems?.(entries, this.#root, (path, message, remedy, options) => this.#add(path, message, remedy, options));
    }
  }

  /** The credentials of one kind, where they stand in their apps. */
  #credentials(kind: string): readonly PlacedCredential[] {
    const found: PlacedCredential[] = [];
    for (const [tenant, settings] of entriesOf(this.#root["tenants"])) {
      for (const [app, rules] of entriesOf(memberOf(settings, "apps"))) {
        const credentials = memberOf(rules, "credentials");
        for (const [index, credential] of (Array.isArray(credentials) ? credentials : []).entries()) {
          const setting = memberOf(credential, kind);
          if (setting !== undefined)
            found.push({ tenant, app, path: ["tenants", tenant, "apps", app, "credentials", index, kind], setting });
        }
      }
    }
    return found;
  }

  /** What a certificate of Envoy's needs beside it. */
  listen(): void {
    const tls = at(this.#root, ["listen", "tls"]);
    for (const key of ["requireClientCertificate", "clientCrl"]) {
      if (memberOf(tls, key) !== undefined && memberOf(tls, "clientCa") === undefined)
        this.#add(
          ["listen", "tls", key],
          "no client's certificate can be verified without an authority",
          "add clientCa: FILE, or remove this",
          {
            what: "key",
          },
        );
    }
  }

  /** People who approve must be told apart, and decide for tenants that are there. */
  approvers(): void {
    const list = at(this.#root, ["approvals", "approvers"]);
    for (const [index, entry] of (Array.isArray(list) ? list : []).entries()) {
      const path = ["approvals", "approvers", index];
      const jwt = memberOf(entry, "jwt");
      if (jwt !== undefined && at(jwt, ["map", "user"]) === undefined)
        this.#add(
          [...path, "jwt"],
          "its tokens name no person, so that two approvers cannot be told apart",
          "add map: { user: sub }, or the claim that names the person",
        );
      const mtls = memberOf(entry, "mtls");
      if (mtls !== undefined && at(mtls, ["user"]) === undefined)
        this.#add(
          [...path, "mtls"],
          "names no person: one who has a token too would count as two, and could approve what was asked for in their own name",
          "add user: NAME, as tokens and callers name the person",
        );
      for (const [place, tenant] of stringsOf(memberOf(entry, "tenants")).entries())
        if (tenant !== "*") this.#reference([...path, "tenants", place], tenant, this.#names("tenants"), "tenant");
    }
  }

  /** Names in `access` sections, in whichever layer. */
  access(): void {
    const models = this.#names("models");
    const families = [...new Set(entriesOf(this.#root["models"]).flatMap(([, model]) => memberOf(model, "family") ?? []))].filter(
      (name) => typeof name === "string",
    );
    const tiers = this.#names("tiers");
    for (const path of this.#layers()) {
      const access = at(this.#root, [...path, "access"]);
      const check = (key: string, known: readonly string[], what: string): void => {
        for (const [index, pattern] of stringsOf(memberOf(access, key)).entries()) {
          if (pattern === "*" || known.some((name) => matchesPattern(pattern, name))) continue;
          const here = [...path, "access", key, index];
          if (pattern.endsWith("*"))
            this.#add(here, `no ${what} begins with ${quote(pattern.slice(0, -1))}`, suggest(pattern.slice(0, -1), known, "remove it"));
          else this.#reference(here, pattern, known, what);
        }
      };
      check("models", models, "model");
      check("families", families, "model family");
      for (const [index, tier] of stringsOf(memberOf(access, "tiers")).entries()) {
        const exists = ["high", "standard", "cheap"].includes(tier);
        if (exists && !tiers.includes(tier))
          this.#add([...path, "access", "tiers", index], `the tier ${tier} has no models`, `add it: tiers: { ${tier}: [MODEL] }`);
      }
      const regions = [...new Set(entriesOf(this.#root["providers"]).flatMap(([, provider]) => stringsOf(memberOf(provider, "regions"))))];
      for (const [index, region] of stringsOf(at(this.#root, [...path, "route", "preferRegions"])).entries()) {
        this.#reference([...path, "route", "preferRegions", index], region, regions, "provider in region");
      }
    }
  }

  remotes(): void {
    const analysers = this.#names("analysers");
    for (const path of this.#layers()) {
      const name = [...path, "redact", "analyser", "name"];
      this.#reference(name, at(this.#root, name), analysers, "analyser");
      const asked = [...path, "injection", "classifier"];
      if (at(this.#root, asked) !== undefined && this.#root["classifier"] === undefined)
        this.#add(asked, "the policy has no classifier to ask", "add one: classifier: { kind: ..., url: ... }, or remove this", {
          what: "key",
        });
    }
  }

  #layers(): Path[] {
    const paths: Path[] = [["defaults"]];
    for (const [name] of entriesOf(this.#root["useCases"])) paths.push(["useCases", name]);
    for (const [tenant, settings] of entriesOf(this.#root["tenants"])) {
      paths.push(["tenants", tenant]);
      for (const [app] of entriesOf(memberOf(settings, "apps"))) paths.push(["tenants", tenant, "apps", app]);
    }
    return paths;
  }

  limits(): void {
    const body = at(this.#root, ["limits", "bodyBytesMax"]);
    const all = at(this.#root, ["limits", "inFlightBytesMax"]);
    if (typeof body === "number" && typeof all === "number" && all < body)
      this.#add(["limits", "inFlightBytesMax"], "less than one body of bodyBytesMax fits", "make it at least bodyBytesMax");
  }
}

function stringsOf(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
/** A name of the document, short and on one line. */
function quote(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}
