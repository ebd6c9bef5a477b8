// Python's official `openai` client against a served run: `npm run proof -- serve-clients`. Tests need no Python, so this is a
// proof; the clients in JavaScript are in test/serve.test.ts and test/clients.test.ts.
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { openRag } from "@tandem/rag/node/OpenRag"
import { Schema } from "effect"
import { MissingMaterial } from "../bench/support/Material.ts"
import { peersPython } from "../bench/support/Peers.ts"
import { questions, smallRun } from "../packages/rag/test/support/SmallRun.ts"
import type { Experiment } from "../scripts/support/Experiment.ts"
import { startServing } from "../test/support/Serving.ts"

const Vectors = Schema.Array(Schema.Array(Schema.Number))
const Failure = Schema.Struct({
  class: Schema.String,
  status: Schema.Number,
  code: Schema.NullOr(Schema.String),
  message: Schema.NullOr(Schema.String),
})

const Told = Schema.Struct({
  versions: Schema.Record(Schema.String, Schema.String),
  models: Schema.Array(Schema.String),
  retrieved: Schema.String,
  embeddings: Vectors,
  floats: Schema.Array(Schema.Number),
  read: Schema.Number,
  answer: Schema.Struct({
    text: Schema.String,
    finish: Schema.String,
    prompt: Schema.Number,
    written: Schema.Number,
    logprob: Schema.Number,
    sources: Schema.Array(Schema.String),
  }),
  streamed: Schema.Struct({
    text: Schema.String,
    finish: Schema.String,
    written: Schema.Number,
    sources: Schema.Array(Schema.String),
  }),
  together: Schema.Array(Schema.String),
  errors: Schema.Record(Schema.String, Failure),
})

const expectedErrors: Readonly<Record<string, readonly [name: string, status: number]>> = {
  "a wrong key": ["AuthenticationError", 401],
  "a model that is not there": ["NotFoundError", 404],
  "a temperature": ["BadRequestError", 400],
  "too many texts": ["BadRequestError", 400],
  "too long a body": ["APIStatusError", 413],
}

export const run: Experiment = async ({ root, log }) => {
  const python = peersPython("torch")
  if (python === undefined) throw new MissingMaterial("set up the peers: npm run bench:peers")
  const folder = mkdtempSync(join(tmpdir(), "tandem-python-"))
  const [question = ""] = questions
  const key = "open-sesame-42"
  try {
    const made = await smallRun(join(folder, "run"))
    await using own = await openRag(made, { threads: 1 })
    process.env["TANDEM_PROOF_KEY"] = key
    const serving = await startServing(["--run", made, "--threads", "1", "--api-key-env", "TANDEM_PROOF_KEY"])
    const settings = { url: serving.url, key, model: "tandem", question, texts: questions }
    const { stdout } = await promisify(execFile)(
      python,
      [join(root, "bench/peers/openai-client.py"), JSON.stringify(settings)],
      { maxBuffer: 2 ** 26 },
    )
    serving.process.kill("SIGTERM")
    const code = await serving.ended
    const told = Schema.decodeUnknownSync(Schema.fromJsonString(Told))(stdout)
    const expected = await own.ask(question)
    const ids = expected.sources.map(({ id }) => id)
    const passages = await own.embed(questions, { as: "passage" })
    const [asked] = await own.embed([question], { as: "query" })
    const far = Math.max(
      ...[...passages, asked!].map((vector, row) => farthest(vector, [...told.embeddings, told.floats][row] ?? [])),
    )
    const { counts } = await own.tokenize(questions, { as: "passage" })
    const answers = (await own.askBatch(questions)).map(({ answer }) => answer)
    log(`embeddings differ by at most ${far}`)
    const finish = expected.finish === "length" ? "length" : "stop"
    return {
      settings: { models: "tiny", questions: questions.length },
      versions: told.versions,
      figures: { "embeddings, largest difference": far, errors: told.errors },
      holds: {
        "the models' names are listed, and one is read":
          told.models.join() === "tandem,tandem-query,tandem-passage" && told.retrieved === "tandem",
        "embeddings are the run's own to 1e-5, in base64 and as numbers": far < 1e-5,
        "tokens are counted":
          told.read === counts.reduce((sum, count) => sum + count, 0) &&
          told.answer.prompt === expected.promptTokens &&
          told.answer.written === expected.tokens.length,
        "the answer, its end, likelihood and sources are the run's own":
          told.answer.text === expected.answer &&
          told.answer.finish === finish &&
          Math.abs(told.answer.logprob - expected.confidence.logprob) < 1e-3 &&
          told.answer.sources.join() === ids.join(),
        "a stream tells the same":
          told.streamed.text === expected.answer &&
          told.streamed.finish === finish &&
          told.streamed.written === expected.tokens.length &&
          told.streamed.sources.join() === ids.join(),
        "each of several questions at once gets its own answer": told.together.join("\n") === answers.join("\n"),
        "what is wrong is an error of the client's own classes": Object.entries(expectedErrors).every(
          ([what, [name, status]]) => told.errors[what]?.class === name && told.errors[what].status === status,
        ),
        "the server ended in order": code === 0,
      },
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const farthest = (vector: Float32Array, found: readonly number[]): number =>
  vector.length === found.length
    ? Math.max(...vector.map((value, at) => Math.abs(value - found[at]!)))
    : Number.POSITIVE_INFINITY
