import { bucketLengths, collatePrompts, collateSeq2Seq, type PromptBatchShape } from "@tandem/collators"
import type { LanguageModel, ModelError, Seq2SeqDropout } from "@tandem/models"
import type { Graph, Tensor } from "@tandem/onnx"
import type { Runtime } from "@tandem/runtime"
import { dropoutRate, type MaskInput } from "@tandem/trainers"
import type { Effect } from "effect"

/** A prompt with its answer, as token ids. */
export interface AnswerExample {
  readonly prompt: readonly number[]
  /** With the token that ends it. */
  readonly answer: readonly number[]
  /** Which of the answer's tokens are trained, of a decoder alone; all where absent. */
  readonly labels?: readonly boolean[]
  /** What each trained token counts for. */
  readonly weight: number
}

/** A language model's graph for one batch, and its dropout sites. */
export interface GeneratorGraph {
  readonly graph: Graph
  readonly dropout: readonly MaskInput[]
}

/** Prompts and answers as a language model reads them. */
export interface AnswerBatch {
  /** Names the shapes. */
  readonly key: string
  /** By the names of the graph's inputs, and `targets` and `weights` `[logitRows, 1]` for the places of `logit_rows`. */
  readonly tensors: Readonly<Record<string, Tensor>>
  /** The rows that `logit_rows` number, `row · tokens + column`: examples in their order. */
  readonly rows: { readonly batch: number; readonly tokens: number }
  readonly logitRows: number
  readonly graph: (dropout: "model" | number) => Effect.Effect<GeneratorGraph, ModelError, Runtime>
  /** `padding`: its share of all rows of token-wise work; `shared`: the share of tokens that are not computed again. */
  readonly statistics: { readonly padding: number; readonly shared: number }
  /** Tokens that are computed. */
  readonly tokens: number
}

export interface AnswerLayoutOptions {
  readonly maxPrompt: number
  readonly maxAnswer: number
  /** Labels are all tokens of prompt and answer but the first; of a decoder alone. */
  readonly trainOnPrompt?: boolean
}

/** Up to this many tokens attention costs little, and each further graph costs more. */
const shortTexts = 128

const multipleOf = (longest: number): number => (longest <= shortTexts ? 16 : 64)

/** Rows of token-wise work are rounded up to this many: few graphs, little padding. */
const packedMultiple = (texts: number, longest: number): number =>
  Math.max(16, Math.ceil((texts * longest) / 16 / 64) * 64)

/** Places of logits are rounded up to this many; each costs a product with the vocabulary. */
const logitMultiple = (texts: number): number => Math.max(8, Math.ceil(texts / 8) * 16)

/**
 * How prompts with their answers become batches of a language model. What the prompts of a group begin with is computed
 * once, padding is left out of token-wise work, and logits are computed where answers are predicted; a model that is an ONNX
 * file knows neither of the first two, and an encoder-decoder reads prompts in its encoder, where nothing is shared. All
 * groups of a batch have as many examples.
 */
export const answerLayout = (
  model: LanguageModel,
  { maxPrompt, maxAnswer, trainOnPrompt = false }: AnswerLayoutOptions,
): ((groups: readonly (readonly AnswerExample[])[]) => AnswerBatch) => {
  const { padTokenId } = model
  const bucketOf = (maximum: number) => bucketLengths({ multiple: multipleOf(maximum), maximum })
  if (model.kind === "seq2seq") {
    const { startTokenId } = model
    return (groups) => {
      const examples = groups.flat()
      const { tensors, shape, statistics } = collateSeq2Seq(
        examples.map(({ prompt, answer, weight }) => ({ source: prompt, target: answer, weight })),
        {
          padTokenId,
          startTokenId,
          bucket: bucketOf(maxPrompt),
          targetBucket: bucketLengths({ multiple: 16, maximum: maxAnswer }),
          packedMultiple: packedMultiple(examples.length, maxPrompt),
          logitMultiple: logitMultiple(examples.length),
        },
      )
      return {
        key: `seq2seq ${JSON.stringify(shape)}`,
        tensors,
        rows: { batch: shape.batch, tokens: shape.targetTokens },
        logitRows: shape.logitRows,
        graph: (dropout) => withSites(model, dropout, (rates) => model.graph({ ...shape, ...rates })),
        statistics: shares({ ...statistics, sharedTokens: 0 }),
        tokens: statistics.realTokens,
      }
    }
  }
  const longest = Math.min(model.maxLength, maxPrompt + maxAnswer)
  const builds = model.source.kind === "weights"
  const bucket = bucketOf(longest)
  return (groups) => {
    const texts = groups.length * (groups[0]?.length ?? 0)
    const { tensors, shape, statistics } = collatePrompts(
      groups.map((group) =>
        group.map(({ prompt, answer, labels, weight }) => ({
          ids: [...prompt, ...answer],
          from: trainOnPrompt ? 1 : prompt.length,
          ...(labels === undefined || trainOnPrompt ? {} : { labels: [...prompt.map(() => false), ...labels] }),
          weight,
        })),
      ),
      {
        padTokenId,
        bucket,
        ...(builds ? { prefixBucket: bucket, packedMultiple: packedMultiple(texts, longest) } : {}),
        logitMultiple: logitMultiple(texts),
      },
    )
    return {
      key: `decoder ${JSON.stringify(shape)}`,
      tensors,
      rows: { batch: shape.batch, tokens: shape.tokens },
      logitRows: shape.logitRows,
      graph: (dropout) =>
        withSites(model, dropout, (rates) => model.graph({ ...shape, ...rates } satisfies PromptBatchShape)),
      statistics: shares(statistics),
      tokens: statistics.realTokens,
    }
  }
}

const shares = (of: { readonly realTokens: number; readonly sharedTokens: number; readonly paddedTokens: number }) => ({
  padding: of.paddedTokens / (of.realTokens + of.paddedTokens),
  shared: of.sharedTokens / (of.realTokens + of.sharedTokens),
})

/** The graph with rates that masks can be drawn for; without any where there is no dropout, or the model is a file without. */
const withSites = <E, R>(
  model: LanguageModel,
  dropout: "model" | number,
  graph: (rates: { readonly dropout?: Seq2SeqDropout }) => Effect.Effect<GeneratorGraph, E, R>,
): Effect.Effect<GeneratorGraph, E, R> => {
  const asked: Seq2SeqDropout = dropout === "model" ? model.dropout : { hidden: dropout, attention: dropout }
  const { hidden, attention, activation } = asked
  const rates = {
    hidden: dropoutRate(hidden),
    attention: dropoutRate(attention),
    ...(activation === undefined ? {} : { activation: dropoutRate(activation) }),
  }
  const none = Object.values(rates).every((rate) => rate === 0)
  return graph(none || model.source.kind === "onnx" ? {} : { dropout: rates })
}
