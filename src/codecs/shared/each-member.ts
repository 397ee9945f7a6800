import type { JsonMember, JsonNode, JsonObject } from "../../core/json.ts";
import { isStepDone, type Steps } from "../../core/slice.ts";

interface Place {
  readonly items: readonly JsonNode[] | undefined;
  readonly members: readonly JsonMember[];
  readonly object: JsonObject | undefined;
  at: number;
}
const NO_MEMBERS: readonly JsonMember[] = [];

/** Visits every member of every object below a node, in document order. `visit` says whether what its value holds is visited too. */
export function* eachMember(root: JsonNode, visit: (key: string, value: JsonNode, object: JsonObject) => boolean): Steps<void> {
  const stack: Place[] = [];
  let place = placeOf(root);
  let visited = 0;
  while (place !== undefined) {
    const value = next(place, visit);
    if (value === undefined) {
      if (place.at >= (place.items ?? place.members).length) place = stack.pop();
    } else {
      const inner = placeOf(value);
      if (inner !== undefined) {
        stack.push(place);
        place = inner;
      }
    }
    if (isStepDone(++visited)) yield;
  }
}

/** The next value to look below; undefined: not this one, or there is none. */
function next(place: Place, visit: (key: string, value: JsonNode, object: JsonObject) => boolean): JsonNode | undefined {
  const at = place.at++;
  if (place.object === undefined) return place.items?.[at];
  const member = place.members[at];
  return member !== undefined && visit(member.key, member.value, place.object) ? member.value : undefined;
}

function placeOf(node: JsonNode): Place | undefined {
  if (node.kind === "array") return { items: node.items, members: NO_MEMBERS, object: undefined, at: 0 };
  return node.kind === "object" ? { items: undefined, members: node.members, object: node, at: 0 } : undefined;
}
