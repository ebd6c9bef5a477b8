import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import {
  type Audit,
  auditPage,
  collectAudit,
  conversationVerifier,
  type DatagenSettings,
  isSound,
  type ModelTokens,
  rowMaker,
} from "@tandem/datagen"
import { readConversations, readRejected } from "@tandem/datagen/node/ConversationFolder"
import { type DatasetError, InvalidRowError } from "@tandem/datasets"
import { writeWhole } from "@tandem/files/node/WriteWhole"
import type { InvalidTemplate } from "@tandem/generator"
import { Effect, Option, Schema } from "effect"
import { attempt, writing } from "./Attempt.ts"

export interface AuditDataSettings {
  /** Of the pipeline; what it made is read from its `path.output_dir`. */
  readonly settings: DatagenSettings
  /** The page to write; `audit.html` in the output folder where absent. */
  readonly out?: string
  /** Most rows, and most rejected items, that the page shows; 200 where absent. */
  readonly most?: number
  /** Draws them where there are more; 0 where absent. */
  readonly seed?: number
}

/** What an audit came to, and where its page is. */
export interface DataAudit extends Pick<Audit, "counts" | "reasons" | "faults"> {
  /** Whether every row that was kept passes all checks. */
  readonly ok: boolean
  readonly file: string
  readonly tokens: readonly ModelTokens[]
}

/**
 * Counts and checks everything that a pipeline made and writes a page that shows rows with masks, what was shown beside them,
 * rejected items with reasons, tokens and costs.
 */
export const auditData = Effect.fn("data.audit")(
  ({
    settings,
    out,
    most = 200,
    seed = 0,
  }: AuditDataSettings): Effect.Effect<DataAudit, DatasetError | InvalidTemplate> =>
    attempt(async () => {
      const { path, system, verify } = settings
      const folder = path.output_dir
      const audit = await collectAudit(
        {
          conversations: readConversations(folder),
          rejected: readRejected(folder),
          maker: rowMaker(system),
          verify: conversationVerifier({
            quotes: verify.quotes,
            citations: verify.citations,
            failureBehavior: system.failure_behavior,
          }),
        },
        { most, seed },
      )
      const tokens = await readTokens(folder)
      const file = out ?? join(folder, "audit.html")
      await writing(file, () => writeWhole(file, auditPage(audit, { folder, most, seed, tokens })))
      const { counts, reasons, faults } = audit
      return { ok: isSound(audit), file, counts, reasons, faults, tokens }
    }),
)

const amount = Schema.Number
const Tokens = Schema.fromJsonString(
  Schema.Struct({
    name: Schema.String,
    ...{ input_tokens: amount, input_cost: amount, output_tokens: amount, output_cost: amount },
  }),
)
const decode = Schema.decodeUnknownOption(Tokens)

/** What the two models read and wrote, where it was recorded. */
const readTokens = async (folder: string): Promise<readonly ModelTokens[]> => {
  const found: ModelTokens[] = []
  for (const name of ["small_model_tokens.json", "large_model_tokens.json"]) {
    const file = join(folder, name)
    if (!existsSync(file)) continue
    const tokens = decode(await readFile(file, "utf8"))
    if (Option.isNone(tokens)) {
      throw new InvalidRowError({
        message: `${file} does not hold the tokens of a model`,
        file,
        expected: "input_tokens, input_cost, output_tokens, output_cost and name",
        found: "something else",
      })
    }
    found.push(tokens.value)
  }
  return found
}
