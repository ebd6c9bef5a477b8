import { bareName, matchesPattern, partOf } from "@tandem/onnx"
import { Effect } from "effect"
import { FreezePatternError } from "./Errors.ts"

/** Which parameters are trained. */
export interface TrainableOptions {
  /** Parts that train; all where absent. */
  readonly train?: readonly string[]
  /** Patterns of parameters that stay as they are. */
  readonly freeze?: readonly string[]
}

/**
 * Of joint names, those of parameters that are trained, in their order: those of the parts that train, without the frozen
 * ones.
 *
 * A pattern is a part (`passage`), or a parameter's whole name in which `*` stands for any characters: `embeddings.*`,
 * `*layer.0.*`. It is compared with the bare name in every part and with the joint name, so `embeddings.*` freezes the
 * embeddings of all parts and `passage/*` the whole part `passage`.
 *
 * Ends in `FreezePatternError` for a part or pattern that names nothing, and where nothing is left to train.
 *
 * @example
 * ```ts
 * import { trainableNames } from "@tandem/trainers"
 * import { Effect } from "effect"
 *
 * const names = ["query/embeddings.word", "query/layer.0.weight", "generator/layer.0.weight"]
 * console.log(Effect.runSync(trainableNames(names, { freeze: ["embeddings.*", "generator"] }))) // ["query/layer.0.weight"]
 * ```
 */
export const trainableNames = Effect.fnUntraced(function* (
  names: readonly string[],
  { train, freeze = [] }: TrainableOptions = {},
): Effect.fn.Return<readonly string[], FreezePatternError> {
  const parts = [...new Set(names.map(partOf))]
  const strange = train?.find((part) => !parts.includes(part))
  if (strange !== undefined) {
    return yield* new FreezePatternError({
      message: `no model of this run is called ${strange}`,
      field: "train",
      expected: parts.join(", "),
      found: strange,
    })
  }
  const frozen = new Set<string>()
  for (const pattern of freeze) {
    const hits = parts.includes(pattern)
      ? names.filter((name) => partOf(name) === pattern)
      : names.filter((name) => matchesPattern(pattern, name) || matchesPattern(pattern, bareName(name)))
    if (hits.length === 0) {
      return yield* new FreezePatternError({
        message: `no parameter is called ${pattern}`,
        field: "freeze",
        expected: `a part (${parts.join(", ")}) or a pattern for names such as ${names.slice(0, 2).map(bareName).join(" and ")}`,
        found: pattern,
        hint: "* stands for any characters: embeddings.*, *layer.0.*",
      })
    }
    for (const name of hits) frozen.add(name)
  }
  const trained = names.filter((name) => !frozen.has(name) && (train?.includes(partOf(name)) ?? true))
  if (trained.length > 0) return trained
  return yield* new FreezePatternError({
    message: "every parameter is frozen, so nothing is left to train",
    field: "freeze",
    found: freeze.join(" "),
    hint: "freeze less",
  })
})
