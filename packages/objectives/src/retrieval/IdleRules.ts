import type { IdleRule, Incomplete } from "@tandem/runs/TrainApp"

/** What rules on encoders and evaluation data look at. */
interface Settings {
  readonly dev: readonly string[]
  readonly model?: string
  readonly queryEncoder?: string
  readonly passageEncoder?: string
  readonly retriever?: string
  readonly generator?: string
}

/** Settings of evaluations change nothing where nothing is evaluated. */
export const withoutDev = (setting: string): IdleRule<Settings> => ({
  setting,
  when: ({ dev }) => dev.length === 0,
  because: "without `dev`: nothing is evaluated",
  hint: "name evaluation examples with `dev` F",
})

/** Encoders that are named beside a run that brings its own. */
export const withRetriever = (setting: string): IdleRule<Settings> => ({
  setting,
  when: ({ retriever }) => retriever !== undefined,
  because: "beside `retriever`, which brings its own encoders",
  hint: "leave one of the two out",
})

/** One model for both sides beside one for questions. */
export const modelBesideQueryEncoder: IdleRule<Settings> = {
  setting: "model",
  when: ({ queryEncoder }) => queryEncoder !== undefined,
  because: "beside `queryEncoder`",
  hint: "name the other model with `passageEncoder`",
}

/** Sizes of a tiny model where none is. */
export const withoutTiny = (size: string): IdleRule<Settings> => {
  const isTiny = (model: string | undefined): boolean => model !== undefined && /^tiny(:|$)/.test(model)
  return {
    setting: `tiny.${size}`,
    when: ({ model, queryEncoder, passageEncoder, generator }) =>
      ![model, queryEncoder, passageEncoder, generator].some(isTiny),
    because: "where no model is tiny",
    hint: "the sizes of other models are in their own files; `model` or `generator` tiny starts from scratch",
  }
}

/** What rules on the index that training searches look at. */
interface SearchedSettings {
  readonly dev: readonly string[]
  readonly train: readonly string[]
  readonly refresh: string
  readonly refreshDelay: number
  readonly corpus?: string
  readonly store?: string
}

/** Settings on the index that training searches, where they change nothing. */
export const searchedIdle: readonly IdleRule<SearchedSettings>[] = [
  {
    setting: "refresh",
    when: ({ refresh, train }) => refresh !== "never" && !train.includes("passage"),
    because: "where the passage encoder does not train: its vectors do not age",
    hint: "leave it out, or train it with `train` passage",
  },
  {
    setting: "refreshDelay",
    when: ({ refresh, refreshDelay }) => refreshDelay > 0 && refresh === "never",
    because: "with `refresh` never",
    hint: "leave it out",
  },
  {
    setting: "corpus",
    when: ({ store, corpus, dev }) => store !== undefined && corpus !== undefined && dev.length === 0,
    because: "beside `store`, which brings its passages",
    hint: "leave one of the two out",
  },
]

/** What is lacking where nothing encodes questions. */
export const lacksRetriever = (settings: Settings): Incomplete | undefined => {
  const { model, queryEncoder, passageEncoder, retriever } = settings
  if (model !== undefined || queryEncoder !== undefined || retriever !== undefined) return undefined
  return {
    message:
      passageEncoder === undefined
        ? "no retriever is named"
        : "`passageEncoder` names the model for passages, and none is named for questions",
    setting: passageEncoder === undefined ? "retriever" : "queryEncoder",
    expected: "`retriever` RUN, `model` DIR|HUB_ID|tiny, or `queryEncoder` M with `passageEncoder` M",
  }
}
