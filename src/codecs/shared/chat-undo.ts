/**
 * Takes out of a stream what a forced `stream_options.include_usage` put in, byte for byte: the `"usage":null` member of each
 * chunk here; the chunk with the usage itself is dropped whole by its reader.
 */
import { applyEdits, member, parseJson } from "../../core/json.ts";

const KEY = Buffer.from('"usage"');
const NULL = Buffer.from("null");
const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x09;
const COMMA = 0x2c;
const COLON = 0x3a;

/**
 * An event without the `"usage":null` member of the object in its data, which is known to have one. The member goes with the comma
 * before it, or behind it where it comes first. Data spread over several lines is left as it is: no provider sends it.
 */
export function withoutNullUsage(event: Uint8Array, data: string): Uint8Array {
  if (data.includes("\n")) return event;
  const bytes = Buffer.from(event.buffer, event.byteOffset, event.length);
  const key = bytes.indexOf(KEY);
  // A quote inside a JSON string is escaped, so these bytes are a whole key or string; if there is one, it is the member's key.
  if (key !== -1 && bytes.indexOf(KEY, key + KEY.length) === -1) {
    const cut = cutAround(bytes, key);
    if (cut !== undefined) return join(bytes, cut.start, cut.end, "");
  }
  const at = bytes.indexOf(data);
  const doc = at === -1 ? undefined : parseJson(bytes.subarray(at, at + Buffer.byteLength(data)));
  if (doc === undefined || !doc.ok || doc.value.root.kind !== "object" || member(doc.value.root, "usage") === undefined) return event;
  const text = applyEdits(doc.value, [{ kind: "remove", object: doc.value.root, key: "usage" }]);
  return join(bytes, at, at + Buffer.byteLength(data), text);
}

/** The member whose key stands at `key`, with one comma; undefined when it is not `"usage": null` between two plain neighbours. */
function cutAround(bytes: Buffer, key: number): { readonly start: number; readonly end: number } | undefined {
  let end = key + KEY.length;
  while (isBlank(bytes[end])) end++;
  if (bytes[end++] !== COLON) return undefined;
  while (isBlank(bytes[end])) end++;
  if (!bytes.subarray(end, end + NULL.length).equals(NULL)) return undefined;
  end += NULL.length;
  let start = key;
  while (isBlank(bytes[start - 1])) start--;
  if (bytes[start - 1] === COMMA) {
    start--;
    while (isBlank(bytes[start - 1])) start--;
    return { start, end };
  }
  while (isBlank(bytes[end])) end++;
  if (bytes[end] !== COMMA) return undefined;
  end++;
  while (isBlank(bytes[end])) end++;
  return { start: key, end };
}

function join(bytes: Buffer, start: number, end: number, between: string): Uint8Array {
  return Buffer.concat([bytes.subarray(0, start), Buffer.from(between), bytes.subarray(end)]);
}
