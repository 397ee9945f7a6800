/** Characters of base64 that are looked at for an image's size: its header stands at the beginning, after at most some metadata. */
const HEADER_CHARS = 65_536;

/**
 * Width and height in pixels of a PNG, GIF, WebP or JPEG in base64; undefined when its header says none.
 * Source: PNG 3rd edition 11.2.1, GIF89a section 18, RFC 9649 section 2, ITU-T T.81 B.2.2.
 */
export function imageSize(base64: string): { readonly width: number; readonly height: number } | undefined {
  const bytes = Buffer.from(base64.slice(0, HEADER_CHARS), "base64");
  if (bytes.length < 30) return undefined;
  const size = ofPng(bytes) ?? ofGif(bytes) ?? ofWebp(bytes) ?? ofJpeg(bytes);
  return size !== undefined && size.width > 0 && size.height > 0 ? size : undefined;
}

type Size = { readonly width: number; readonly height: number } | undefined;

function ofPng(bytes: Buffer): Size {
  return bytes.readUInt32BE(0) === 0x89504e47 ? { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) } : undefined;
}

function ofGif(bytes: Buffer): Size {
  return bytes.toString("latin1", 0, 4) === "GIF8" ? { width: bytes.readUInt16LE(6), height: bytes.readUInt16LE(8) } : undefined;
}

function ofWebp(bytes: Buffer): Size {
  if (bytes.toString("latin1", 0, 4) !== "RIFF" || bytes.toString("latin1", 8, 12) !== "WEBP") return undefined;
  switch (bytes.toString("latin1", 12, 16)) {
    case "VP8 ":
      return { width: bytes.readUInt16LE(26) & 0x3fff, height: bytes.readUInt16LE(28) & 0x3fff };
    case "VP8L": {
      const bits = bytes.readUInt32LE(21);
      return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
    }
    case "VP8X":
      return { width: bytes.readUIntLE(24, 3) + 1, height: bytes.readUIntLE(27, 3) + 1 };
    default:
      return undefined;
  }
}

function ofJpeg(bytes: Buffer): Size {
  if (bytes.readUInt16BE(0) !== 0xffd8) return undefined;
  let at = 2;
  while (at + 9 < bytes.length) {
    if (bytes[at] !== 0xff) return undefined;
    const marker = bytes[at + 1] ?? 0;
    // Frames of all codings; 0xc4, 0xc8 and 0xcc are tables.
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc)
      return { height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) };
    at += marker === 0xff ? 1 : 2 + bytes.readUInt16BE(at + 2);
  }
  return undefined;
}
