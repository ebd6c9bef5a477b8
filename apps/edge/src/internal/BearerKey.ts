import { Refusal } from "../Refusal.ts"

const bytesOf = (text: string): Promise<ArrayBuffer> => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))

/** Looks at all bytes, wherever the first difference is. */
const equal = (a: Uint8Array, b: Uint8Array): boolean => {
  let different = a.length ^ b.length
  for (const [index, byte] of a.entries()) different |= byte ^ (b[index] ?? 0)
  return different === 0
}

/**
 * Checks `Authorization: Bearer KEY`. Digests of both keys are compared, all bytes of them, so that the time tells nothing of
 * where a guess went wrong, or of the key's length. Anything but the key ends in a `Refusal` of 401.
 */
export const checkBearerKey = async (headers: Headers, key: string): Promise<void> => {
  const [, given] = /^Bearer +(\S+) *$/i.exec(headers.get("authorization") ?? "") ?? []
  const [found, expected] = await Promise.all([bytesOf(given ?? ""), bytesOf(key)])
  if (equal(new Uint8Array(found), new Uint8Array(expected)) && given !== undefined) return
  throw new Refusal(
    401,
    given === undefined ? "a key is needed: `Authorization: Bearer KEY`" : "the key is not right",
    {
      code: "invalid_api_key",
    },
  )
}
