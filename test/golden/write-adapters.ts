// Writes lora/written/NAME/adapter_*: adapters of this project for PEFT to read (then run lora.py, which adds out.safetensors).
//
//     node write-adapters.ts
import { fileURLToPath } from "node:url"
import { savePeftAdapter } from "@tandem/models/node/SavePeftAdapter"
import { Effect } from "effect"
import { writtenAdapters } from "../support/WrittenAdapters.ts"

for (const name of ["bert", "llama"] as const) {
  const directory = fileURLToPath(new URL(`lora/written/${name}`, import.meta.url))
  await Effect.runPromise(savePeftAdapter(directory, writtenAdapters(name).adapter))
}
