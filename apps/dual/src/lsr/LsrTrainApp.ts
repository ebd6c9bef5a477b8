import { join } from "node:path"
import {
  lacksRetriever,
  modelBesideQueryEncoder,
  searchedIdle,
  withoutDev,
  withoutTiny,
  withRetriever,
} from "@tandem/objectives/retrieval/IdleRules"
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
    ...searchedIdle,
    ...["patience", "evalEvery", "likelihoods"].map(withoutDev),
    ...["model", "queryEncoder", "passageEncoder"].map(withRetriever),
    ...["hidden", "layers", "heads", "intermediate", "vocabulary"].map(withoutTiny),
    ...["generator", "template", "maxPrompt", "maxAnswer", "scoreCache", "likelihoods"].map(withScores),
    ...["remoteModel", "server", "endOfText"].map(withoutAddress),
    ...["maxPrompt", "maxAnswer"].map(withAddress),
    modelBesideQueryEncoder,
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
      when: ({ refresh, candidates }) => refresh !== "never" && candidates === "fixed",
      because: "with `candidates` fixed: nothing is searched in training",
      hint: "leave it out, or take `candidates` renewed",
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
  const { data, generator, scores, loss, score, candidates, train, k } = settings
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
      expected: "`scores` F with a score of each passage",
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
  const strange = train.find((part) => !partNames.includes(part))
  if (strange !== undefined) {
    return {
      message: `no model that this run trains is called ${strange}`,
      setting: "train",
      expected: partNames.join(", "),
      found: strange,
    }
  }
  return lacksRetriever(settings)
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
