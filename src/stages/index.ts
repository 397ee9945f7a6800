import type { StageDefinition } from "../core/stage.ts";
import { accessStage } from "./access/stage.ts";
import { budgetsStage } from "./budgets/stage.ts";
import { capsStage } from "./caps/stage.ts";
import { classificationStage } from "./classification/stage.ts";
import { contractStage } from "./contract/stage.ts";
import { injectionStage } from "./injection/stage.ts";
import { limitsStage } from "./limits/stage.ts";
import { outputStage } from "./output/stage.ts";
import { redactStage } from "./redact/stage.ts";
import { routeStage } from "./route/stage.ts";

/** Every stage, in the order in which a request meets them. A new stage is one folder and one line here. */
export const STAGES: readonly StageDefinition[] = [
  contractStage,
  accessStage,
  limitsStage,
  redactStage,
  classificationStage,
  injectionStage,
  routeStage,
  capsStage,
  outputStage,
  budgetsStage,
];
