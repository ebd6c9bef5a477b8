// Scores that a retriever cannot be taught by are refused by file and line; targets that teach nothing are told in words.
import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { Effect } from "effect"
import {
  InvalidScoresError,
  type LsrLossSettings,
  labelledPicks,
  localTeacher,
  memoryScores,
  pickWarnings,
  positiveFirst,
  type ScoredPair,
  scorePairs,
  type TaughtQuestion,
  targetShares,
  targetWarnings,
  watchForFlight,
} from "../../src/index.ts"
import { openScoreFile } from "../../src/node/ScoreFile.ts"
import { type ReadScores, readTeacherScores, writeTeacherScores } from "../../src/node/TeacherScores.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-scores-"))
after(() => rmSync(folder, { recursive: true, force: true }))

const question = (id: string): TaughtQuestion => ({
  id,
  query: `what is ${id}?`,
  answer: id,
  gold: new Set([`${id}2`]),
})
const questions = [question("a"), question("b")]
const passage = (id: string) => (/^[ab]\d$/.test(id) ? { passage: { id, text: id }, score: 0 } : undefined)
const file = join(folder, "scores.jsonl")
const good = [
  { queryId: "a", passageId: "a1", logprob: -3.5, tokens: 2 },
  { queryId: "a", passageId: "a2", logprob: -1.25, tokens: 2 },
  { query: "what is b?", passageId: "b1", logprob: -2, tokens: 3 },
]

const read = (rows: readonly unknown[], more: Partial<ReadScores> = {}) => {
  writeFileSync(file, rows.map((row) => `${typeof row === "string" ? row : JSON.stringify(row)}\n`).join(""))
  return Effect.runPromise(readTeacherScores({ file, questions, passage, kind: "likelihood", k: 2, ...more }))
}
const refused = (rows: readonly unknown[], words: RegExp, line?: number, more: Partial<ReadScores> = {}) =>
  assert.rejects(read(rows, more), (error) => {
    assert.ok(error instanceof InvalidScoresError, String(error))
    assert.match(`${error.message} ${error.expected} ${error.found}`, words)
    assert.equal(error.file, file)
    // Where none is given, Bun gives the error a line of its own, that of the program.
    if (line !== undefined) assert.equal(error.line, line)
    return true
  })

test("a file of scores is read by question, and written as it is read", async () => {
  const { found, warnings } = await read(good)
  assert.deepEqual(
    [...found].map(([{ id }, row]) => [
      id,
      row.map(({ hit, taught }) => [hit.passage.id, taught.value, taught.tokens]),
    ]),
    [
      [
        "a",
        [
          ["a1", -3.5, 2],
          ["a2", -1.25, 2],
        ],
      ],
      ["b", [["b1", -2, 3]]],
    ],
  )
  assert.deepEqual(warnings, ["1 of 2 questions have less than `k` 2 scores"])
  await Effect.runPromise(writeTeacherScores(join(folder, "written.jsonl"), found))
  const again = await read(readFileSync(join(folder, "written.jsonl"), "utf8").trimEnd().split("\n"))
  assert.deepEqual([...again.found], [...found])
  const first = positiveFirst(questions[0]!, found.get(questions[0]!)!)
  assert.deepEqual(
    first.map(({ hit }) => hit.passage.id),
    ["a2", "a1"],
  )
  const scores = await read(
    good.map(({ logprob, tokens: _, ...row }) => ({ ...row, score: -logprob })),
    { kind: "score" },
  )
  assert.deepEqual(
    scores.found.get(questions[1]!)!.map(({ taught }) => taught),
    [{ value: 2, tokens: 0 }],
  )
})

test("gaps, duplicates, values that are none and passages that nobody knows are refused by line", async () => {
  await refused(good.slice(0, 2), /1 of 2 questions have no scores.*none of b/)
  await refused([...good, good[0]], /once.*pair of line 1/, 4)
  await refused([...good, '{"queryId": "b", "passageId": "b2", "logprob": NaN, "tokens": 3}'], /finite/, 4)
  await refused([...good, { queryId: "b", passageId: "b2", logprob: 2, tokens: 3 }], /at most 0/, 4)
  await refused([...good, { queryId: "b", passageId: "b2", logprob: -2, tokens: 0 }], /at least one/, 4)
  await refused([...good, { query: "what is b?", passageId: "b2", logprob: -2, tokens: 4 }], /4, and 3/, 4)
  await refused([...good, { passageId: "b2", logprob: -2, tokens: 3 }], /queryId/, 4)
  await refused([...good, { queryId: "a", passageId: "c7", logprob: -2, tokens: 2 }], /corpus c7/, undefined, { k: 3 })
  await refused([{ queryId: "a", passageId: "a1", score: 2 }], /likelihoods/, 1)
  await refused(good, /scores of passages/, 1, { kind: "score" })
})

const pairs: readonly ScoredPair[] = ["x", "y"].map((text) => ({ query: "q", answer: "a", contexts: [{ text }] }))
const owner = { fingerprint: "f".repeat(64), model: "one" }
const opened = (path: string, by = owner) => Effect.scoped(openScoreFile(path, by))

test("a kept file belongs to one teacher, and a line that is damaged is named", async () => {
  const kept = join(folder, "kept.jsonl")
  const score = { logprob: -1, tokens: 2 }
  const add = Effect.scoped(Effect.flatMap(openScoreFile(kept, owner), (cache) => cache.add([[pairs[0]!, score]])))
  await Effect.runPromise(add)
  const cache = await Effect.runPromise(opened(kept))
  assert.deepEqual([cache.get(pairs[0]!), cache.get(pairs[1]!)], [score, undefined])
  await assert.rejects(Effect.runPromise(opened(kept, { fingerprint: "other", model: "two" })), /another teacher/)
  const held = Effect.scoped(Effect.andThen(openScoreFile(kept, owner), opened(kept)))
  await assert.rejects(Effect.runPromise(held), /works in this file of scores/)
  const text = readFileSync(kept, "utf8")
  writeFileSync(kept, `${text}{"key": "k", "logprob": 3, "tokens": 1}\n`)
  await assert.rejects(Effect.runPromise(opened(kept)), /kept.jsonl:3/)
  const [header, row = ""] = text.trimEnd().split("\n")
  writeFileSync(kept, `${[header, row, row.replace("-1", "-2")].join("\n")}\n`)
  await assert.rejects(Effect.runPromise(opened(kept)), /kept.jsonl:3/)
  writeFileSync(kept, "something else\n")
  await assert.rejects(Effect.runPromise(opened(kept)), /no file of passage scores/)
})

test("equal pairs are scored once, and a likelihood that is no number ends the run", async () => {
  let calls = 0
  const teacher = (logprob: number) =>
    localTeacher(
      {
        score: (requests) =>
          Effect.sync(() => {
            calls += 1
            return requests.map(({ prompts }) => prompts.map(() => ({ logprob, perToken: [logprob] })))
          }),
      },
      { prompt: () => ({ ids: [1], cut: 0, contexts: 1 }), answer: () => ({ ids: [2] }) },
      owner,
    )
  const cache = memoryScores()
  const { scores, asked } = await Effect.runPromise(scorePairs(teacher(-1), cache)([...pairs, ...pairs]))
  assert.deepEqual([scores.length, asked, calls], [4, 2, 1])
  assert.equal((await Effect.runPromise(scorePairs(teacher(-1), cache)(pairs))).asked, 0)
  const other = scorePairs(teacher(Number.NaN), memoryScores())(pairs)
  await assert.rejects(Effect.runPromise(other), InvalidScoresError)
})

const lsr: LsrLossSettings = {
  ...{ kind: "lsr", direction: "retriever-lm", score: "meanLogprob", flatBelow: 1e-5 },
  ...{ retrieverTemperature: 1, languageModelTemperature: 1 },
}
const taught = (...values: readonly number[]) => values.map((value) => ({ value, tokens: 10 }))

test("targets that underflow, are flat or one passage alone are told of with what to do", () => {
  const usual = [taught(-40, -30, -35), taught(-50, -45, -41)]
  assert.deepEqual(targetWarnings(usual, lsr), [])
  const [underflow] = targetWarnings(usual, { ...lsr, score: "prob" })
  assert.match(underflow!, /`score` prob underflows.*100 %.*`lmTemperature` 1,.*meanLogprob/)
  assert.match(targetWarnings([taught(-30, -30, -30)], lsr)[0]!, /100 % of the questions is flat/)
  assert.match(targetWarnings(usual, { ...lsr, languageModelTemperature: 0.01 })[0]!, /one passage alone.*raise it/)
  assert.deepEqual(targetShares([taught(-3), ...usual], lsr), { questions: 2, underflow: 0, flat: 0, oneHot: 0 })
})

test("a loss that falls while the target's entropy rises is told of once", () => {
  const watch = watchForFlight()
  const said = Array.from({ length: 80 }, (_, step) => watch({ loss: 1 - step / 80, targetEntropy: step / 80 })).flat()
  assert.equal(said.length, 1)
  assert.match(said[0]!, /flees.*`direction` lm-retriever/)
  const learning = watchForFlight()
  const quiet = Array.from({ length: 80 }, (_, step) => learning({ loss: 1 - step / 80, targetEntropy: 1 })).flat()
  assert.deepEqual(quiet, [])
})

test("who puts the labelled passage first is counted, and a teacher that knows no better is named", () => {
  const hit = (id: string, value: number) => ({
    hit: { passage: { id, text: id }, score: 0 },
    taught: { value, tokens: 1 },
  })
  const row = (index: number, rows: readonly ReturnType<typeof hit>[]) => [question(`a${index}`), rows] as const
  const found = new Map([
    row(0, [hit("a02", -3), hit("x", -1)]),
    row(1, [hit("x", -3), hit("a12", -1)]),
    row(2, [hit("x", -1), hit("y", -3), hit("a22", -2)]),
    row(3, [hit("x", -1), hit("y", -3)]),
  ])
  assert.deepEqual(labelledPicks(found), { questions: 3, retriever: 1, teacher: 1 })
  assert.match(pickWarnings({ questions: 40, retriever: 30, teacher: 29 })[0] ?? "", /29 of 40 questions.*first for 30/)
  assert.deepEqual(pickWarnings({ questions: 40, retriever: 29, teacher: 30 }), [])
  assert.deepEqual(pickWarnings({ questions: 3, retriever: 1, teacher: 1 }), [])
})
