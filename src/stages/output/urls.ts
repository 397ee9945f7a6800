import type { Detector, Found, ScanText } from "../../core/detector.ts";
import { detectorsOf } from "../../detectors/index.ts";
import { isAllowed } from "../shared/hosts.ts";
import { FoundSearch } from "./found.ts";
import type { Search } from "./rule.ts";

/** Longest link without a scheme, UTF-16 units. */
const LINK_CHARS_MAX = 2048;
const ENDS = /[\s"'<>()[\]{}\\]/;

/** `//host/path` where a link or image has its address: browsers take it as one. */
const schemeless: Detector = {
  entities: ["url"],
  class: "network",
  profile: "asked",
  lookBehind: 1,
  lengthMax: LINK_CHARS_MAX,
  find: ({ text, ended }: ScanText, from: number): Found => {
    const findings = [];
    for (let at = text.indexOf("/", from); at >= 0; at = text.indexOf("/", at + 1)) {
      if (at > 0 && !/[\s"'(<=[]/.test(text.charAt(at - 1))) continue;
      if (at + 1 >= text.length && !ended) return { findings, open: at };
      if (text.charAt(at + 1) !== "/") continue;
      let end = at + 2;
      while (end < text.length && end - at < LINK_CHARS_MAX && !ENDS.test(text.charAt(end))) end += 1;
      if (end === text.length && end - at < LINK_CHARS_MAX && !ended) return { findings, open: at };
      if (/^\/\/[\p{L}\p{N}[]/u.test(text.slice(at, end))) findings.push({ entity: "url", start: at, end, score: 1 });
      at = end - 1;
    }
    return { findings, open: text.length };
  },
};

/** One list for all answers: what a scan needs of its detectors is made once for each list. */
const LINKS: readonly Detector[] = [...detectorsOf(new Set(["url"])), schemeless];

/** Finds links whose host is not on the list. */
export const urlSearch = (allow: readonly string[]): Search => new FoundSearch(LINKS, (_finding, written) => !isAllowed(written, allow));
