import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"
import {
  defaultTemplate,
  InvalidPrompt,
  InvalidTemplate,
  makeLocalGenerator,
  openAiGenerator,
  type Prompts,
  ragTemplate,
  type Server,
} from "@tandem/generator"
import { SettingsError } from "@tandem/runs"
import { onDisk } from "@tandem/runs/node/RunFiles"
import { handOverWeights } from "@tandem/runtime"
import { Effect, Redacted } from "effect"
import { localTeacher, remoteTeacher } from "../lsr/Teacher.ts"
import { generatorFingerprint } from "./LoadGenerator.ts"
import { type GeneratorSource, openGenerator } from "./OpenGenerator.ts"

/** Which language model teaches: in this process, or behind an endpoint where `generator` is an address. */
export interface TeacherSource extends GeneratorSource {
  /** The model's name at the endpoint. */
  readonly remoteModel?: string
  readonly server?: Server
  /** What ends the remote model's answers. */
  readonly endOfText?: string
}

/** Where the key of an endpoint is read from. */
const keyVariable = "TANDEM_API_KEY"

/** Requests to an endpoint that are under way at once. */
const concurrency = 4

/** Whether a generator's name is an address. */
export const isRemote = (generator: string | undefined): boolean =>
  generator !== undefined && /^https?:\/\//.test(generator)

/**
 * What a teacher is made of: a model with its prompts that is not running yet, or an endpoint. `make` starts it for as long as
 * the scope lives; with none of its weights changed it says the same for ever, which its fingerprint names.
 */
export const openTeacher = Effect.fnUntraced(function* (
  source: TeacherSource,
  from: Parameters<typeof openGenerator>[1],
) {
  if (isRemote(source.generator)) return yield* openEndpoint(source)
  const { model, prompts } = yield* openGenerator(source, from)
  const fingerprint = hashOf([generatorFingerprint(model), prompts.settings])
  return {
    fingerprint,
    prompts,
    make: Effect.gen(function* () {
      // It only scores, in runs large enough that constants would gain little over weights that lie there once.
      const weights = model.source.kind === "weights" ? yield* handOverWeights(model.parameters) : undefined
      const options = { model, name: source.generator, ...(weights === undefined ? {} : { weights }) }
      return localTeacher(yield* makeLocalGenerator(options), prompts, { fingerprint, model: source.generator })
    }),
  }
})

const openEndpoint = Effect.fnUntraced(function* (source: TeacherSource) {
  const { generator: baseUrl, remoteModel, server = "openai", endOfText, template: file } = source
  if (remoteModel === undefined || endOfText === undefined) {
    const lacks = remoteModel === undefined ? "remoteModel" : "endOfText"
    return yield* new SettingsError({
      message: `\`${lacks}\` is needed where the teacher answers at an address`,
      field: lacks,
      expected: lacks === "remoteModel" ? "the model's name there" : "the text that ends its answers, or an empty one",
    })
  }
  const text = file === undefined ? undefined : yield* onDisk(file, () => readFile(file, "utf8"))
  const template = text === undefined ? defaultTemplate : yield* attempt(() => ragTemplate(text, file))
  const key = process.env[keyVariable]
  const fingerprint = hashOf(["remote", remoteModel, server, endOfText, template])
  const make = openAiGenerator({
    baseUrl,
    model: remoteModel,
    server,
    endOfText,
    concurrency,
    ...(key === undefined ? {} : { apiKey: Redacted.make(key) }),
  }).pipe(Effect.map((generator) => remoteTeacher(generator, template, { fingerprint, concurrency })))
  return { fingerprint, prompts: uncut(template), make }
})

/** What an endpoint is asked is cut by nobody here: an answer of blanks alone is refused. */
const uncut = (template: Prompts["settings"]["template"]): Pick<Prompts, "prompt" | "answer" | "settings"> => ({
  prompt: () => ({ ids: [], cut: 0, contexts: 0 }),
  answer: (text) => {
    if (text.trim() !== "") return { ids: [] }
    throw new InvalidPrompt({ message: "no token is left of an answer", found: JSON.stringify(text) })
  },
  settings: { template, maxPrompt: 0, maxAnswer: 0 },
})

const hashOf = (value: unknown): string => createHash("sha256").update(JSON.stringify(value)).digest("hex")

const attempt = <A>(body: () => A): Effect.Effect<A, InvalidTemplate> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(body())
    } catch (cause) {
      return cause instanceof InvalidTemplate ? Effect.fail(cause) : Effect.die(cause)
    }
  })
