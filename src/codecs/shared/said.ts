import type { Said } from "../../core/codec.ts";

/** A whole answer that Sluice gives in a provider's place: headers and body. */
export interface SaidAnswer {
  readonly contentType: string;
  readonly body: Uint8Array;
}

export const JSON_TYPE = "application/json";
export const SSE_TYPE = "text/event-stream; charset=utf-8";

/** The letters and digits of an id, for dialects whose ids have nothing else. */
export const plainId = (id: string): string => id.replaceAll(/[^A-Za-z0-9]/g, "");

/** What a choice says, and how it ends. One that had said nothing yet ends as the answer does. */
export const choiceOf = (said: Said, index: number): Pick<Said, "text" | "finish"> =>
  said.choices === undefined ? said : (said.choices[index] ?? { text: "", finish: said.finish });
