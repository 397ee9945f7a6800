/**
 * Keys that were never given out, drawn from a seed and put together when tests run, so that no text of this repository has the shape of
 * one: scanners of pushes cannot tell a fake from a real one, and neither should Sluice.
 */

/** mulberry32: the same numbers for the same seed, in [0, 1). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const LOWER = "abcdefghijklmnopqrstuvwxyz";
const UPPER = LOWER.toUpperCase();
const DIGITS = "0123456789";
const ALPHABETS: Readonly<Record<string, string>> = {
  d: DIGITS,
  h: `${DIGITS}abcdef`,
  H: `${DIGITS}ABCDEF`,
  l: LOWER,
  L: LOWER + UPPER,
  k: LOWER + DIGITS,
  K: UPPER + DIGITS,
  a: LOWER + UPPER + DIGITS,
  w: `${LOWER}${UPPER}${DIGITS}_`,
  s: `${LOWER}${UPPER}${DIGITS}_-`,
  b: `${LOWER}${UPPER}${DIGITS}+/`,
  t: `${UPPER}234567`,
};

/** `ghp|_|a36`: literals and runs (a letter of `ALPHABETS` and a length), parted by bars so that no literal prefix stands whole. */
function draw(pattern: string, random: () => number): string {
  return pattern
    .split("|")
    .map((part) => {
      const run = /^([dhHlLkKawsbt])(\d+)$/.exec(part);
      const alphabet = ALPHABETS[run?.[1] ?? ""];
      if (run === null || alphabet === undefined) return part === "BAR" ? "|" : part;
      return Array.from({ length: Number(run[2]) }, () => alphabet.charAt(Math.floor(random() * alphabet.length))).join("");
    })
    .join("");
}

/** Kinds by name; the value is a pattern of `draw`. */
export const PATTERNS: Readonly<Record<string, string>> = {
  github: "gh|p_|a36",
  aws: "AK|IA|t16",
  openai: "sk|-proj-|s74|T3Blbk|FJ|s74",
  telegram: "d9|:A|s34",
  azure: "a3|8|Q|~|a34",
  terraform: "a14|.atlas|v1.|s64",
  mailchimp: "h32|-u|s|1|2",
  maxmind: "a6|_|a29|_mm|k",
  anthropic: "sk|-ant-|api03-|s93|AA",
  google: "AI|za|s35",
  "google-oauth": "GOC|SPX-|s28",
  "hugging-face": "h|f_|L34",
  groq: "gs|k_|a52",
  xai: "xa|i-|a80",
  replicate: "r|8_|a37",
  perplexity: "pp|lx-|a48",
  nvidia: "nv|api-|s64",
  alibaba: "LT|AI|a20",
  "digital-ocean": "do|p_v1_|h64",
  heroku: "HR|KU-|AA|s58",
  flyio: "fo|1_|s43",
  pulumi: "pu|l-|h40",
  vault: "hv|s.|s95",
  doppler: "dp|.pt.|a43",
  age: "AGE-SEC|RET-KEY-1|K58",
  sluice: "sl|k_|k8|_|s43",
  planetscale: "psc|ale_tkn_|s43",
  databricks: "da|pi|h32",
  "github-fine": "github|_pat_|a22|_|a59",
  gitlab: "gl|pat-|s20",
  "gitlab-runner": "gl|rt-|s20",
  sourcegraph: "sg|p_|h40",
  bitbucket: "AT|BB|a32",
  "slack-app": "xa|pp-1-|K11|-|d13|-|h64",
  "slack-webhook": "https://hooks.sl|ack.com/services/T|K8|/B|K10|/|a24",
  discord: "M|a23|.|a6|.|s27",
  teams:
    "https://x.webhook.off|ice.com/webhookb2/|h8|-|h4|-|h4|-|h4|-|h12|@|h8|-|h4|-|h4|-|h4|-|h12|/IncomingWebhook/|h32|/|h8|-|h4|-|h4|-|h4|-|h12",
  stripe: "sk|_live_|a24",
  "stripe-webhook": "wh|sec_|a32",
  square: "sq|0atp-|s22",
  braintree: "access_tok|en$production$|k16|$|h32",
  shippo: "ship|po_live_|h40",
  npm: "np|m_|a36",
  pypi: "py|pi-AgEIcHlwaS5vcmc|s120",
  rubygems: "ruby|gems_|h48",
  docker: "dc|kr_pat_|s27",
  artifactory: "AK|Cp|a69",
  octopus: "AP|I-|K26",
  grafana: "gl|sa_|a32|_|h8",
  "new-relic": "NR|AK-|K27",
  sentry: "snt|ryu_|h64",
  dynatrace: "dt|0c01.|K24|.|K64",
  sendgrid: "S|G.|s22|.|s43",
  brevo: "xk|eysib-|h64|-|a16",
  mailgun: "ke|y-|h32",
  twilio: "S|K|h32",
  shopify: "sh|pat_|h32",
  notion: "nt|n_|d11|a35",
  linear: "li|n_api_|a40",
  airtable: "pa|t|a14|.|h64",
  postman: "PM|AK-|h24|-|h34",
  figma: "fi|gd_|s40",
  "1password": "o|ps_eyJ|b280",
  openshift: "sha2|56~|s43",
  facebook: "d15|BAR|s27",
  uuid: "h8|-|h4|-4|h3|-a|h3|-|h12",
  slack: "xo|xb-|d12|-|d12|-|a24",
};

/** Random text without a shape, by alphabet: `hex-32`. */
const SIZED: Readonly<Record<string, string>> = { alnum: "a", base36: "k", base64: "b", digits: "d", hex: "h", slug: "s" };

/** Replaces each `{{kind}}` of a text by a key of that kind. */
export const filled = (text: string, seed = 1): string => {
  let at = 0;
  return text.replaceAll(/\{\{([a-z0-9-]+)\}\}/g, (_, kind: string) => fake(kind, seed + 7919 * at++));
};

/** One key of a kind. The same `seed`, the same key. */
export function fake(kind: string, seed = 1): string {
  const random = randomOf([...kind].reduce((sum, character) => Math.imul(sum, 31) + character.charCodeAt(0), seed));
  if (kind === "jwt") return fakeJwt(random);
  if (kind === "basic") return Buffer.from(`admin:${draw("a14", random)}`).toString("base64");
  if (kind === "pem") return fakePem("RSA PRIVATE", random, 12);
  if (kind === "pem-escaped") return fakePem("PRIVATE", random, 12).replaceAll("\n", "\\n");
  const sized = /^(alnum|base36|base64|digits|hex|slug)-(\d{1,3})$/.exec(kind);
  if (sized !== null) return draw(`${SIZED[sized[1] ?? ""] ?? "a"}${sized[2]}`, random);
  const pattern = PATTERNS[kind];
  if (pattern === undefined) throw new Error(`no kind ${kind}`);
  return draw(pattern, random);
}

function fakeJwt(random: () => number): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: draw("d10", random), name: draw("l8", random), iat: 1_700_000_000 })}.${draw("s43", random)}`;
}

function fakePem(kind: string, random: () => number, lines: number): string {
  const dashes = "-".repeat(5);
  const body = Array.from({ length: lines }, () => draw("b64", random)).join("\n");
  return `${dashes}BEGIN ${kind} KEY${dashes}\n${body}\n${dashes}END ${kind} KEY${dashes}`;
}
