import { join } from "node:path"
import { toPeftAdapter } from "@tandem/models"
import { savePeftAdapter } from "@tandem/models/node/SavePeftAdapter"
import { bareName, type Tensor } from "@tandem/onnx"
import { Effect } from "effect"
import type { Adaptation } from "../Adapt.ts"
import type { TrainPlan } from "../TrainPlan.ts"
import { runPaths } from "./RunFolder.ts"

/** Writes the adapters of each part into a folder that PEFT loads, `adapters/PART`. */
export const saveAdapters = (
  run: string,
  { parts }: Adaptation,
  trained: ReadonlyMap<string, Tensor>,
  { adapters: described = {} }: { readonly adapters?: TrainPlan<never, never, never>["adapters"] },
) =>
  Effect.forEach(
    parts,
    ([part, { settings, adapters }]) =>
      savePeftAdapter(
        join(runPaths(run).adapters, part),
        toPeftAdapter(
          settings,
          adapters.map((adapter) => ({ ...adapter, module: bareName(adapter.module) })),
          trained,
          described[part],
        ),
      ),
    { discard: true },
  )
