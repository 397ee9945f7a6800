/**
 * Members of an interface as its source spells them, nested ones by dotted path. The compiler that the project uses has no
 * programming interface; the few shapes that the records' types are made of need none.
 */
export interface SourceField {
  /** `ms.firstToken`, `stages[].us`. */
  readonly path: string;
  readonly optional: boolean;
  /** The comment above it, in one line. */
  readonly comment: string;
  /** Its type as written; "" where members follow. */
  readonly type: string;
}

export function fieldsOf(source: string, name: string): readonly SourceField[] {
  const begin = source.indexOf(`export interface ${name} {`);
  if (begin < 0) throw new Error(`no interface ${name}`);
  const open = source.indexOf("{", begin);
  return membersOf(source.slice(open + 1, closing(source, open)), "");
}

/** Index of the brace that closes the one at `open`. */
function closing(text: string, open: number): number {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text.startsWith("/*", i)) i = text.indexOf("*/", i) + 1;
    else if (text[i] === "{") depth += 1;
    else if (text[i] === "}" && --depth === 0) return i;
  }
  throw new Error("a brace is not closed");
}

const MEMBER = /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*)?readonly (\w+)(\?)?: /y;

function membersOf(body: string, prefix: string): readonly SourceField[] {
  const fields: SourceField[] = [];
  for (let at = 0; ; ) {
    at += /^\s*/.exec(body.slice(at))?.[0].length ?? 0;
    if (at >= body.length) return fields;
    MEMBER.lastIndex = at;
    const found = MEMBER.exec(body);
    if (found === null) throw new Error(`not a member: ${body.slice(at, at + 60)}`);
    const [whole, comment = "", name = "", mark] = found;
    const path = `${prefix}${name}`;
    const plain = comment.replaceAll(/\s*\n\s*\*?\s*/g, " ").trim();
    at += whole.length;
    if (body[at] === "{") {
      const end = closing(body, at);
      fields.push({ path, optional: mark === "?", comment: plain, type: "" }, ...membersOf(body.slice(at + 1, end), `${path}.`));
      at = body.indexOf(";", end) + 1 || body.length;
    } else {
      const end = body.indexOf(";", at) < 0 ? body.length : body.indexOf(";", at);
      fields.push({ path, optional: mark === "?", comment: plain, type: body.slice(at, end).trim() });
      at = end + 1;
    }
  }
}
