import type { Prompt } from "../Prompt.ts"

/**
 * How many tokens all prompts of a group begin with, as far as they can be computed once: each prompt keeps at least one
 * token, and the place that its first label is read at.
 */
export const sharedPrefix = (prompts: readonly Prompt[]): number => {
  const [first, ...others] = prompts
  if (first === undefined || others.length === 0) return 0
  const most = prompts.reduce((least, { ids, from }) => Math.min(least, ids.length - 1, from - 1), first.ids.length)
  let length = 0
  while (length < most && others.every(({ ids }) => ids[length] === first.ids[length])) length++
  return length
}
