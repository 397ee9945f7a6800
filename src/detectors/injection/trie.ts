/** Words and beginnings of words, each with the ideas that it stands for. Built once; a look-up is linear in the word. */
export interface Trie {
  /** Ideas of the word itself and of the longest stem that it begins with. undefined: none. */
  word(text: string, start: number, end: number): readonly number[] | undefined;
  /** The longest entry that begins here, wherever it ends: for scripts without spaces and for letters run together. */
  at(text: string, start: number, end: number): { readonly ideas: readonly number[]; readonly end: number } | undefined;
}

/** `entries`: the words of each idea, folded; one that ends in `*` is a stem. */
export function buildTrie(entries: Iterable<readonly [idea: number, word: string]>): Trie {
  const next = new Map<number, number>();
  const whole: [word: string, node: number][] = [];
  const exact: (number[] | undefined)[] = [undefined];
  const stem: (number[] | undefined)[] = [undefined];
  /** Ideas of the longest stem that a word begins with. */
  const longestStem = (word: string): readonly number[] => {
    let node: number | undefined = 0;
    let found: readonly number[] = [];
    for (let index = 0; index < word.length && node !== undefined; index += 1) {
      node = next.get(node * 65_536 + word.charCodeAt(index));
      if (node !== undefined) found = stem[node] ?? found;
    }
    return found;
  };
  for (const [idea, written] of entries) {
    const isStem = written.endsWith("*");
    const word = isStem ? written.slice(0, -1) : written;
    let node = 0;
    for (let index = 0; index < word.length; index += 1) {
      const key = node * 65_536 + word.charCodeAt(index);
      let child = next.get(key);
      if (child === undefined) {
        child = exact.length;
        exact.push(undefined);
        stem.push(undefined);
        next.set(key, child);
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
  const word = (text: string, start: number, end: number): readonly number[] | undefined => {
    let node: number | undefined = 0;
    let found: readonly number[] | undefined;
    for (let index = start; index < end; index += 1) {
      node = next.get(node * 65_536 + text.charCodeAt(index));
      if (node === undefined) return found;
      found = stem[node] ?? found;
    }
    return exact[node] ?? found;
  };
  const at = (text: string, start: number, end: number): { ideas: readonly number[]; end: number } | undefined => {
    let node: number | undefined = 0;
    let found: { ideas: readonly number[]; end: number } | undefined;
    for (let index = start; index < end; index += 1) {
      node = next.get(node * 65_536 + text.charCodeAt(index));
      if (node === undefined) break;
      const ideas = exact[node] ?? stem[node];
      if (ideas !== undefined) found = { ideas, end: index + 1 };
    }
    return found;
  };
  return { word, at };
}
