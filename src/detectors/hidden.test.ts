import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertSameWhenCut, detectorSuite, type Sample } from "../../test/support/detectors.ts";
import { fake } from "../../test/support/fake-secrets.ts";
import { DETECTORS, scan } from "./index.ts";
import { hiddenSecrets } from "./secrets/hidden.ts";

const github = fake("github");
const hidden = (sign: string): string => `${github.slice(0, 7)}${sign}${github.slice(7, 20)}${sign}${github.slice(20)}`;

const SAMPLES: readonly Sample[] = [
  ...["\u200b", "\u00ad", "\u2060", "\u200f", "\ufe0f", "\u034f", "\u{e0041}", "\u{e0100}"].map(
    (sign): Sample => [`use ${hidden(sign)}, then go`, `secret_github_token=${hidden(sign)}`],
  ),
  ["?q=password%3Dhunter2Zzkkq9&x=1", "secret_password=hunter2Zzkkq9"],
  ["%7B%22password%22%3A%20%22hunter2Zzkkq9%22%7D", "secret_password=hunter2Zzkkq9"],
  ["data-a='{&quot;password&quot;: &quot;hunter2Zzkkq9&quot;}'", "secret_password=hunter2Zzkkq9"],
  ["&#34;password&#34;:&#34;hunter2Zzkkq9&#34;", "secret_password=hunter2Zzkkq9"],
  ["the pass\u200bword field, and AT&T &amp; %20 more"],
];
detectorSuite(hiddenSecrets, { samples: SAMPLES });

describe("numbers and letters in other forms", () => {
  const card = "4012888888881881";
  const zeros = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xbe6, 0xe50, 0xed0, 0x17e0, 0x1810, 0xa620, 0xff10, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec,
    0x1d7f6, 0x1fbf0,
  ];
  const written = (text: string, zero: number): string => text.replaceAll(/[0-9]/g, (digit) => String.fromCodePoint(zero + Number(digit)));
  const found = (text: string) => scan(text, DETECTORS).map(({ entity, start, end }) => `${entity}=${text.slice(start, end)}`);

  test("digits of every script, mathematical ones too, wherever they are cut", () => {
    for (const zero of zeros) {
      const [number, ssn] = [written(card, zero), written("536-22-1234", zero)];
      const text = `pay ${number}, ssn ${ssn}.`;
      assert.deepEqual(found(text), [`payment_card=${number}`, `us_ssn=${ssn}`], zero.toString(16));
      for (let cut = 1; cut < text.length; cut += 1) assertSameWhenCut(DETECTORS, text, [cut]);
    }
  });
  test("mathematical letters", () => {
    const bold = (text: string) => text.replaceAll(/[a-z]/g, (letter) => String.fromCodePoint(0x1d41a + letter.charCodeAt(0) - 97));
    const mail = bold("jane.doe@acme-corp.com");
    assert.deepEqual(found(`to ${mail}!`), [`email=${mail}`]);
    for (let cut = 1; cut < mail.length; cut += 1) assertSameWhenCut(DETECTORS, mail, [cut]);
  });
  test("cards with a plus for a blank, and over columns and lines where a word says what they are", () => {
    for (const [text, ...values] of [
      ["?card=4012+8888+8888+1881&x", "4012+8888+8888+1881"],
      ["my card:\n4012\n8888\n8888\n1881\nok", "4012\n8888\n8888\n1881"],
      ["Visa\t4012\t8888\t8888\t1881", "4012\t8888\t8888\t1881"],
      ["card 4012 8888\r\n8888 1881", "4012 8888\r\n8888 1881"],
      ["sold\t4012\t8888\t8888\t1881"],
      ["4012\n8888\n8888\n1881\n"],
    ] as const) {
      assert.deepEqual(
        found(text),
        values.map((value) => `payment_card=${value}`),
      );
      for (let cut = 1; cut < text.length; cut += 1) assertSameWhenCut(DETECTORS, text, [cut]);
    }
    assert.deepEqual(found("iban=DE89+3704+0044+0532+0130+00"), ["iban=DE89+3704+0044+0532+0130+00"]);
  });
});
