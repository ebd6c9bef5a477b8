import { constants, promises as fs } from "node:fs"
import { join } from "node:path"
import { readSafetensors, writeSafetensors } from "@tandem/safetensors"
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
  await fs.mkdir(directory, { recursive: true })
  const target = join(directory, folderName(checkpoint.state.step))
  const aside = `${target}.partial`
  // What a kill left half written, whichever step it was.
  for (const name of await namesIn(directory)) {
    if (/^step-\d{8,}\.partial$/.test(name)) await fs.rm(join(directory, name), { recursive: true, force: true })
  }
  try {
    await writeAside(aside, checkpoint)
  } catch (cause) {
    await fs.rm(aside, { recursive: true, force: true }).catch(() => undefined)
    throw cause
  }
  await fs.rm(target, { recursive: true, force: true })
  await fs.rename(aside, target)
  await flush(directory)
  for (const step of superseded(await stepsIn(directory), checkpoint.state)) {
    await fs.rm(join(directory, folderName(step)), { recursive: true, force: true })
  }
}

const writeAside = async (aside: string, checkpoint: Checkpoint): Promise<void> => {
  await fs.mkdir(aside)
  await writeFlushed(join(aside, "weights.safetensors"), writeSafetensors(checkpoint.weights))
  await writeFlushed(join(aside, "optimizer.safetensors"), writeSafetensors(moments(checkpoint)))
  const state = `${JSON.stringify(checkpoint.state, null, 2)}\n`
  await writeFlushed(join(aside, "state.json"), new TextEncoder().encode(state))
  await flush(aside)
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

const unreadable = (part: string, file: string, cause: unknown): CheckpointFailed =>
  new CheckpointFailed({
    message: `the checkpoint's ${part} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
    file,
    hint: "delete this step's folder to go on from an earlier one",
  })

const load = async (directory: string, step: number): Promise<Checkpoint> => {
  const folder = join(directory, folderName(step))
  const stateFile = join(folder, "state.json")
  let state: TrainState
  try {
    state = Schema.decodeUnknownSync(TrainState)(JSON.parse(await fs.readFile(stateFile, "utf8")))
  } catch (cause) {
    throw unreadable("state", stateFile, cause)
  }
  const read = async (name: string) => {
    const file = join(folder, name)
    try {
      return readSafetensors(await fs.readFile(file), file).tensors
    } catch (cause) {
      throw unreadable("tensors", file, cause)
    }
  }
  const optimizer = await read("optimizer.safetensors")
  const part = (prefix: string) =>
    new Map(
      [...optimizer].flatMap(([name, t]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), t] as const] : [])),
    )
  return { state, weights: await read("weights.safetensors"), first: part("first."), second: part("second.") }
}
