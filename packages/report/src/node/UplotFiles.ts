import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import type { ReportAssets } from "../Document.ts"

/** uPlot's files as they are installed. */
export const readUplot = async (): Promise<ReportAssets> => {
  const read = (file: string) => readFile(fileURLToPath(import.meta.resolve(`uplot/dist/${file}`)), "utf8")
  const [uplotScript, uplotStyle] = await Promise.all([read("uPlot.iife.min.js"), read("uPlot.min.css")])
  return { uplotScript, uplotStyle }
}
