/** ONNX Runtime refuses two nodes of one name, which a graph that is called twice would give. */
export const uniqueNames = (): ((name: string) => string) => {
  /** By name, the number that the next node of it may take. */
  const taken = new Map<string, number>()
  return (name) => {
    let unique = name
    let count = taken.get(name) ?? 2
    for (; taken.has(unique); count++) unique = `${name}_${count}`
    if (unique !== name) taken.set(name, count)
    taken.set(unique, 2)
    return unique
  }
}
