import { Schema } from "effect"
import { contentHash } from "./ContentHash.ts"
import type { InstructionRow, Segment } from "./InstructionExample.ts"
import { rowDecoder } from "./internal/Decode.ts"
import { describedFields, description, isFields, slipsOf } from "./internal/Described.ts"
import { jsonLines } from "./internal/JsonLines.ts"
import type { Source, TableRow } from "./Source.ts"

const SegmentFields = Schema.Struct({ label: Schema.Boolean, text: Schema.String })

const rowFields = { ...describedFields, segments: Schema.NonEmptyArray(SegmentFields) }

const decode = rowDecoder(Schema.Struct(rowFields))

/**
 * Texts in segments as Axolotl's `input_output` takes them, one JSON object a line: `{"segments": [{"label", "text"}],
 * "id"?, "weight"?, "metadata"?}`. What has the label true is trained on. No template touches them: what begins and ends a
 * text stands in it. Fields of other names are kept in `metadata`.
 */
export const parseSegments = (source: Source): AsyncGenerator<InstructionRow> =>
  segmentRows(jsonLines(source), source.file)

/** {@link parseSegments} for rows that are JSON values already. */
export async function* segmentRows(rows: AsyncIterable<TableRow>, file: string): AsyncGenerator<InstructionRow> {
  for await (const { value, line } of rows) {
    const place = { file, line }
    const pieces: readonly unknown[] = isFields(value) && Array.isArray(value["segments"]) ? value["segments"] : []
    const remarks = [
      ...slipsOf(value, Object.keys(rowFields)),
      ...pieces.flatMap((piece) => slipsOf(piece, Object.keys(SegmentFields.fields))),
    ]
    const row = decode(value, place, remarks[0]?.subject)
    const segments = row.segments.map(({ label, text }): Segment => ({ text, trained: label }))
    yield {
      ...place,
      example: {
        kind: "segments",
        ...description(row, value, rowFields, `s-${contentHash(JSON.stringify(segments))}`),
        segments,
      },
      ...(remarks.length === 0 ? {} : { remarks }),
    }
  }
}

/**
 * The tokens of segments as Axolotl makes them: each segment is tokenized by itself and what comes of it is put together,
 * so that a token belongs to one segment and no merge reaches across.
 *
 * @param encode a text's token ids; it adds no special tokens, and knows those that stand in the text (`</s>`)
 * @returns `ids`, and as many flags: whether the token counts in the loss
 *
 * @example
 * ```ts
 * import { segmentTokens } from "@tandem/datasets"
 *
 * const segments = [
 *   { text: "Who flew?", trained: false },
 *   { text: " Wright", trained: true },
 * ]
 * const encode = (text: string) => Array.from(text, (character) => character.charCodeAt(0))
 * const { ids, trained } = segmentTokens(segments, encode)
 * console.log(ids.length, trained.filter(Boolean).length) // 16 7
 * ```
 */
export const segmentTokens = (
  segments: readonly Segment[],
  encode: (text: string) => ArrayLike<number>,
): { readonly ids: readonly number[]; readonly trained: readonly boolean[] } => {
  const tokens = segments.flatMap(({ text, trained }) => Array.from(encode(text), (id) => ({ id, trained })))
  return { ids: tokens.map(({ id }) => id), trained: tokens.map(({ trained }) => trained) }
}
