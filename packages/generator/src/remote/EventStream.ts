import { Stream } from "effect"

/** The data of each server-sent event (HTML standard, 9.2): its `data` lines, joined. An unfinished last event is none. */
export const eventData = <E>(bytes: Stream.Stream<Uint8Array, E>): Stream.Stream<string, E> =>
  bytes.pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.mapAccum(
      (): readonly string[] => [],
      (lines, line) => {
        if (line === "") return [[], lines.length === 0 ? [] : [lines.join("\n")]] as const
        const data = /^data(?:: ?(.*))?$/s.exec(line)
        return [data === null ? lines : [...lines, data[1] ?? ""], []] as const
      },
    ),
  )
