import { readFile } from "node:fs/promises"
import { homedir } from "node:os"
import { join } from "node:path"
import { listFiles, modelInfo } from "@huggingface/hub"
import { writeWhole } from "@tandem/files/node/WriteWhole"
import { Effect } from "effect"
import { HubError, InvalidEncoder, type ModelError, NotOnHub } from "../Errors.ts"
import { type HubId, isHubId, isSafePath, parseHubId, settingsFiles, weightFiles } from "../files/HubId.ts"
import { attempt } from "../internal/Attempt.ts"
import { download, type Remote, type RemoteFile, request } from "../internal/node/Download.ts"
import { exists, readJsonIfThere } from "../internal/node/Files.ts"
import { reasonOf } from "../internal/Reading.ts"

/** What happens while a model is brought from the hub. */
export type HubEvent =
  | { readonly kind: "resolved"; readonly model: string; readonly commit: string; readonly offline: boolean }
  | { readonly kind: "progress"; readonly file: string; readonly received: number; readonly size: number }
  | { readonly kind: "file"; readonly file: string; readonly size: number; readonly cached: boolean }

/** Where models are brought from, and to. */
export interface HubOptions {
  /** Folder of the cache; `$TANDEM_CACHE`, or `.cache/tandem` in the home folder, where absent. */
  readonly cache?: string
  /** Address of the hub; `$HF_ENDPOINT`, or huggingface.co, where absent. */
  readonly endpoint?: string
  /** Access token; `$HF_TOKEN` where absent. It goes to the hub and nowhere else. */
  readonly token?: string
  /** What to bring where a model has safetensors and ONNX files: `weights` where absent, if their architecture is known. */
  readonly prefer?: "weights" | "onnx"
  readonly onEvent?: (event: HubEvent) => void
}

/**
 * Brings the files of a model from the Hugging Face hub and gives the folder that they lie in.
 *
 * Files are kept by commit, so an unchanged model is not fetched again, and one whose revision is a full commit hash
 * needs no network at all; without a network the last known commit of a revision is used. Downloads that were cut off go on
 * where they ended; sizes, and checksums where the hub names them, are checked before a file gets its name.
 *
 * A model, revision or file that is not there, a refused token, names that leave the folder and files that arrive
 * damaged end in `HubError`.
 */
export const fetchModel = Effect.fn("fetchModel")(function* (
  id: string,
  options: HubOptions = {},
): Effect.fn.Return<string, ModelError> {
  const { name, revision } = yield* attempt(() => parseHubId(id))
  const emit = options.onEvent ?? (() => undefined)
  const folder = join(options.cache ?? defaultCache(), `models--${name.replace("/", "--")}`)
  const remote = remoteOf({ name, revision }, options)
  const { commit, offline } = yield* resolveCommit(remote, revision, folder)
  emit({ kind: "resolved", model: name, commit, offline })
  const snapshot = join(folder, commit)
  const complete = join(snapshot, `.complete-${options.prefer ?? "weights"}`)
  if (yield* exists(complete)) return snapshot

  const files = yield* list(remote, commit)
  const get = (paths: readonly string[]) =>
    Effect.forEach(
      files.filter((file) => paths.includes(file.path)),
      (file) => download(remote, commit, file, join(snapshot, file.path), emit),
      { discard: true },
    )
  const paths = files.map((file) => file.path)
  yield* get(settingsFiles(paths))
  const config = yield* readJsonIfThere(snapshot, "config.json")
  const weights = weightFiles(paths, config?.["model_type"], options.prefer ?? "weights")
  if (config === undefined || weights.length === 0) {
    return yield* new NotOnHub({
      message: `${name} holds no model that can be loaded`,
      expected: "config.json with model.safetensors, onnx/model.onnx or model.onnx",
      found: paths.slice(0, 20).join(", "),
    })
  }
  yield* get(weights)
  yield* write(join(folder, "refs", encodeURIComponent(revision)), commit)
  yield* write(complete, "")
  return snapshot
})

/** The folder of that name, or the one that a model from the hub is brought to where there is none and it could be a hub id. */
export const modelFolder = Effect.fn("modelFolder")(function* (
  model: string,
  options: HubOptions = {},
): Effect.fn.Return<string, ModelError> {
  if (yield* exists(model)) return model
  if (isHubId(model)) return yield* fetchModel(model, options)
  return yield* new InvalidEncoder({
    message: `there is no folder ${model}, and no model on the hub can have this name`,
    file: model,
    expected: "a folder, or organisation/name[@revision]",
  })
})

const defaultCache = (): string => process.env["TANDEM_CACHE"] ?? join(homedir(), ".cache", "tandem")

const remoteOf = (id: HubId, options: HubOptions): Remote => {
  const token = options.token ?? process.env["HF_TOKEN"]
  const endpoint = options.endpoint ?? process.env["HF_ENDPOINT"] ?? "https://huggingface.co"
  return {
    id,
    endpoint: endpoint.replace(/\/+$/, ""),
    ...(token === undefined || token === "" ? {} : { accessToken: token }),
  }
}

/** The commit behind a revision; the last known one where the hub cannot be reached. */
const resolveCommit = Effect.fnUntraced(function* (remote: Remote, revision: string, folder: string) {
  if (/^[0-9a-f]{40}$/.test(revision) && (yield* exists(join(folder, revision)))) {
    return { commit: revision, offline: false }
  }
  const { accessToken } = remote
  const info = request(remote, () =>
    modelInfo({
      name: remote.id.name,
      revision,
      additionalFields: ["sha"],
      hubUrl: remote.endpoint,
      ...(accessToken === undefined ? {} : { accessToken }),
    }),
  )
  const known = join(folder, "refs", encodeURIComponent(revision))
  const found = yield* Effect.map(info, ({ sha }) => ({ commit: sha, offline: false })).pipe(
    Effect.catchIf(
      (error) => error.field === "network",
      (error) =>
        Effect.flatMap(readIfThere(known), (commit) =>
          commit === undefined ? Effect.fail(error) : Effect.succeed({ commit, offline: true }),
        ),
    ),
  )
  if (/^[0-9a-f]{40}$/.test(found.commit)) return found
  return yield* new HubError({ message: `the hub named no commit for ${remote.id.name}@${revision}` })
})

const list = (remote: Remote, commit: string): Effect.Effect<readonly RemoteFile[], HubError | NotOnHub> =>
  Effect.flatMap(
    request(remote, async () => {
      const { accessToken } = remote
      const files: RemoteFile[] = []
      const entries = listFiles({
        repo: remote.id.name,
        recursive: true,
        revision: commit,
        hubUrl: remote.endpoint,
        ...(accessToken === undefined ? {} : { accessToken }),
      })
      for await (const { type, path, size, lfs } of entries) {
        if (type === "file") files.push({ path, size: lfs?.size ?? size, sha256: lfs?.oid })
      }
      return files
    }),
    (files) => {
      const unsafe = files.find((file) => !isSafePath(file.path))
      return unsafe === undefined
        ? Effect.succeed(files)
        : Effect.fail(
            new HubError({
              message: `${remote.id.name} holds a file whose name leaves its folder`,
              file: unsafe.path,
              found: JSON.stringify(unsafe.path),
            }),
          )
    },
  )

const write = (file: string, text: string): Effect.Effect<void, HubError> =>
  Effect.tryPromise({
    try: () => writeWhole(file, text),
    catch: (error) => new HubError({ message: `the cache cannot be written: ${reasonOf(error)}`, file }),
  })

const readIfThere = (file: string): Effect.Effect<string | undefined> =>
  Effect.promise(() => readFile(file, "utf8").catch(() => undefined))
