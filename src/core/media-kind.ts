/** What bytes are that no rule can read, by what they say themselves: the type that is told beside them may be any. */
export const MEDIA_KINDS = ["image", "audio", "video", "document", "archive", "other"] as const;
export type MediaKind = (typeof MEDIA_KINDS)[number];

/** So many bytes tell it: of a tar archive its first block, of PDF what may stand before its mark. */
const HEAD_BYTES = 1_024;

/** Marks at the beginning of a file, hex, with what stands at an offset behind them where that tells more. First come, first served. Source: the formats' specifications. */
const MARKS: readonly (readonly [kind: MediaKind, mark: string, more?: string, at?: number])[] = [
  ["image", "89504e470d0a"],
  ["image", "ffd8ff"],
  ["image", "47494638"],
  ["image", "424d", "00000000", 6],
  ["image", "49492a00"],
  ["image", "4d4d002a"],
  ["image", "00000100"],
  ["image", "52494646", ascii("WEBP"), 8],
  ...["avif", "avis", "heic", "heix", "mif1", "msf1"].map((brand) => ["image", "", ascii(`ftyp${brand}`), 4] as const),
  ["audio", ascii("ID3")],
  ["audio", ascii("OggS")],
  ["audio", ascii("fLaC")],
  ["audio", ascii("#!AMR")],
  ["audio", "52494646", ascii("WAVE"), 8],
  ["audio", ascii("FORM"), ascii("AIF"), 8],
  ["audio", "", ascii("ftypM4A"), 4],
  ...["e3", "f2", "f3", "fa", "fb", "f1", "f9"].map((second) => ["audio", `ff${second}`] as const),
  ["video", "", ascii("ftyp"), 4],
  ["video", "1a45dfa3"],
  ["video", "52494646", ascii("AVI"), 8],
  ["video", "464c5601"],
  ["video", "000001ba"],
  ["video", "000001b3"],
  ["video", "3026b275"],
  // OLE is Office before 2007. An Office or OpenDocument file is a zip whose first entry has one of these names.
  ["document", "d0cf11e0"],
  ["document", ascii("{\\rtf")],
  ...["[Content_Types]", "_rels/", "docProps/", "word/", "xl/", "ppt/", "mimetypeapplication/"].map(
    (entry) => ["document", "504b0304", ascii(entry), 30] as const,
  ),
  ["archive", "504b0304"],
  ["archive", "504b0506"],
  ["archive", "504b0708"],
  ["archive", "1f8b"],
  ["archive", ascii("BZh")],
  ["archive", "377abcaf"],
  ["archive", ascii("Rar!")],
  ["archive", "fd377a58"],
  ["archive", "28b52ffd"],
  ["archive", "", ascii("ustar"), 257],
];

function ascii(text: string): string {
  return Buffer.from(text, "latin1").toString("hex");
}

/** `bytes`: of a file, from its first on; no more than the first `HEAD_BYTES` are looked at. */
export function mediaKindOf(bytes: Uint8Array): MediaKind {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, HEAD_BYTES)).toString("hex");
  const found = MARKS.find(([, mark, more = "", at = 0]) => head.startsWith(mark) && head.startsWith(more, 2 * at));
  return found?.[0] ?? (head.includes(ascii("%PDF-")) ? "document" : "other");
}
