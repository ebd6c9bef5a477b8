import type { Source, TableRow } from "../Source.ts"
import { parseJson } from "./JsonText.ts"
import { lineBatches } from "./Lines.ts"

/** One JSON value a line; blank lines are skipped. Throws `InvalidJsonError` and, for the last line, `TruncatedJsonError`. */
export async function* jsonLines(source: Source): AsyncGenerator<TableRow> {
  for await (const batch of lineBatches(source)) {
    for (const { text, line, last } of batch) {
      if (text.trim() === "") continue
      yield { value: parseJson(text, { file: source.file, line }, last), line }
    }
  }
}
