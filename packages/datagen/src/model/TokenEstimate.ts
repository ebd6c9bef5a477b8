const encoder = new TextEncoder()

/**
 * How many tokens a text has at about most, where nobody has counted them: a third of its bytes, which is more than
 * tokenizers make of English and about what they make of Chinese.
 */
export const estimateTokens = (text: string): number => Math.ceil(encoder.encode(text).length / 3)
