export {
  type EmbeddingSimilarity,
  type EncodeStatistics,
  makeTextEncoder,
  maxCompiledShapes,
  type TextEncoder,
  type TextEncoderOptions,
} from "./EncodeTexts.ts"
export {
  defaultTitles,
  type EncoderInput,
  encodeInput,
  type RenderOptions,
  renderText,
  type TextKind,
  type Titles,
} from "./PassageText.ts"
export { type Tower, towerOf } from "./Tower.ts"
