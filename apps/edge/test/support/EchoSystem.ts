// A system without models, for what HTTP alone decides: its answers are made of the question that they belong to.
import type { Served } from "@tandem/edge"
import type { Answer, AnswerToken } from "@tandem/rag"

export interface EchoOptions {
  /** Milliseconds that a token takes. */
  readonly pause?: number
  /** Tokens of an answer beside the question's words. */
  readonly tail?: number
}

export interface EchoSystem extends Served {
  /** What became of streams. */
  readonly streams: { begun: number; ended: number; written: number }
}

const dimension = 8

/** Numbers that a text decides. */
export const echoVector = (text: string): Float32Array => {
  const vector = new Float32Array(dimension)
  for (let at = 0; at < text.length; at++) vector[at % dimension]! += text.charCodeAt(at) / 128
  return vector
}

const wait = (milliseconds: number, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const stop = (): void => {
      clearTimeout(clock)
      reject(signal?.reason)
    }
    const clock = setTimeout(() => {
      signal?.removeEventListener("abort", stop)
      resolve()
    }, milliseconds)
    signal?.addEventListener("abort", stop, { once: true })
  })

const tokensOf = (question: string, tail: number): readonly AnswerToken[] =>
  [...question.split(/(?= )/), ...Array.from({ length: tail }, (_, index) => ` ${index}`)].map((text) => ({
    text,
    logprob: -0.5,
    weights: [0.75, 0.25],
  }))

export const echoSystem = ({ pause = 0, tail = 0 }: EchoOptions = {}): EchoSystem => {
  const streams = { begun: 0, ended: 0, written: 0 }
  const found = (question: string, k: number) =>
    Array.from({ length: k }, (_, index) => ({
      id: `p${index}`,
      title: `<b>${index}</b>`,
      text: `passage ${index} of ${question}`,
      score: 1 / (index + 1),
      weight: 1 / k,
    }))
  const answerOf = (question: string, k: number, most = Number.POSITIVE_INFINITY): Answer => {
    const all = tokensOf(question, tail)
    const tokens = all.slice(0, most)
    return {
      answer: tokens
        .map(({ text }) => text)
        .join("")
        .trim(),
      confidence: { logprob: -0.5 * tokens.length, perToken: -0.5 },
      sources: found(question, k).map((source) => ({ ...source, prior: source.weight })),
      tokens,
      finish: tokens.length < all.length ? "length" : "end",
      promptTokens: 10,
    }
  }
  return {
    facts: {
      name: "echo",
      k: 2,
      encoder: { model: "echo", dimension, similarity: "dot", maxLength: { query: 64, passage: 64 } },
      knowledge: { name: "echo", passages: 100 },
      generator: { model: "echo", maxPrompt: 256, maxAnswer: 64, decoding: { kind: "token" } },
      device: { provider: "cpu", threads: 1, fallbacks: [] },
    },
    streams,
    tokenize: async (texts, { signal }) => ({
      counts: texts.map((text) => text.split(" ").length),
      embed: async () => {
        await wait(pause, signal)
        return texts.map(echoVector)
      },
    }),
    retrieve: async (question, { k = 2, signal } = {}) => {
      await wait(pause, signal)
      return found(question, k)
    },
    ask: async (question, { k = 2, maxTokens, signal } = {}) => {
      if (question.includes("fail")) throw new Error("/secret/path")
      await wait(pause, signal)
      return answerOf(question, k, maxTokens)
    },
    askStream: async function* (question, { k = 2, maxTokens, signal } = {}) {
      streams.begun++
      try {
        const answer = answerOf(question, k, maxTokens)
        yield { type: "sources", sources: found(question, k) }
        for (const token of answer.tokens) {
          await wait(pause, signal)
          if (question.includes("fail")) throw new Error("/secret/path")
          streams.written++
          yield { type: "token", token }
        }
        yield { type: "done", answer }
      } finally {
        streams.ended++
      }
    },
  }
}
