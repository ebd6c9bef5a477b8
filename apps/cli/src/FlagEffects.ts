import type { DprSettings } from "@tandem/dpr"
import { tinyFlags } from "./TrainFlags.ts"

/** A flag that was given and changes nothing. */
export interface UselessFlag {
  readonly flag: string
  /** Goes on after "--flag has no effect". */
  readonly because: string
  readonly hint: string
}

interface Rule extends UselessFlag {
  readonly when: (settings: DprSettings) => boolean
}

const isTiny = (model: string | undefined): boolean => model !== undefined && /^tiny(:|$)/.test(model)

/** When a key of the settings, if it is given, changes nothing. */
const rules: Readonly<Record<string, readonly Rule[]>> = {
  hardNegatives: [
    {
      flag: "hard-negatives",
      when: ({ negatives }) => negatives === "none",
      because: "with --negatives none",
      hint: "choose another source with --negatives, or leave --hard-negatives out",
    },
  ],
  model: [
    {
      flag: "model",
      when: ({ queryEncoder }) => queryEncoder !== undefined,
      because: "beside --query-encoder",
      hint: "name the other model with --passage-encoder",
    },
    withRetriever("model"),
  ],
  queryEncoder: [withRetriever("query-encoder")],
  passageEncoder: [withRetriever("passage-encoder")],
  untied: [
    {
      flag: "untied",
      when: ({ untied, queryEncoder, passageEncoder }) =>
        untied && (queryEncoder !== undefined || passageEncoder !== undefined),
      because: "beside --query-encoder and --passage-encoder: two encoders are there already",
      hint: "leave it out",
    },
  ],
  patience: [withoutDev("patience")],
  evalEvery: [withoutDev("eval-every")],
  ...Object.fromEntries(Object.keys(tinyFlags).map((size) => [`tiny.${size}`, [withoutTiny(`tiny-${size}`)]])),
}

function withoutDev(flag: string): Rule {
  return {
    flag,
    when: ({ dev }) => dev.length === 0,
    because: "without --dev: nothing is evaluated",
    hint: "name evaluation examples with --dev F",
  }
}

function withRetriever(flag: string): Rule {
  return {
    flag,
    when: ({ retriever }) => retriever !== undefined,
    because: "beside --retriever, which brings its own encoders",
    hint: "leave one of the two out",
  }
}

function withoutTiny(flag: string): Rule {
  return {
    flag,
    when: ({ model, queryEncoder, passageEncoder }) => ![model, queryEncoder, passageEncoder].some(isTiny),
    because: "where no model is tiny",
    hint: "the sizes of other models are in their own files; --model tiny starts from scratch",
  }
}

const givenKeys = (given: Readonly<Record<string, unknown>>): readonly string[] => [
  ...Object.keys(given),
  ...Object.keys(given["tiny"] ?? {}).map((size) => `tiny.${size}`),
]

/** Flags that are given and have no effect in the chosen mode, in no particular order. */
export const flagsWithoutEffect = (
  settings: DprSettings,
  given: Readonly<Record<string, unknown>>,
): readonly UselessFlag[] => givenKeys(given).flatMap((key) => (rules[key] ?? []).filter(({ when }) => when(settings)))
