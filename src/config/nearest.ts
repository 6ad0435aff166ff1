/** The name that was probably meant: the known one that the fewest edits lead to, if they are few. */
export const nearest = (given: string, known: Iterable<string>): string | undefined => {
  const plain = snakeCase(given)
  let best: { readonly name: string; readonly distance: number } | undefined
  for (const name of known) {
    const distance = editDistance(plain, name)
    if (distance <= Math.max(2, name.length / 3) && (!best || distance < best.distance)) {
      best = { name, distance }
    }
  }
  return best?.name
}

export const snakeCase = (text: string): string =>
  text
    .replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    .replace(/^_|-/g, (each) => (each === "-" ? "_" : ""))

const editDistance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[b.length] as number
}
