/** The fields of a line of names, quoted or bare; what follows a first line is read by a parser of its own. */
export const splitCsvLine = (line: string, delimiter: string): readonly string[] => {
  const names: string[] = []
  let rest = line
  for (;;) {
    const quoted = /^"((?:[^"]|"")*)"/.exec(rest)
    const end = rest.indexOf(delimiter, quoted === null ? 0 : quoted[0].length)
    names.push(quoted === null ? rest.slice(0, end < 0 ? rest.length : end) : quoted[1]!.replaceAll('""', '"'))
    if (end < 0) return names
    rest = rest.slice(end + delimiter.length)
  }
}
