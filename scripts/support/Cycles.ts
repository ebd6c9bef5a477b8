// Cycles of a directed graph.

/**
 * One cycle for every strongly connected group of nodes, starting at its alphabetically first node; a node that points
 * at itself is a cycle of one.
 */
export function findCycles(graph: ReadonlyMap<string, ReadonlyArray<string>>): ReadonlyArray<ReadonlyArray<string>> {
  const cycles: Array<ReadonlyArray<string>> = []
  const covered = new Set<string>()
  for (const start of [...graph.keys()].sort()) {
    if (covered.has(start)) continue
    const path = shortestReturn(graph, start)
    if (path === undefined) continue
    for (const node of path) covered.add(node)
    cycles.push(path)
  }
  return cycles
}

/** Breadth-first from `start` until an edge comes back to it. */
function shortestReturn(
  graph: ReadonlyMap<string, ReadonlyArray<string>>,
  start: string,
): ReadonlyArray<string> | undefined {
  const paths: Array<ReadonlyArray<string>> = [[start]]
  const seen = new Set<string>()
  for (const path of paths)
    for (const next of graph.get(path.at(-1)!) ?? []) {
      if (next === start) return path
      if (seen.has(next)) continue
      seen.add(next)
      paths.push([...path, next])
    }
  return undefined
}
