import { join } from "node:path"
import { parseRefresh, refreshGrammar } from "@tandem/objectives/joint/Refresh"
import { type IdleRule, type TrainApp, trainIdle } from "@tandem/runs/TrainApp"
import { JointSettings } from "./Settings.ts"

const partNames = ["query", "generator", "passage"]

/** `tandem joint train`. */
export const jointTrainApp: TrainApp<JointSettings> = {
  name: "joint",
  description: "Train a retriever and a language model together, from questions and answers alone",
  schema: JointSettings,
  examples: [
    {
      command:
        "tandem joint train --data train.jsonl --dev dev.jsonl --corpus corpus.jsonl --retriever run --generator reader --out joint",
      description: "A trained retriever and a fine-tuned reader, together",
    },
    {
      command:
        "tandem joint train --data train.jsonl --corpus corpus.jsonl --model sentence-transformers/all-MiniLM-L6-v2 --generator HuggingFaceTB/SmolLM2-135M-Instruct --lora generator=16:32 --k 3 --out joint",
      description: "Models of the hub, the larger one by adapters",
    },
  ],
  idle: [
    ...trainIdle,
    ...["patience", "evalEvery", "kEval", "answers"].map(withoutDev),
    ...["hidden", "layers", "heads", "intermediate", "vocabulary"].map((size) => withoutTiny(`tiny.${size}`)),
    ...["model", "queryEncoder", "passageEncoder"].map(withRetriever),
    {
      setting: "model",
      when: ({ queryEncoder }) => queryEncoder !== undefined,
      because: "beside `queryEncoder`",
      hint: "name the other model with `passageEncoder`",
    },
    {
      setting: "refresh",
      when: ({ refresh, train }) => refresh !== "never" && !train.includes("passage"),
      because: "where the passage encoder does not train: its vectors do not age",
      hint: "leave it out, or train it with `train` passage",
    },
    {
      setting: "renewEvery",
      when: ({ loss, renewEvery }) => renewEvery !== undefined && loss !== "rag-token",
      because: "with `loss` rag-sequence: one passage explains a whole answer",
      hint: "choose `loss` rag-token",
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
  ],
  incomplete: ({ data, model, queryEncoder, passageEncoder, retriever, refresh, train }) => {
    if (data.length === 0) return { message: "`data` is needed", setting: "data" }
    if (parseRefresh(refresh) === undefined) {
      return { message: "`refresh` has a wrong value", setting: "refresh", expected: refreshGrammar, found: refresh }
    }
    const strange = train.find((part) => !partNames.includes(part))
    if (strange !== undefined) {
      return {
        message: `no model of this run is called ${strange}`,
        setting: "train",
        expected: partNames.join(", "),
        found: strange,
      }
    }
    if (model !== undefined || queryEncoder !== undefined || retriever !== undefined) return undefined
    return {
      message:
        passageEncoder === undefined
          ? "no retriever is named"
          : "`passageEncoder` names the model for passages, and none is named for questions",
      setting: passageEncoder === undefined ? "retriever" : "queryEncoder",
      expected: "`retriever` RUN, `model` DIR|HUB_ID|tiny, or `queryEncoder` M with `passageEncoder` M",
    }
  },
  load: async () => (await import("./TrainJoint.ts")).trainJoint,
  outcome: ({ out }) => [
    ["retriever", join(out, "retriever")],
    ["generator", join(out, "generator")],
    ["index", join(out, "store")],
    ["report", join(out, "report.html")],
  ],
}

function withoutDev(setting: string): IdleRule<JointSettings> {
  return {
    setting,
    when: ({ dev }) => dev.length === 0,
    because: "without `dev`: nothing is evaluated",
    hint: "name evaluation examples with `dev` F",
  }
}

function withRetriever(setting: string): IdleRule<JointSettings> {
  return {
    setting,
    when: ({ retriever }) => retriever !== undefined,
    because: "beside `retriever`, which brings its own encoders",
    hint: "leave one of the two out",
  }
}

function withoutTiny(setting: string): IdleRule<JointSettings> {
  const isTiny = (model: string | undefined): boolean => model !== undefined && /^tiny(:|$)/.test(model)
  return {
    setting,
    when: ({ model, queryEncoder, passageEncoder, generator }) =>
      ![model, queryEncoder, passageEncoder, generator].some(isTiny),
    because: "where no model is tiny",
    hint: "the sizes of other models are in their own files; `model` or `generator` tiny starts from scratch",
  }
}
