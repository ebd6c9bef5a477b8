import { duration, quantity } from "../Html.ts"
import type { Section } from "../Kinds.ts"
import type { Notice, Report, Status } from "../Report.ts"
import type { StepRow } from "./TrainingRows.ts"

/** What the page of a training run begins with, whatever was trained. */
export interface TrainingRun {
  /** As it is typed: `tandem dpr train`. */
  readonly command: string
  readonly status: Status
  /** What came of it in one sentence; without it, how far the run is. */
  readonly outcome?: string | undefined
  /** Optimizer steps done, as far as the run's own account goes. */
  readonly steps: number
  /** Steps that the run will have, where it has not ended yet. */
  readonly plannedSteps?: number | undefined
  readonly seconds: number
  readonly peakMemoryMiB: number
  readonly device?: string | undefined
  /** The step whose weights were saved. */
  readonly savedStep?: number | undefined
  readonly warnings: readonly string[]
  readonly sections: readonly Section[]
}

/** The page of a training run; it works for a run that has not ended, or had nothing to be evaluated with. */
export const trainingReport = (run: TrainingRun, rows: readonly StepRow[]): Report<Section> => {
  const last = rows.at(-1)
  const done = Math.max(run.steps, last?.step ?? 0)
  return {
    command: run.command,
    title: run.outcome ?? (done === 0 ? "Training has not begun" : `Trained for ${quantity(done)} steps`),
    status: run.status,
    summary: summary(run, done, last?.values["epoch"]),
    notices: [...standing(run, done), ...warned(run.warnings)],
    sections: run.sections,
  }
}

const summary = (run: TrainingRun, done: number, epoch: number | undefined): Report<Section>["summary"] => {
  const facts = [
    ["steps", quantity(done)],
    ["epochs", epoch === undefined ? "" : epoch.toFixed(epoch < 10 ? 2 : 1)],
    ["time", duration(run.seconds)],
    ["peak memory", `${quantity(Math.round(run.peakMemoryMiB))} MiB`],
    ["device", run.device ?? ""],
    ["weights of", run.savedStep === undefined ? "" : `step ${quantity(run.savedStep)}`],
  ] as const
  return facts.filter(([, value]) => value !== "")
}

/** What to know of a run that has not ended as planned. */
const standing = ({ status, plannedSteps }: TrainingRun, done: number): readonly Notice[] => {
  if (status === "completed") return []
  const place = `step ${quantity(done)}${plannedSteps === undefined ? "" : ` of ${quantity(plannedSteps)}`}`
  const text = {
    running: `This run has not ended: it is at ${place}.`,
    interrupted: `This run was interrupted at ${place}. The same command with \`--resume\` goes on from its last checkpoint.`,
    diverged: `Training diverged at ${place}. Earlier checkpoints are intact; a lower learning rate may help.`,
  }[status]
  return [{ text }]
}

const warned = (items: readonly string[]): readonly Notice[] =>
  items.length === 0
    ? []
    : [{ text: items.length === 1 ? "A warning" : `${items.length} warnings`, items, level: "warning" }]
