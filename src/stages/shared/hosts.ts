import { z } from "zod";

/** A host as policies name it: `docs.example.com`, or `*.example.com` for those below it. */
export const hostRule = z
  .string()
  .regex(/^(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*$/, "must be a host -> write docs.example.com or *.example.com");

/** Is the address, as people write addresses, on a host of the list? What cannot be read as one is not. */
export function isAllowed(written: string, allow: readonly string[]): boolean {
  const full = written.startsWith("//") ? `https:${written}` : /^www\./i.test(written) ? `https://${written}` : written;
  if (!URL.canParse(full)) return false;
  const host = new URL(full).hostname.toLowerCase().replace(/\.$/, "");
  return allow.some((rule) => (rule.startsWith("*.") ? host.endsWith(rule.slice(1)) : host === rule));
}
