import type { ImageRule } from "./families.ts";
import type { MediaPart } from "./parts.ts";

/** Of a picture whose size nobody can tell: what is billed for 1024 x 1024, the common upper end. */
const UNKNOWN_SIDE = 1024;
/** Bytes of a second of compressed speech (64 kbit/s); and Gemini's tokens of a second, the most that any provider counts. */
const AUDIO_BYTES_PER_SECOND = 8000;
const AUDIO_TOKENS_PER_SECOND = 32;
/** Gemini's tokens of a second of video (258 a frame, one a second, and its sound), and bytes of it at 1 Mbit/s. */
const VIDEO_TOKENS_PER_SECOND = 290;
const VIDEO_BYTES_PER_SECOND = 125_000;
/** Bytes of a page of a PDF with text, and tokens of one where it is shown to the model as picture and text (Anthropic: 1,500 to 3,000). */
const PAGE_BYTES = 30_000;
const PAGE_TOKENS = 1_500;
/** Of a file that the request only points at. */
const FILE_TOKENS = 3_000;

/** Tokens that a picture, sound or file is billed, by the provider's published formula where its size is known. */
export function mediaTokens(part: MediaPart, rule: ImageRule): number {
  switch (part.kind) {
    case "image":
      return imageTokens(part, rule);
    case "audio":
      return Math.ceil((part.bytes ?? AUDIO_BYTES_PER_SECOND * 30) / AUDIO_BYTES_PER_SECOND) * AUDIO_TOKENS_PER_SECOND;
    case "video":
      return Math.ceil((part.bytes ?? VIDEO_BYTES_PER_SECOND * 30) / VIDEO_BYTES_PER_SECOND) * VIDEO_TOKENS_PER_SECOND;
    case "file":
      return part.bytes === undefined ? FILE_TOKENS : Math.ceil(part.bytes / PAGE_BYTES) * PAGE_TOKENS;
  }
}

/**
 * Sources, read 2026-11: OpenAI "Images and vision" (tiles of 512 after scaling to 768; patches of 32, at most 1536), Anthropic "Vision"
 * (width x height / 750, at most 1568 on the long side), Gemini "Understand and count tokens" (258 up to 384 x 384, else for each tile of
 * 768; Gemini 3: 1120 at its default resolution), xAI "Image understanding" (256 for each tile of 448 and one more), Mistral and Llama
 * (patches of 14, pixels bounded).
 */
function imageTokens(part: MediaPart, rule: ImageRule): number {
  const width = part.width ?? UNKNOWN_SIDE;
  const height = part.height ?? UNKNOWN_SIDE;
  switch (rule) {
    case "openai_tiles":
      return part.detail === "low" ? 85 : 85 + 170 * openAiTiles(width, height);
    case "openai_mini_tiles":
      return part.detail === "low" ? 2833 : 2833 + 5667 * openAiTiles(width, height);
    case "openai_patches":
      return Math.ceil(Math.min(1536, tiles(width, height, 32)) * 1.62);
    case "claude":
      return claudeImage(width, height);
    case "gemini":
      return width <= 384 && height <= 384 ? 258 : 258 * tiles(width, height, 768);
    case "gemini_3":
      return 1120;
    case "grok":
      return 256 * (Math.min(6, tiles(width, height, 448)) + 1);
    case "patches_14":
      return Math.min(4096, tiles(width, height, 14));
    case "unknown":
      return 1500;
  }
}

const tiles = (width: number, height: number, side: number): number => Math.ceil(width / side) * Math.ceil(height / side);

function openAiTiles(width: number, height: number): number {
  const fitted = Math.min(1, 2048 / Math.max(width, height));
  const scale = fitted * Math.min(1, 768 / (Math.min(width, height) * fitted));
  return tiles(width * scale, height * scale, 512);
}

function claudeImage(width: number, height: number): number {
  const scale = Math.min(1, 1568 / Math.max(width, height));
  return Math.min(1600, Math.ceil((width * scale * height * scale) / 750));
}
