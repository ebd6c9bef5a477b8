// `tandem tune` on a thousand pages of a real manual: questions of pages that were held out are found more often than before,
// from a pretrained encoder and from nothing.
//
//     TANDEM_DOCS=FOLDER TANDEM_MODELS=FOLDER npm run proof -- tune [PIECE…]
//
// TANDEM_DOCS holds what Debian's package cmake-doc 3.25.1-1 does (`apt-get download cmake-doc && dpkg -x cmake-doc_*.deb
// FOLDER`). Pieces that proof/tune.json holds are not computed again, and one that was interrupted goes on.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { RunReport } from "@tandem/runs"
import { type TunePlan, type TuneSettings, tune } from "@tandem/tune"
import { Effect } from "effect"
import type { Experiment, ExperimentResult } from "../scripts/support/Experiment.ts"
import { folderOf } from "./support/DprProof.ts"

const pages = "usr/share/doc/cmake-data/html"
/** Folders of the manual: what its variables and the properties of its targets are for. */
const parts = ["variable", "prop_tgt"]
/** Pages are short: passages of 64 tokens, and a quarter of the pages to measure by. */
const common = { chunkSize: 64, heldOut: 0.25, minutes: 600, threads: 1 } as const

const starts = {
  MiniLM: { model: "all-MiniLM-L6-v2", epochs: 2 },
  tiny: { model: "tiny", epochs: 10 },
} as const
type Start = keyof typeof starts
const names = Object.keys(starts) as Start[]

interface Figures {
  readonly plan: Omit<TunePlan, "seconds">
  readonly bm25: RunReport["before"]
  readonly before: RunReport["before"]
  readonly after: RunReport["after"]
  /** After − before, question by question, with 95 % intervals. */
  readonly differences: NonNullable<RunReport["differences"]>["before"] | undefined
  readonly seconds: number
}

export const run: Experiment = async ({ args, root, log, keep }) => {
  const known = new Map<string, Figures>(figuresOf(join(root, "proof/tune.json")))
  const work = join(tmpdir(), "tandem-tune-proof")
  const folder = join(work, "pages")
  if (!existsSync(folder)) {
    const from = join(folderOf("TANDEM_DOCS", pages), pages)
    for (const part of parts) {
      mkdirSync(join(folder, part), { recursive: true })
      for (const name of readdirSync(join(from, part))) cpSync(join(from, part, name), join(folder, part, name))
    }
  }
  for (const name of names) {
    if (known.has(name) || (args.length > 0 && !args.includes(name))) continue
    const { model, epochs } = starts[name]
    const path = model === "tiny" ? model : join(folderOf("TANDEM_MODELS", model), model)
    const out = join(work, name)
    known.set(name, await tuned({ folder, model: path, out, epochs, ...common, resume: existsSync(out) }, log))
    await keep(resultOf(known))
  }
  if (names.every((name) => known.has(name))) rmSync(work, { recursive: true, force: true })
  return resultOf(known)
}

const tuned = async (settings: TuneSettings, log: (line: string) => void): Promise<Figures> => {
  const { plan, report } = await Effect.runPromise(
    tune(settings, {
      planned: (known) => Effect.sync(() => log(JSON.stringify(known))),
      observe: (event) =>
        Effect.sync(() => {
          if (event.event === "step" && event.step % 10 === 0) log(`step ${event.step}: loss ${event.loss.toFixed(4)}`)
          if (event.event === "eval") log(`step ${event.step}: ${JSON.stringify(event.metrics)}`)
          if (event.event === "warning") log(event.message)
        }),
    }),
  )
  const { seconds: _, ...amounts } = plan
  const { baselines, before, after, differences, seconds } = report
  const bm25 = baselines?.["bm25"]
  return { plan: amounts, bm25, before, after, differences: differences?.before, seconds: Math.round(seconds) }
}

const figuresOf = (file: string): readonly (readonly [string, Figures])[] => {
  if (!existsSync(file)) return []
  const { figures }: { readonly figures: Readonly<Record<string, Figures>> } = JSON.parse(readFileSync(file, "utf8"))
  return Object.entries(figures)
}

const resultOf = (known: ReadonlyMap<string, Figures>): ExperimentResult => ({
  settings: { data: `cmake-doc 3.25.1-1 of Debian, ${parts.join(" and ")}`, starts, ...common },
  figures: Object.fromEntries(known),
  holds: Object.fromEntries(
    [...known].map(([name, { differences }]) => [
      `${name}: recall@5 on questions of held-out pages rises, and the 95 % interval excludes 0`,
      (differences?.["recall@5"]?.low ?? Number.NaN) > 0,
    ]),
  ),
})
