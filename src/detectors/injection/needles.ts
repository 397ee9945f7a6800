/** Finds which of many short words a text has anywhere in it, in one pass (Aho and Corasick 1975, as a table of states). */
export interface Needles {
  /** The numbers of the found ones as bits: bit i is set where a word of the i-th group stands among `codes`. */
  find(codes: Uint16Array): number;
}

/** Most groups: a number has so many bits that can be told apart as flags. */
const GROUPS_MAX = 31;

/** A row at which a word ends; a table is smaller. */
const FOUND = 0x8000;

/** `groups`: words in lower case, each group at most one bit; an empty word is in every text. Built once. */
export function createNeedles(groups: readonly (readonly string[])[]): Needles {
  if (groups.length > GROUPS_MAX) throw new Error(`at most ${GROUPS_MAX} groups of words can be looked for at once`);
  // Signs that no word has are one class, which leads back to the start.
  const classes = new Uint8Array(128);
  const others = new Map<number, number>();
  let classCount = 1;
  const classOf = (code: number): number => (code < 128 ? (classes[code] ?? 0) : (others.get(code) ?? 0));
  for (const word of groups.flat())
    for (let index = 0; index < word.length; index += 1) {
      const code = word.charCodeAt(index);
      if (classOf(code) > 0) continue;
      if (code < 128) classes[code] = classCount;
      else others.set(code, classCount);
      classCount += 1;
    }
  const most = 1 + groups.flat().reduce((sum, { length }) => sum + length, 0);
  const next = new Uint16Array(most * classCount);
  const found = new Int32Array(most);
  let states = 1;
  for (const [group, words] of groups.entries())
    for (const word of words) {
      let state = 0;
      for (let index = 0; index < word.length; index += 1) {
        const at = state * classCount + classOf(word.charCodeAt(index));
        if (next[at] === 0) {
          next[at] = states;
          states += 1;
        }
        state = next[at] ?? 0;
      }
      found[state] = (found[state] ?? 0) | (1 << group);
    }
  if (states * classCount >= FOUND) throw new Error("too many words to be looked for at once");
  complete(next, found, states, classCount);
  // A step is one look-up: rows by where they begin, with a flag on those where a word ends.
  const rows = next.map((state) => state * classCount + ((found[state] ?? 0) === 0 ? 0 : FOUND));
  const first = found[0] ?? 0;
  const find = (codes: Uint16Array): number => {
    let row = 0;
    let bits = first;
    for (let index = 0; index < codes.length; index += 1) {
      const code = codes[index] ?? 0;
      const kind = code < 128 ? classes[code] : others.get(code);
      row = kind === undefined ? 0 : (rows[row + kind] ?? 0);
      if (row < FOUND) continue;
      row -= FOUND;
      bits |= found[row / classCount] ?? 0;
    }
    return bits;
  };
  return { find };
}

/** Where a word goes on no further, the longest end of what was read that begins another does: state by state, shorter ones first. */
function complete(next: Uint16Array, found: Int32Array, states: number, classCount: number): void {
  const fallback = new Uint16Array(states);
  const queue = [0];
  for (let head = 0; head < queue.length; head += 1) {
    const state = queue[head] ?? 0;
    for (let sign = 0; sign < classCount; sign += 1) {
      const at = state * classCount + sign;
      const child = next[at] ?? 0;
      const other = state === 0 ? 0 : (next[(fallback[state] ?? 0) * classCount + sign] ?? 0);
      if (child === 0) next[at] = other;
      else {
        fallback[child] = other;
        found[child] = (found[child] ?? 0) | (found[other] ?? 0);
        queue.push(child);
      }
    }
  }
}
