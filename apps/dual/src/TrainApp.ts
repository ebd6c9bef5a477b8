import { join } from "node:path"
import { loraFor } from "@tandem/runs/LoraSetting"
import { type IdleRule, type TrainApp, trainIdle } from "@tandem/runs/TrainApp"
import { RaltSettings } from "./Settings.ts"

/** `tandem ralt train`. */
export const raltTrainApp: TrainApp<RaltSettings> = {
  name: "ralt",
  description: "Fine-tune a language model on retrieved passages",
  schema: RaltSettings,
  examples: [
    {
      command:
        "tandem ralt train --data train.jsonl --dev dev.jsonl --corpus corpus.jsonl --retriever run --generator HuggingFaceTB/SmolLM2-135M --lora 16:32 --k 3 --k-eval 5 --out reader",
      description: "Adapters of a small model, on passages that a trained retriever finds",
    },
    {
      command:
        "tandem ralt train --data train.jsonl --dev dev.jsonl --corpus corpus.jsonl --generator tiny --out reader",
      description: "A small model from scratch, on passages that BM25 finds",
    },
  ],
  idle: [
    ...trainIdle,
    ...["patience", "evalEvery", "kEval", "answers"].map(withoutDev),
    ...["hidden", "layers", "heads", "intermediate", "vocabulary"].map((size) => withoutTiny(`tiny.${size}`)),
    {
      setting: "weightTemperature",
      when: ({ weights }) => weights === "none",
      because: "without `weights` retriever",
      hint: "leave it out",
    },
    {
      setting: "distractorShare",
      when: ({ passagesPerPrompt }) => passagesPerPrompt === 1,
      because: "where a context has one passage",
      hint: "raise `passagesPerPrompt`",
    },
    {
      setting: "store",
      when: ({ corpus, retriever }) => corpus !== undefined || retriever === undefined,
      because: "beside `corpus`, and without `retriever`",
      hint: "leave it out",
    },
    {
      setting: "retriever",
      when: ({ passages }) => passages !== undefined && passages !== "retriever",
      because: "with `passages` bm25 or data",
      hint: "leave one of the two out",
    },
  ],
  incomplete: ({ data, passages, retriever, weights, passagesPerPrompt, quantize, lora }) => {
    if (data.length === 0) return { message: "`data` is needed", setting: "data" }
    if (passages === "retriever" && retriever === undefined) {
      return { message: "no retriever is named", setting: "retriever", expected: "`retriever` RUN" }
    }
    if (weights === "retriever" && (passagesPerPrompt > 1 || passages === "data")) {
      return {
        message: "`weights` retriever weighs passages that were found one by one",
        setting: "weights",
        expected: "`passagesPerPrompt` 1, and `passages` bm25 or retriever",
      }
    }
    if (quantize !== undefined && loraFor(lora, "generator") === undefined) {
      return {
        message: "weights of few bits are frozen, so that nothing is left to train",
        setting: "quantize",
        expected: "`lora` beside it",
      }
    }
    return undefined
  },
  load: async () => (await import("./TrainRalt.ts")).trainRalt,
  outcome: ({ out }) => [
    ["model", join(out, "generator")],
    ["report", join(out, "report.html")],
  ],
}

function withoutDev(setting: string): IdleRule<RaltSettings> {
  return {
    setting,
    when: ({ dev }) => dev.length === 0,
    because: "without `dev`: nothing is evaluated",
    hint: "name evaluation examples with `dev` F",
  }
}

function withoutTiny(setting: string): IdleRule<RaltSettings> {
  return {
    setting,
    when: ({ generator }) => !/^tiny(:|$)/.test(generator),
    because: "where the model is not tiny",
    hint: "the sizes of other models are in their own files; `generator` tiny starts from scratch",
  }
}
