import { promises as fs } from "node:fs"
import { join } from "node:path"
import { replaceFolder } from "@tandem/files/node/ReplaceFolder"
import type { Tensor } from "@tandem/onnx"
import { readSafetensors, writeSafetensors } from "@tandem/safetensors"
import { Effect, Layer, Option, Schema } from "effect"
import { type Checkpoint, Checkpoints, type StateContents, superseded, TrainState } from "../Checkpoint.ts"
import { CheckpointFailed } from "../Errors.ts"

/**
 * Checkpoints as folders `step-00000123` with `weights.safetensors`, `optimizer.safetensors` (`slot.parameter`), `state.json`
 * and, for each further part, `parts/NAME.json` and `parts/NAME.safetensors`.
 * Each is written under another name, flushed to the disk and then renamed, so that a folder that is there is whole.
 */
export const layer = (directory: string): Layer.Layer<Checkpoints> =>
  Layer.succeed(Checkpoints, {
    save: (checkpoint) => attempt(directory, "write", () => save(directory, checkpoint)),
    last: attempt(directory, "read", async () => {
      const steps = await stepsIn(directory)
      const last = steps.at(-1)
      return last === undefined ? Option.none() : Option.some(await load(directory, last))
    }),
    at: (step) =>
      attempt(directory, "read", async () =>
        (await stepsIn(directory)).includes(step) ? Option.some(await load(directory, step)) : Option.none(),
      ),
  })

const folderName = (step: number): string => `step-${String(step).padStart(8, "0")}`

const attempt = <A>(file: string, verb: string, body: () => Promise<A>): Effect.Effect<A, CheckpointFailed> =>
  Effect.tryPromise({
    try: body,
    catch: (cause) =>
      cause instanceof CheckpointFailed
        ? cause
        : new CheckpointFailed({
            message: `cannot ${verb} a checkpoint: ${cause instanceof Error ? cause.message : String(cause)}`,
            file,
            ...(verb === "write" ? { hint: "see to the disk and resume: earlier checkpoints are intact" } : {}),
          }),
  })

/** Names in the folder; none where there is no folder yet. */
const namesIn = (directory: string): Promise<string[]> =>
  fs.readdir(directory).catch((cause: unknown) => {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return []
    throw cause
  })

const stepsIn = async (directory: string): Promise<number[]> => {
  const names = await namesIn(directory)
  return names.flatMap((name) => (/^step-\d{8,}$/.test(name) ? [Number(name.slice(5))] : [])).sort((a, b) => a - b)
}

const save = async (directory: string, checkpoint: Checkpoint): Promise<void> => {
  // What a kill left half written, whichever step it was.
  for (const name of await namesIn(directory)) {
    if (/^step-\d{8,}\./.test(name)) await fs.rm(join(directory, name), { recursive: true, force: true })
  }
  await replaceFolder(join(directory, folderName(checkpoint.state.step)), (aside) => writeAside(aside, checkpoint))
  for (const step of superseded(await stepsIn(directory), checkpoint.state)) {
    await fs.rm(join(directory, folderName(step)), { recursive: true, force: true })
  }
}

const writeAside = async (aside: string, { state, weights, slots, parts }: Checkpoint): Promise<void> => {
  await fs.writeFile(join(aside, "weights.safetensors"), writeSafetensors(weights))
  await fs.writeFile(join(aside, "optimizer.safetensors"), writeSafetensors(named(slots)))
  await fs.writeFile(join(aside, "state.json"), json(state))
  const folder = join(aside, partsFolder)
  if (Object.keys(parts).length > 0) await fs.mkdir(folder)
  for (const [name, contents] of Object.entries(parts)) {
    await fs.writeFile(join(folder, `${name}.safetensors`), writeSafetensors(contents.tensors))
    await fs.writeFile(join(folder, `${name}.json`), json(contents.json))
  }
}

const partsFolder = "parts"

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

const named = (slots: Checkpoint["slots"]) =>
  new Map(
    Object.entries(slots).flatMap(([slot, tensors]) =>
      [...tensors].map(([name, tensor]) => [`${slot}.${name}`, tensor] as const),
    ),
  )

const unreadable = (part: string, file: string, cause: unknown): CheckpointFailed =>
  new CheckpointFailed({
    message: `the checkpoint's ${part} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
    file,
    hint: "delete this step's folder to go on from an earlier one",
  })

const load = async (directory: string, step: number): Promise<Checkpoint> => {
  const folder = join(directory, folderName(step))
  const stateFile = join(folder, "state.json")
  const state = decodeState(await readJson(stateFile, "state"), stateFile)
  const slots: Record<string, Map<string, Tensor>> = {}
  for (const [name, tensor] of await readTensors(join(folder, "optimizer.safetensors"))) {
    const dot = name.indexOf(".")
    const slot = slots[name.slice(0, dot)] ?? new Map<string, Tensor>()
    slots[name.slice(0, dot)] = slot.set(name.slice(dot + 1), tensor)
  }
  const parts: Record<string, StateContents> = {}
  for (const file of await namesIn(join(folder, partsFolder))) {
    if (!file.endsWith(".json")) continue
    const name = file.slice(0, -".json".length)
    const path = join(folder, partsFolder, name)
    parts[name] = {
      json: await readJson(`${path}.json`, `part ${name}`),
      tensors: await readTensors(`${path}.safetensors`),
    }
  }
  return { state, weights: await readTensors(join(folder, "weights.safetensors")), slots, parts }
}

const readJson = async (file: string, part: string): Promise<unknown> => {
  try {
    return JSON.parse(await fs.readFile(file, "utf8"))
  } catch (cause) {
    throw unreadable(part, file, cause)
  }
}

const readTensors = async (file: string): Promise<ReadonlyMap<string, Tensor>> => {
  try {
    return readSafetensors(await fs.readFile(file), file).tensors
  } catch (cause) {
    throw unreadable("tensors", file, cause)
  }
}

const decodeState = (value: unknown, file: string): TrainState => {
  if (Option.isSome(Schema.decodeUnknownOption(Earlier)(value))) {
    throw new CheckpointFailed({
      message: "the checkpoint has the layout of an earlier version",
      file,
      field: "format",
      expected: "2, in which the names of parameters begin with their part",
      found: "1",
      hint: "finish the run with the version that began it, or begin again in another folder",
    })
  }
  try {
    return Schema.decodeUnknownSync(TrainState)(value)
  } catch (cause) {
    throw unreadable("state", file, cause)
  }
}

const Earlier = Schema.Struct({ format: Schema.Literal(1) })
