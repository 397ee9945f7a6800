/**
 * Who may import whom in `src`. A folder not named here may import nothing. Test files are free.
 * Siblings in stages, codecs and adapters are strangers, so that one can be taken out without the others.
 */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  core: ["core"],
  ports: ["core", "ports"],
  codecs: ["core"],
  detectors: ["core"],
  exchange: ["core", "exchange"],
  stages: ["core", "ports", "detectors"],
  config: ["core", "ports", "detectors", "stages", "config"],
  pipeline: ["core", "ports", "detectors", "stages", "config", "exchange", "pipeline"],
  envoy: ["core", "exchange", "envoy"],
  adapters: ["core", "ports"],
  simulator: ["simulator"],
  server: ["core", "ports", "codecs", "detectors", "stages", "config", "pipeline", "exchange", "envoy", "server"],
  cli: ["*"],
  "main.ts": ["*"],
};
/** Folders whose members do not see each other; `index.ts` and what is shared are seen by, or see, all of them. */
const STRANGERS: Readonly<Record<string, { readonly sharedBy: readonly string[]; readonly sees: readonly string[] }>> = {
  stages: { sharedBy: ["define.ts", "shared"], sees: ["index.ts"] },
  codecs: { sharedBy: ["shared"], sees: ["index.ts", "dialects.ts"] },
  detectors: { sharedBy: ["shared"], sees: ["index.ts"] },
  adapters: { sharedBy: ["http"], sees: [] },
};
/** Layers that take nothing from npm or from Node: pure words and wire formats. */
const BARE: readonly string[] = ["core", "codecs", "detectors", "exchange", "ports"];
/** But these packages, which compute and do nothing else, in these folders. */
const ADMITTED: Readonly<Record<string, readonly string[]>> = { "detectors/custom": ["re2js"] };
/** The simulator stands alone: Node's own modules and nothing else. */
const ONLY_NODE: readonly string[] = ["simulator"];

export interface Violation {
  readonly file: string;
  readonly imports: string;
  readonly why: string;
}

/** Module names that a file imports, re-exports or loads. Comments are not read; every way of writing an import is. */
export function importsOf(source: string): readonly string[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/(^|\s)\/\/[^\n]*/g, "$1");
  const forms = [
    /\b(?:import|export)\b[^;"']*?\bfrom\s*["']([^"']+)["']/g,
    /\bimport\s*["']([^"']+)["']/g,
    /\bimport\s*\(\s*["']([^"']+)["']/g,
  ];
  return forms.flatMap((form) => [...code.matchAll(form)].flatMap((match) => match[1] ?? []));
}

/** `file` is relative to `src`, with slashes. */
export function violationsOf(file: string, source: string): readonly Violation[] {
  return importsOf(source).flatMap((imports) => {
    const why = imports.startsWith(".") ? wrongFile(file, resolve(file, imports)) : wrongPackage(file, imports);
    return why === undefined ? [] : [{ file, imports, why }];
  });
}

function wrongPackage(file: string, name: string): string | undefined {
  const layer = top(file);
  if (ADMITTED[`${layer}/${member(file)}`]?.includes(name)) return undefined;
  if (BARE.includes(layer)) return PURE_NODE.includes(name) ? undefined : `${layer} takes nothing from outside`;
  if (ONLY_NODE.includes(layer) && !name.startsWith("node:")) return `${layer} uses Node's own modules only`;
  return undefined;
}
/** Computation (of zlib: checksums), and giving way to the event loop: these do no I/O. */
const PURE_NODE: readonly string[] = [
  ...["node:assert/strict", "node:crypto", "node:buffer", "node:string_decoder", "node:timers/promises", "node:zlib"],
];

function wrongFile(file: string, target: string): string | undefined {
  const from = top(file);
  const to = top(target);
  if (target.startsWith("..")) return "outside src";
  const allowed = LAYERS[from];
  if (allowed === undefined) return `${from} is not in the table of test/rules/import-rules.ts`;
  if (allowed.includes("*")) return undefined;
  const strangers = STRANGERS[from];
  if (from === to && strangers !== undefined) {
    const [mine, theirs] = [member(file), member(target)];
    const fine = mine === theirs || strangers.sees.includes(mine) || strangers.sharedBy.includes(theirs);
    return fine ? undefined : `${mine} and ${theirs} are strangers`;
  }
  return allowed.includes(to) ? undefined : `${from} may not import ${to}`;
}

const top = (path: string): string => path.split("/")[0] ?? "";
const member = (path: string): string => path.split("/")[1] ?? "";

function resolve(file: string, imports: string): string {
  const parts = file.split("/").slice(0, -1);
  for (const part of imports.split("/")) {
    if (part === "..") {
      if (parts.pop() === undefined) return `../${imports}`;
    } else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}
