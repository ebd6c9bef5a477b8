/** Searches that distinct passages are counted over. */
const windowSize = 1024

/** The share of different passages among those that were found last: near 0 where all questions find the same ones. */
export const distinctPassages = (): ((ids: readonly string[]) => number) => {
  let recent: readonly string[] = []
  return (ids) => {
    recent = [...recent, ...ids].slice(-windowSize)
    return recent.length === 0 ? 0 : new Set(recent).size / recent.length
  }
}
