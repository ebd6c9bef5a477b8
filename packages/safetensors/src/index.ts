export { InvalidSafetensors } from "./Errors.ts"
export {
  readSafetensors,
  type Safetensors,
  type SafetensorsEntry,
  safetensorsHeaderEnd,
  safetensorsLayout,
  safetensorsParts,
  writeSafetensors,
} from "./Safetensors.ts"
