import { existsSync, readFileSync } from "node:fs";
import { secrets } from "../../src/detectors/secrets/index.ts";
import { Scanned } from "../../src/detectors/shared/text.ts";
import { fake, filled, PATTERNS } from "../support/fake-secrets.ts";

/** A text, and whether a secret is in it; `value` where it is known which. */
export interface LabelledText {
  readonly text: string;
  readonly secret: boolean;
  readonly value: string | undefined;
}

export interface SecretsMeasured {
  readonly source: string;
  readonly texts: number;
  readonly recall: number;
  readonly precision: number;
  /** Texts that were judged wrongly. */
  readonly missed: readonly string[];
  readonly falselyFound: readonly string[];
}

/** Recall and precision by text: a text with a secret counts when a finding touches it, one without when there is none. */
export function measureSecrets(source: string, texts: readonly LabelledText[]): SecretsMeasured {
  const missed: string[] = [];
  const falselyFound: string[] = [];
  let hits = 0;
  for (const { text, secret, value } of texts) {
    const { findings } = secrets.find(new Scanned(text, true), 0);
    const at = value === undefined ? 0 : text.indexOf(value);
    const end = value === undefined ? text.length : at + value.length;
    const isHit = findings.some((finding) => finding.start < end && finding.end > at);
    if (secret && isHit) hits += 1;
    else if (secret) missed.push(text);
    else if (findings.length > 0) falselyFound.push(text);
  }
  return {
    source,
    texts: texts.length,
    recall: hits / Math.max(1, hits + missed.length),
    precision: hits / Math.max(1, hits + falselyFound.length),
    missed,
    falselyFound,
  };
}

const OWN = new URL("data/secrets.jsonl", import.meta.url);
/** Where a kind of token stands: in code, settings, addresses, sentences. */
const PLACES = ["{}", "key = '{}'", "export TOKEN={}", '{"token": "{}"}', "use {} for it, please", "令牌{}。", "?k={}&b=1", "\\n{}\\n"];

/** The project's own set: each line of `data/secrets.jsonl` filled with `seeds` different keys, and each published shape in each place. */
export function ownSecrets(seeds: number): readonly LabelledText[] {
  const texts: LabelledText[] = [];
  const lines = readLines(OWN);
  for (let seed = 1; seed <= seeds; seed += 1) {
    for (const { text, secret } of lines) texts.push({ text: filled(text, seed), secret, value: undefined });
    for (const kind of Object.keys(PATTERNS)) {
      if (kind === "uuid") continue;
      const value = fake(kind, seed);
      for (const place of PLACES) texts.push({ text: place.replace("{}", () => value), secret: true, value });
    }
  }
  return texts;
}

/** A file of recorded texts with `text`, `positive` and `secret`; none where the file is not there. */
export function recordedSecrets(file: string): readonly LabelledText[] {
  return existsSync(file) ? readLines(file) : [];
}

function readLines(file: string | URL): readonly LabelledText[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const object = new Map(Object.entries(JSON.parse(line)));
      const [text, label, positive] = [object.get("text"), object.get("secret"), object.get("positive")];
      return {
        text: typeof text === "string" ? text : "",
        secret: positive === true || label === true,
        value: typeof label === "string" ? label : undefined,
      };
    });
}
