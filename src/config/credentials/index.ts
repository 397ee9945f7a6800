import { apiKeyKind } from "./api-key.ts";
import { jwtKind } from "./jwt.ts";
import { mtlsKind } from "./mtls.ts";

/**
 * Every kind of credential, in the order in which records name them where a call brings several. A new kind is its file and
 * its line here; its section of the policy, the checks and the way through the pipeline follow.
 */
export const CREDENTIAL_KINDS = [apiKeyKind, jwtKind, mtlsKind] as const;
