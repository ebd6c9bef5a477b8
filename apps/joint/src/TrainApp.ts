import { join } from "node:path"
import {
  lacksRetriever,
  modelBesideQueryEncoder,
  searchedIdle,
  withoutDev,
  withoutTiny,
  withRetriever,
} from "@tandem/objectives/retrieval/IdleRules"
import { type TrainApp, trainIdle } from "@tandem/runs/TrainApp"
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
    ...searchedIdle,
    ...["patience", "evalEvery", "kEval", "answers"].map(withoutDev),
    ...["hidden", "layers", "heads", "intermediate", "vocabulary"].map(withoutTiny),
    ...["model", "queryEncoder", "passageEncoder"].map(withRetriever),
    modelBesideQueryEncoder,
    {
      setting: "renewEvery",
      when: ({ loss, renewEvery }) => renewEvery !== undefined && loss !== "rag-token",
      because: "with `loss` rag-sequence: one passage explains a whole answer",
      hint: "choose `loss` rag-token",
    },
    {
      setting: "retrievalLossWeight",
      when: ({ retrievalLossWeight, renewEvery }) => retrievalLossWeight > 0 && renewEvery !== undefined,
      because: "with `renewEvery`: labels say which passage answers a question, not what follows a part of its answer",
      hint: "leave one of the two out",
    },
    {
      setting: "overRetrieve",
      when: ({ overRetrieve, train }) => overRetrieve > 1 && !train.includes("passage"),
      because: "where the passage encoder does not train: stored vectors are those of the moment",
      hint: "leave it out, or train it with `train` passage",
    },
  ],
  incomplete: (settings) => {
    const { data, train } = settings
    if (data.length === 0) return { message: "`data` is needed", setting: "data" }
    const strange = train.find((part) => !partNames.includes(part))
    if (strange !== undefined) {
      return {
        message: `no model of this run is called ${strange}`,
        setting: "train",
        expected: partNames.join(", "),
        found: strange,
      }
    }
    const frozen = settings.freeze.find((name) => name === "passage" || name === "passage/*")
    if (frozen !== undefined) {
      return train.includes("passage")
        ? { message: `\`freeze\` ${frozen} contradicts \`train\` passage`, setting: "freeze", found: frozen }
        : {
            message: "the passage encoder does not train, so that it cannot be frozen",
            setting: "freeze",
            found: frozen,
          }
    }
    return lacksRetriever(settings)
  },
  load: async () => (await import("./TrainJoint.ts")).trainJoint,
  outcome: ({ out }) => [
    ["retriever", join(out, "retriever")],
    ["generator", join(out, "generator")],
    ["index", join(out, "store")],
    ["report", join(out, "report.html")],
  ],
}
