import { createHash } from "node:crypto"
import { existsSync, promises as fs } from "node:fs"
import { dirname } from "node:path"
import { flushFolder } from "@tandem/files/node/Flush"
import type { RunFolderError, RunLockedError } from "@tandem/runs"
import { onDisk } from "@tandem/runs/node/RunFiles"
import { holdLock } from "@tandem/runs/node/RunFolder"
import { Effect, Option, Schema, type Scope, Semaphore } from "effect"
import { InvalidScoresError } from "../Errors.ts"
import { pairText, type ScoreCache } from "../lsr/ScoreCache.ts"
import { type AnswerScore, isLikelihood, type ScoredPair } from "../lsr/TaughtQuestion.ts"

/** Whose scores a file holds. */
export interface ScoreFileOwner {
  /** `Teacher.fingerprint` */
  readonly fingerprint: string
  readonly model: string
}

/** The first line of a file of scores. */
const Header = Schema.Struct({
  format: Schema.Literal(1),
  kind: Schema.Literal("passage scores"),
  teacher: Schema.String,
  model: Schema.String,
})

/** A score. The key is a hash of what the teacher read. */
const Row = Schema.Struct({ key: Schema.String, logprob: Schema.Number, tokens: Schema.Number })

/**
 * A cache of one teacher's scores on disk, as JSON Lines that are only ever appended to: every score is on the disk before the
 * next ones are asked for, and a line that a kill has cut off is taken away when the file is opened. Held for this process as
 * long as the scope lives.
 *
 * A file of another teacher, or of another prompt, a value that is no likelihood and a pair with two different scores end in
 * `InvalidScoresError` with file and line.
 */
export const openScoreFile = Effect.fnUntraced(function* (
  file: string,
  owner: ScoreFileOwner,
): Effect.fn.Return<ScoreCache<RunFolderError>, InvalidScoresError | RunFolderError | RunLockedError, Scope.Scope> {
  yield* onDisk(file, () => fs.mkdir(dirname(file), { recursive: true }))
  yield* holdLock(`${file}.lock`, "file of scores")
  const text = existsSync(file) ? yield* onDisk(file, () => fs.readFile(file, "utf8")) : ""
  const whole = text.slice(0, text.lastIndexOf("\n") + 1)
  if (whole === "") {
    const header = { format: 1, kind: "passage scores", teacher: owner.fingerprint, model: owner.model }
    yield* onDisk(file, async () => {
      await fs.writeFile(file, `${JSON.stringify(header)}\n`, { flush: true })
      await flushFolder(dirname(file))
    })
  } else if (whole.length < text.length) yield* onDisk(file, () => fs.truncate(file, Buffer.byteLength(whole)))
  const known = whole === "" ? new Map<string, AnswerScore>() : yield* readRows(file, whole, owner)
  const handle = yield* Effect.acquireRelease(
    onDisk(file, () => fs.open(file, "a")),
    (opened) => Effect.promise(() => opened.close()),
  )
  const turn = yield* Semaphore.make(1)
  const cache: ScoreCache<RunFolderError> = {
    get: (pair) => known.get(keyOf(pair)),
    add: (scores) => {
      const rows = scores.map(([pair, { logprob, tokens }]) => ({ key: keyOf(pair), logprob, tokens }))
      const lines = rows.map((row) => `${JSON.stringify(row)}\n`).join("")
      return Effect.andThen(
        turn.withPermit(
          onDisk(file, async () => {
            await handle.appendFile(lines)
            await handle.datasync()
          }),
        ),
        Effect.sync(() => {
          for (const { key, logprob, tokens } of rows) known.set(key, { logprob, tokens })
        }),
      )
    },
  }
  return cache
})

const keyOf = (pair: ScoredPair): string => createHash("sha256").update(pairText(pair)).digest("hex").slice(0, 32)

const readRows = Effect.fnUntraced(function* (
  file: string,
  whole: string,
  owner: ScoreFileOwner,
): Effect.fn.Return<Map<string, AnswerScore>, InvalidScoresError> {
  const [first = "", ...lines] = whole.trimEnd().split("\n")
  const header = Option.getOrUndefined(Schema.decodeUnknownOption(Header)(parsed(first)))
  if (header === undefined) {
    return yield* new InvalidScoresError({
      message: `${file} is no file of passage scores`,
      file,
      line: 1,
      expected: "a header of format 1",
      found: first.slice(0, 80),
      hint: "name another file, or remove this one",
    })
  }
  if (header.teacher !== owner.fingerprint) {
    return yield* new InvalidScoresError({
      message: `${file} holds the scores of another teacher, or of other prompts`,
      file,
      line: 1,
      field: "teacher",
      expected: `${owner.model}, ${owner.fingerprint.slice(0, 12)}`,
      found: `${header.model}, ${header.teacher.slice(0, 12)}`,
      hint: "name another file of scores: each teacher with each template has its own",
    })
  }
  const known = new Map<string, AnswerScore>()
  for (const [index, line] of lines.entries()) {
    const row = Option.getOrUndefined(Schema.decodeUnknownOption(Row)(parsed(line)))
    const before = row && known.get(row.key)
    if (row === undefined || !isLikelihood(row)) {
      return yield* damaged(file, index + 2, "a key with a likelihood in nats and its tokens", line)
    }
    if (before !== undefined && (before.logprob !== row.logprob || before.tokens !== row.tokens)) {
      return yield* damaged(file, index + 2, `one score of a pair: ${before.logprob}`, `${row.logprob}`)
    }
    known.set(row.key, { logprob: row.logprob, tokens: row.tokens })
  }
  return known
})

const damaged = (file: string, line: number, expected: string, found: string): InvalidScoresError =>
  new InvalidScoresError({
    message: `${file}:${line} is no score of this file`,
    file,
    line,
    expected,
    found: found.slice(0, 80),
    hint: "remove the line: its pair is scored again",
  })

const parsed = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
