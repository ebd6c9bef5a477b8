import { readFile } from "node:fs/promises"
import { UnreadableFileError } from "@tandem/datasets"
import type { Decoding, GenerateOptions, Generation, GeneratorShape, ModelInput } from "@tandem/generator"
import { Argument, Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { printJson, printLine } from "../Console.ts"
import { FlagWithoutEffect, MissingFlag } from "../Errors.ts"
import { askedQuestions } from "../Questions.ts"
import { withoutAbsent } from "../WithoutAbsent.ts"
import { json } from "./OutputFlags.ts"
import { device, maybe, optional, threads, wholeNumber } from "./RunFlags.ts"

const number = (name: string, about: string): Flag.Flag<number | undefined> =>
  maybe(Flag.Finite(name).pipe(Flag.withMetavar("X"), Flag.withDescription(about)))

const flags = {
  model: Flag.String("model").pipe(
    Flag.withMetavar("M"),
    Flag.withDescription("a language model: a folder, a run of tandem ralt train, or a hub id (ID@REVISION)"),
  ),
  promptFile: optional("prompt-file", "F", "a file that is the prompt"),
  raw: Flag.Boolean("raw").pipe(
    Flag.withDescription("the prompt as it stands, not as a turn of the model's chat template"),
    Flag.withDefault(false),
  ),
  system: optional("system", "TEXT", "what the chat begins with"),
  maxTokens: wholeNumber("max-tokens", "most tokens of an answer (default 256)").pipe(Flag.withDefault(256)),
  beams: maybe(wholeNumber("beams", "beam search over so many beginnings")),
  temperature: number("temperature", "draws from logits divided by it; without it the likeliest token is taken"),
  topK: maybe(wholeNumber("top-k", "draws from the so many likeliest tokens")),
  topP: number("top-p", "draws from the likeliest tokens that reach this probability"),
  seed: maybe(Flag.Int("seed").pipe(Flag.withMetavar("N"), Flag.withDescription("decides what is drawn (default 0)"))),
  repetitionPenalty: number("repetition-penalty", "divides the logits of tokens that are there already (default 1)"),
  stop: Flag.String("stop").pipe(
    Flag.withMetavar("TEXT"),
    Flag.withDescription("an answer ends before it; may be given several times"),
    Flag.atLeast(0),
  ),
  device,
  threads,
  json,
  given: Argument.String("prompt").pipe(
    Argument.withDescription("a prompt; several are answered together. Without any, standard input is read"),
    Argument.atLeast(0),
  ),
}

/** `tandem generate` */
export const generateCommand = Command.make(
  "generate",
  flags,
  Effect.fnUntraced(function* ({ json: machine, model, given, promptFile, raw, system, ...options }) {
    if (given.length > 0 && promptFile !== undefined) return yield* idle("prompt-file", "beside prompts as arguments")
    if (raw && system !== undefined) return yield* idle("system", "beside --raw")
    const decoding = yield* decodingOf(options)
    const settings: GenerateOptions = {
      decoding,
      maxTokens: options.maxTokens,
      stop: options.stop,
      ...withoutAbsent({ repetitionPenalty: options.repetitionPenalty }),
    }
    const prompts = promptFile === undefined ? given : [yield* readPrompt(promptFile)]
    const live = prompts.length === 0 && process.stdin.isTTY === true
    const piped = prompts.length === 0 && !live ? [yield* readPrompt(undefined)] : prompts
    const { layer } = yield* Effect.promise(() => import("@tandem/runtime/node/NodeRuntime"))
    return yield* Effect.gen(function* () {
      const { generator, isChat } = yield* openGenerator(model)
      const inputOf = (text: string): ModelInput => {
        if (raw || (!isChat && system === undefined)) return text
        const turns = [{ role: "user", content: text }]
        return system === undefined ? turns : [{ role: "system", content: system }, ...turns]
      }
      if (live) {
        return yield* Stream.runForEach(askedQuestions(), (line) => answer(generator, inputOf(line), settings, machine))
      }
      const [single] = piped
      if (piped.length === 1 && single !== undefined)
        return yield* answer(generator, inputOf(single), settings, machine)
      const answers = yield* generator.generate(piped.map(inputOf), settings)
      for (const [index, [best]] of answers.entries()) {
        if (best === undefined) continue
        if (machine) printJson({ prompt: piped[index], ...best })
        else printLine(`${index === 0 ? "" : "\n"}${piped[index]}\n${best.text}`)
      }
    }).pipe(
      Effect.scoped,
      Effect.provide(layer({ device: options.device, ...withoutAbsent({ threads: options.threads }) })),
    )
  }),
).pipe(
  Command.withDescription("Let a language model write: to look at one before and after training"),
  Command.withExamples([
    { command: 'tandem generate --model run "Where does snow fall?"', description: "The generator of a finished run" },
    {
      command: "tandem generate --model HuggingFaceTB/SmolLM2-135M-Instruct --prompt-file prompt.txt",
      description: "A model on the hub, and a prompt from a file",
    },
    {
      command: "tandem generate --model M --temperature 0.7 --top-p 0.9",
      description: "Draw, one prompt after another",
    },
  ]),
)

/** The model, and whether it has a chat template. */
const openGenerator = Effect.fnUntraced(function* (name: string) {
  const { chatTemplateOf, makeLocalGenerator } = yield* Effect.promise(() => import("@tandem/generator"))
  const { openGeneratorFolder } = yield* Effect.promise(() => import("@tandem/objectives/node/LoadGenerator"))
  const { model } = yield* openGeneratorFolder(name)
  return {
    generator: yield* makeLocalGenerator({ model, name }),
    isChat: chatTemplateOf(model.tokenizer) !== undefined,
  }
})

/** Prints an answer: while it is written where a person reads it, else as a whole. */
const answer = Effect.fnUntraced(function* (
  generator: GeneratorShape,
  input: ModelInput,
  options: GenerateOptions,
  machine: boolean,
) {
  if (!machine && options.decoding?.kind !== "beam") {
    yield* generator
      .stream(input, options)
      .pipe(Stream.runForEach(({ text }) => Effect.sync(() => void process.stdout.write(text))))
    return printLine("")
  }
  const [[best] = []]: readonly (readonly Generation[])[] = yield* generator.generate([input], options)
  if (best === undefined) return
  if (machine) printJson(best)
  else printLine(best.text)
})

interface Choice {
  readonly beams: number | undefined
  readonly temperature: number | undefined
  readonly topK: number | undefined
  readonly topP: number | undefined
  readonly seed: number | undefined
}

/** How tokens are chosen: by beams, by drawing where a flag of drawing is there, else the likeliest. */
const decodingOf = ({ beams, temperature, topK, topP, seed }: Choice): Effect.Effect<Decoding, FlagWithoutEffect> => {
  const drawing = { temperature, topK, topP, seed }
  const [first] = drawingFlags.filter(([key]) => drawing[key] !== undefined)
  if (beams !== undefined && first !== undefined) return idle(first[1], "beside --beams")
  if (beams !== undefined) return Effect.succeed({ kind: "beam", beams })
  const draws = [temperature, topK, topP].some((value) => value !== undefined)
  if (!draws && seed !== undefined) return idle("seed", "without --temperature, --top-k or --top-p: nothing is drawn")
  return Effect.succeed(draws ? { kind: "sample", ...withoutAbsent(drawing) } : { kind: "greedy" })
}

const drawingFlags = [
  ["temperature", "temperature"],
  ["topK", "top-k"],
  ["topP", "top-p"],
  ["seed", "seed"],
] as const

const idle = (flag: string, because: string): Effect.Effect<never, FlagWithoutEffect> =>
  Effect.fail(
    new FlagWithoutEffect({
      message: `--${flag} has no effect ${because}`,
      field: `--${flag}`,
      hint: "leave one of the two out",
    }),
  )

/** A prompt from a file or from standard input, without the line's end that editors put behind it. */
const readPrompt = Effect.fnUntraced(function* (file: string | undefined) {
  const text = yield* Effect.tryPromise({
    try: () => (file === undefined ? readAll() : readFile(file, "utf8")),
    catch: (cause) =>
      new UnreadableFileError({
        message: `the prompt cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
        file: file ?? "standard input",
        field: "--prompt-file",
      }),
  })
  const prompt = text.replace(/\r?\n$/, "")
  if (prompt !== "") return prompt
  return yield* new MissingFlag({
    message: file === undefined ? "no prompt came on standard input" : `${file} is empty`,
    ...(file === undefined ? {} : { file }),
    field: "prompt",
    expected: "a prompt as an argument, on standard input, or in --prompt-file F",
  })
})

const readAll = async (): Promise<string> => {
  const pieces: Buffer[] = []
  for await (const piece of process.stdin) pieces.push(piece)
  return Buffer.concat(pieces).toString("utf8")
}
