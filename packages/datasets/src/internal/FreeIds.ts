/** Gives each id out once: one that is taken gets a `#2`, `#3`. */
export const freeIds = (): ((id: string) => string) => {
  const counts = new Map<string, number>()
  return (id) => {
    let count = counts.get(id) ?? 0
    let free: string
    do free = ++count === 1 ? id : `${id}#${count}`
    while (count > 1 && counts.has(free))
    counts.set(id, count)
    if (free !== id) counts.set(free, 1)
    return free
  }
}
