/** A page of the docs that is made from the code. */
export interface GeneratedPage {
  /** From the repository's root. */
  readonly path: string;
  readonly text: string;
}

const MARK = "<!-- Made by `make docs` from the code. Edits here are lost. -->";

export const page = (path: string, lines: readonly string[]): GeneratedPage => ({ path, text: `${[MARK, "", ...lines].join("\n")}\n` });

/** A Markdown table; cells may not hold line ends, and bars are escaped. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)];
}

export const code = (text: string): string => `\`${text}\``;
