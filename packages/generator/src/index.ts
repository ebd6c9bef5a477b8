export { InvalidGeneration, InvalidPrompt, InvalidTemplate, RemoteFailed } from "./Errors.ts"
export {
  type Decoding,
  type Finish,
  type GenerateOptions,
  type Generation,
  type GenerationPart,
  Generator,
  type GeneratorError,
  type GeneratorShape,
  type Message,
  type ModelInput,
  type Score,
  type ScoreRequest,
  type TokenPrompt,
} from "./Generator.ts"
