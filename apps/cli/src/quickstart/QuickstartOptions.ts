import type { Observe } from "@tandem/runs"
import type { Progress } from "../Progress.ts"

/** What both parts of the quickstart are told. */
export interface QuickstartOptions {
  readonly folder: string
  readonly seed: number
  /** Most steps of each training; all of them where absent. */
  readonly maxSteps?: number
  /** Watches a run that is about to begin. */
  readonly watch: (run: string) => { readonly progress: Progress; readonly observe: Observe }
}

/** A recipe with no more steps than are asked for. */
export const atMost = <Recipe extends object>(
  { maxSteps }: Pick<QuickstartOptions, "maxSteps">,
  recipe: Recipe & { readonly maxSteps?: number },
) => (maxSteps === undefined ? recipe : { ...recipe, maxSteps: Math.min(maxSteps, recipe.maxSteps ?? maxSteps) })
