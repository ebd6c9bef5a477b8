import { type DatagenSettings, InvalidDatagenSettings, type ModelRole } from "@tandem/datagen"
import { type GeneratorShape, openAiGenerator } from "@tandem/generator"
import { Effect, Redacted } from "effect"

/** The two models of a pipeline: behind their endpoints, or in this process as long as the scope lives. */
export const openModels = Effect.fnUntraced(function* ({ api, system }: DatagenSettings) {
  const open = Effect.fnUntraced(function* (role: ModelRole) {
    const baseUrl = api[`${role}_base_url`]
    if (baseUrl !== undefined) return yield* openRemote(baseUrl, role)
    // What models of this process need takes a while to load.
    const { openLocal } = yield* Effect.promise(() => import("./OpenLocal.ts"))
    return yield* openLocal(api[`${role}_model`], role)
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
