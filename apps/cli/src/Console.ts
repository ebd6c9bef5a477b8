/**
 * Standard output and standard error of the process. Output whose reader has gone (`tandem … | head -1`) is dropped:
 * a run goes on without it.
 */
const dropWhenUnread = (stream: NodeJS.WriteStream): void => {
  stream.on("error", (cause: NodeJS.ErrnoException) => {
    if (cause.code !== "EPIPE") throw cause
  })
}

/** To be called once, before anything is written. */
export const guardStreams = (): void => {
  dropWhenUnread(process.stdout)
  dropWhenUnread(process.stderr)
}

/** Writes a line of results. */
export const printLine = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

/** Writes one JSON object as a line of results. Numbers that JSON cannot hold become `null`. */
export const printJson = (value: unknown): void =>
  printLine(
    // Terminals take some of these for commands, which JSON may hold as they are.
    JSON.stringify(value).replace(
      /[\u007f-\u009f]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
    ),
  )

/** Writes a line of remarks. */
export const noteLine = (line: string): void => {
  process.stderr.write(`${line}\n`)
}

/** Passages may hold any character, also those that steer a terminal. */
export const plain = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "")
