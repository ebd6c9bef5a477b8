export { type AdamWSettings, adamW } from "./AdamW.ts"
export { withAdapters } from "./Adapters.ts"
export { type Checkpoint, Checkpoints, type StateContents, TrainState } from "./Checkpoint.ts"
export {
  CheckpointFailed,
  FreezePatternError,
  HookFailed,
  InvalidSettings,
  TrainingDiverged,
  TrainingInterrupted,
} from "./Errors.ts"
export { type LionSettings, lion } from "./Lion.ts"
export {
  asDrafted,
  type Evaluation,
  type Hook,
  type Live,
  type Objective,
  type Passes,
  type StatePart,
} from "./Objective.ts"
export { evenParts, optimize, type Update, type UpdateNorms } from "./Optimize.ts"
export {
  clipping,
  decaysByDefault,
  floats,
  type Optimizer,
  type ParameterGroup,
  type UpdateArgument,
  type UpdateSettings,
} from "./Optimizer.ts"
export { type Batch, dropoutRate, type MaskInput, type Program } from "./Program.ts"
export { learningRateAt, type Schedule, warmupSteps } from "./Schedule.ts"
export {
  stepsPerEpoch,
  type TrainEvent,
  type TrainFailure,
  type TrainOptions,
  type TrainResult,
  train,
} from "./Train.ts"
export { type TrainableOptions, trainableNames } from "./TrainableNames.ts"
export { type ResidentOptions, type ResidentState, residentState } from "./TrainState.ts"
export {
  type DifferentiatedProgram,
  type DifferentiationError,
  differentiateProgram,
  makeTrainStep,
  type TrainStep,
  withGradients,
} from "./TrainStep.ts"
