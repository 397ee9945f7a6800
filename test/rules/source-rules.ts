/** Rules for the text of `src` that neither the compiler nor the linter checks. Test files are free. */

/** Where values from outside are given their types; everywhere else, narrow by checks. */
const CASTS_ALLOWED = /^(?:envoy\/|core\/json\.ts$|config\/schema\.ts$)/;
/** The names of a closed table, which the compiler types as plain strings; and the `as` of a mapped type. */
const NO_CAST = /\bObject\.keys\(\w+\) as readonly \w+\[\]|\[\w+ in keyof \w+ as /;
const FILE_LINES_MAX = 400;

/** What is wrong with a file; `file` is relative to `src`, with slashes. */
export function problemsOf(file: string, source: string): readonly string[] {
  const problems: string[] = [];
  const lines = source.split("\n").length - 1;
  if (lines > FILE_LINES_MAX) problems.push(`${file}: ${lines} lines, over ${FILE_LINES_MAX}: ask what is two things`);
  const code = bareCode(source);
  code.split("\n").forEach((line, index) => {
    const at = `${file}:${index + 1}`;
    if (!CASTS_ALLOWED.test(file) && /\bas\s+(?!const\b)[\w{[(]/.test(line) && !NO_CAST.test(line))
      problems.push(`${at}: a cast; narrow by a check instead`);
    if (/^(?:export\s+)?(?:let|var)\s/.test(line)) problems.push(`${at}: module-level state`);
    if (/^export\s+default\b/.test(line)) problems.push(`${at}: a default export`);
  });
  return problems;
}

/** The code without what `as` may stand in: comments, strings, imports and exports by another name. Lines stay in place. */
function bareCode(source: string): string {
  const blank = (text: string): string => text.replaceAll(/[^\n]/g, " ");
  return source
    .replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g, blank)
    .replaceAll(/^(?:import|export)\s+(?:type\s+)?(?:\*|\{)[^;]*;/gm, blank);
}
