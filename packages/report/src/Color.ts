/** The names of the colours that style sheets give to systems and lines, light and dark. */
export const colors = ["grey", "teal", "amber", "violet", "rose", "blue", "faint"] as const

export type Color = (typeof colors)[number]

/** Colours for lines of the same standing, in their order; after the last one they begin again. */
export const lineColor = (index: number): Color => lineColors[index % lineColors.length] ?? "teal"

const lineColors: readonly Color[] = ["teal", "amber", "violet", "rose", "blue", "grey"]

/** A rule a colour: what has its class finds it in `--color`. */
export const colorRules = colors.map((name) => `.${name} { --color: var(--${name}); }`).join("\n")
