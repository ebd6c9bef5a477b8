// A folder of documents read and divided into chunks, against LangChain's splitter, and against tokenizing their text alone.
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Random } from "@tandem/random"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import type { ChunkingSettings } from "./support/ChunkingSettings.ts"
import { type Compared, compare } from "./support/Compare.ts"
import { withFolder } from "./support/Folder.ts"
import { needs, squadParagraphs } from "./support/Material.ts"

const cases = [
  { name: "MiniLM (word pieces)", model: "all-MiniLM-L6-v2" },
  { name: "SmolLM2 (byte pairs)", model: "SmolLM2-135M-Instruct" },
] as const
const documents = 100
const paragraphsOfDocument = 75
const maxTokens = 200
const rounds = 3

export async function run({ args, log }: ExperimentContext): Promise<ExperimentResult> {
  const figures: Record<string, Compared> = {}
  const paragraphs = await squadParagraphs(2400)
  await withFolder(async (folder) => {
    const texts = join(folder, "documents")
    mkdirSync(texts)
    const random = Random.fromSeed(0)
    for (let index = 0; index < documents; index++) {
      const drawn = random.sample(paragraphs, paragraphsOfDocument)
      writeFileSync(join(texts, `${String(index).padStart(4, "0")}.txt`), drawn.join("\n\n"))
    }
    for (const { name, model } of cases) {
      if (args.length > 0 && !args.includes(name)) continue
      const settings: ChunkingSettings = { folder: texts, model: needs("TANDEM_MODELS", model), maxTokens }
      const common = { name: "chunking", settings: { ...settings }, rounds, log }
      figures[name] = await compare({ ...common, tolerance: 0, targets: { speed: 2 } })
      // At most twice the time of the tokens alone.
      const alone = { side: "tokenizing-documents" } as const
      figures[`${name}, against its tokenizer alone`] = await compare({
        ...common,
        tolerance: undefined,
        peer: alone,
        targets: { speed: 0.5 },
      })
    }
  })
  return {
    settings: {
      work: "documents read and chunked",
      against: "RecursiveCharacterTextSplitter of LangChain, with the Rust tokenizers",
      unit: `${documents} text files of ${paragraphsOfDocument} paragraphs`,
      data: "SQuAD v1.1, training paragraphs",
      ...{ cases, documents, paragraphsOfDocument, maxTokens, rounds },
    },
    figures,
  }
}
