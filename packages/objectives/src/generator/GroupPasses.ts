import type { LanguageModel } from "@tandem/models"
import type { AnswerExample } from "./AnswerLayout.ts"

/** Examples that one pass computes together: those of one question, with what else belongs to it. */
export interface ExampleGroup {
  readonly examples: readonly AnswerExample[]
}

/**
 * Groups in as many passes as keep each below so many tokens, with at least one group in each: longest first, so that those
 * of a pass are of about one length. There is little padding then, and passes have few shapes.
 */
export const groupPasses = <G extends ExampleGroup>(
  groups: readonly G[],
  size: (examples: readonly AnswerExample[]) => number,
  passTokens: number,
): readonly (readonly [G, ...G[]])[] => {
  const passes: [G, ...G[]][] = []
  let tokens = 0
  for (const group of groups.toSorted((a, b) => size(b.examples) - size(a.examples))) {
    const own = size(group.examples)
    const last = passes.at(-1)
    if (last === undefined || tokens + own > passTokens) {
      passes.push([group])
      tokens = own
    } else {
      last.push(group)
      tokens += own
    }
  }
  return passes
}

/** Tokens that a model computes of a question's examples: what they all begin with once, where the model shares it. */
export const computedTokens = (model: LanguageModel, { trainOnPrompt = false } = {}) => {
  const shares = model.kind === "decoder" && model.source.kind === "weights" && !trainOnPrompt
  return (examples: readonly AnswerExample[]): number => (shares ? sharedSize(examples) : wholeSize(examples))
}

/** Tokens of a question's examples. */
const wholeSize = (examples: readonly AnswerExample[]): number =>
  examples.reduce((sum, { prompt, answer }) => sum + prompt.length + answer.length, 0)

/** The same with what they share counted once: they begin alike up to their passages. */
const sharedSize = (examples: readonly AnswerExample[]): number => {
  const [first] = examples
  if (first === undefined) return 0
  const longest = Math.min(...examples.map(({ prompt }) => prompt.length))
  let shared = 0
  while (shared < longest && examples.every(({ prompt }) => prompt[shared] === first.prompt[shared])) shared++
  return shared + examples.reduce((sum, { prompt, answer }) => sum + prompt.length - shared + answer.length, 0)
}
