import { readFile } from "node:fs/promises"
import * as Effect from "effect/Effect"
import { InvalidConfig } from "./Errors.ts"

/** The mapping that a YAML or JSON file of settings holds. JSON is YAML, so one parser reads both. */
export const readConfig = Effect.fnUntraced(function* (
  file: string,
): Effect.fn.Return<Readonly<Record<string, unknown>>, InvalidConfig> {
  const content = yield* Effect.tryPromise({
    try: () => readFile(file, "utf8"),
    catch: (cause) =>
      new InvalidConfig({
        message: `cannot read the settings: ${cause instanceof Error ? cause.message : String(cause)}`,
        file,
        field: "--config",
      }),
  })
  const value: unknown = yield* Effect.tryPromise({
    try: async (): Promise<unknown> => (await import("yaml")).parse(content),
    catch: (cause) =>
      new InvalidConfig({
        message: "the settings are neither YAML nor JSON",
        file,
        expected: "a mapping such as `batchSize: 16`",
        found: cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause),
      }),
  })
  if (!isMapping(value)) {
    return yield* new InvalidConfig({
      message: "the file holds no mapping of settings",
      file,
      expected: "a mapping such as `batchSize: 16`",
      found: value === null ? "nothing" : Array.isArray(value) ? "a list" : typeof value,
    })
  }
  return value
})

/** Whether a value is an object with keys. */
export const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
