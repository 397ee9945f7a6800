/** Kinds of attack that the score names. The record, the metric and the answer's header use these words. */
export const FAMILIES = [
  "override",
  "role_forging",
  "prompt_extraction",
  "persona",
  "fiction_frame",
  "compliance",
  "tool_coercion",
  "exfiltration",
  "embedded_task",
  "encoded_payload",
  "hidden_text",
  "fake_turns",
  "learned",
] as const;
export type Family = (typeof FAMILIES)[number];
