import { parseArgs } from "node:util";
import { type Explanation, explain } from "../config/explain.ts";
import { policyJsonSchema } from "../config/json-schema.ts";
import { type LoadedPolicy, loadPolicy } from "../config/load.ts";
import { formatProblem, type PolicyProblem } from "../config/problems.ts";
import { err, ok, type Result } from "../core/result.ts";
import { STAGES } from "../stages/index.ts";
import { type Command, type CommandIo, usageProblem } from "./command.ts";

const HELP = `sluice check: finds every mistake of a policy, with file, line and remedy

  sluice check [PATH] [--json] [--explain TENANT/APP[/USE-CASE]]
  sluice check --schema

  PATH            a YAML file or a folder of them (default: $SLUICE_POLICY, else policy.yaml); --policy PATH says the same
  --explain WHO   every setting that holds for a tenant's app and use case, with the layer and line it came from
  --json          one JSON document on stdout
  --schema        the JSON Schema of the policy document, for editors

Exit code: 0 the policy is valid (warnings allowed), 1 it is not, 2 wrong usage.
`;

/** `sluice check`: mistakes of a policy, where its settings come from, and its schema. */
export const checkCommand: Command = {
  help: HELP,
  async run(args, io) {
    const read = readOptions(args);
    if (!read.ok) {
      io.stderr.write(`sluice check: ${read.error}; see sluice check --help\n`);
      return 2;
    }
    const options = read.value;
    if (options.schema) {
      io.stdout.write(`${JSON.stringify(policyJsonSchema(STAGES), null, 2)}\n`);
      return 0;
    }
    const path = options.policy ?? io.env["SLUICE_POLICY"] ?? "policy.yaml";
    const loaded = await loadPolicy(path, STAGES);
    if (!loaded.ok) return reportProblems(loaded.error, options.json, io);
    const explained = options.explain === undefined ? undefined : explain(loaded.value, STAGES, options.explain);
    if (explained !== undefined && !explained.ok) {
      io.stderr.write(`sluice check: ${explained.error}\n`);
      return 1;
    }
    reportValid(loaded.value, explained?.value, options.json, io);
    return 0;
  },
};

interface Options {
  readonly policy: string | undefined;
  readonly explain: string | undefined;
  readonly json: boolean;
  readonly schema: boolean;
}

function readOptions(args: readonly string[]): Result<Options, string> {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { policy: { type: "string" }, explain: { type: "string" }, json: { type: "boolean" }, schema: { type: "boolean" } },
    });
    const paths = values.policy === undefined ? positionals : [values.policy, ...positionals];
    if (paths.length > 1) return err("one policy at a time; a policy of several files is a folder");
    return ok({ policy: paths[0], explain: values.explain, json: values.json ?? false, schema: values.schema ?? false });
  } catch (error) {
    return err(usageProblem(error));
  }
}

function reportProblems(problems: readonly PolicyProblem[], json: boolean, io: CommandIo): number {
  const errors = problems.filter((problem) => problem.severity === "error").length;
  if (json) io.stdout.write(`${JSON.stringify({ valid: false, problems }, null, 2)}\n`);
  else {
    for (const problem of problems) io.stderr.write(`${formatProblem(problem)}\n`);
    io.stderr.write(`sluice check: the policy is not valid: ${errors} ${errors === 1 ? "error" : "errors"}\n`);
  }
  return 1;
}

function reportValid(loaded: LoadedPolicy, explanation: Explanation | undefined, json: boolean, io: CommandIo): void {
  const { name, version, hash, files, warnings } = loaded;
  if (json) {
    io.stdout.write(
      `${JSON.stringify({ valid: true, name, version, hash, files, problems: warnings, ...(explanation === undefined ? {} : { explanation }) }, null, 2)}\n`,
    );
    return;
  }
  for (const warning of warnings) io.stderr.write(`${formatProblem(warning)}\n`);
  if (explanation !== undefined) io.stdout.write(explanationText(explanation));
  else
    io.stdout.write(
      `${name}@${version} is valid (sha256 ${hash.slice(0, 12)}, ${files.length} ${files.length === 1 ? "file" : "files"}, ${warnings.length} ${warnings.length === 1 ? "warning" : "warnings"})\n`,
    );
}

function explanationText({ subject, settings }: Explanation): string {
  const rows = settings.map(({ setting, value, layer, place }) => [setting, JSON.stringify(value), layer, place ?? ""] as const);
  const width = (column: 0 | 1 | 2): number => Math.min(60, Math.max(...rows.map((row) => row[column].length)));
  const widths = [width(0), width(1), width(2)] as const;
  const lines = rows.map((row) =>
    `  ${row[0].padEnd(widths[0])}  ${row[1].padEnd(widths[1])}  ${row[2].padEnd(widths[2])}  ${row[3]}`.trimEnd(),
  );
  return `${subject}: setting, value, layer, place (defaults < use case < tenant < app)\n${lines.join("\n")}\n`;
}
