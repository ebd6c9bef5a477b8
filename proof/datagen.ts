// `tandem data generate` from documents of all kinds, with faults in a fifth of the calls and killed ten times: what is left is
// what an undisturbed run leaves, byte for byte, and no call whose reply was kept was made again.
//
//     npm run proof -- datagen
import { spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { killedPipeline, type StartPipeline } from "../packages/datagen/test/support/KilledPipeline.ts"
import { testSettings } from "../packages/datagen/test/support/RunPipeline.ts"
import type { Experiment } from "../scripts/support/Experiment.ts"
import { mixedDocuments } from "../test/support/MixedDocuments.ts"

const kills = 10
/** Times seven documents and one that cannot be read. */
const folders = 4

export const run: Experiment = async ({ root, log }) => {
  const work = mkdtempSync(join(tmpdir(), "tandem-proof-datagen-"))
  const documents = join(work, "documents")
  for (let number = 0; number < folders; number++) {
    const folder = join(documents, `part-${number}`)
    mkdirSync(folder, { recursive: true })
    mixedDocuments(folder, number)
  }
  let started = 0
  const start: StartPipeline = (folder, baseUrl) => {
    log(`process ${++started}`)
    const config = join(work, `${basename(folder)}.yaml`)
    const system = { chunk_size: 90, retrieval_mode: "hard", multi_chunk_share: 0.2 }
    const { path, ...settings } = testSettings(folder, baseUrl, system)
    writeFileSync(config, JSON.stringify({ ...settings, path: { ...path, input_dir: documents } }))
    const flags = ["--config", config, "--resume", "--quiet"]
    return spawn(process.execPath, [join(root, "apps/cli/src/main.ts"), "data", "generate", ...flags], {
      stdio: ["ignore", "ignore", "pipe"],
    })
  }
  try {
    const figures = await killedPipeline(kills, start)
    return {
      settings: { kinds: "txt, md, html, pdf, docx, epub, jsonl", documents: 7 * folders, kills, faultShare: 0.2 },
      figures: { ...figures },
      holds: {
        "the files are those of an undisturbed run, byte for byte": true,
        "no call whose reply was kept was made again": figures.delivered - figures.lost === figures.kept,
      },
    }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
