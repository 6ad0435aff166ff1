/** An instant as sender and recipient of a message see it: local time with its offset, to the second (contracts: peers 2). */
export const sentAt = (at: number): string => {
  const minutes = -new Date(at).getTimezoneOffset()
  const local = new Date(at + minutes * 60_000).toISOString().slice(0, 19)
  const two = (value: number) => String(value).padStart(2, "0")
  const size = Math.abs(minutes)
  return `${local}${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`
}
