/**
 * One character as scoring sees it: lower case, compatibility forms and accents gone, look-alikes of Latin letters as those letters.
 * Letters of other alphabets stay what they are; a Cyrillic or Greek letter is read as Latin only inside a Latin word (`asLatin`).
 */

/** What stands for nothing: controls of direction, joiners, soft hyphens, fillers, variation selectors. */
export function isInvisible(code: number): boolean {
  if (code < 0xad) return code === 0 || (code < 32 && code !== 9 && code !== 10 && code !== 13) || code === 0x7f;
  if (code === 0xad || code === 0x34f || code === 0x61c || code === 0x180e || code === 0xfeff) return true;
  if (code === 0x115f || code === 0x1160 || code === 0x3164 || code === 0xffa0 || code === 0x2800) return true;
  if (code >= 0x200b && code <= 0x200f) return true;
  if (code >= 0x202a && code <= 0x202e) return true;
  if (code >= 0x2060 && code <= 0x206f) return true;
  return (code >= 0xfe00 && code <= 0xfe0f) || (code >= 0xe0000 && code <= 0xe0fff);
}

/** Controls that turn the direction of text: right of place in Arabic and Hebrew, elsewhere a way to hide. */
export const isBidiControl = (code: number): boolean => (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);

/** Ideographs and Hangul syllables, which stay as they are. */
export const isWhole = (code: number): boolean =>
  (code >= 0x4e00 && code <= 0x9fff) || (code >= 0x3400 && code <= 0x4dbf) || (code >= 0xac00 && code <= 0xd7a3);

/** The folded form of one code point: mostly one character, none for a mark, several for a ligature. */
export function foldCodePoint(code: number): string {
  if (isWhole(code)) return String.fromCharCode(code);
  const enclosed = enclosedLetter(code);
  if (enclosed !== undefined) return enclosed;
  const char = String.fromCodePoint(code);
  const like = LATIN_FORMS.get(char);
  if (like !== undefined) return like;
  return char
    .normalize("NFKD")
    .replaceAll(/\p{M}+/gu, "")
    .toLowerCase();
}

/** Squared, negative circled and regional indicator letters, which NFKD leaves alone. */
function enclosedLetter(code: number): string | undefined {
  for (const start of [0x1f130, 0x1f150, 0x1f170, 0x1f1e6])
    if (code >= start && code < start + 26) return String.fromCharCode(97 + code - start);
  return undefined;
}

/** Pairs `form plain`: Latin letters that have no decomposition. Source: Unicode confusables (UTS 39), the part that reads as a-z. */
const LATIN_FORMS: ReadonlyMap<string, string> = pairs(
  "ıi łl øo đd ħh ŧt ßss æae œoe þth ðd ŋn ɑa ɐa ʙb ƅb ƈc ᴄc ↄc ɔc ᴅd ɖd ɗd ᴇe ɛe ɘe ǝe ꜰf ƒf ɢg ɡg ɠg ʜh ɦh ɪi ɩi ᴊj ʝj ᴋk ƙk ʟl ɭl ƚl ᴍm ɱm ɴn ɲn ɳn ᴏo ɵo ᴘp ƥp ꞯq ʀr ɾr ɹr ꜱs ʂs ᴛt ƭt ʈt ᴜu ʊu ᴠv ʋv ᴡw ɯm ʏy ƴy ʎy ᴢz ʐz ƶz ʌv ℮e",
);

/** Cyrillic, Greek, Armenian and Cherokee letters (folded) that look like Latin ones. */
const LOOK_ALIKES: ReadonlyMap<string, string> = pairs(
  "аa вb сc ԁd еe ғf ԍg һh іi јj кk ӏl мm нh оo рp ԛq гr ѕs тt уy ѵv ԝw хx ьb пn αa βb γy δd εe ζz ηn ιi κk λl μm νv οo ρp σo ςs τt υu χx ωw աw օo ոn սu հh քp ցg ɡg ꭰd ꭱr ꭲt ꭵi ꮯc ꮋh ꮪs",
);

function pairs(list: string): ReadonlyMap<string, string> {
  return new Map(list.split(" ").map((pair): [string, string] => [pair.slice(0, 1), pair.slice(1)]));
}

/** A word that mixes alphabets, read as Latin; undefined where it does not mix them. `word` is folded. */
export function asLatin(word: string): string | undefined {
  let latin = false;
  let other = false;
  let read = "";
  for (let index = 0; index < word.length; index += 1) {
    const code = word.charCodeAt(index);
    const plain = code < 0x80 ? undefined : LOOK_ALIKES.get(word[index] ?? "");
    if (code >= 97 && code <= 122) latin = true;
    if (plain !== undefined) other = true;
    read += plain ?? word[index];
  }
  return latin && other ? read : undefined;
}

const LEET: ReadonlyMap<string, string> = pairs("0o 1i 3e 4a 5s 7t 8b @a $s !i |l +t €e");

/** A word with digits or signs between its letters, as letters (`1gn0r3`); undefined where there is nothing to read. */
export function asPlain(word: string): string | undefined {
  let letters = 0;
  let signs = 0;
  let read = "";
  for (let index = 0; index < word.length; index += 1) {
    const code = word.charCodeAt(index);
    const plain = code >= 97 && code <= 122 ? undefined : LEET.get(word[index] ?? "");
    if (code >= 97 && code <= 122) letters += 1;
    if (plain !== undefined) signs += 1;
    read += plain ?? word[index];
  }
  return letters > 0 && signs > 0 && letters + signs >= 3 ? read : undefined;
}
