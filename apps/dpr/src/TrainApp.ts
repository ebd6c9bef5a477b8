import { join } from "node:path"
import { type IdleRule, type TrainApp, trainIdle } from "@tandem/runs/TrainApp"
import { DprSettings } from "./Settings.ts"

/** `tandem dpr train`. */
export const dprTrainApp: TrainApp<DprSettings> = {
  name: "dpr",
  description: "Train a dense passage retriever on questions and passages",
  schema: DprSettings,
  examples: [
    {
      command:
        "tandem dpr train --data train.json --dev dev.json --model sentence-transformers/all-MiniLM-L6-v2 --out run",
      description: "Train a pretrained encoder on SQuAD",
    },
    {
      command: "tandem dpr train --data train.jsonl --corpus corpus.jsonl --dev dev.jsonl --model tiny --out run",
      description: "Train a small encoder from scratch on your own questions",
    },
  ],
  idle: [
    ...trainIdle,
    {
      setting: "hardNegatives",
      when: ({ negatives }) => negatives === "none",
      because: "with `negatives` none",
      hint: "choose another source with `negatives`, or leave `hardNegatives` out",
    },
    {
      setting: "model",
      when: ({ queryEncoder }) => queryEncoder !== undefined,
      because: "beside `queryEncoder`",
      hint: "name the other model with `passageEncoder`",
    },
    ...["model", "queryEncoder", "passageEncoder"].map(withRetriever),
    {
      setting: "untied",
      when: ({ untied, queryEncoder, passageEncoder }) =>
        untied && (queryEncoder !== undefined || passageEncoder !== undefined),
      because: "beside `queryEncoder` and `passageEncoder`: two encoders are there already",
      hint: "leave it out",
    },
    ...["patience", "evalEvery"].map(withoutDev),
    ...["hidden", "layers", "heads", "intermediate", "vocabulary"].map((size) => withoutTiny(`tiny.${size}`)),
  ],
  incomplete: ({ data, model, queryEncoder, passageEncoder, retriever }) => {
    if (data.length === 0) return { message: "`data` is needed", setting: "data" }
    if (model !== undefined || queryEncoder !== undefined || retriever !== undefined) return undefined
    const named = passageEncoder !== undefined
    return {
      message: named
        ? "`passageEncoder` names the model for passages, and none is named for questions"
        : "no model is named",
      setting: named ? "queryEncoder" : "model",
      expected: "`model` DIR|HUB_ID|tiny, `queryEncoder` M with `passageEncoder` M, or `retriever` RUN",
    }
  },
  load: async () => (await import("./TrainDpr.ts")).trainDpr,
  outcome: ({ out, noIndex }) => [
    ["model", join(out, "retriever")],
    ...(noIndex ? [] : [["index", join(out, "store")] as const]),
    ["report", join(out, "report.html")],
  ],
}

function withoutDev(setting: string): IdleRule<DprSettings> {
  return {
    setting,
    when: ({ dev }) => dev.length === 0,
    because: "without `dev`: nothing is evaluated",
    hint: "name evaluation examples with `dev` F",
  }
}

function withRetriever(setting: string): IdleRule<DprSettings> {
  return {
    setting,
    when: ({ retriever }) => retriever !== undefined,
    because: "beside `retriever`, which brings its own encoders",
    hint: "leave one of the two out",
  }
}

function withoutTiny(setting: string): IdleRule<DprSettings> {
  const isTiny = (model: string | undefined): boolean => model !== undefined && /^tiny(:|$)/.test(model)
  return {
    setting,
    when: ({ model, queryEncoder, passageEncoder }) => ![model, queryEncoder, passageEncoder].some(isTiny),
    because: "where no model is tiny",
    hint: "the sizes of other models are in their own files; `model` tiny starts from scratch",
  }
}
