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
  type OutputFormat,
  type Score,
  type ScoreRequest,
  type TokenPrompt,
  type Usage,
} from "./Generator.ts"
export {
  type LocalGenerator,
  type LocalGeneratorOptions,
  layerLocal,
  makeLocalGenerator,
} from "./local/LocalGenerator.ts"
export {
  type ChatTemplate,
  type ChatTemplateOptions,
  chatTemplateOf,
  type RenderOptions,
} from "./prompt/ChatTemplate.ts"
export { conversationTokens, type LabelledTokens, type LearnedMessage } from "./prompt/ConversationTokens.ts"
export { defaultChat, defaultTemplate } from "./prompt/DefaultTemplates.ts"
export { makePrompts, type Prompt, type PromptModel, type PromptSettings, type Prompts } from "./prompt/Prompts.ts"
export { type Context, promptText } from "./prompt/PromptText.ts"
export { type RagPrompt, ragPromptJson, readRagPrompt } from "./prompt/RagPrompt.ts"
export {
  type ChatTurns,
  type RagTemplate,
  ragTemplate,
  type TextTemplate,
} from "./prompt/RagTemplate.ts"
export {
  answerFromPassages,
  type MixedPart,
  type RagAnswer,
  type RagDecoding,
  type RagGenerator,
  type RagOptions,
  type RagRequest,
  type RagToken,
} from "./rag/AnswerFromPassages.ts"
export { logPriorOf, type MarginalScore, type Mixture, marginalScore } from "./rag/Marginal.ts"
export { type RagPart, streamFromPassages } from "./rag/StreamFromPassages.ts"
export { layerOpenAi, openAiGenerator } from "./remote/OpenAiGenerator.ts"
export type { OpenAiOptions, Server } from "./remote/OpenAiOptions.ts"
