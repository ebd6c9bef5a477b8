// Proofs of many pieces on made-up worlds: a piece that the record holds is not computed again.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ExperimentContext, ExperimentResult } from "../../scripts/support/Experiment.ts"

export interface TaskPieces<P, W, F> {
  /** The proof's name, which is its record's. */
  readonly proof: string
  readonly pieces: readonly P[]
  /** Which world a piece is of. */
  readonly worldOf: (piece: P) => string
  /** Makes the world of pieces, of which this is the first, in a folder. */
  readonly prepare: (folder: string, first: P) => Promise<W>
  readonly measure: (world: W, piece: P) => Promise<F>
  readonly resultOf: (known: ReadonlyMap<string, F>) => ExperimentResult
}

/** Measures the pieces whose names begin with an argument, all where there is none, and keeps the record after each. */
export const measurePieces = async <P extends { readonly name: string }, W, F>(
  { args, root, log, keep }: ExperimentContext,
  { proof, pieces, worldOf, prepare, measure, resultOf }: TaskPieces<P, W, F>,
): Promise<ExperimentResult> => {
  const known = recordedPieces<F>(join(root, `proof/${proof}.json`))
  const asked = pieces.filter(({ name }) => args.length === 0 || args.some((arg) => name.startsWith(arg)))
  for (const [name, some] of Map.groupBy(asked, worldOf)) {
    const missing = some.filter((piece) => !known.has(piece.name))
    const [first] = missing
    if (first === undefined) continue
    const folder = mkdtempSync(join(tmpdir(), `tandem-${proof}-`))
    try {
      const world = await prepare(folder, first)
      log(`${name}: the world and its models are there`)
      for (const piece of missing) {
        const figures = await measure(world, piece)
        log(`${piece.name}: ${JSON.stringify(figures)}`)
        known.set(piece.name, figures)
        await keep(resultOf(known))
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  return resultOf(known)
}

/** The pieces of a record that is there, without what it says of other settings. */
const recordedPieces = <F>(file: string): Map<string, F> => {
  if (!existsSync(file)) return new Map()
  const { figures }: { readonly figures: Readonly<Record<string, F>> } = JSON.parse(readFileSync(file, "utf8"))
  return new Map(Object.entries(figures).filter(([name]) => name !== "earlier"))
}
