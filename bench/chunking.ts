// A folder of documents of several formats read and divided into chunks, against LangChain's splitter behind the libraries that
// its loaders are made of, and against tokenizing their text alone.
import { join } from "node:path"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import type { ChunkingSettings } from "./support/ChunkingSettings.ts"
import { type Compared, compare, verdicts } from "./support/Compare.ts"
import { withFolder } from "./support/Folder.ts"
import { needs, squadParagraphs } from "./support/Material.ts"
import { mix, writeMixed } from "./support/MixedFolder.ts"

const cases = [
  { name: "MiniLM (word pieces)", model: "all-MiniLM-L6-v2", rounds: 3 },
  { name: "SmolLM2 (byte pairs)", model: "SmolLM2-135M-Instruct", rounds: 1 },
] as const
const documents = 1000
/** Characters of each. */
const length = 50_000
const maxTokens = 200
/** Beside a tokenizer for the other side, and what Node itself takes. */
const mostMemoryMiB = 1024

export async function run({ args, log }: ExperimentContext): Promise<ExperimentResult> {
  const figures: Record<string, Compared> = {}
  const paragraphs = await squadParagraphs(2400)
  let characters = 0
  await withFolder(async (folder) => {
    const mixed = join(folder, "documents")
    characters = writeMixed(mixed, paragraphs, { documents, length, seed: 0 })
    for (const { name, model, rounds } of cases) {
      if (args.length > 0 && !args.includes(name)) continue
      const settings: ChunkingSettings = { folder: mixed, model: needs("TANDEM_MODELS", model), maxTokens }
      const common = { name: "chunking", settings: { ...settings }, rounds, log }
      // What stands in a PDF's lines, and in a Markdown file's marks, is not the same to both.
      figures[name] = await compare({ ...common, tolerance: 0.01, targets: { speed: 2 } })
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
      against:
        "RecursiveCharacterTextSplitter of LangChain, with the Rust tokenizers; beautifulsoup4 and lxml, docx2txt, pypdf",
      unit: `${documents} documents, ${(characters / 1e6).toFixed(1)} million characters`,
      data: "SQuAD v1.1, training paragraphs, drawn by a seed",
      ...{ cases, documents, length, mix, maxTokens, mostMemoryMiB },
    },
    figures,
    holds: {
      ...verdicts(figures),
      ...Object.fromEntries(
        Object.entries(figures).map(([name, { ours }]) => [
          `${name}: within ${mostMemoryMiB} MiB`,
          ours.peakMemoryMiB <= mostMemoryMiB,
        ]),
      ),
    },
  }
}
