import type { Questions } from "@tandem/objectives/node/Questions"
import { SettingsError } from "@tandem/runs"
import { holdsStore } from "@tandem/store/node/StoreFolder"
import { Effect } from "effect"
import type { PassageSource } from "./FindPassages.ts"

type Source = PassageSource & { readonly format?: string }

/**
 * Refuses a source of passages that is not the one that would be searched: settings beside others that leave them without
 * effect, a retriever that is not named, a store that there is not.
 */
export const checkSource = Effect.fnUntraced(function* (
  settings: Source,
  sets: readonly Questions[],
): Effect.fn.Return<void, SettingsError> {
  const { passages, retriever, store, corpus } = settings
  const isPrepared = sets.every(({ kind }) => kind === "prepared")
  const given = (["passages", "retriever", "store", "corpus", "format"] as const).find(
    (name) => settings[name] !== undefined,
  )
  if (sets.length === 0 && given !== undefined && given !== "format") {
    return yield* idle(given, "where no question is shown passages", "leave it out")
  }
  if (sets.length > 0 && isPrepared && given !== undefined) {
    return yield* idle(given, "on questions that were prepared", "leave it out, or name the questions themselves")
  }
  if (retriever !== undefined && passages !== undefined && passages !== "retriever") {
    return yield* idle("retriever", `beside \`passages\` ${passages}`, "leave one of the two out")
  }
  if (store !== undefined && corpus !== undefined) {
    return yield* idle("store", "beside `corpus`, whose passages are searched", "leave one of the two out")
  }
  if (store !== undefined && retriever === undefined) {
    return yield* idle("store", "without `retriever`, which searches it", "name the retriever that made it")
  }
  if (passages === "retriever" && retriever === undefined) {
    return yield* new SettingsError({
      message: "no retriever is named",
      field: "retriever",
      expected: "`retriever` with the folder of a finished run",
      found: "`passages` retriever alone",
    })
  }
  if (store === undefined || (yield* holdsStore(store))) return
  return yield* new SettingsError({
    message: `${store} holds no index of passages`,
    field: "store",
    file: store,
    expected: "a folder that `tandem dpr index` or a run has written",
    hint: "leave it out for the run's own index, or name passages with `corpus`",
  })
})

const idle = (field: string, because: string, hint: string): SettingsError =>
  new SettingsError({ message: `\`${field}\` has no effect ${because}`, field, hint })
