/** Values that may have been left out as keys that may be absent. */
export type Present<O> = { [K in keyof O]?: NonNullable<O[K]> }

/** An object without the keys whose value is `undefined`. */
export const withoutAbsent = <O extends object>(values: O): Present<O> => {
  const kept: Present<O> = {}
  for (const key in values) {
    const value = values[key]
    if (value !== undefined && value !== null) kept[key] = value
  }
  return kept
}
