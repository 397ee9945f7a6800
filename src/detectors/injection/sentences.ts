import { ideaOf } from "./lexicon.ts";
import {
  MARK_EDGE_REQUEST,
  MARK_QUESTION,
  MARK_REQUEST,
  MARK_STRANGE,
  MARK_STRANGE_QUESTION,
  MARK_STRANGE_REQUEST,
  MARK_TABLE_PROSE,
  MARK_TABLE_REQUEST,
} from "./rules.ts";
import { hashOf, type Tokens } from "./tokens.ts";

/** Ideas whose words ask for something when a sentence begins with one. */
const REQUESTS = new Set(
  (["request", "howTo", "embed", "reveal", "answer", "act", "call", "send", "destroy", "ignore", "shift", "must"] as const).map(ideaOf),
);
/** Words of a text that are compared with a sentence, the most: past it no sentence is called strange. */
const STRANGE_TEXT_WORDS = 4_000;
const STRANGE_TEXT_WORDS_MIN = 16;
/** Of a strange sentence's words at most one in so many stands elsewhere in the text. */
const STRANGE_SHARE = 4;
/** Lines that begin with a bar from which on a text is a table. */
const TABLE_LINES_MIN = 3;
/** Words that may stand before the verb of a request. */
const LEADS_MAX = 3;

const hashes = (words: string): ReadonlySet<number> => new Set(words.split(" ").map(hashOf));
/** Politeness and links before a verb, in the languages of the lexicon. */
const LEADS = hashes(
  "please kindly also now then and but finally next first just so afterwards additionally furthermore bitte und dann nun jetzt auch zudem s'il vous te plait veuillez puis ensuite por favor ahora luego tambien y per favore poi ora anche e depois agora tambem alsjeblieft graag nu dan ook prosze teraz potem i пожалуйста теперь потом и",
);
const AUXILIARIES = hashes(
  "can could would will do kannst konnen konnten peux pouvez pourriez puedes podria puoi potrebbe pode kun kunt mozesz",
);
const PERSONS = hashes("you i we me du sie tu vous usted ihr voce je u");
/** Frequent words that tell nothing of what a sentence is about, four letters and more. */
const EMPTY = hashes(
  "that this with your have from they will would could should there their what about which when were been more some than then them these those also into only other such very much many most each over after before between because while where does doing made make here just like need want know please thank thanks regards dear hello help well good best question answer using used uses being both same even every through during without within upon both either until again since however therefore although whether always never often something anything everything nothing someone anyone yours ours mine kindly eine einer einen einem eines nicht auch sich sind oder wird werden haben hatte sein seine ihre ihren dass wenn dann noch nach uber beim durch aber kann dies diese dieser dieses como para pero esta este esto estos con los las una uno por que del avec pour dans vous nous elle sont mais plus cette ces des les une est della delle degli sono come anche questo questa perche uma para com nao mais isso essa este voor niet maar deze naar zijn haar hebben wordt ook jest nie tego jako oraz",
);

/** Beginnings of words that mean what a model was told, and hardly anything else. */
const TOLD = hashes("instr promp direc guide progr anwei vorga instr consi istru istru diret polec wytyc инстр указа");

/** From `from` to `to` somebody is told what to do with instructions: the first word begins a sentence, politeness aside. */
export function isCommanded(tokens: Tokens, from: number, to: number): boolean {
  let first = from;
  while (tokens.breaks[first] !== 1) {
    if (first === 0 || from - first >= LEADS_MAX || !LEADS.has(tokens.hashes[first - 1] ?? 0)) return false;
    first -= 1;
  }
  for (let token = from; token <= to; token += 1) if (TOLD.has(tokens.stems[token] ?? 0)) return true;
  return false;
}

/** For each word that begins a sentence, the marks of that sentence; linear in the words. */
export function sentenceMarks(tokens: Tokens): readonly (readonly number[] | undefined)[] {
  const { count, stems } = tokens;
  const seen = new Map<number, number>();
  for (const stem of stems) seen.set(stem, (seen.get(stem) ?? 0) + 1);
  let rows = 0;
  for (let token = 0; token < count; token += 1) if (tokens.bars[token] === 1 && tokens.breaks[token] === 1) rows += 1;
  const marks: (readonly number[] | undefined)[] = [];
  for (let from = 0; from < count; ) {
    let to = from + 1;
    while (to < count && tokens.breaks[to] !== 1) to += 1;
    marks[from] = marksOf(tokens, from, to, seen, rows >= TABLE_LINES_MIN);
    from = to;
  }
  return marks;
}

function marksOf(
  tokens: Tokens,
  from: number,
  to: number,
  seen: ReadonlyMap<number, number>,
  isTable: boolean,
): readonly number[] | undefined {
  const own = new Map<number, number>();
  let [content, shared, asks, bars] = [0, 0, false, false];
  for (let token = from; token < to; token += 1) {
    if (tokens.asks[token] === 1) asks = true;
    if (tokens.bars[token] === 1) bars = true;
    const stem = tokens.stems[token] ?? 0;
    own.set(stem, (own.get(stem) ?? 0) + 1);
  }
  for (let token = from; token < to; token += 1) {
    const length = (tokens.ends[token] ?? 0) - (tokens.starts[token] ?? 0);
    if (length < 4 || EMPTY.has(tokens.hashes[token] ?? 0)) continue;
    content += 1;
    const stem = tokens.stems[token] ?? 0;
    if ((seen.get(stem) ?? 0) > (own.get(stem) ?? 0)) shared += 1;
  }
  const requests = isRequest(tokens, from, to);
  const elsewhere = tokens.count - (to - from);
  const strange =
    content >= 1 && shared * STRANGE_SHARE <= content && elsewhere >= STRANGE_TEXT_WORDS_MIN && tokens.count <= STRANGE_TEXT_WORDS;
  const found: number[] = [];
  if (asks) found.push(MARK_QUESTION);
  if (requests) found.push(MARK_REQUEST);
  if (strange) found.push(MARK_STRANGE);
  if (strange && asks) found.push(MARK_STRANGE_QUESTION);
  if (strange && requests) found.push(MARK_STRANGE_REQUEST);
  if ((asks || requests) && (from === 0 || to === tokens.count) && elsewhere >= STRANGE_TEXT_WORDS_MIN) found.push(MARK_EDGE_REQUEST);
  if (isTable && !bars && to - from >= 3) {
    found.push(MARK_TABLE_PROSE);
    if (asks || requests) found.push(MARK_TABLE_REQUEST);
  }
  return found.length > 0 ? found : undefined;
}

/** Begins with a verb of request, or with "could you"; a few words of politeness may stand before. */
function isRequest(tokens: Tokens, from: number, to: number): boolean {
  let token = from;
  while (token < to - 1 && token - from < LEADS_MAX && LEADS.has(tokens.hashes[token] ?? 0)) token += 1;
  if (tokens.marks[token]?.some((mark) => REQUESTS.has(mark)) === true) return true;
  return token + 1 < to && AUXILIARIES.has(tokens.hashes[token] ?? 0) && PERSONS.has(tokens.hashes[token + 1] ?? 0);
}
