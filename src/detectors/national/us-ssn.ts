import { isOneDigit } from "../shared/checksums.ts";
import { words } from "../shared/context.ts";
import { shapeDetector } from "../shared/shapes.ts";

/** US social security number: areas 001 to 899 but 666, no part all zeros (SSA, "Social Security Number Randomization", since 2011). There is no checksum: written with dashes it is one, otherwise a word must be near. */
export const usSsn = shapeDetector({
  entity: "us_ssn",
  class: "personal",
  profile: "standard",
  shapes: ["999 99 9999"],
  check: (compact, written) => isIssued(compact) && (DASHED.test(written) ? 0.85 : true),
  alone: 0,
  near: 1,
  context: words(
    "ssn",
    "ssns",
    "social security",
    "social sec",
    "soc sec",
    "ss number",
    "ss no",
    "tax id",
    "TIN",
    "seguro social",
    "社会安全号",
    "社会安全号码",
    "社保号",
  ),
});

const DASHED = /^[0-9]{3}-[0-9]{2}-[0-9]{4}$/;
const isIssued = (ssn: string): boolean => !/^(?:000|666|9)|^...00|0000$/.test(ssn) && !isOneDigit(ssn);
