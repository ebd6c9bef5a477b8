// Scores from a teacher behind an endpoint that fails at a fifth of the calls are those of the same model in this process, and
// nothing that was answered is asked for again.
import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { makeLocalGenerator, makePrompts, openAiGenerator, type RagTemplate } from "@tandem/generator"
import { framingTokens } from "@tandem/generator/prompt/SpecialTokens"
import { tinyDecoder, trainWordPiece } from "@tandem/models"
import { localTeacher, memoryScores, remoteTeacher, type ScoredPair, scorePairs } from "@tandem/objectives"
import { openScoreFile } from "@tandem/objectives/node/ScoreFile"
import { Effect } from "effect"
import { endpoint, type Handler, json } from "../packages/generator/test/remote/Endpoint.ts"
import { onCpu } from "./support/Golden.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-lsr-remote-"))
after(() => rmSync(folder, { recursive: true, force: true }))

const template: RagTemplate = { kind: "text", text: "{query} {context} so {response}" }
const texts = ["the river was long", "the mill is old", "who owns the mill so", "how long was the river", "anna", "ben"]
const model = tinyDecoder({
  seed: 3,
  vocabulary: trainWordPiece(texts, { vocabularySize: 80 }),
  ...{ hidden: 16, layers: 1, heads: 2, intermediate: 32, maxLength: 64 },
})
const prompts = makePrompts(model, { template, maxAnswer: 8, maxPrompt: 40 })

const pairs: readonly ScoredPair[] = ["how long was the river", "who owns the mill"].flatMap((query, index) =>
  [...texts.slice(0, 2), "ben", "anna", "the river was old", "long"].map((text) => ({
    query,
    answer: ["the long river", "anna"][index]!,
    contexts: [{ text }],
  })),
)
const named = { fingerprint: "one", model: "tiny" }

/** The model behind `/completions` that echoes, where each fifth request fails in another way. */
const failing = (score: (ids: readonly number[]) => Promise<readonly number[]>): Handler => {
  let calls = 0
  const faults: readonly Handler[] = [
    json({ error: "busy" }, 429, { "retry-after": "0" }),
    json({ error: "broken" }, 503),
    (response) => response.destroy(),
    json("half a body", 502),
  ]
  return (response, request) => {
    calls += 1
    if (calls % 5 === 0) return faults[(calls / 5) % faults.length]!(response, request)
    const text = String(request.body["prompt"])
    const ended = text.endsWith("</end>")
    const words = ended ? text.slice(0, -"</end>".length) : text
    const ids = [
      ...framingTokens(model.tokenizer).before,
      ...model.tokenizer.encode(words, { specialTokens: false }).ids,
      ...(ended ? [prompts.endTokenId!] : []),
    ]
    void score(ids).then((found) =>
      json({
        choices: [
          { text, finish_reason: "length", logprobs: { tokens: ids.map(String), token_logprobs: [null, ...found] } },
        ],
      })(response, request),
    )
  }
}

test("an endpoint with faults at a fifth of the calls gives the scores of the model in this process", async () => {
  await onCpu(
    Effect.scoped(
      Effect.gen(function* () {
        const local = yield* makeLocalGenerator({ model })
        const services = yield* Effect.context<never>()
        const server = yield* Effect.acquireRelease(
          Effect.promise(() =>
            endpoint(
              failing((ids) =>
                Effect.runPromiseWith(services)(
                  Effect.map(
                    local.score([{ prompts: [{ ids: ids.slice(0, 1) }], answer: { ids: ids.slice(1) } }]),
                    (scores) => scores[0]![0]!.perToken,
                  ),
                ),
              ),
            ),
          ),
          ({ close }) => Effect.promise(close),
        )
        const remote = yield* openAiGenerator({
          ...{ baseUrl: server.baseUrl, model: "tiny", endOfText: "</end>", retryDelay: "1 millis", retries: 6 },
        })
        const expected = yield* scorePairs(localTeacher(local, prompts, named), memoryScores())(pairs)
        const file = join(folder, "remote.jsonl")
        const teacher = remoteTeacher(remote, template, { fingerprint: "one", concurrency: 3 })
        const found = yield* Effect.scoped(
          Effect.flatMap(openScoreFile(file, teacher), (cache) => scorePairs(teacher, cache)(pairs)),
        )
        assert.equal(found.asked, pairs.length)
        for (const [index, { logprob, tokens }] of found.scores.entries()) {
          assert.ok(Math.abs(logprob - expected.scores[index]!.logprob) < 1e-4, `${index}`)
          assert.equal(tokens, expected.scores[index]!.tokens)
        }
        const before = server.received.length
        assert.ok(before > 2 * pairs.length)
        // A line that a kill has cut off is scored again, and it alone.
        const lines = readFileSync(file, "utf8")
        writeFileSync(file, lines.slice(0, -20))
        const again = yield* Effect.scoped(
          Effect.flatMap(openScoreFile(file, teacher), (cache) => scorePairs(teacher, cache)([...pairs, ...pairs])),
        )
        assert.deepEqual([again.asked, again.scores], [1, [...found.scores, ...found.scores]])
        const once = server.received.length
        assert.ok(once - before <= 4)
        yield* Effect.scoped(Effect.flatMap(openScoreFile(file, teacher), (cache) => scorePairs(teacher, cache)(pairs)))
        assert.equal(server.received.length, once)
        assert.equal(new Set(readFileSync(file, "utf8").trimEnd().split("\n")).size, pairs.length + 1)
      }),
    ),
  )
})
