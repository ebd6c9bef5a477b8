import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import { float32 } from "@tandem/onnx"
import { nodeFolder } from "@tandem/store/node/StoreFolder"
import { Checkpoints } from "@tandem/trainers"
import { layer } from "@tandem/trainers/node/DirectoryCheckpoints"
import { Effect, Option } from "effect"
import { scratch } from "./Scratch.ts"
import type { Reading, Target } from "./Target.ts"
import { tensorsPermit } from "./TensorTargets.ts"
import { tensorReading, textOf } from "./Text.ts"

const filesIn = (root: string): ReadonlyMap<string, Uint8Array> =>
  new Map(
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [relative(root, path), new Uint8Array(readFileSync(path))] as const),
  )

const write = (root: string, files: ReadonlyMap<string, Uint8Array>): void => {
  for (const [path, bytes] of files) writeFileSync(join(root, path), bytes)
}

const namesFile = (error: object, path: string): boolean => "file" in error && String(error.file).endsWith(path)

/** A store's folder: every file but the manifest is guarded by its SHA-256, which the manifest holds. */
export const storeTarget = async (): Promise<Target> => {
  const root = scratch()
  const store = nodeFolder(root)
  const passages = Array.from({ length: 6 }, (_, at) => ({ id: `p${at}`, text: `text "${at}" ü 🜁`, title: "T" }))
  const vectors = Float32Array.from({ length: 24 }, (_, at) => Math.sin(at))
  const identity = { dimension: 4, similarity: "dot", fingerprint: "encoder" } as const
  await Effect.runPromise(store.save({ identity, passages, vectors }, []))
  const files = filesIn(root)
  return {
    name: "a store's folder",
    files,
    read: async (damaged): Promise<Reading> => {
      write(root, damaged)
      const { contents, caches } = await Effect.runPromise(store.load)
      const { dimension, similarity, fingerprint } = contents.identity
      return {
        fingerprint,
        similarity,
        dimension: `${dimension}`,
        passages: textOf(contents.passages),
        vectors: textOf(contents.vectors),
        caches: textOf(caches),
      }
    },
    // The manifest may be what is wrong, and then names a file that it does not describe, or one that is not there.
    names: (error, path) => namesFile(error, path) || (path === "manifest.json" && "file" in error),
    permits: ({ path, changed }) =>
      path === "manifest.json" && changed.every((part) => part === "fingerprint" || part === "similarity")
        ? "the manifest has no checksum of its own; whoever opens the store compares its identity with what is expected"
        : undefined,
  }
}

/** A checkpoint: safetensors and JSON, without checksums. */
export const checkpointTarget = async (): Promise<Target> => {
  const root = scratch()
  const numbers = (seed: number) =>
    float32(
      [4, 3],
      Float32Array.from({ length: 12 }, (_, at) => Math.cos(seed + at)),
    )
  const run = <A, E>(body: (service: (typeof Checkpoints)["Service"]) => Effect.Effect<A, E>) =>
    Effect.runPromise(Effect.provide(Effect.flatMap(Checkpoints, body), layer(root)))
  await run((service) =>
    service.save({
      state: { format: 2, step: 7, fingerprint: "of the run", best: { step: 7, value: 0.5 }, stale: 1 },
      weights: new Map([["query/w", numbers(1)]]),
      slots: { first: new Map([["query/w", numbers(2)]]), second: new Map([["query/w", numbers(3)]]) },
      parts: { index: { tensors: new Map([["vectors", numbers(4)]]), json: { generation: 3 } } },
    }),
  )
  const files = filesIn(root)
  const kindOf = (path: string): "weights" | "slots" | "part" =>
    path.includes("weights") ? "weights" : path.includes("optimizer") ? "slots" : "part"
  const partsOf: Readonly<Record<ReturnType<typeof kindOf>, (name: string) => string>> = {
    weights: (name) => `weights tensor ${name}`,
    slots: (name) => `slots ${name.replace(".", " tensor ")}`,
    part: (name) => `part index tensor ${name}`,
  }
  return {
    name: "a checkpoint",
    files,
    read: async (damaged): Promise<Reading> => {
      write(root, damaged)
      const found = Option.getOrThrow(await run((service) => service.last))
      const under = (kind: string, tensors: Parameters<typeof tensorReading>[0]) =>
        Object.entries(tensorReading(tensors)).map(([part, text]) => [`${kind} ${part}`, text] as const)
      return Object.fromEntries([
        ["state", textOf(found.state)],
        ...under("weights", found.weights),
        ...Object.entries(found.slots).flatMap(([slot, tensors]) => under(`slots ${slot}`, tensors)),
        ...Object.entries(found.parts).flatMap(([name, { tensors, json }]) => [
          [`json ${name}`, textOf(json)] as const,
          ...under(`part ${name}`, tensors),
        ]),
      ])
    },
    names: namesFile,
    permits: (damage) => {
      const { path, changed } = damage
      if (path.endsWith("state.json")) {
        return changed.every((part) => part === "state")
          ? "the state is JSON without a checksum; whoever resumes compares its fingerprint and step"
          : undefined
      }
      if (path.endsWith(".json")) {
        return changed.every((part) => part === "json index") ? "a part's JSON has no checksum" : undefined
      }
      return changed.every((part) => part.startsWith(kindOf(path)))
        ? tensorsPermit(damage, files.get(path)!, partsOf[kindOf(path)])
        : undefined
    },
  }
}
