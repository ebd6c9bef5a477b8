import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { mkdir, open, rename, rm, stat } from "node:fs/promises"
import { dirname } from "node:path"
import { downloadFile, HubApiError } from "@huggingface/hub"
import { Effect, Schedule } from "effect"
import { HubError, NotOnHub } from "../../Errors.ts"
import type { HubId } from "../../files/HubId.ts"
import { reasonOf } from "../Reading.ts"

/** Where a model is asked for, and with what right. */
export interface Remote {
  readonly id: HubId
  readonly endpoint: string
  readonly accessToken?: string
}

/** A file of a repository as the hub lists it. */
export interface RemoteFile {
  readonly path: string
  readonly size: number
  /** Named for large files. */
  readonly sha256: string | undefined
}

type Emit = (
  event:
    | { readonly kind: "progress"; readonly file: string; readonly received: number; readonly size: number }
    | { readonly kind: "file"; readonly file: string; readonly size: number; readonly cached: boolean },
) => void

/** Progress is told at most once for so many bytes. */
const progressStep = 1 << 20

/**
 * Asks the hub, three times more where the network or the hub itself fails. `field` of the error is `network` where no
 * answer came, and `status` otherwise; the access token never stands in it.
 */
export const request = <A>(remote: Remote, ask: () => Promise<A>): Effect.Effect<A, HubError | NotOnHub> =>
  Effect.tryPromise({ try: ask, catch: (error) => hubError(remote, error) }).pipe(
    Effect.retry({
      schedule: Schedule.exponential("200 millis"),
      times: 3,
      while: (error) => error.field === "network" || Number(error.found) >= 500,
    }),
  )

const hubError = (remote: Remote, error: unknown): HubError | NotOnHub => {
  const name = `${remote.id.name}@${remote.id.revision}`
  const hidden = (text: string): string =>
    remote.accessToken === undefined ? text : text.replaceAll(remote.accessToken, "***")
  if (error instanceof HubError || error instanceof NotOnHub) return error
  if (!(error instanceof HubApiError)) {
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : ""
    const isRequest = error instanceof TypeError && /access token/.test(error.message)
    return new HubError({
      message: hidden(`${name} cannot be had from ${remote.endpoint}: ${reasonOf(error)}${cause}`),
      field: isRequest ? "token" : "network",
      hint: isRequest ? "set HF_TOKEN to a token of the hub" : "check the network, or name a folder instead",
    })
  }
  const status = error.statusCode
  const told = { field: "status", found: `${status}` }
  if (status === 404)
    return new NotOnHub({ message: `the hub does not have ${name}`, ...told, hint: "check name and revision" })
  const refused = status === 401 || status === 403
  return new HubError({
    message: `${refused ? "the hub refuses access to" : "the hub failed at"} ${name}`,
    ...told,
    hint: refused
      ? "the model does not exist or is gated: accept its terms on the hub and set HF_TOKEN"
      : "try again later",
  })
}

/**
 * Brings one file: into `target.part` first, going on where an earlier attempt ended; renamed when size and checksum
 * are right. A file that is there already, at its size, is left alone.
 */
export const download = Effect.fnUntraced(function* (
  remote: Remote,
  commit: string,
  file: RemoteFile,
  target: string,
  emit: Emit,
): Effect.fn.Return<void, HubError | NotOnHub> {
  const { path, size } = file
  if ((yield* sizeOf(target)) === size) return emit({ kind: "file", file: path, size, cached: true })
  const part = `${target}.part`
  yield* request(remote, async () => {
    await mkdir(dirname(target), { recursive: true }).catch(diskFull(target))
    await receive(remote, commit, file, part, emit)
    const problem = await check(file, part)
    if (problem !== undefined) {
      await rm(part, { force: true })
      throw new HubError({
        message: `${path} of ${remote.id.name} arrived damaged: another ${problem}`,
        file: path,
        expected: problem === "size" ? `${size} bytes` : `${file.sha256}`,
        hint: "try again; a proxy may change what it passes on",
      })
    }
    await rename(part, target)
  })
  emit({ kind: "file", file: path, size, cached: false })
})

const sizeOf = (path: string): Effect.Effect<number> =>
  Effect.promise(() =>
    stat(path).then(
      (found) => found.size,
      () => 0,
    ),
  )

const diskFull =
  (file: string) =>
  (error: unknown): never => {
    throw new HubError({ message: `the cache cannot be written: ${reasonOf(error)}`, file })
  }

const receive = async (remote: Remote, commit: string, file: RemoteFile, part: string, emit: Emit): Promise<void> => {
  const { path, size } = file
  const { accessToken } = remote
  const handle = await open(part, "a").catch(diskFull(part))
  try {
    let received = (await handle.stat()).size
    if (received > size) {
      await handle.truncate(0)
      received = 0
    }
    if (received === size) return
    const blob = await downloadFile({
      repo: remote.id.name,
      path,
      revision: commit,
      hubUrl: remote.endpoint,
      ...(accessToken === undefined ? {} : { accessToken }),
    })
    if (blob === null) throw new HubError({ message: `${remote.id.name} lacks the file ${path}`, file: path })
    let told = received
    for await (const chunk of blob.slice(received, size).stream()) {
      await handle.writeFile(chunk).catch(diskFull(part))
      received += chunk.byteLength
      if (received - told < progressStep && received < size) continue
      emit({ kind: "progress", file: path, received, size })
      told = received
    }
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** What is wrong with a received file. */
const check = async ({ size, sha256 }: RemoteFile, part: string): Promise<"size" | "checksum" | undefined> => {
  if ((await stat(part)).size !== size) return "size"
  if (sha256 === undefined) return undefined
  const hash = createHash("sha256")
  for await (const chunk of createReadStream(part)) hash.update(chunk)
  return hash.digest("hex") === sha256 ? undefined : "checksum"
}
