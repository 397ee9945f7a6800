import type { JsonDoc } from "../json.ts";
import type { Dialect, RequestView } from "../view.ts";

/** OpenAI's and xAI's models that think before they speak, and show nothing or a summary of it. */
const SILENT = /^(?:[a-z-]+\/)*(?:o\d|gpt-[5-9]|codex|grok-(?:[5-9]|4(?!.*non-reasoning)))/;
/** Google's that think unless they are told not to. */
const THINKS = /gemini-(?:2\.5|[3-9])(?!.*lite)/;
const THINKING_ASKED = /"thinking_?config"/i;
const THINKING_OFF = /"thinking_?budget"\s*:\s*0\s*[,}]/i;

/**
 * Is output made, and billed, that the answer does not show whole? By what the model is called (the provider's name, the policy's), and by
 * what the request asks for. Then what is counted while it streams is not all there is.
 */
export function thinksUnseen(
  { view, doc }: { readonly view: RequestView; readonly doc: JsonDoc },
  { dialect, names }: { readonly dialect: Dialect; readonly names: readonly (string | undefined)[] },
): boolean {
  if (names.some((name) => name !== undefined && SILENT.test(name))) return true;
  if (dialect === "gemini" || dialect === "vertex" || names.some((name) => name !== undefined && /gemini/.test(name))) {
    if (THINKING_OFF.test(doc.text)) return false;
    return THINKING_ASKED.test(doc.text) || names.some((name) => name !== undefined && THINKS.test(name));
  }
  // Claude streams a summary of its thinking.
  return names.some((name) => name?.includes("claude")) && view.inputParts?.().thinking === true;
}
