/** A whole answer that Sluice gives in a provider's place: headers and body. */
export interface SaidAnswer {
  readonly contentType: string;
  readonly body: Uint8Array;
}

export const JSON_TYPE = "application/json";
export const SSE_TYPE = "text/event-stream; charset=utf-8";

/** The letters and digits of an id, for dialects whose ids have nothing else. */
export const plainId = (id: string): string => id.replaceAll(/[^A-Za-z0-9]/g, "");
