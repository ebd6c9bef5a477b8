import { unzipSync } from "fflate"
import { type ReadLimits, Unreadable } from "./Reader.ts"

/** Files of a ZIP archive by their names. */
export type ZipFiles = Readonly<Record<string, Uint8Array>>

const mostEntries = 65_535

/**
 * The files of an archive that are wanted. Sizes are added up before anything is unpacked, and nothing unpacks to more
 * than its stated size; archives over the limit are `too-large`, encrypted ones `password-protected`.
 */
export const unzip = (
  bytes: Uint8Array,
  { maxUnpackedBytes }: ReadLimits,
  isWanted: (name: string) => boolean,
): ZipFiles => {
  if (isEncrypted(bytes)) throw new Unreadable("password-protected", "is encrypted", "save it without a password")
  let entries = 0
  let total = 0
  const files = unzipSync(bytes, {
    filter: ({ name, originalSize }) => {
      if (++entries > mostEntries) throw new Unreadable("damaged", `lists more than ${mostEntries} files`)
      if (!isWanted(name)) return false
      total += originalSize
      if (!(total <= maxUnpackedBytes)) {
        throw new Unreadable("too-large", `unpacks to more than the ${maxUnpackedBytes} bytes that are allowed`)
      }
      return true
    },
  })
  return files
}

/** Whether the first entry of an archive's list is encrypted, as all of them are then. */
const isEncrypted = (bytes: Uint8Array): boolean => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = bytes.length - 22; at >= 0 && at > bytes.length - 65_558; at--) {
    if (view.getUint32(at, true) !== 0x06054b50) continue
    const list = view.getUint32(at + 16, true)
    return (
      list + 10 <= bytes.length &&
      view.getUint32(list, true) === 0x02014b50 &&
      (view.getUint16(list + 8, true) & 1) === 1
    )
  }
  return false
}
