import { type DatagenSettings, InvalidDatagenSettings, type ModelRole } from "@tandem/datagen"
import { chatTemplateOf, type GeneratorShape, makeLocalGenerator, openAiGenerator } from "@tandem/generator"
import { generatorFingerprint, openGeneratorFolder } from "@tandem/objectives/node/LoadGenerator"
import { Effect, Redacted } from "effect"

/** The two models of a pipeline: behind their endpoints, or in this process as long as the scope lives. */
export const openModels = Effect.fnUntraced(function* ({ api, system }: DatagenSettings) {
  const open = Effect.fnUntraced(function* (role: ModelRole) {
    const baseUrl = api[`${role}_base_url`]
    return yield* baseUrl === undefined ? openLocal(api[`${role}_model`], role) : openRemote(baseUrl, role)
  })
  const openRemote = Effect.fnUntraced(function* (baseUrl: string, role: ModelRole) {
    const apiKey = yield* keyOf(api[`${role}_api_key`], `api.${role}_api_key`)
    return yield* openAiGenerator({
      baseUrl,
      model: api[`${role}_model`],
      server: api[`${role}_server`],
      logprobs: false,
      concurrency: system.concurrency_limit,
      timeout: `${api.timeout} seconds`,
      retries: api.retries,
      retryDelay: `${api.retry_delay} seconds`,
      ...(apiKey === undefined ? {} : { apiKey }),
    })
  })
  const small = yield* open("small")
  const same =
    api.small_base_url === undefined && api.large_base_url === undefined && api.small_model === api.large_model
  return { small, large: same ? small : yield* open("large") } satisfies Record<ModelRole, GeneratorShape>
})

/** A model of this project: a folder, a hub id, or a run that trained one. Its weights are part of its name in records. */
const openLocal = Effect.fnUntraced(function* (name: string, role: ModelRole) {
  const { model } = yield* openGeneratorFolder(name)
  if (chatTemplateOf(model.tokenizer) === undefined) {
    return yield* new InvalidDatagenSettings({
      message: "a model without a chat template cannot be asked for data",
      field: `api.${role}_model`,
      expected: "a model that was trained on conversations, or an address in its base_url",
      found: name,
    })
  }
  return yield* makeLocalGenerator({ model, name: `${name}@${generatorFingerprint(model).slice(0, 12)}` })
})

/** The key that an environment variable holds. What is written in settings is its name, and never shown. */
const keyOf = (
  written: string | undefined,
  field: string,
): Effect.Effect<Redacted.Redacted | undefined, InvalidDatagenSettings> => {
  if (written === undefined || written === "") return Effect.succeed(undefined)
  const [, name] = /^\$?\{?([A-Za-z_][A-Za-z0-9_]*)\}?$/.exec(written) ?? []
  const value = name === undefined ? undefined : process.env[name]
  if (value !== undefined && value !== "") return Effect.succeed(Redacted.make(value))
  return Effect.fail(
    new InvalidDatagenSettings({
      message:
        name === undefined
          ? `\`${field}\` is no name of an environment variable`
          : `the environment variable that \`${field}\` names is not set`,
      field,
      expected: "the name of an environment variable that holds the key, such as OPENAI_API_KEY",
      hint: "a key itself does not belong into settings",
    }),
  )
}
