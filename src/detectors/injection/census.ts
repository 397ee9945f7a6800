/** What signs a text has, counted in one pass: most shapes that are looked for need some that ordinary text has not. */
export interface Census {
  /** Nothing but printable ASCII, tabs and line ends. */
  readonly plain: boolean;
  /** The longest run of hexadecimal digits, blanks and `, : x`; those with other small letters on both sides count not. */
  readonly hex: number;
  readonly digits: number;
  /** Signs that stand alone between two blanks. */
  readonly singles: number;
  /** The longest run of what is neither a word's sign (ASCII) nor a blank. */
  readonly signs: number;
  /** Letters that stand three times and more in a row; not w, which begins many an address. */
  readonly stretched: number;
  /** How often these signs of ASCII stand in the text, together; small letters are not counted. */
  count(signs: string): number;
}

const [WORD, DIGIT, BLANK, CONTROL, HEX] = [1, 2, 4, 8, 16] as const;
const CLASSES = Uint8Array.from({ length: 128 }, (_, code) => {
  const sign = String.fromCharCode(code);
  let kind = 0;
  if (/\w/.test(sign)) kind |= WORD;
  if (/\d/.test(sign)) kind |= DIGIT;
  if (/\s/.test(sign)) kind |= BLANK;
  if (!/[\t\n\r -~]/.test(sign)) kind |= CONTROL;
  if (/[0-9a-fx ,:]/i.test(sign)) kind |= HEX;
  return kind;
});
const [SPACE, A, F, W, X, Z] = [32, 97, 102, 119, 120, 122];

const isHexLetter = (code: number): boolean => (code >= A && code <= F) || code === X;

export function takeCensus(codes: Uint16Array): Census {
  const counts = new Uint16Array(128);
  const { length } = codes;
  let [plain, hex, digits, singles, signs, stretched] = [true, 0, 0, 0, 0, 0];
  let [hexRun, odd, alike] = [0, 0, 0];
  let last = -1;
  for (let index = 0; index < length; ) {
    const code = codes[index] ?? 0;
    // Most signs are small letters, for which little is to be done.
    if (code >= A && code <= Z) {
      const start = index;
      for (; index < length; index += 1) {
        const letter = codes[index] ?? 0;
        if (letter < A || letter > Z) break;
        if (letter !== last) alike = 0;
        else if (letter !== W) {
          alike += 1;
          if (alike === 2) stretched += 1;
        }
        last = letter;
      }
      odd = 0;
      let ahead = start;
      while (ahead < index && isHexLetter(codes[ahead] ?? 0)) ahead += 1;
      hexRun += ahead - start;
      if (ahead < index) {
        if (hexRun > hex) hex = hexRun;
        let behind = index;
        while (isHexLetter(codes[behind - 1] ?? 0)) behind -= 1;
        hexRun = index - behind;
      }
      continue;
    }
    const kind = code < 128 ? (CLASSES[code] ?? 0) : CONTROL;
    if ((kind & HEX) !== 0) hexRun += 1;
    else {
      if (hexRun > hex) hex = hexRun;
      hexRun = 0;
    }
    if ((kind & (WORD | BLANK)) !== 0) odd = 0;
    else {
      odd += 1;
      if (odd > signs) signs = odd;
    }
    if ((kind & CONTROL) !== 0) plain = false;
    else counts[code] = (counts[code] ?? 0) + 1;
    if ((kind & DIGIT) !== 0) digits += 1;
    if (code === SPACE && codes[index - 2] === SPACE) singles += 1;
    const letter = code | 32;
    if (letter !== last || letter < A || letter > Z || letter === W) alike = 0;
    else {
      alike += 1;
      if (alike === 2) stretched += 1;
    }
    last = letter;
    index += 1;
  }
  hex = Math.max(hex, hexRun);
  const count = (wanted: string): number => {
    let sum = 0;
    for (let index = 0; index < wanted.length; index += 1) sum += counts[wanted.charCodeAt(index)] ?? 0;
    return sum;
  };
  return { plain, hex, digits, singles, signs, stretched, count };
}
