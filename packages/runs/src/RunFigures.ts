import { differences, intervals, type Measured } from "./Measured.ts"
import type { RunReport } from "./RunReport.ts"
import type { Systems } from "./TrainPlan.ts"

/** What is known before training: the figures of the models as they came and of the baselines. */
export const figuresOf = (systems: Systems | undefined): Partial<RunReport> =>
  systems === undefined
    ? {}
    : {
        baselines: {
          ...Object.fromEntries(Object.entries(systems.baselines).map(([name, { metrics }]) => [name, metrics])),
          untrained: systems.before.metrics,
        },
        before: systems.before.metrics,
      }

/** What is known after it: the result, and its differences from the others. */
export const comparedWith = ({ before, baselines }: Systems, after: Measured): Partial<RunReport> => ({
  after: after.metrics,
  intervals: intervals(after),
  differences: {
    ...Object.fromEntries(Object.entries(baselines).map(([name, other]) => [name, differences(after, other)])),
    before: differences(after, before),
  },
})
