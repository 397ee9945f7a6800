import { isJsonObject, type Json, type JsonLimits, parseJson, toJson } from "../../core/json.ts";

/** Longest token looked at, in characters. RFC 7519 names no limit; directories with many groups come close to 8 KB. */
export const TOKEN_CHARS_MAX = 16_384;

/** What a token says of itself, before anybody vouches for it. */
export interface UnverifiedToken {
  readonly header: JsonMap;
  readonly claims: JsonMap;
}
type JsonMap = { readonly [key: string]: Json };

const LIMITS: JsonLimits = { depthMax: 16, valuesMax: 4096 };
const SEGMENT = /^[A-Za-z0-9_-]+$/;

/**
 * Reads a compact JWS (RFC 7515 section 7.1) without verifying it, to find who could vouch for it. undefined: it is no token,
 * or one that two readers could read in two ways: a member twice (RFC 7519 section 4), bits beyond the last byte of a
 * segment, JSON that is not UTF-8.
 */
export function readToken(text: string): UnverifiedToken | undefined {
  if (text.length > TOKEN_CHARS_MAX) return undefined;
  const parts = text.split(".");
  const [head = "", body = "", signature = ""] = parts;
  if (parts.length !== 3 || !isCanonical(signature)) return undefined;
  const header = readSegment(head);
  const claims = header === undefined ? undefined : readSegment(body);
  return header === undefined || claims === undefined ? undefined : { header, claims };
}

function readSegment(segment: string): JsonMap | undefined {
  if (!isCanonical(segment)) return undefined;
  const parsed = parseJson(Buffer.from(segment, "base64url"), LIMITS);
  if (!parsed.ok) return undefined;
  const value = toJson(parsed.value.root);
  return isJsonObject(value) ? value : undefined;
}

/** One spelling for one value, else a token could be changed without breaking its signature. */
const isCanonical = (segment: string): boolean =>
  SEGMENT.test(segment) && Buffer.from(segment, "base64url").toString("base64url") === segment;

/** A value that a claim must have, one of several, or the same for members of a claim that is an object. */
export type ClaimRule = string | number | boolean | readonly (string | number | boolean)[] | { readonly [member: string]: ClaimRule };

/** Scopes are one string with blanks (RFC 8693 section 4.2); Microsoft's `scp` likewise. */
const SPACED = new Set(["scope", "scp"]);

/** Does every named claim have a wanted value? A claim that is a list needs one of them among its entries. */
export function claimsMatch(claims: Json | undefined, rules: { readonly [name: string]: ClaimRule }): boolean {
  if (!isJsonObject(claims)) return false;
  return Object.entries(rules).every(([name, rule]) => {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    if (isRuleMap(rule)) return claimsMatch(value, rule);
    const wanted: readonly Json[] = isList(rule) ? rule : [rule];
    const words = SPACED.has(name) && typeof value === "string" ? value.split(" ") : value;
    const given: readonly (Json | undefined)[] = isList(words) ? words : [words];
    return given.some((one) => one !== undefined && wanted.includes(one));
  });
}

const isList = <T>(value: T | readonly T[]): value is readonly T[] => Array.isArray(value);
const isRuleMap = (rule: ClaimRule): rule is { readonly [member: string]: ClaimRule } =>
  typeof rule === "object" && !isList<ClaimRule | string>(rule);
