/** Words and beginnings of words, each with the ideas that it stands for. Built once; a look-up is linear in the word. */
export interface Trie {
  /** Ideas of the word itself and of the longest stem that it begins with. undefined: none. */
  word(codes: Uint16Array, start: number, end: number): readonly number[] | undefined;
  /** The longest entry that begins here, wherever it ends: for scripts without spaces and for letters run together. */
  at(codes: Uint16Array, start: number, end: number): { readonly ideas: readonly number[]; readonly end: number } | undefined;
}

/** `entries`: the words of each idea, folded; one that ends in `*` is a stem. */
export function buildTrie(entries: Iterable<readonly [idea: number, word: string]>): Trie {
  const nodes = new Nodes();
  const whole: [word: string, node: number][] = [];
  const exact: (number[] | undefined)[] = [undefined];
  const stem: (number[] | undefined)[] = [undefined];
  /** Ideas of the longest stem that a word begins with. */
  const longestStem = (word: string): readonly number[] => {
    let node: number | undefined = 0;
    let found: readonly number[] = [];
    for (let index = 0; index < word.length && node !== undefined; index += 1) {
      node = nodes.after(node, word.charCodeAt(index));
      if (node !== undefined) found = stem[node] ?? found;
    }
    return found;
  };
  for (const [idea, written] of entries) {
    const isStem = written.endsWith("*");
    const word = isStem ? written.slice(0, -1) : written;
    let node = 0;
    for (let index = 0; index < word.length; index += 1) {
      const code = word.charCodeAt(index);
      let child = nodes.after(node, code);
      if (child === undefined) {
        child = exact.length;
        exact.push(undefined);
        stem.push(undefined);
        nodes.join(node, code, child);
      }
      node = child;
    }
    const table = isStem ? stem : exact;
    const ideas = table[node] ?? [];
    if (!ideas.includes(idea)) ideas.push(idea);
    table[node] = ideas;
    if (!isStem) whole.push([word, node]);
  }
  // Else `instructions`, a word of one idea, would hide `instruction*` of another.
  for (const [word, node] of whole) exact[node] = [...new Set([...(exact[node] ?? []), ...longestStem(word)])];
  // Ideas of the longest stem that leads to each node, its own among them: a child is always made after its parent.
  const stemUpTo = [...stem];
  nodes.eachEdge((parent, child) => {
    stemUpTo[child] ??= stemUpTo[parent];
  });
  const word = (codes: Uint16Array, start: number, end: number): readonly number[] | undefined => {
    let node = 0;
    for (let index = start; index < end; index += 1) {
      const child = nodes.after(node, codes[index] ?? 0);
      if (child === undefined) return stemUpTo[node];
      node = child;
    }
    return exact[node] ?? stemUpTo[node];
  };
  const at = (codes: Uint16Array, start: number, end: number): { ideas: readonly number[]; end: number } | undefined => {
    let node: number | undefined = 0;
    let found: { ideas: readonly number[]; end: number } | undefined;
    for (let index = start; index < end; index += 1) {
      node = nodes.after(node, codes[index] ?? 0);
      if (node === undefined) break;
      const ideas = exact[node] ?? stem[node];
      if (ideas !== undefined) found = { ideas, end: index + 1 };
    }
    return found;
  };
  return { word, at };
}

const LETTERS = 26;
const A = 97;
const NODES_FIRST = 1_024;

/** Which node comes after which: by table for letters of ASCII, which nearly all are, since a look-up is made for each letter of each text. */
class Nodes {
  #letters = new Uint16Array(NODES_FIRST * LETTERS);
  readonly #others = new Map<number, number>();
  readonly #parents: number[] = [0];

  after(node: number, code: number): number | undefined {
    const letter = code - A;
    if (letter < 0 || letter >= LETTERS) return this.#others.get(node * 65_536 + code);
    // 0 is the root, which comes after nothing.
    return this.#letters[node * LETTERS + letter] || undefined;
  }

  /** Edges in the order in which they were made. */
  eachEdge(visit: (node: number, child: number) => void): void {
    for (const [child, node] of this.#parents.entries()) if (child > 0) visit(node, child);
  }

  join(node: number, code: number, child: number): void {
    this.#parents[child] = node;
    const letter = code - A;
    if (letter < 0 || letter >= LETTERS || child > 0xffff) {
      this.#others.set(node * 65_536 + code, child);
      return;
    }
    while (Math.max(node, child) * LETTERS + LETTERS > this.#letters.length) {
      const larger = new Uint16Array(this.#letters.length * 2);
      larger.set(this.#letters);
      this.#letters = larger;
    }
    this.#letters[node * LETTERS + letter] = child;
  }
}
