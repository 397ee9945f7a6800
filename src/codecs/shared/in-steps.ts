import type { Codec, ParseError, PathFacts } from "../../core/codec.ts";
import type { JsonDoc } from "../../core/json.ts";
import type { Result } from "../../core/result.ts";
import { finish, type Steps } from "../../core/slice.ts";
import type { RequestView } from "../../core/view.ts";

/** Both ways to read a request, from the one in steps. */
export function inSteps(
  read: (doc: JsonDoc, facts: PathFacts) => Steps<Result<RequestView, ParseError>>,
): Required<Pick<Codec, "readRequest" | "readSteps">> {
  return { readRequest: (doc, facts) => finish(read(doc, facts)), readSteps: read };
}

/** What another reader said, changed. */
export function* then(
  steps: Steps<Result<RequestView, ParseError>>,
  change: (view: Result<RequestView, ParseError>) => Result<RequestView, ParseError>,
): Steps<Result<RequestView, ParseError>> {
  return change(yield* steps);
}
