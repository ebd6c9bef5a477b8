import { join } from "node:path"
import { parseRefresh, refreshGrammar } from "@tandem/objectives/joint/Refresh"
import type { Incomplete } from "@tandem/runs/TrainApp"
import { type IdleRule, type TrainApp, trainIdle } from "@tandem/runs/TrainApp"
import { LsrSettings } from "./LsrSettings.ts"

const partNames = ["query", "passage"]
const isAddress = ({ generator }: LsrSettings): boolean => /^https?:\/\//.test(generator ?? "")

/** `tandem lsr train`. */
export const lsrTrainApp: TrainApp<LsrSettings> = {
  name: "lsr",
  description: "Teach a retriever which passages help a language model to the answer",
  schema: LsrSettings,
  examples: [
    {
      command:
        "tandem lsr train --data train.jsonl --dev dev.jsonl --corpus corpus.jsonl --retriever run --generator reader --k 10 --out taught",
      description: "A trained retriever, taught by a fine-tuned reader",
    },
    {
      command:
        "tandem lsr train --data train.jsonl --corpus corpus.jsonl --model sentence-transformers/all-MiniLM-L6-v2 --scores scores.jsonl --out taught",
      description: "From scores of a file, without a teacher",
    },
  ],
  idle: [
    ...trainIdle,
    ...["patience", "evalEvery", "likelihoods"].map(withoutDev),
    ...["model", "queryEncoder", "passageEncoder"].map(withRetriever),
    ...["hidden", "layers", "heads", "intermediate", "vocabulary"].map((size) => withoutTiny(`tiny.${size}`)),
    ...["generator", "template", "maxPrompt", "maxAnswer", "scoreCache", "likelihoods"].map(withScores),
    ...["remoteModel", "server", "endOfText"].map(withoutAddress),
    ...["maxPrompt", "maxAnswer"].map(withAddress),
    {
      setting: "model",
      when: ({ queryEncoder }) => queryEncoder !== undefined,
      because: "beside `queryEncoder`",
      hint: "name the other model with `passageEncoder`",
    },
    {
      setting: "direction",
      when: ({ loss }) => loss !== "lsr" && loss !== "distillation",
      because: "for this `loss`, which has one of its own",
      hint: "leave it out, or take `loss` lsr",
    },
    {
      setting: "score",
      when: ({ loss }) => loss !== "lsr" && loss !== "loop",
      because: "for this `loss`, which has one of its own",
      hint: "leave it out, or take `loss` lsr",
    },
    {
      setting: "preset",
      when: ({ loss }) => loss !== "lsr",
      because: "for another `loss` than lsr",
      hint: "leave it out",
    },
    {
      setting: "lmTemperature",
      when: ({ loss }) => loss === "emdr2" || loss === "margin-mse",
      because: "for this `loss`, which has none",
      hint: "leave it out",
    },
    {
      setting: "flatBelow",
      when: ({ loss }) => loss === "emdr2" || loss === "margin-mse",
      because: "for this `loss`, which trains on every question",
      hint: "leave it out",
    },
    {
      setting: "refresh",
      when: ({ refresh, train }) => refresh !== "never" && !train.includes("passage"),
      because: "where the passage encoder does not train: its vectors do not age",
      hint: "leave it out, or train it with `train` passage",
    },
    {
      setting: "refresh",
      when: ({ refresh, candidates }) => refresh !== "never" && candidates === "fixed",
      because: "with `candidates` fixed: nothing is searched in training",
      hint: "leave it out, or take `candidates` renewed",
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
  incomplete: (settings) => lacking(settings),
  load: async () => (await import("./TrainLsr.ts")).trainLsr,
  outcome: ({ out }) => [
    ["retriever", join(out, "retriever")],
    ["index", join(out, "store")],
    ["report", join(out, "report.html")],
  ],
}

function lacking(settings: LsrSettings): Incomplete | undefined {
  const { data, generator, scores, loss, score, candidates, refresh, train, k } = settings
  if (data.length === 0) return { message: "`data` is needed", setting: "data" }
  if (generator === undefined && scores === undefined) {
    return {
      message: "nobody says which passages help",
      setting: "generator",
      expected: "`generator` M|RUN|URL, a teacher, or `scores` F, which one gave before",
    }
  }
  if (scores === undefined && (loss === "distillation" || loss === "margin-mse")) {
    return {
      message: `\`loss\` ${loss} learns from scores of a file`,
      setting: "scores",
      expected: "`scores` F with a `score` of each passage",
    }
  }
  if (scores !== undefined && candidates === "renewed") {
    return {
      message: "passages that are found anew have no scores in a file",
      setting: "candidates",
      expected: "`candidates` fixed, or a `generator` in place of `scores`",
      found: "renewed",
    }
  }
  if (scores !== undefined && loss === "loop") {
    return {
      message: "`loss` loop learns from answers without a passage, of which a file says nothing",
      setting: "loss",
      expected: "a `generator` in place of `scores`, or another loss",
      found: "loop",
    }
  }
  if (loss === "loop" && score === "prob") {
    return {
      message: "`loss` loop has no probability of an answer",
      setting: "score",
      expected: "logprob or meanLogprob",
      found: score,
    }
  }
  if (k < 2) {
    return {
      message: "a single candidate teaches nothing",
      setting: "k",
      expected: "2 or more",
      found: `${k}`,
    }
  }
  if (parseRefresh(refresh) === undefined) {
    return { message: "`refresh` has a wrong value", setting: "refresh", expected: refreshGrammar, found: refresh }
  }
  const strange = train.find((part) => !partNames.includes(part))
  if (strange !== undefined) {
    return {
      message: `no model that this run trains is called ${strange}`,
      setting: "train",
      expected: partNames.join(", "),
      found: strange,
    }
  }
  return withoutRetriever(settings)
}

function withoutRetriever({ model, queryEncoder, passageEncoder, retriever }: LsrSettings): Incomplete | undefined {
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

function withoutDev(setting: string): IdleRule<LsrSettings> {
  return {
    setting,
    when: ({ dev }) => dev.length === 0,
    because: "without `dev`: nothing is evaluated",
    hint: "name evaluation examples with `dev` F",
  }
}

function withRetriever(setting: string): IdleRule<LsrSettings> {
  return {
    setting,
    when: ({ retriever }) => retriever !== undefined,
    because: "beside `retriever`, which brings its own encoders",
    hint: "leave one of the two out",
  }
}

function withScores(setting: string): IdleRule<LsrSettings> {
  return {
    setting,
    when: ({ scores }) => scores !== undefined,
    because: "beside `scores`, which a teacher gave before",
    hint: "leave one of the two out",
  }
}

function withoutAddress(setting: string): IdleRule<LsrSettings> {
  return {
    setting,
    when: (settings) => !isAddress(settings),
    because: "where the teacher is no endpoint",
    hint: "name its address with `generator` URL",
  }
}

function withAddress(setting: string): IdleRule<LsrSettings> {
  return {
    setting,
    when: isAddress,
    because: "where the teacher is an endpoint, which counts its own tokens",
    hint: "leave it out",
  }
}

function withoutTiny(setting: string): IdleRule<LsrSettings> {
  const isTiny = (model: string | undefined): boolean => model !== undefined && /^tiny(:|$)/.test(model)
  return {
    setting,
    when: ({ model, queryEncoder, passageEncoder, generator }) =>
      ![model, queryEncoder, passageEncoder, generator].some(isTiny),
    because: "where no model is tiny",
    hint: "the sizes of other models are in their own files; `model` or `generator` tiny starts from scratch",
  }
}
