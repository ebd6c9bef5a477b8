import { constants, promises as fs } from "node:fs"
import { join } from "node:path"
import { readSafetensors, writeSafetensors } from "@tandem/models"
import { Effect, Layer, Option, Schema } from "effect"
import { type Checkpoint, Checkpoints, superseded, TrainState } from "../Checkpoint.ts"
import { CheckpointFailed } from "../Errors.ts"

/**
 * Checkpoints as folders `step-00000123` with `weights.safetensors`, `optimizer.safetensors` and `state.json`.
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
          }),
  })

const stepsIn = async (directory: string): Promise<number[]> => {
  const names = await fs.readdir(directory).catch(() => [])
  return names.flatMap((name) => (/^step-\d{8,}$/.test(name) ? [Number(name.slice(5))] : [])).sort((a, b) => a - b)
}

const save = async (directory: string, checkpoint: Checkpoint): Promise<void> => {
  await fs.mkdir(directory, { recursive: true })
  const target = join(directory, folderName(checkpoint.state.step))
  const aside = `${target}.partial`
  await fs.rm(aside, { recursive: true, force: true })
  await fs.mkdir(aside)
  await writeFlushed(join(aside, "weights.safetensors"), writeSafetensors(checkpoint.weights))
  await writeFlushed(join(aside, "optimizer.safetensors"), writeSafetensors(moments(checkpoint)))
  const state = `${JSON.stringify(checkpoint.state, null, 2)}\n`
  await writeFlushed(join(aside, "state.json"), new TextEncoder().encode(state))
  await flush(aside)
  await fs.rm(target, { recursive: true, force: true })
  await fs.rename(aside, target)
  await flush(directory)
  for (const step of superseded(await stepsIn(directory), checkpoint.state)) {
    await fs.rm(join(directory, folderName(step)), { recursive: true, force: true })
  }
}

const moments = ({ first, second }: Checkpoint) =>
  new Map([
    ...[...first].map(([name, tensor]) => [`first.${name}`, tensor] as const),
    ...[...second].map(([name, tensor]) => [`second.${name}`, tensor] as const),
  ])

const writeFlushed = async (path: string, bytes: Uint8Array): Promise<void> => {
  const file = await fs.open(path, "w")
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Makes a folder's entries durable; platforms that cannot open folders do it by themselves. */
const flush = async (directory: string): Promise<void> => {
  const handle = await fs.open(directory, constants.O_RDONLY).catch(() => undefined)
  await handle?.sync().catch(() => undefined)
  await handle?.close()
}

const load = async (directory: string, step: number): Promise<Checkpoint> => {
  const folder = join(directory, folderName(step))
  const stateFile = join(folder, "state.json")
  let state: TrainState
  try {
    state = Schema.decodeUnknownSync(TrainState)(JSON.parse(await fs.readFile(stateFile, "utf8")))
  } catch (cause) {
    throw new CheckpointFailed({
      message: `the checkpoint's state cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      file: stateFile,
      hint: "delete this step's folder to go on from an earlier one",
    })
  }
  const read = async (name: string) => {
    const path = join(folder, name)
    return readSafetensors(await fs.readFile(path), path).tensors
  }
  const optimizer = await read("optimizer.safetensors")
  const part = (prefix: string) =>
    new Map(
      [...optimizer].flatMap(([name, t]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), t] as const] : [])),
    )
  return { state, weights: await read("weights.safetensors"), first: part("first."), second: part("second.") }
}
